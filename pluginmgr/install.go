package pluginmgr

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/job"
	"github.com/vivified/vivified/core/market"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/db"
)

// The kinds of jobs.
const JobInstall = "install"

// Installer brings plugins from the shelf into the installation, as jobs that
// outlive the core. What it may install it asks the shelf, each time anew.
type Installer struct {
	*Manager
	Shelf *market.Service
	Jobs  *job.Service
	// Healthy is how long a started plugin may take until it is healthy. Default 60 s.
	Healthy time.Duration
}

// Wish says what is to be installed, and how far.
type Wish struct {
	Digest string `json:"digest"` // of the bundle that was reviewed
	Enable bool   `json:"enable"` // open its lanes as well, which accepts what its manifest asks for
}

// Install starts a job that installs a bundle. Errors are faults: Denied with the
// reasons why the operator's rules keep it out, Conflict for a plugin that is here
// already, NotFound.
func (i *Installer) Install(ctx context.Context, w Wish) (*job.Job, error) {
	v, err := i.Shelf.Admit(ctx, w.Digest)
	if err != nil {
		return nil, err
	}
	if p, there := i.Registry.Snapshot().Plugin(v.Manifest.ID); there {
		return nil, fault.New(fault.Conflict, "plugin.installed", "%s is installed already, in version %s.", p.ID, p.Version)
	}
	return i.Jobs.Start(ctx, JobInstall, v.Manifest.ID, w)
}

// Plans are how the jobs are done.
func (i *Installer) Plans() map[string]job.Plan {
	return map[string]job.Plan{
		JobInstall: {Action: "plugin.install", Undo: i.uninstall, Steps: []job.Step{
			{Name: "verify", Label: "Check digest, signatures and the operator's rules", Do: i.verify},
			{Name: "check", Label: "Check the manifest and what it depends on", Do: i.check},
			{Name: "register", Label: "Take it in, without any rights", Do: i.takeIn},
			{Name: "start", Label: "Start it and open its lanes", Do: i.startUp},
			{Name: "healthy", Label: "Wait until it is healthy", Do: i.awaitHealth},
		}},
	}
}

// admitted returns what a job is about, judged again.
func (i *Installer) admitted(ctx context.Context, r *job.Run) (Wish, *market.Version, error) {
	var w Wish
	if err := r.Read(&w); err != nil {
		return w, nil, err
	}
	v, err := i.Shelf.Admit(ctx, w.Digest)
	return w, v, err
}

func (i *Installer) verify(ctx context.Context, r *job.Run) error {
	_, v, err := i.admitted(ctx, r)
	if err != nil {
		return err
	}
	if err := v.Bundle.Verify(ctx, func(done, total int64) { r.Progress(ctx, done, total) }); err != nil {
		return err
	}
	var by []string
	for _, s := range v.Verdict.Signers {
		by = append(by, s.Name)
	}
	if len(by) == 0 {
		r.Note("Every file has its digest. Nobody signed it, and no signature is asked for.")
	} else {
		r.Note("Every file has its digest. Signed by %s.", strings.Join(by, " and "))
	}
	return nil
}

func (i *Installer) check(ctx context.Context, r *job.Run) error {
	w, v, err := i.admitted(ctx, r)
	if err != nil {
		return err
	}
	if _, err := i.dependencies(v.Manifest, nil); err != nil && w.Enable {
		return err
	}
	r.Note("Risk %d, %s.", v.Risk.Score, v.Risk.Level)
	return nil
}

// fromShelf is where a plugin that came from the marketplace registered from.
const fromShelf = "marketplace"

func (i *Installer) takeIn(ctx context.Context, r *job.Run) error {
	w, v, err := i.admitted(ctx, r)
	if err != nil {
		return err
	}
	// Kept before it is done, so that a job that is undone knows what it may remove.
	if p, there := i.Registry.Snapshot().Plugin(v.Manifest.ID); there {
		var ours string
		if !r.Kept("registers", &ours) || p.Manifest.Digest() != v.Manifest.Digest() {
			return fault.New(fault.Conflict, "plugin.installed", "%s is installed already, in version %s.", p.ID, p.Version)
		}
		return nil // by the attempt before
	}
	if err := r.Keep("registers", v.Manifest.ID); err != nil {
		return err
	}
	if err := r.Save(ctx); err != nil {
		return err
	}
	m := v.Manifest
	return i.Registry.Add(ctx, m, "", fromShelf, func(q *db.Queries) error {
		_, err := q.ReleaseAdd(ctx, db.ReleaseAddParams{
			PluginID: m.ID, Version: m.Version, Digest: w.Digest, Manifest: m.Raw, InstalledBy: actor.From(ctx).Name, At: time.Now(),
		})
		return err
	})
}

func (i *Installer) startUp(ctx context.Context, r *job.Run) error {
	w, v, err := i.admitted(ctx, r)
	if err != nil {
		return err
	}
	if !w.Enable {
		r.Note("Left off. Enable it once it is configured.")
		return nil
	}
	missing, err := i.Settings.MissingRequired(ctx, v.Manifest.ID, v.Manifest)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		r.Note("Left off: it needs a value for %s first.", strings.Join(missing, ", "))
		return nil
	}
	if p, there := i.Registry.Snapshot().Plugin(v.Manifest.ID); there && p.State == policy.Active {
		return nil // by the attempt before
	}
	err = i.Enable(ctx, v.Manifest.ID, Enabling{})
	if p, there := i.Registry.Snapshot().Plugin(v.Manifest.ID); fault.Of(err).Code == "plugin.state" && there && p.State == policy.Active {
		return nil // enabled automatically, or by somebody who was quicker
	}
	return err
}

// awaitHealth waits for a plugin that was started here. One that is not healthy in
// time fails the job.
func (i *Installer) awaitHealth(ctx context.Context, r *job.Run) error {
	p, there := i.Registry.Snapshot().Plugin(r.Plugin)
	if !there {
		return fault.New(fault.Conflict, "plugin.unknown", "Somebody removed %s meanwhile.", r.Plugin)
	}
	if p.State == policy.Registered || p.Manifest.HealthCheck == nil {
		return nil
	}
	within := i.Healthy
	if within == 0 {
		within = time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		changed := i.Registry.Changed()
		if p, there = i.Registry.Snapshot().Plugin(r.Plugin); !there {
			return fault.New(fault.Conflict, "plugin.unknown", "Somebody removed %s meanwhile.", r.Plugin)
		}
		switch p.Health {
		case registry.Healthy:
			r.Note("Healthy.")
			return nil
		case registry.Unhealthy:
			return fault.New(fault.Conflict, "plugin.unhealthy", "%s is unhealthy: %s", r.Plugin, p.HealthDetail)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, context.DeadlineExceeded) {
				return cause
			}
			return fault.New(fault.Timeout, "plugin.unhealthy", "%s was not healthy within %s.", r.Plugin, within)
		}
	}
}

// uninstall takes back what an install job did.
func (i *Installer) uninstall(ctx context.Context, r *job.Run) error {
	var id string
	if !r.Kept("registers", &id) {
		return nil
	}
	if err := i.Registry.Load(ctx); err != nil {
		return err
	}
	if _, there := i.Registry.Snapshot().Plugin(id); !there {
		return nil
	}
	return i.Unregister(ctx, id)
}

// RuntimeKinds are the kinds of plugins that can run here, sorted.
func (m *Manager) RuntimeKinds() []string { return slices.Sorted(maps.Keys(m.Runtimes)) }

package pluginmgr

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/db"
)

// The restart budget: a plugin that fails more often than budget times within
// budgetTime is quarantined; until then each restart waits longer than the last.
const (
	budget     = 5
	budgetTime = 10 * time.Minute
	firstPause = time.Second
	mostPause  = time.Minute
)

// pause is until when a plugin that failed is not started again.
type pause struct {
	until time.Time
	long  time.Duration
}

const renewPlaces = 10 * time.Second

// runs reports whether a plugin in that state is to run.
func runs(s policy.State) bool { return s == policy.Active || s == policy.Unhealthy }

// supervision keeps the instances of this replica as the registry says: it starts
// what should run and does not, stops what should not, and replaces what runs an
// older version than the one in force.
type supervision struct {
	m       *Manager
	working sync.WaitGroup
	renewed time.Time
}

// recover takes up what runs since before the core started.
func (s *supervision) recover(ctx context.Context) {
	names := []string{}
	for kind, rt := range s.m.Runtimes {
		starter, ok := rt.(Starter)
		if !ok {
			continue
		}
		found, err := starter.Recover(ctx)
		if err != nil {
			s.m.Log.ErrorContext(ctx, "what runs since before is not taken up", "runtime", kind, "error", err)
			continue
		}
		for _, r := range found {
			if s.m.adopt(ctx, kind, starter, r) {
				names = append(names, r.Instance)
			}
		}
	}
	if _, err := db.New(s.m.Pool).PluginRunsLost(ctx, s.m.Replica, names); err != nil {
		s.m.Log.WarnContext(ctx, "ended instances are not on record", "error", err)
	}
}

// adopt makes a running instance current if it should run, and stops it if not.
func (m *Manager) adopt(ctx context.Context, kind string, rt Starter, r Running) bool {
	p, known := m.Registry.Snapshot().Plugin(r.Plugin)
	place, err := db.New(m.Pool).PluginPlace(ctx, r.Plugin)
	here := err == nil && place.Replica == m.Replica
	if !known || !runs(p.State) || p.Manifest.Runtime.Kind != kind || p.Manifest.Runtime.Digest != r.Image || !here || m.instances.of(r.Plugin) != nil {
		m.Log.WarnContext(ctx, "an orphan is stopped", "plugin", r.Plugin, "instance", r.Instance)
		if err := rt.Stop(ctx, r.Instance, 0); err != nil {
			m.Log.WarnContext(ctx, "not stopped", "plugin", r.Plugin, "error", err)
		}
		return false
	}
	one := &instance{
		plugin: r.Plugin, name: r.Instance, image: r.Image, digest: p.Manifest.Digest(), runtime: rt, started: r.Started,
		ended: make(chan struct{}),
	}
	m.instances.set(r.Plugin, one)
	m.attend(ctx, one)
	m.Log.InfoContext(ctx, "a running plugin is taken up again", "plugin", r.Plugin, "since", r.Started)
	return true
}

// round starts whatever is due. It does not wait for it.
func (s *supervision) round(ctx context.Context) {
	if time.Since(s.renewed) > renewPlaces {
		s.renewed = time.Now()
		if err := db.New(s.m.Pool).PluginPlaceRenew(ctx, s.m.Replica); err != nil {
			s.m.Log.WarnContext(ctx, "places of plugins not renewed", "error", err)
		}
	}
	snap := s.m.Registry.Snapshot()
	for _, one := range s.m.instances.all() {
		if p, ok := snap.Plugin(one.plugin); !ok || !runs(p.State) {
			s.do(ctx, one.plugin, s.m.retire)
		}
	}
	for _, p := range snap.Plugins() {
		if !runs(p.State) {
			continue
		}
		if _, starts := s.m.starter(p.Manifest); !starts {
			continue
		}
		one := s.m.instances.of(p.ID)
		if s.m.paused(p.ID) || one != nil && one.digest == p.Manifest.Digest() {
			continue
		}
		s.do(ctx, p.ID, s.m.bring)
	}
}

// do does something to a plugin unless somebody else is at it.
func (s *supervision) do(ctx context.Context, id string, what func(context.Context, string)) {
	lock := s.m.instances.lock(id)
	if !lock.TryLock() {
		return
	}
	s.working.Go(func() {
		defer lock.Unlock()
		what(ctx, id)
	})
}

// retire stops a plugin that was disabled, quarantined or unregistered elsewhere.
func (m *Manager) retire(ctx context.Context, id string) {
	one := m.instances.of(id)
	if p, ok := m.Registry.Snapshot().Plugin(id); one == nil || ok && runs(p.State) {
		return
	} else if ok {
		m.drain(ctx, p)
		m.shutdown(ctx, p)
		return
	}
	m.instances.unset(one)
	m.stop(ctx, one, causeStopped, m.Timing.Grace)
	m.forget(ctx, one.runtime, id)
}

// bring starts a plugin that should run here and does not, or puts another
// version in the place of the one that runs.
func (m *Manager) bring(ctx context.Context, id string) {
	p, ok := m.Registry.Snapshot().Plugin(id)
	if !ok || !runs(p.State) {
		return
	}
	rt, starts := m.starter(p.Manifest)
	if place, err := db.New(m.Pool).PluginPlace(ctx, id); !starts || err != nil || place.Replica != m.Replica {
		return // it runs, or ran, elsewhere; enabling it here would bring it
	}
	was := m.instances.of(id)
	if was != nil && was.digest == p.Manifest.Digest() || m.paused(id) {
		return
	}
	if was == nil && m.overBudget(ctx, p) {
		return
	}
	next, err := m.launch(ctx, rt, p, p.Manifest)
	if err != nil {
		return // which is logged
	}
	m.takeOver(ctx, p, next)
}

// overBudget quarantines a plugin that failed too often, and otherwise says how
// long its next start waits when it has just failed.
func (m *Manager) overBudget(ctx context.Context, p *registry.Plugin) bool {
	since := time.Now().Add(-budgetTime)
	if p.EnabledAt != nil && p.EnabledAt.After(since) {
		since = *p.EnabledAt // whoever enabled it gave it a new budget
	}
	failed, err := db.New(m.Pool).PluginRunsFailed(ctx, p.ID, &since)
	if err != nil {
		m.Log.WarnContext(ctx, "the failures of a plugin cannot be counted", "plugin", p.ID, "error", err)
		return true
	}
	if failed <= budget {
		return false
	}
	reason := fmt.Sprintf("It failed %d times within %d minutes.", failed, int(budgetTime.Minutes()))
	if runs, err := db.New(m.Pool).PluginRunList(ctx, p.ID, 1); err == nil && len(runs) == 1 {
		reason += " The last time " + RunOf(runs[0]).Words() + "."
	}
	if err := m.leaveLocked(ctx, p, policy.Quarantined, reason); err != nil && fault.Of(err).Code != "plugin.state" {
		m.Log.ErrorContext(ctx, "a plugin that fails again and again is not quarantined", "plugin", p.ID, "error", err)
	}
	return true
}

// paused reports whether a plugin that failed waits for its next start.
func (m *Manager) paused(id string) bool {
	m.instances.mu.Lock()
	defer m.instances.mu.Unlock()
	return time.Now().Before(m.instances.pauses[id].until)
}

// postpone has the next start of a plugin wait, each time longer.
func (m *Manager) postpone(id string) {
	m.instances.mu.Lock()
	defer m.instances.mu.Unlock()
	p := m.instances.pauses[id]
	if time.Since(p.until) > budgetTime {
		p.long = 0
	}
	p.long = min(max(2*p.long, m.Timing.Pause), mostPause)
	p.until = time.Now().Add(p.long)
	m.instances.pauses[id] = p
}

// takePlace has a plugin run on this replica from now on.
func (m *Manager) takePlace(ctx context.Context, id string) error {
	q := db.New(m.Pool)
	n, err := q.PluginPlaceTake(ctx, id, m.Replica)
	if err != nil {
		return db.Fault(err)
	}
	if n == 1 {
		return nil
	}
	place, err := q.PluginPlace(ctx, id)
	if err != nil {
		return db.Fault(err)
	}
	return fault.New(fault.Conflict, "runtime.elsewhere", "%s runs on the replica %s; disable it first, or enable it there.", id, place.Replica)
}

// forget drops what a plugin that was unregistered left on this machine.
func (m *Manager) forget(ctx context.Context, rt Starter, id string) {
	if err := rt.Forget(ctx, id); err != nil {
		m.Log.WarnContext(ctx, "a plugin's volume stays", "plugin", id, "error", err)
	}
	if err := m.Journal.Forget(id); err != nil {
		m.Log.WarnContext(ctx, "a plugin's log stays", "plugin", id, "error", err)
	}
}

// end stops every instance where they do not outlive the core, or lets go of them.
func (s *supervision) end(ctx context.Context) {
	s.working.Wait()
	if !s.m.Ends {
		return
	}
	ctx, cancel := context.WithTimeout(actor.With(context.WithoutCancel(ctx), actor.Core("plugin manager")), 4*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for _, one := range s.m.instances.all() {
		all.Go(func() {
			s.m.instances.unset(one)
			s.m.stop(ctx, one, causeStopped, time.Second)
		})
	}
	all.Wait()
}

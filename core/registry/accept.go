package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// Waiting is what of a plugin waits for somebody to accept it: a wider manifest
// that it came back with, or traits of the one in force that were registered
// only after it was accepted.
type Waiting struct {
	Manifest *manifest.Manifest
	Traits   trait.Set // of the plugin once accepted
	Adds     trait.Set // those among them that it has not now
	Digest   string    // of what is to be accepted: sha256 and its hex digits
}

// Waiting returns what of p waits, if anything does.
func (s *Snapshot) Waiting(p *Plugin) (Waiting, bool) {
	w := Waiting{Manifest: p.Pending}
	if w.Manifest == nil {
		w.Manifest = p.Manifest
		runs := p.State == policy.Active || p.State == policy.Unhealthy
		if !runs || p.Traits.Covers(p.Manifest.Traits) {
			return Waiting{}, false
		}
	}
	w.Traits = w.Manifest.Traits
	for _, id := range p.Traits.Missing(w.Traits).IDs() {
		w.Adds = w.Adds.With(id)
	}
	w.Digest = digest(w.Manifest.Raw, s.traits.Names(w.Traits))
	return w, true
}

// digest names a manifest and the traits it is accepted with: whoever read them
// and accepts says by it what they read.
func digest(raw json.RawMessage, traits []string) string {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(append(append(text, 0), strings.Join(traits, ",")...))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Acceptance puts in force, for a plugin as it runs, what somebody read and accepts.
type Acceptance struct {
	Plugin       string
	Manifest     json.RawMessage // what was checked
	Traits       []string        // accepted traits, by name
	Dependencies []string        // plugins it may call besides, from now on
}

// Accept puts a manifest in force, with its traits and the grants of its
// dependencies, all at one moment: until then the old ones count, and no lane is
// cut. A plugin that is not in use keeps its traits until it is enabled. Errors
// are faults: Conflict when another manifest waits than the one that was checked.
func (r *Registry) Accept(ctx context.Context, a Acceptance) error {
	if err := db.InTx(ctx, r.pool, func(q *db.Queries) error { return r.AcceptIn(ctx, q, a) }); err != nil {
		return err
	}
	r.publish(ctx)
	return nil
}

// AcceptIn does what Accept does in the transaction of q; call Announce once that
// is committed.
func (r *Registry) AcceptIn(ctx context.Context, q *db.Queries, a Acceptance) error {
	row, err := q.PluginLock(ctx, a.Plugin)
	if err != nil {
		return missing(err, a.Plugin)
	}
	state, accepts := policy.State(row.State), row.Manifest
	if row.PendingManifest != nil {
		accepts = row.PendingManifest
	}
	switch {
	case state == policy.Quarantined:
		return fault.New(fault.Conflict, "plugin.state", "%s is quarantined; release it before its manifest is accepted.", a.Plugin)
	case !same(a.Manifest, accepts):
		return fault.New(fault.Conflict, "plugin.manifest", "%s came with another manifest meanwhile; look again.", a.Plugin)
	}
	m, err := stored(accepts, r.ReadOptions())
	if err != nil {
		return err
	}
	before := row.Manifest
	if row.PendingManifest != nil {
		if err := q.PluginSetManifest(ctx, db.PluginSetManifestParams{ID: row.ID, Manifest: accepts, Name: m.Name, Version: m.Version}); err != nil {
			return err
		}
	}
	if state == policy.Active || state == policy.Unhealthy {
		if err := r.widen(ctx, q, row, m, a); err != nil {
			return err
		}
	}
	return audit.Append(ctx, q, audit.Entry{
		Plugin: row.ID, Action: "plugin.manifest.accept", Object: row.ID, Outcome: audit.OK, Before: before, After: accepts,
		Detail: map[string]any{"version": m.Version, "traits": a.Traits, "may_call": list(a.Dependencies)},
	})
}

// Replace puts another version of a plugin in force than the one its caller saw,
// with the traits and grants that were accepted with it, all at one moment. A
// manifest that waited is forgotten. Errors are faults: Conflict when the plugin
// changed meanwhile or is quarantined.
func (r *Registry) Replace(ctx context.Context, seen *Plugin, a Acceptance) error {
	err := db.InTx(ctx, r.pool, func(q *db.Queries) error {
		row, err := q.PluginLock(ctx, a.Plugin)
		if err != nil {
			return missing(err, a.Plugin)
		}
		state := policy.State(row.State)
		if state != seen.Stored || state == policy.Quarantined || !same(row.Manifest, seen.Manifest.Raw) {
			return fault.New(fault.Conflict, "plugin.state", "%s changed meanwhile; look again.", a.Plugin)
		}
		m, err := stored(a.Manifest, r.ReadOptions())
		if err != nil {
			return err
		}
		if err := q.PluginSetManifest(ctx, db.PluginSetManifestParams{ID: row.ID, Manifest: a.Manifest, Name: m.Name, Version: m.Version}); err != nil {
			return err
		}
		if state == policy.Active || state == policy.Unhealthy {
			if err := r.widen(ctx, q, row, m, a); err != nil {
				return err
			}
		}
		return audit.Append(ctx, q, audit.Entry{
			Plugin: row.ID, Action: "plugin.replace", Object: row.ID, Outcome: audit.OK, Before: row.Manifest, After: a.Manifest,
			Detail: map[string]any{"from": row.Version, "to": m.Version, "traits": a.Traits, "may_call": list(a.Dependencies)},
		})
	})
	if err != nil {
		return err
	}
	r.publish(ctx)
	return nil
}

// widen gives a plugin in use what its accepted manifest asks for, and takes what
// that does not ask for any more.
func (r *Registry) widen(ctx context.Context, q *db.Queries, row db.Plugin, m *manifest.Manifest, a Acceptance) error {
	if err := r.narrow(ctx, q, row, m); err != nil {
		return err
	}
	if err := q.PluginAccept(ctx, list(a.Traits), row.ID); err != nil {
		return err
	}
	has, err := q.GrantsOfDependencies(ctx, row.ID)
	if err != nil {
		return err
	}
	for _, target := range a.Dependencies {
		if slices.ContainsFunc(has, func(g Given) bool { return g.Target == target }) {
			continue
		}
		if _, err := q.GrantPut(ctx, db.GrantPutParams{
			ID: uuid.Must(uuid.NewV7()), Caller: row.ID, Target: target, Operations: []string{}, Source: "dependency",
			Reason: "dependency accepted with its manifest", GrantedBy: actor.From(ctx).ID,
		}); err != nil {
			return err
		}
	}
	return nil
}

// RefuseIn forgets a manifest that waits, in the transaction of q, or returns a
// Conflict fault when another one waits; call Announce once that is committed.
func (r *Registry) RefuseIn(ctx context.Context, q *db.Queries, plugin string, raw json.RawMessage) error {
	row, err := q.PluginLock(ctx, plugin)
	if err != nil {
		return missing(err, plugin)
	}
	if row.PendingManifest == nil || !same(raw, row.PendingManifest) {
		return fault.New(fault.Conflict, "plugin.manifest", "%s came with another manifest meanwhile; look again.", plugin)
	}
	if err := q.PluginSetPending(ctx, nil, plugin); err != nil {
		return err
	}
	return audit.Append(ctx, q, audit.Entry{Plugin: plugin, Action: "plugin.manifest.refuse", Object: plugin, Outcome: audit.OK, Before: row.PendingManifest, After: row.Manifest})
}

package pluginmgr

import (
	"context"
	"slices"
	"strings"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/registry"
)

// Accept puts in force what of a plugin waits and has that digest, which is the
// one that whoever accepts was shown. A running plugin goes on running: until
// then it has its old traits, and its calls in flight go on. Errors are faults:
// Conflict where nothing or something else waits, and as of Enable.
func (m *Manager) Accept(ctx context.Context, id, digest string) error {
	a, err := m.Acceptance(ctx, id, digest)
	if err != nil {
		return err
	}
	return m.Registry.Accept(ctx, a)
}

// Acceptance checks what of a plugin waits as Enable would, and returns it to be
// put in force.
func (m *Manager) Acceptance(ctx context.Context, id, digest string) (registry.Acceptance, error) {
	p, err := m.plugin(id)
	if err != nil {
		return registry.Acceptance{}, err
	}
	w, ok := m.Registry.Snapshot().Waiting(p)
	switch {
	case !ok:
		return registry.Acceptance{}, fault.New(fault.Conflict, "plugin.manifest", "No manifest of %s waits any more; look again.", id)
	case w.Digest != digest:
		return registry.Acceptance{}, fault.New(fault.Conflict, "plugin.manifest", "%s came with another manifest meanwhile; look again.", id)
	}
	return m.acceptable(ctx, p, w.Manifest)
}

// acceptable checks a manifest of a plugin as Enable would, and returns it to be
// put in force.
func (m *Manager) acceptable(ctx context.Context, p *registry.Plugin, next *manifest.Manifest) (registry.Acceptance, error) {
	checked, findings := manifest.Read(next.Raw, m.Registry.ReadOptions())
	if err := findings.Err(); err != nil {
		return registry.Acceptance{}, err
	}
	may, err := m.dependencies(&checked, nil)
	if err != nil {
		return registry.Acceptance{}, err
	}
	missing, err := m.Settings.MissingRequired(ctx, p.ID, &checked)
	if err != nil {
		return registry.Acceptance{}, err
	}
	if len(missing) > 0 {
		return registry.Acceptance{}, fault.New(fault.Conflict, "config.incomplete", "%s needs a value for %s before its manifest can be accepted.", p.ID, strings.Join(missing, ", "))
	}
	// A dependency that was declared before keeps the word that was given on it.
	may = slices.DeleteFunc(may, func(target string) bool {
		other, ok := m.Registry.Snapshot().Plugin(target)
		return ok && slices.ContainsFunc(p.Manifest.Dependencies, func(d manifest.Dependency) bool { return d.SatisfiedBy(other.Manifest) })
	})
	return registry.Acceptance{
		Plugin: p.ID, Manifest: next.Raw, Traits: m.Registry.Snapshot().Traits().Names(checked.Traits), Dependencies: may,
	}, nil
}

// Widens says in words what of a plugin waits beyond what is in force.
func (m *Manager) Widens(id string) []string {
	snap := m.Registry.Snapshot()
	p, ok := snap.Plugin(id)
	if !ok {
		return nil
	}
	w, ok := snap.Waiting(p)
	switch {
	case !ok:
		return nil
	case p.Pending != nil:
		return Widenings(snap.Traits(), p.Manifest, p.Pending)
	}
	var said []string
	for _, name := range snap.Traits().Names(w.Adds) {
		said = append(said, "traits: "+name+", registered since")
	}
	return said
}

package pluginmgr

import (
	"context"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
)

// Replace puts another version of a plugin in the place of the one in force, as
// for an upgrade or the way back. Where the core runs the plugin and it is in use,
// the new version is started beside the old one and takes over once it is healthy;
// the old one finishes its calls and is stopped. Until then, and after any error,
// the old one goes on untouched.
//
// The caller has made sure that somebody accepts what next asks for: its traits
// count and its dependencies become grants. Errors are faults: Invalid for a
// manifest that no longer passes, Conflict for the state, settings or dependencies
// of the plugin, and those of Enable for what cannot be started.
func (m *Manager) Replace(ctx context.Context, id string, next *manifest.Manifest) error {
	lock := m.instances.lock(id)
	lock.Lock()
	defer lock.Unlock()
	p, err := m.plugin(id)
	if err != nil {
		return err
	}
	if next.ID != id {
		return fault.New(fault.Conflict, "plugin.manifest", "The manifest is of %s, not of %s.", next.ID, id)
	}
	if p.State == policy.Quarantined {
		return fault.New(fault.Conflict, "plugin.state", "%s is quarantined; release it before it gets another version.", id)
	}
	a, err := m.acceptable(ctx, p, next)
	if err != nil {
		return err
	}
	rt, starts := m.starter(next)
	if !runs(p.State) || !starts {
		return m.Registry.Replace(ctx, p, a)
	}
	if err := rt.Able(ctx); err != nil {
		return err
	}
	one, err := m.launch(ctx, rt, p, next)
	if err != nil {
		return err
	}
	if err = m.init(ctx, next, rt, one.target()); err == nil {
		err = m.awaitHealthy(ctx, next, one)
	}
	if err == nil {
		err = m.Registry.Replace(ctx, p, a)
	}
	if err != nil {
		m.stop(context.WithoutCancel(ctx), one, causeStopped, time.Second)
		return err
	}
	m.takeOver(context.WithoutCancel(ctx), p, one)
	return nil
}

// takeOver makes an instance current, and stops the one that was once its calls
// are done.
func (m *Manager) takeOver(ctx context.Context, p *registry.Plugin, next *instance) {
	was := m.instances.set(p.ID, next)
	m.Log.InfoContext(ctx, "plugin started", "plugin", p.ID, "instance", next.name)
	if was == nil {
		return
	}
	m.settle(ctx, was.target())
	m.stop(ctx, was, causeReplaced, m.Timing.Grace)
}

// awaitHealthy returns once an instance that is not current yet passes the health
// check of its manifest, or a fault when it does not in time.
func (m *Manager) awaitHealthy(ctx context.Context, mf *manifest.Manifest, one *instance) error {
	if mf.HealthCheck == nil {
		return nil // it answers, which launch has seen
	}
	ctx, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		s := m.examine(ctx, mf, one.runtime, one.target())
		if s.Health == registry.Healthy {
			return nil
		}
		select {
		case <-one.ended:
			return fault.New(fault.BadGateway, "plugin.not_started", "%s ended before it was healthy; its log says why.", one.plugin)
		case <-ctx.Done():
			return fault.New(fault.BadGateway, "plugin.not_started", "%s %s was started and is not healthy: %s", one.plugin, mf.Version, s.Detail)
		case <-time.After(pause):
		}
	}
}

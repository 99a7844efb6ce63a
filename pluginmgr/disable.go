package pluginmgr

import (
	"context"
	"net/http"
	"time"

	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/db"
)

// Disable closes the lanes for a plugin, lets its calls finish, calls its
// shutdown hook, and stops it where its runtime runs it.
func (m *Manager) Disable(ctx context.Context, id, reason string) error {
	return m.leave(ctx, id, policy.Disabled, reason)
}

// Quarantine closes the lanes at once, voids the plugin's credentials and stops it.
// Only an administrator lets it out, by disabling it. What it wrote stays readable.
func (m *Manager) Quarantine(ctx context.Context, id, reason string) error {
	return m.leave(ctx, id, policy.Quarantined, reason)
}

func (m *Manager) leave(ctx context.Context, id string, to policy.State, reason string) error {
	lock := m.instances.lock(id)
	lock.Lock()
	defer lock.Unlock()
	p, err := m.plugin(id)
	if err != nil {
		return err
	}
	return m.leaveLocked(ctx, p, to, reason)
}

// leaveLocked is leave for whoever holds the plugin's lock.
func (m *Manager) leaveLocked(ctx context.Context, p *registry.Plugin, to policy.State, reason string) error {
	ran := runs(p.State)
	if err := m.Registry.Move(ctx, p.ID, p.State, to, reason); err != nil {
		return err
	}
	if !ran {
		return nil
	}
	if to != policy.Quarantined {
		m.drain(ctx, p)
	}
	m.shutdown(context.WithoutCancel(ctx), p)
	return nil
}

// drain returns once no call to the plugin is under way, or its time is over.
func (m *Manager) drain(ctx context.Context, p *registry.Plugin) {
	to := Target{Plugin: p.ID}
	if one := m.instances.of(p.ID); one != nil {
		to = one.target()
	}
	m.settle(ctx, to)
}

func (m *Manager) settle(ctx context.Context, to Target) {
	patience := time.NewTimer(m.Timing.Drain)
	defer patience.Stop()
	select {
	case <-m.calls.empty(to.key()):
	case <-patience.C:
		m.Log.WarnContext(ctx, "calls still running after the drain", "plugin", to.Plugin)
	case <-ctx.Done():
	}
}

// shutdown calls the plugin's shutdown hook, and stops it where it runs here.
func (m *Manager) shutdown(ctx context.Context, p *registry.Plugin) {
	one := m.instances.of(p.ID)
	if _, starts := m.starter(p.Manifest); starts && one == nil {
		return // it does not run here
	}
	m.sayGoodbye(ctx, p)
	if one == nil {
		return
	}
	m.instances.unset(one)
	m.stop(ctx, one, causeStopped, m.Timing.Grace)
	if err := db.New(m.Pool).PluginPlaceDrop(ctx, p.ID, m.Replica); err != nil {
		m.Log.WarnContext(ctx, "the place of a plugin is still taken", "plugin", p.ID, "error", err)
	}
}

func (m *Manager) sayGoodbye(ctx context.Context, p *registry.Plugin) {
	path := p.Manifest.Hooks.Shutdown
	if path == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, m.Timing.Timeout)
	defer cancel()
	answer, err := m.hook(ctx, p, http.MethodPost, path)
	if err != nil {
		m.Log.InfoContext(ctx, "shutdown hook not answered", "plugin", p.ID, "error", err)
		return
	}
	answer.Body.Close()
}

// Unregister forgets a plugin; one in use is disabled first. With it go its
// volume and what it wrote.
func (m *Manager) Unregister(ctx context.Context, id string) error {
	p, err := m.plugin(id)
	if err != nil {
		return err
	}
	state := p.State
	if !registry.CanLeave(state) {
		if err := m.leave(ctx, id, policy.Disabled, "unregistered"); err != nil {
			return err
		}
		state = policy.Disabled
	}
	if err := m.Registry.Remove(ctx, id, state); err != nil {
		return err
	}
	if rt, starts := m.starter(p.Manifest); starts {
		m.forget(ctx, rt, id)
	}
	return nil
}

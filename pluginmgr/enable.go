package pluginmgr

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
)

// Enabling says what an administrator accepts.
type Enabling struct {
	Accept         []string // dependencies to be granted, by id; nil: all of them
	AcceptManifest bool     // put the waiting, wider manifest in force
}

// Enable re-validates a plugin, checks what it depends on, calls its init hook
// and opens the lanes. Errors are faults: Conflict for its state, its settings
// or its dependencies; Invalid for a manifest that no longer passes.
func (m *Manager) Enable(ctx context.Context, id string, e Enabling) error {
	p, err := m.plugin(id)
	if err != nil {
		return err
	}
	if !registry.CanMove(p.State, policy.Active) || p.State == policy.Unhealthy {
		return fault.New(fault.Conflict, "plugin.state", "%s is %s and cannot be enabled.", id, p.State)
	}
	mf := p.Manifest
	if e.AcceptManifest && p.Pending != nil {
		mf = p.Pending
	}
	checked, findings := manifest.Read(mf.Raw, m.Registry.ReadOptions())
	if err := findings.Err(); err != nil {
		return err
	}
	depends, err := m.dependencies(&checked, e.Accept)
	if err != nil {
		return err
	}
	missing, err := m.Settings.MissingRequired(ctx, id, &checked)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fault.New(fault.Conflict, "config.incomplete", "%s needs a value for %s before it can be enabled.", id, strings.Join(missing, ", "))
	}
	if err := m.start(ctx, p, &checked); err != nil {
		return err
	}
	return m.Registry.Activate(ctx, id, registry.Activation{
		From: p.State, Manifest: mf.Raw, Traits: m.Registry.Snapshot().Traits().Names(checked.Traits), Dependencies: depends,
		Egress: m.autoEgress(&checked), AcceptWaits: e.AcceptManifest,
	})
}

func (m *Manager) plugin(id string) (*registry.Plugin, error) {
	p, ok := m.Registry.Snapshot().Plugin(id)
	if !ok {
		return nil, fault.New(fault.NotFound, "plugin.unknown", "No plugin is registered under the id %q.", id)
	}
	return p, nil
}

// start runs what has to run before the lanes open: the plugin itself where the
// runtime starts it, and its init hook. A plugin that runs elsewhere and does
// not answer yet may be enabled all the same; one that answers no may not.
func (m *Manager) start(ctx context.Context, p *registry.Plugin, mf *manifest.Manifest) error {
	rt, err := m.runtime(p)
	if err != nil {
		return err
	}
	starter, starts := rt.(Starter)
	if starts {
		if err := starter.Start(ctx, p); err != nil {
			return err
		}
	}
	if mf.Hooks.Init == "" {
		return nil
	}
	hctx, cancel := context.WithTimeout(ctx, m.Timing.Drain)
	defer cancel()
	answer, err := m.hook(hctx, p, http.MethodPost, mf.Hooks.Init)
	if err != nil {
		if starts {
			return fault.New(fault.BadGateway, "hook.init", "%s did not answer its init hook.", p.ID).Because(err)
		}
		m.Log.WarnContext(ctx, "init hook not answered; enabled all the same", "plugin", p.ID, "error", err)
		return nil
	}
	answer.Body.Close()
	if answer.StatusCode >= 400 {
		return fault.New(fault.BadGateway, "hook.init", "%s answered its init hook with %d.", p.ID, answer.StatusCode)
	}
	return nil
}

// dependencies returns the plugins that mf may call once it is enabled. Each
// declared one must be active, whether accepted as a grant or not.
func (m *Manager) dependencies(mf *manifest.Manifest, accept []string) ([]string, error) {
	snap := m.Registry.Snapshot()
	var found []string
	graph := map[string][]string{}
	for _, p := range snap.Plugins() {
		for _, d := range p.Manifest.Dependencies {
			if d.ID != "" {
				graph[p.ID] = append(graph[p.ID], d.ID)
			}
		}
	}
	graph[mf.ID] = nil
	for _, d := range mf.Dependencies {
		if d.ID != "" {
			graph[mf.ID] = append(graph[mf.ID], d.ID)
		}
	}
	// First of all: plugins in a circle wait for each other, so each would only hear that another is missing.
	if _, cycle := manifest.Order(reachable(graph, mf.ID)); cycle != nil {
		return nil, fault.New(fault.Conflict, "dependencies.circular", "Plugins depend on each other in a circle: %s.", strings.Join(cycle, " → "))
	}
	for _, d := range mf.Dependencies {
		var candidates []*registry.Plugin
		name := "any " + d.Contract
		if d.ID != "" {
			name = d.ID
			if p, ok := snap.Plugin(d.ID); ok {
				candidates = []*registry.Plugin{p}
			}
		} else {
			candidates = snap.Implementing(d.Contract)
		}
		active := slices.DeleteFunc(slices.Clone(candidates), func(p *registry.Plugin) bool {
			return p.State != policy.Active || p.ID == mf.ID || !d.Version.Contains(p.Version)
		})
		if len(active) == 0 {
			return nil, fault.New(fault.Conflict, "dependencies.missing", "%s depends on %s, which is not active; enable it first.", mf.ID, describe(name, candidates, d))
		}
		for _, p := range active {
			if accept == nil || slices.Contains(accept, p.ID) {
				found = append(found, p.ID)
			}
		}
	}
	return found, nil
}

// reachable returns the part of a graph that a plugin leads to.
func reachable(graph map[string][]string, from string) map[string][]string {
	part, open := map[string][]string{}, []string{from}
	for len(open) > 0 {
		id := open[len(open)-1]
		open = open[:len(open)-1]
		if _, seen := part[id]; !seen {
			part[id] = graph[id]
			open = append(open, graph[id]...)
		}
	}
	return part
}

func describe(name string, candidates []*registry.Plugin, d manifest.Dependency) string {
	switch {
	case len(candidates) == 0:
		return name + " (not registered)"
	case len(candidates) == 1 && !d.Version.Contains(candidates[0].Version):
		return name + " in another version than " + candidates[0].Version
	case len(candidates) == 1:
		return name + " (" + string(candidates[0].State) + ")"
	}
	return name
}

// autoEgress approves the declared domains where a development policy says so.
func (m *Manager) autoEgress(mf *manifest.Manifest) []registry.Approved {
	p := m.Policy()
	if !p.EgressAuto {
		return nil
	}
	snap := m.Registry.Snapshot()
	var approve []registry.Approved
	for _, domain := range mf.AllowedDomains {
		if _, there := snap.Approval(mf.ID, domain); there {
			continue // an administrator's word stands
		}
		approve = append(approve, registry.Approved{
			Plugin: mf.ID, Domain: domain, Ports: p.EgressPorts, Source: "auto", Reason: "approved by the development policy",
		})
	}
	return approve
}

// tryEnable enables a registered plugin if nothing stands in the way yet.
func (m *Manager) tryEnable(ctx context.Context, id string) {
	p, ok := m.Registry.Snapshot().Plugin(id)
	if !ok || p.State != policy.Registered {
		return
	}
	ctx = actor.With(ctx, actor.Core("plugin manager"))
	err := m.Enable(ctx, id, Enabling{})
	switch {
	case err == nil:
	case fault.Of(err).Code == "plugin.state":
		m.Log.DebugContext(ctx, "somebody else was faster", "plugin", id, "error", err)
		m.awaitMove(ctx, id)
	default:
		m.Log.InfoContext(ctx, "not enabled yet", "plugin", id, "error", err)
	}
}

// awaitMove returns once what somebody else did to a registered plugin is in
// force here, or after a second: whoever registered may use the lanes with the
// answer in hand.
func (m *Manager) awaitMove(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for {
		changed := m.Registry.Changed()
		if p, ok := m.Registry.Snapshot().Plugin(id); !ok || p.State != policy.Registered {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// Disable closes the lanes for a plugin, lets its calls finish, and calls its
// shutdown hook.
func (m *Manager) Disable(ctx context.Context, id, reason string) error {
	return m.leave(ctx, id, policy.Disabled, reason)
}

// Quarantine closes the lanes at once and voids the plugin's credentials. Only
// an administrator lets it out, by disabling it.
func (m *Manager) Quarantine(ctx context.Context, id, reason string) error {
	return m.leave(ctx, id, policy.Quarantined, reason)
}

func (m *Manager) leave(ctx context.Context, id string, to policy.State, reason string) error {
	p, err := m.plugin(id)
	if err != nil {
		return err
	}
	ran := p.State == policy.Active || p.State == policy.Unhealthy
	if err := m.Registry.Move(ctx, id, p.State, to, reason); err != nil {
		return err
	}
	if !ran {
		return nil
	}
	if to != policy.Quarantined {
		drain := time.NewTimer(m.Timing.Drain)
		defer drain.Stop()
		select {
		case <-m.calls.empty(id):
		case <-drain.C:
			m.Log.WarnContext(ctx, "calls still running after the drain", "plugin", id)
		case <-ctx.Done():
		}
	}
	m.shutdown(context.WithoutCancel(ctx), p)
	return nil
}

func (m *Manager) shutdown(ctx context.Context, p *registry.Plugin) {
	ctx, cancel := context.WithTimeout(ctx, m.Timing.Timeout)
	defer cancel()
	if path := p.Manifest.Hooks.Shutdown; path != "" {
		if answer, err := m.hook(ctx, p, http.MethodPost, path); err != nil {
			m.Log.InfoContext(ctx, "shutdown hook not answered", "plugin", p.ID, "error", err)
		} else {
			answer.Body.Close()
		}
	}
	if rt, err := m.runtime(p); err == nil {
		if s, ok := rt.(Starter); ok {
			if err := s.Stop(ctx, p, m.Timing.Drain); err != nil {
				m.Log.WarnContext(ctx, "not stopped", "plugin", p.ID, "error", err)
			}
		}
	}
}

// Unregister forgets a plugin; one in use is disabled first.
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
	return m.Registry.Remove(ctx, id, state)
}

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
	lock := m.instances.lock(id)
	lock.Lock()
	defer lock.Unlock()
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
	stop, err := m.start(ctx, p, &checked)
	if err != nil {
		return err
	}
	err = m.Registry.Activate(ctx, id, registry.Activation{
		From: p.State, Manifest: mf.Raw, Traits: m.Registry.Snapshot().Traits().Names(checked.Traits), Dependencies: depends,
		Egress: m.autoEgress(&checked), AcceptWaits: e.AcceptManifest,
	})
	if err != nil {
		stop()
	}
	return err
}

func (m *Manager) plugin(id string) (*registry.Plugin, error) {
	p, ok := m.Registry.Snapshot().Plugin(id)
	if !ok {
		return nil, fault.New(fault.NotFound, "plugin.unknown", "No plugin is registered under the id %q.", id)
	}
	return p, nil
}

// start runs what has to run before the lanes open: the plugin itself where the
// runtime starts it, and its init hook. It returns what undoes that. A plugin that
// runs elsewhere and does not answer yet may be enabled all the same; one that
// answers no may not. The caller holds the plugin's lock.
func (m *Manager) start(ctx context.Context, p *registry.Plugin, mf *manifest.Manifest) (stop func(), err error) {
	rt, err := m.runtime(p)
	if err != nil {
		return nil, err
	}
	starter, starts := m.starter(mf)
	if !starts {
		address, err := m.address(p)
		if err != nil {
			m.Log.WarnContext(ctx, "init hook not called; enabled all the same", "plugin", p.ID, "error", err)
			return func() {}, nil
		}
		return func() {}, m.init(ctx, mf, rt, Target{Plugin: p.ID, Address: address})
	}
	if err := starter.Able(ctx); err != nil {
		return nil, err
	}
	one, err := m.launch(ctx, starter, p, mf)
	if err != nil {
		return nil, err
	}
	stop = func() {
		m.instances.unset(one)
		m.stop(context.WithoutCancel(ctx), one, causeStopped, time.Second)
	}
	if err := m.init(ctx, mf, starter, one.target()); err != nil {
		stop()
		return nil, err
	}
	m.instances.set(p.ID, one)
	return stop, nil
}

// init calls the init hook of an instance.
func (m *Manager) init(ctx context.Context, mf *manifest.Manifest, rt Runtime, to Target) error {
	if mf.Hooks.Init == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, m.Timing.Drain)
	defer cancel()
	answer, err := m.hookAt(ctx, rt, to, http.MethodPost, mf.Hooks.Init)
	switch {
	case err == nil:
	case to.Instance != "":
		return fault.New(fault.BadGateway, "hook.init", "%s did not answer its init hook.", to.Plugin).Because(err)
	default:
		m.Log.WarnContext(ctx, "init hook not answered; enabled all the same", "plugin", to.Plugin, "error", err)
		return nil
	}
	answer.Body.Close()
	if answer.StatusCode >= 400 {
		return fault.New(fault.BadGateway, "hook.init", "%s answered its init hook with %d.", to.Plugin, answer.StatusCode)
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

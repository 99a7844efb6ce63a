package alert

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
)

// State is something about the installation that is well or not.
type State string

// The states that rules can watch.
const (
	PluginUnhealthy   State = "plugin.unhealthy"
	PluginDegraded    State = "plugin.degraded"
	PluginQuarantined State = "plugin.quarantined"
	SinkFailing       State = "sink.failing"
	SinkLag           State = "sink.lag"
	LastAdmin         State = "admin.last"
)

// States are all of them.
func States() []State {
	return []State{PluginUnhealthy, PluginDegraded, PluginQuarantined, SinkFailing, SinkLag, LastAdmin}
}

// unwell is one thing that is in a state now.
type unwell struct {
	key, label, text string
	plugin           string
	since            time.Time // zero: nobody knows
}

// lookers look for what is in each state.
func (s *Service) lookers() map[State]func(context.Context) ([]unwell, error) {
	return map[State]func(context.Context) ([]unwell, error){
		PluginUnhealthy: s.pluginsThat(func(p *registry.Plugin) bool {
			return p.State == policy.Unhealthy || p.State == policy.Active && p.Health == registry.Unhealthy
		}),
		PluginDegraded:    s.pluginsThat(func(p *registry.Plugin) bool { return p.State == policy.Active && p.Health == registry.Degraded }),
		PluginQuarantined: s.pluginsThat(func(p *registry.Plugin) bool { return p.State == policy.Quarantined }),
		SinkFailing:       s.sinksFailing,
		SinkLag:           s.sinksBehind,
		LastAdmin:         s.lastAdmin,
	}
}

func (s *Service) pluginsThat(are func(*registry.Plugin) bool) func(context.Context) ([]unwell, error) {
	return func(context.Context) ([]unwell, error) {
		var all []unwell
		for _, p := range s.Plugins.Snapshot().Plugins() {
			if !are(p) {
				continue
			}
			u := unwell{key: p.ID, label: p.Name, plugin: p.ID, text: oneLine(p.HealthDetail, 300)}
			if u.text == "" {
				u.text = fmt.Sprintf("Its state is %s.", p.State)
			}
			all = append(all, u)
		}
		return all, nil
	}
}

func (s *Service) sinksFailing(ctx context.Context) ([]unwell, error) {
	sinks, err := s.SIEM.Sinks(ctx)
	var all []unwell
	for _, k := range sinks {
		if k.Enabled && k.Failing != nil {
			all = append(all, unwell{key: k.ID.String(), label: k.Name, text: oneLine(k.LastError, 300), since: *k.Failing})
		}
	}
	return all, err
}

func (s *Service) sinksBehind(ctx context.Context) ([]unwell, error) {
	sinks, err := s.SIEM.Sinks(ctx)
	var all []unwell
	for _, k := range sinks {
		if k.Enabled && !k.Oldest.IsZero() {
			all = append(all, unwell{key: k.ID.String(), label: k.Name, text: fmt.Sprintf("%d records wait.", k.Behind), since: k.Oldest})
		}
	}
	return all, err
}

func (s *Service) lastAdmin(ctx context.Context) ([]unwell, error) {
	n, err := s.Admins(ctx)
	if err != nil || n > 1 {
		return nil, err
	}
	return []unwell{{text: "There is one active administrator."}}, nil
}

// seen remembers since when things are in a state whose beginning nobody keeps.
// Another replica that takes over begins anew.
type seen map[string]time.Time

// health opens alerts for what is in a state that a rule watches, and ends those
// whose state is over.
func (s *Service) health(ctx context.Context, rules []watched, memory seen) error {
	now, look := s.now(), s.lookers()
	is := map[State][]unwell{}
	for _, w := range rules {
		if _, done := is[w.State]; !w.OnHealth() || done {
			continue
		}
		all, err := look[w.State](ctx)
		if err != nil {
			return fmt.Errorf("look at %s: %w", w.State, err)
		}
		is[w.State] = all
	}
	there := seen{}
	return s.write(ctx, func(w *writing) error {
		going, err := w.q.AlertGoingOn(ctx, s.tenant)
		if err != nil {
			return err
		}
		held := map[[2]string]bool{} // rule and key of what goes on
		for i := range rules {
			rule := &rules[i]
			for _, u := range is[rule.State] {
				if !rule.OnHealth() {
					continue
				}
				name := rule.ID + "\n" + u.key
				since := u.since
				if since.IsZero() {
					if since = memory[name]; since.IsZero() {
						since = now
					}
				}
				there[name] = since
				active := slices.ContainsFunc(going, func(a alertRow) bool { return a.Rule == rule.ID && a.Key == u.key })
				if held[[2]string{rule.ID, u.key}] = true; active || now.Sub(since) < time.Duration(rule.For) {
					continue
				}
				if _, err := w.raise(ctx, occurrence{rule: &rule.Rule, key: u.key, title: titled(rule.Name, u.label), text: u.text, plugin: u.plugin, object: u.key, count: 1, within: 1, at: now}, true); err != nil {
					return err
				}
			}
		}
		clear(memory)
		for name, since := range there {
			memory[name] = since
		}
		return w.ends(ctx, rules, going, held)
	})
}

// ends ends alerts whose rule is gone, whose state is over, or for which all is
// quiet.
func (w *writing) ends(ctx context.Context, rules []watched, going []alertRow, held map[[2]string]bool) error {
	for _, a := range going {
		i := slices.IndexFunc(rules, func(r watched) bool { return r.ID == a.Rule })
		why := ""
		switch {
		case i < 0:
			why = "The rule is off or gone."
		case rules[i].OnHealth() && !held[[2]string{a.Rule, a.Key}] && a.Key != others:
			why = "It is well again."
		case rules[i].OnHealth() && a.Key == others && len(held) < mostKeys:
			why = "It is well again."
		case a.QuietSeconds > 0 && w.now.Sub(a.LastAt) > time.Duration(a.QuietSeconds)*time.Second:
			why = "Nothing more came for " + (time.Duration(a.QuietSeconds) * time.Second).String() + "."
		}
		if why != "" {
			if err := w.end(ctx, a.ID, why); err != nil {
				return err
			}
		}
	}
	return nil
}

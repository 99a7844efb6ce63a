package handlers

import (
	"context"
	"slices"
	"strings"

	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// managersOnly is why a person may not change a plugin.
const managersOnly = "Only plugin managers may change a plugin."

// line is a plugin as tables show it.
func (v *visit) line(ctx context.Context, p *registry.Plugin) (views.PluginLine, error) {
	bars, err := v.strip(ctx, p, v.reader.Now)
	return views.PluginLine{
		ID: p.ID, Name: p.Name, Icon: iconOf(p), Version: p.Version, State: views.Status(p.State), Health: views.Status(p.Health), Bars: bars,
		Traits: v.snap.Traits().Names(p.Traits), Lanes: lanesOf(p),
		P95: v.Gate.Meter().Flow(gate.Edge{Action: string(policy.OperatorCall), To: p.ID}, 60).P95,
	}, err
}

// lanesOf are the lanes a plugin's manifest gives it a part in.
func lanesOf(p *registry.Plugin) []views.Lane {
	var lanes []views.Lane
	m := p.Manifest
	if len(m.Events.Publishes)+len(m.Events.Subscribes) > 0 {
		lanes = append(lanes, views.Canonical)
	}
	if len(m.Endpoints)+len(m.Dependencies) > 0 {
		lanes = append(lanes, views.Operator)
	}
	if len(m.AllowedDomains) > 0 && m.Traits.Has(trait.ExternalService) {
		lanes = append(lanes, views.Proxy)
	}
	return lanes
}

// turn is what opens or closes the lanes of a plugin, whichever is possible now.
// Object names the plugin where the page does not.
func (v *visit) turn(ctx context.Context, p *registry.Plugin, object string) views.Action {
	a := views.Action{Label: "Disable", Object: object, Icon: "power-off", Href: views.PluginPath(p.ID, "disable")}
	switch p.State {
	case policy.Registered, policy.Disabled:
		a.Label, a.Icon, a.Href = "Enable", "power", views.PluginPath(p.ID, "enable")
		a.Ask = p.State == policy.Registered || p.Pending != nil
	case policy.Quarantined:
		a.Label, a.Icon, a.Ask = "Release", "rotate-ccw", true
	default:
		a.Ask = len(v.dependents(p)) > 0
	}
	if a.Why = v.why(ctx, trait.PluginManager, managersOnly); a.Why == nil && a.Label == "Enable" {
		a.Why = v.hindrance(ctx, p)
	}
	return a
}

// hindrance says what stands in the way of enabling a plugin, if anything does.
func (v *visit) hindrance(ctx context.Context, p *registry.Plugin) *views.Why {
	for _, d := range v.dependencies(p) {
		if d.Status != views.Active {
			return &views.Why{Text: p.Name + " depends on " + d.Name + ", which is not active; enable that first."}
		}
	}
	missing, err := v.Settings.MissingRequired(ctx, p.ID, p.Manifest)
	if err == nil && len(missing) > 0 {
		return &views.Why{Text: p.Name + " needs a value for " + strings.Join(missing, ", ") + " before it can be enabled."}
	}
	return nil
}

// dependencies are what a plugin cannot work without, and whether it is there.
func (v *visit) dependencies(p *registry.Plugin) []views.DependencyLine {
	var lines []views.DependencyLine
	for _, d := range p.Manifest.Dependencies {
		line := views.DependencyLine{Name: orElse(d.ID, d.Contract), Version: d.Version.String(), Status: views.Missing}
		for _, other := range v.snap.Plugins() {
			if other.ID == p.ID || !d.SatisfiedBy(other.Manifest) {
				continue
			}
			if line.Status != views.Active {
				line.Status = views.Status(other.State)
				line.Name, line.Href = other.Name, v.plugin(other.ID).Href
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// dependents are the ids of the plugins that stop working with p.
func (v *visit) dependents(p *registry.Plugin) []string {
	impact, err := v.Plugins.Impact(p.ID, "disable")
	if err != nil {
		return nil // it is gone
	}
	return slices.DeleteFunc(impact.Dependents, func(id string) bool {
		other, ok := v.snap.Plugin(id)
		return !ok || other.State != policy.Active && other.State != policy.Unhealthy
	})
}

// pluginNames turns ids into the names people know.
func (v *visit) pluginNames(ids []string) []string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = v.plugin(id).Name
	}
	return names
}

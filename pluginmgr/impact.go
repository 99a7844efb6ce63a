package pluginmgr

import (
	"slices"

	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
)

// Impact is the blast radius of an action on a plugin.
type Impact struct {
	Plugin     string   `json:"plugin"`
	Action     string   `json:"action"`
	Dependents []string `json:"dependents"` // plugins that depend on it, or call it
	Events     []string `json:"events"`     // event types that stop or start flowing
	Receivers  []string `json:"receivers"`  // plugins that no longer hear them
	Operations []string `json:"operations"`
	Domains    []string `json:"domains"`
	Pages      []string `json:"pages"`
}

// Impact says what enable, disable, quarantine or unregister would touch.
func (m *Manager) Impact(id, action string) (Impact, error) {
	p, err := m.plugin(id)
	if err != nil {
		return Impact{}, err
	}
	snap := m.Registry.Snapshot()
	i := Impact{
		Plugin: id, Action: action, Dependents: []string{}, Events: []string{}, Receivers: []string{}, Operations: []string{},
		Domains: append([]string{}, p.Manifest.AllowedDomains...), Pages: []string{},
	}
	for _, e := range p.Manifest.Events.Publishes {
		i.Events = append(i.Events, e.Type)
	}
	for _, e := range p.Manifest.Endpoints {
		i.Operations = append(i.Operations, e.Name)
	}
	for _, page := range p.Manifest.Pages {
		i.Pages = append(i.Pages, page.Title)
	}
	for _, other := range snap.Plugins() {
		if other.ID == id {
			continue
		}
		if depends(other, p) {
			i.Dependents = append(i.Dependents, other.ID)
		}
		if other.State == policy.Active && slices.ContainsFunc(i.Events, other.Manifest.Events.Subscribed) {
			i.Receivers = append(i.Receivers, other.ID)
		}
	}
	for _, g := range snap.Grants() {
		if g.Target == id && !slices.Contains(i.Dependents, g.Caller) {
			i.Dependents = append(i.Dependents, g.Caller)
		}
	}
	slices.Sort(i.Dependents)
	return i, nil
}

func depends(p, on *registry.Plugin) bool {
	for _, d := range p.Manifest.Dependencies {
		if d.ID == on.ID || d.Contract != "" && slices.Contains(on.Manifest.Contracts, d.Contract) {
			return true
		}
	}
	return false
}

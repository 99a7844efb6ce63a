package handlers

import (
	"slices"

	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/views"
)

// widened compares the manifest in force with the one that a request is about:
// what a plugin may do, part by part.
func (v *visit) widened(r approval.Request) []views.Change {
	p, ok := v.snap.Plugin(r.Subject)
	if !ok || r.Kind != approval.Widening {
		return nil
	}
	w, ok := v.snap.Waiting(p)
	if !ok || w.Digest != r.Object {
		return nil
	}
	was, is := v.partsOf(p.Manifest), v.partsOf(w.Manifest)
	was[0].names = v.snap.Traits().Names(p.Traits) // those accepted count
	changes := []views.Change{}
	if p.Version != w.Manifest.Version {
		changes = append(changes, views.Change{Name: "version", Before: p.Version, After: w.Manifest.Version})
	}
	for i := range was {
		changes = append(changes, compared(was[i].label, was[i].names, is[i].names)...)
	}
	return changes
}

// part is one thing that a manifest lists.
type part struct {
	label string
	names []string
}

// partsOf are the parts of a manifest that say what its plugin may do.
func (v *visit) partsOf(m *manifest.Manifest) []part {
	var publishes, offers, depends []string
	for _, e := range m.Events.Publishes {
		publishes = append(publishes, e.Type)
	}
	for _, e := range m.Endpoints {
		offers = append(offers, orElse(e.Method, "any")+" "+e.Path+" as "+e.Name)
	}
	for _, d := range m.Dependencies {
		depends = append(depends, orElse(d.ID, "any "+d.Contract))
	}
	return []part{
		{"traits", v.snap.Traits().Names(m.Traits)}, {"classes", m.Security.Classes.Names()}, {"domains", m.AllowedDomains},
		{"publishes", publishes}, {"hears", m.Events.Subscribes}, {"endpoints", offers}, {"may call", depends},
	}
}

// compared lists what was lost and what is new, and leaves out what stays.
func compared(label string, was, is []string) []views.Change {
	var changes []views.Change
	for _, name := range was {
		if !slices.Contains(is, name) {
			changes = append(changes, views.Change{Name: label, Before: name, Gone: true})
		}
	}
	for _, name := range is {
		if !slices.Contains(was, name) {
			changes = append(changes, views.Change{Name: label, After: name, Added: true})
		}
	}
	return changes
}

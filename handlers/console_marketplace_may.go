package handlers

import (
	"fmt"
	"strings"

	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/views"
)

// mays says in sentences what a manifest asks for.
func (v *visit) mays(m *manifest.Manifest) (lines []views.MayLine) {
	add := func(l views.MayLine) { lines = append(lines, l) }
	if marks := sensitive(m); len(marks) > 0 {
		kept := "Kept as long as the installation says"
		if m.Compliance.RetentionDays > 0 {
			kept = fmt.Sprintf("Kept %d days", m.Compliance.RetentionDays)
		}
		add(views.MayLine{Icon: "file-lock", Text: "Holds sensitive data", Classes: marks, Detail: kept + "; audit level " + m.Compliance.AuditLevel + "."})
	}
	var says []string
	wild := 0
	for _, e := range m.Events.Publishes {
		says = append(says, e.Type)
		wild += strings.Count(e.Type, "*")
	}
	if len(says) > 0 {
		add(views.MayLine{Icon: "arrow-up", Text: "Publishes", Names: says, Lane: views.Canonical, Detail: wildcard(wild)})
	}
	if hears := m.Events.Subscribes; len(hears) > 0 {
		add(views.MayLine{Icon: "arrow-down", Text: "Receives", Names: hears, Lane: views.Canonical, Detail: wildcard(strings.Count(strings.Join(hears, ""), "*"))})
	}
	for _, d := range m.Dependencies {
		text := "Calls any plugin that is a"
		name := d.Contract
		if d.ID != "" {
			text, name = "Calls", d.ID
		}
		add(views.MayLine{Icon: "arrow-right", Text: text, Names: []string{name}, Lane: views.Operator, Detail: "Granted when you accept the dependency as you enable it."})
	}
	var offers []string
	for _, e := range m.Endpoints {
		offers = append(offers, e.Name)
	}
	if len(offers) > 0 {
		add(views.MayLine{Icon: "arrow-left-right", Text: "Offers", Names: offers, Lane: views.Operator, Detail: "To those who are granted it."})
	}
	if len(m.AllowedDomains) > 0 {
		add(views.MayLine{Icon: "globe", Text: "Asks to reach", Names: m.AllowedDomains, Lane: views.Proxy, Detail: "Each waits for an approval after it is installed."})
	}
	for _, p := range m.Pages {
		add(views.MayLine{Icon: "layout-dashboard", Text: "Adds the page “" + p.Title + "” to the console", Detail: needs(v.snap.Traits().Names(p.Requires.Traits))})
	}
	add(views.MayLine{Icon: "cpu", Text: limitsOf(m), Detail: runsIn[m.Runtime.Kind]})
	return lines
}

func wildcard(n int) string {
	if n == 0 {
		return ""
	}
	return "A wildcard: types that come later are included."
}

func needs(traits []string) string {
	if len(traits) == 0 {
		return "Shown to everybody who may open the console."
	}
	return "Shown to people with " + strings.Join(traits, " and ") + "."
}

func limitsOf(m *manifest.Manifest) string {
	r := m.Resources
	var said []string
	if r.Memory > 0 {
		said = append(said, fmt.Sprintf("%d MiB", r.Memory>>20))
	}
	if r.CPU > 0 {
		said = append(said, fmt.Sprintf("%g cores", r.CPU))
	}
	if r.PIDs > 0 {
		said = append(said, fmt.Sprintf("%d processes", r.PIDs))
	}
	if r.Storage > 0 {
		said = append(said, fmt.Sprintf("%d MiB of storage", r.Storage>>20))
	}
	if len(said) == 0 {
		return "States no limits; the installation's own count"
	}
	return "Uses up to " + strings.Join(said, ", ")
}

// runsIn says what confines a plugin, by its runtime.
var runsIn = map[string]string{
	"":                 "It runs elsewhere, where nothing here confines it.",
	manifest.External:  "It runs elsewhere, where nothing here confines it.",
	manifest.Sandbox:   "In a sandbox: not as root, nothing to write but its own volume, no capabilities, no network but the core.",
	manifest.Container: "In a container: not as root, nothing to write but its own volume, no capabilities, no network but the core.",
}

// cannots says what confinement keeps a plugin from.
func cannots(m *manifest.Manifest) []string {
	said := []string{"See the credentials of the hosts it reaches; the core adds them to each request", "Read other plugins’ settings, storage or the database"}
	if m.Runtime.Kind == manifest.Sandbox || m.Runtime.Kind == manifest.Container {
		said = append([]string{"Open any connection of its own; only the core answers it"}, said...)
	}
	return said
}

// depends says of each dependency whether it is met now.
func (v *visit) depends(m *manifest.Manifest) (lines []views.DependencyLine) {
	for _, d := range m.Dependencies {
		line := views.DependencyLine{Name: d.ID, Status: views.Missing}
		if d.ID == "" {
			line.Name = "Any " + d.Contract
		}
		for _, p := range v.snap.Plugins() {
			if d.SatisfiedBy(p.Manifest) {
				line.Status, line.Href = views.Status(p.State), views.PluginPath(p.ID)
				break
			}
		}
		lines = append(lines, line)
	}
	return lines
}

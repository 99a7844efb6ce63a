package handlers

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/views"
)

// question begins a question about a plugin: where it is posted to, and where
// the person goes on.
func question(c echo.Context, p *registry.Plugin, verb string) views.Confirm {
	return views.Confirm{
		Title: verb + " " + p.Name + "?", Back: back(c, views.PluginPath(p.ID)),
		Action: views.Action{Label: verb, Href: views.PluginPath(p.ID, strings.ToLower(verb)), Primary: true},
	}
}

// asked sends a question about a plugin.
func (s *Server) asked(c echo.Context, status int, p *registry.Plugin, q views.Confirm) error {
	q.Action.Fields = append(q.Action.Fields, views.Hidden{Name: "back", Value: q.Back})
	f := pluginFrame(p)
	f.crumbs[len(f.crumbs)-1].Href = views.PluginPath(p.ID)
	return ask(c, s.visit(c.Request()), status, f, q)
}

// askEnable handles GET /console/plugins/:id/enable: what enabling would let the
// plugin do.
func (s *Server) askEnable(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	q := question(c, p, "Enable")
	q.Text = "From then on it may use the lanes, with what its manifest asks for."
	q.Action.Icon, q.Reach = "power", v.asksFor(p.Manifest)
	if p.Pending != nil {
		q.Text += " The manifest that waits stays waiting."
	}
	if options := v.callable(p); len(options) > 0 {
		q.Fields = []views.Field{{Name: "accept", Label: "It may call", Type: views.Checks, Options: options, Help: "Each becomes a grant; it can be withdrawn later."}}
		q.Action.Fields = append(q.Action.Fields, views.Hidden{Name: "choose", Value: "1"})
	}
	return s.asked(c, http.StatusOK, p, q)
}

// callable are the plugins that enabling p lets it call.
func (v *visit) callable(p *registry.Plugin) []views.Option {
	var options []views.Option
	for _, d := range p.Manifest.Dependencies {
		for _, other := range v.snap.Plugins() {
			if other.ID != p.ID && other.State == policy.Active && d.SatisfiedBy(other.Manifest) {
				options = append(options, views.Option{Value: other.ID, Label: other.Name, Note: other.ID, Selected: true})
			}
		}
	}
	return options
}

// asksFor lists what a manifest asks for.
func (v *visit) asksFor(m *manifest.Manifest) []views.KV {
	var reach []views.KV
	if names := v.snap.Traits().Names(m.Traits); len(names) > 0 {
		reach = append(reach, views.KV{Label: "Traits", Body: views.TraitChips(names)})
	}
	if cs := classes(m.Security.Classes); len(cs) > 0 {
		reach = append(reach, views.KV{Label: "Data", Body: views.ClassMarks(cs)})
	}
	var publishes, calls []string
	for _, e := range m.Events.Publishes {
		publishes = append(publishes, e.Type)
	}
	for _, d := range m.Dependencies {
		calls = append(calls, orElse(d.ID, "any "+d.Contract))
	}
	for _, line := range []struct {
		label string
		names []string
		note  string
	}{
		{"Publishes", publishes, ""}, {"Hears", m.Events.Subscribes, ""}, {"Depends on", calls, ""}, {"Reaches", m.AllowedDomains, "; each host is approved by itself"},
	} {
		if len(line.names) > 0 {
			reach = append(reach, views.KV{Label: line.label, Value: joined(line.names) + line.note})
		}
	}
	return reach
}

// askAccept handles GET /console/plugins/:id/accept: what a manifest that waits
// asks for beyond the one in force.
func (s *Server) askAccept(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	w, ok := s.Registry.Snapshot().Waiting(p)
	if !ok {
		return nothingWaits(p)
	}
	q := question(c, p, "Accept")
	q.Title = "Accept version " + w.Manifest.Version + " of " + p.Name + "?"
	q.Text = "It asks for more than version " + p.Version + ". It goes on running; what it asks for counts from then on."
	if p.Pending == nil {
		q.Title = "Accept what " + p.Name + " asks for?"
		q.Text = "These traits of its manifest were registered after it was accepted. It goes on running; they count from then on."
	}
	q.Action.Icon = "file-check"
	q.Action.Fields = []views.Hidden{{Name: "digest", Value: w.Digest}}
	q.Fields = []views.Field{{Name: "reason", Label: "Reason", Help: "Kept in the audit.", MaxLength: 500}}
	for _, said := range s.Plugins.Widens(p.ID) {
		q.Reach = append(q.Reach, views.KV{Label: "Adds", Value: said})
	}
	return s.asked(c, http.StatusOK, p, q)
}

// askDisable handles GET /console/plugins/:id/disable.
func (s *Server) askDisable(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	q := question(c, p, "Disable")
	q.Text, q.Action.Icon = "All three lanes close for it at once. Its registration and its settings stay.", "power-off"
	if p.State == policy.Quarantined {
		q.Title, q.Action.Label, q.Action.Icon = "Release "+p.Name+" from quarantine?", "Release", "rotate-ccw"
		q.Text = "It becomes disabled and may come back with its registration token. No lane opens before it is enabled."
		return s.asked(c, http.StatusOK, p, q)
	}
	return s.askReach(c, p, q, "disable")
}

// askQuarantine handles GET /console/plugins/:id/quarantine.
func (s *Server) askQuarantine(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	q := question(c, p, "Quarantine")
	q.Text = "Its lanes are cut at once and its credentials are void. Its audit records stay. Only a plugin manager lets it out again."
	q.Action.Icon, q.Action.Danger = "octagon-x", true
	return s.askReach(c, p, q, "quarantine")
}

// askReach asks with the blast radius and a reason.
func (s *Server) askReach(c echo.Context, p *registry.Plugin, q views.Confirm, action string) error {
	reach, err := s.visit(c.Request()).reach(p.ID, action)
	if err != nil {
		return err
	}
	q.Reach = reach
	q.Fields = []views.Field{{Name: "reason", Label: "Reason", Help: "Kept in the audit and shown on its page.", MaxLength: 500}}
	return s.asked(c, http.StatusOK, p, q)
}

// askUnregister handles GET /console/plugins/:id/unregister.
func (s *Server) askUnregister(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	return s.confirmUnregister(c, http.StatusOK, p, "")
}

// confirmUnregister asks for the plugin's id, typed.
func (s *Server) confirmUnregister(c echo.Context, status int, p *registry.Plugin, refused string) error {
	reach, err := s.visit(c.Request()).reach(p.ID, "unregister")
	if err != nil {
		return err
	}
	q := question(c, p, "Unregister")
	q.Text = "It is forgotten with its tokens, grants, approvals and settings. Its audit records stay."
	q.Action.Icon, q.Action.Danger, q.Typed, q.Reach, q.Error = "trash-2", true, p.ID, reach, refused
	return s.asked(c, status, p, q)
}

// reach writes the blast radius of an action, worst first.
func (v *visit) reach(id, action string) ([]views.KV, error) {
	i, err := v.Plugins.Impact(id, action)
	if err != nil {
		return nil, err
	}
	var reach []views.KV
	for _, line := range []struct {
		label string
		names []string
	}{
		{"Depends on it", v.pluginNames(i.Dependents)}, {"Hear from it no more", v.pluginNames(i.Receivers)}, {"Events that end", i.Events},
		{"Operations closed", i.Operations}, {"Hosts closed", i.Domains}, {"Pages that go", i.Pages},
	} {
		if len(line.names) > 0 {
			reach = append(reach, views.KV{Label: line.label, Value: joined(line.names)})
		}
	}
	if reach == nil {
		reach = []views.KV{{Label: "Reach", Value: "Nothing else is touched."}}
	}
	return reach, nil
}

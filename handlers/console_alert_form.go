package handlers

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/alert"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

const replayDays = "7"

// matchFields are the fields of what a rule matches, and how the API calls them.
// Their names in the form are those, so that a refusal finds its field.
func matchFields(in url.Values, prefix, label string) []views.Field {
	field := func(name, called, example, help string) views.Field {
		return views.Field{Name: prefix + name, Label: label + called, Value: in.Get(prefix + name), Placeholder: example, Help: help, Mono: true, MaxLength: 256, Autocomplete: "off"}
	}
	outcomes := []views.Option{{Value: "", Label: "any"}, {Value: "deny", Label: "denied"}, {Value: "failed", Label: "failed"}, {Value: "ok", Label: "done"}, {Value: "allow", Label: "allowed"}, {Value: "unknown", Label: "unknown"}}
	kinds := []views.Option{{Value: "", Label: "anybody"}, {Value: "user", Label: "a person"}, {Value: "plugin", Label: "a plugin"}, {Value: "system", Label: "the core"}, {Value: "anonymous", Label: "nobody who signed in"}}
	outcome := views.Field{Name: prefix + "outcome", Label: label + "Outcome", Type: views.Select, Value: in.Get(prefix + "outcome"), Options: choices(outcomes, []string{in.Get(prefix + "outcome")})}
	if prefix != "" {
		return []views.Field{field("action", "Action", "plugin.enable", ""), outcome, field("detail", "Detail", "to=closed", "")}
	}
	return []views.Field{
		field("action", "Action", "auth.*", "One name, or the beginning of several and *."), outcome,
		{Name: "actor_kind", Label: "Done by", Type: views.Select, Value: in.Get("actor_kind"), Options: choices(kinds, []string{in.Get("actor_kind")})},
		field("actor", "Actor", "mara@example.org", "Name, e-mail address or id of who acted or was acted for."),
		field("plugin", "Plugin", "email-gateway", "That acted, was acted upon, or was to receive an event."), field("object", "Object", "users/*", ""),
		field("class", "Class", "phi", "A data class touched."), field("rule", "Decided by", "operator.grant", "The rule, or the code of the refusal."), field("address", "Address", "10.20.4.118", ""),
		field("detail", "Detail", "ok=false", "Members of the record's detail and their values, with spaces between."),
	}
}

// matchOf reads what a form asks of records.
func matchOf(in url.Values, prefix string) alert.Match {
	text := func(name string) string { return in.Get(prefix + name) }
	return alert.Match{
		Action: text("action"), Outcome: text("outcome"), ActorKind: text("actor_kind"), Actor: text("actor"), Plugin: text("plugin"), Object: text("object"),
		Class: text("class"), Rule: text("rule"), Address: text("address"), Detail: readDetail(text("detail")),
	}
}

// ruleFields are the fields of a form for a rule, on records or on health.
func ruleFields(in url.Values, health bool) []views.Field {
	severities := []views.Option{{Value: "critical", Label: "Critical"}, {Value: "warning", Label: "Warning"}, {Value: "info", Label: "Info"}}
	fields := []views.Field{
		{Name: "name", Label: "Name", Value: in.Get("name"), Required: true, MaxLength: 100, Autocomplete: "off", Focus: true},
		{Name: "text", Label: "Meaning", Type: views.Area, Value: in.Get("text"), MaxLength: 1000, Help: "What it means, and what to do about it."},
		{Name: "severity", Label: "Severity", Type: views.Select, Value: cmp.Or(in.Get("severity"), "warning"), Options: choices(severities, []string{cmp.Or(in.Get("severity"), "warning")})},
	}
	if health {
		var states []views.Option
		for _, state := range alert.States() {
			states = append(states, views.Option{Value: string(state), Label: stateWords[state]})
		}
		fields = append(fields,
			views.Field{Name: "state", Label: "When", Type: views.Select, Value: in.Get("state"), Options: choices(states, []string{in.Get("state")})},
			views.Field{Name: "for", Label: "For at least", Value: in.Get("for"), Placeholder: "5m", Short: true, Help: "Such as 30s, 5m or 2h; empty: at once."})
	} else {
		bys := []views.Option{}
		for _, by := range alert.Bys() {
			bys = append(bys, views.Option{Value: string(by), Label: cmp.Or(map[alert.By]string{alert.ByNothing: "nothing: one alert", alert.ByRule: "deciding rule"}[by], string(by))})
		}
		fields = append(fields, matchFields(in, "", "")...)
		fields = append(fields,
			views.Field{Name: "count", Label: "How many", Type: views.Number, Value: cmp.Or(in.Get("count"), "1"), Min: "1", Max: "100000", Required: true, Short: true},
			views.Field{Name: "window", Label: "Within", Value: cmp.Or(in.Get("window"), "15m"), Required: true, Short: true, Help: "From 10s to 24h. When none came for that long, it is over."},
			views.Field{Name: "by", Label: "Told apart by", Type: views.Select, Value: in.Get("by"), Options: choices(bys, []string{in.Get("by")})})
		fields = append(fields, matchFields(in, "clear_", "Over with: ")...)
	}
	tells := []views.Option{}
	for _, channel := range alert.Channels() {
		tells = append(tells, views.Option{Value: string(channel), Label: channelNames[channel]})
	}
	return append(fields,
		views.Field{Name: "channels", Label: "Tells", Type: views.Checks, Options: choices(tells, in["channels"]), Help: "The console always shows it."},
		views.Field{Name: "sticky", Label: "Waits for a person, also when it is over", Type: views.Switch, Checked: in.Get("sticky") == "on"},
		views.Field{Name: "enabled", Label: "On", Type: views.Switch, Checked: in.Get("enabled") == "on"})
}

// ruleSpec reads a form. What cannot be read as a number or a time is none, and
// refused as such.
func ruleSpec(in url.Values) alert.Spec {
	span := func(name string) alert.Duration {
		d, err := time.ParseDuration(in.Get(name))
		if err != nil && in.Get(name) != "" {
			d = -1
		}
		return alert.Duration(d)
	}
	s := alert.Spec{Text: in.Get("text"), Severity: alert.Severity(in.Get("severity")), Sticky: in.Get("sticky") == "on"}
	for _, channel := range in["channels"] {
		s.Channels = append(s.Channels, alert.Channel(channel))
	}
	if s.State = alert.State(in.Get("state")); s.OnHealth() {
		s.For = span("for")
		return s
	}
	s.Match, s.Window, s.By = matchOf(in, ""), span("window"), alert.By(in.Get("by"))
	s.Count, _ = strconv.Atoi(in.Get("count"))
	if over := matchOf(in, "clear_"); over.Action != "" || over.Outcome != "" || over.Detail != nil {
		s.Clear = &over
	}
	return s
}

// ruleValues are what a form shows of a rule.
func ruleValues(r alert.Rule) url.Values {
	in := url.Values{"name": {r.Name}, "text": {r.Text}, "severity": {string(r.Severity)}, "channels": {}}
	set := func(name, value string) {
		if value != "" {
			in.Set(name, value)
		}
	}
	for _, channel := range r.Channels {
		in.Add("channels", string(channel))
	}
	if r.Sticky {
		in.Set("sticky", "on")
	}
	if r.Enabled {
		in.Set("enabled", "on")
	}
	set("state", string(r.State))
	if r.For > 0 {
		in.Set("for", shortSpan(time.Duration(r.For)))
	}
	if r.OnHealth() {
		return in
	}
	in.Set("count", strconv.Itoa(r.Count))
	in.Set("window", shortSpan(time.Duration(r.Window)))
	set("by", string(r.Spec.By))
	match := func(m alert.Match, prefix string) {
		for name, value := range map[string]string{"action": m.Action, "outcome": m.Outcome, "actor_kind": m.ActorKind, "actor": m.Actor, "plugin": m.Plugin, "object": m.Object, "class": m.Class, "rule": m.Rule, "address": m.Address, "detail": detailText(m.Detail)} {
			set(prefix+name, value)
		}
	}
	match(r.Match, "")
	if r.Clear != nil {
		match(*r.Clear, "clear_")
	}
	return in
}

// shortSpan writes a length of time as a form takes it: 5m, not 5m0s.
func shortSpan(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return strconv.Itoa(int(d/time.Hour)) + "h"
	case d%time.Minute == 0:
		return strconv.Itoa(int(d/time.Minute)) + "m"
	}
	return strconv.Itoa(int(d/time.Second)) + "s"
}

// alertRuleForm is the form for a rule: a new one, or the one of that id.
func (v *visit) alertRuleForm(in url.Values, id string) views.AlertRuleForm {
	health := in.Get("state") != "" || in.Get("kind") == "health"
	f := views.AlertRuleForm{Title: "Add a rule", Text: "It is held against every record from now on.", Path: views.PathAlertRules, Verb: "Add the rule", Fields: ruleFields(in, health)}
	if health {
		f.Text = "It looks every few seconds."
		f.Hidden = append(f.Hidden, views.Hidden{Name: "kind", Value: "health"})
	}
	if id != "" {
		f.Title, f.Path, f.Verb = "Change "+in.Get("name"), views.AlertRulePath(id), "Save the rule"
		f.Hidden = append(f.Hidden, views.Hidden{Name: "version", Value: in.Get("version")}, views.Hidden{Name: "id", Value: id})
	} else {
		f.Kinds = []views.Tab{{Label: "On records", Href: views.AlertRulePath("new"), Current: !health}, {Label: "On health", Href: views.AlertRulePath("new") + "?kind=health", Current: health}}
	}
	f.Try = !health && v.has(trait.AuditViewer)
	f.Days = views.Field{Name: "days", Label: "Days", Type: views.Number, Value: cmp.Or(in.Get("days"), replayDays), Min: "1", Max: "90", Short: true}
	return f
}

// answerRule draws the form; with f, what was wrong with what was sent.
func (v *visit) answerRule(c echo.Context, status int, form views.AlertRuleForm, f *fault.Fault) error {
	if f != nil {
		fields := append(pointers(form.Fields), &form.Days)
		for i := range f.Violations { // those of what ends it have the same last part
			if path := f.Violations[i].Path; len(path) > 7 && path[:7] == "/clear/" {
				f.Violations[i].Path = "/clear_" + path[7:]
			}
		}
		form.Errors = corrections(f, fields...)
	}
	return answer(c, v, status, alertsFrame("Rules", views.PathAlertRules, form.Title, ""), form, views.AlertRuleFormPage, views.AlertRuleFormBody)
}

// newAlertRulePage handles GET /console/alerts/rules/new.
func (s *Server) newAlertRulePage(c echo.Context) error {
	v := s.visit(c.Request())
	in := url.Values{"enabled": {"on"}, "kind": {c.QueryParam("kind")}, "channels": {}}
	for _, channel := range alert.Channels() {
		in.Add("channels", string(channel))
	}
	return v.answerRule(c, http.StatusOK, v.alertRuleForm(in, ""), nil)
}

// alertRulePage handles GET /console/alerts/rules/:id.
func (s *Server) alertRulePage(c echo.Context) error {
	r, err := s.Alerts.Rule(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	v, in := s.visit(c.Request()), ruleValues(r)
	in.Set("version", strconv.FormatInt(r.Version, 10))
	return v.answerRule(c, http.StatusOK, v.alertRuleForm(in, r.ID), nil)
}

// makeAlertRule handles POST /console/alerts/rules.
func (s *Server) makeAlertRule(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	r, err := s.Alerts.Add(c.Request().Context(), in.Get("name"), in.Get("enabled") == "on", ruleSpec(in))
	if err == nil {
		return s.done(c, flash{Text: r.Name + " is added."}, views.PathAlertRules)
	}
	return s.ruleRefused(c, in, "", err)
}

// saveAlertRule handles POST /console/alerts/rules/:id.
func (s *Server) saveAlertRule(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	id := c.Param("id")
	r, err := s.Alerts.Change(c.Request().Context(), id, ruleVersion(in), in.Get("name"), in.Get("enabled") == "on", ruleSpec(in))
	if err == nil {
		return s.done(c, flash{Text: r.Name + " is saved."}, views.PathAlertRules)
	}
	return s.ruleRefused(c, in, id, err)
}

func (s *Server) ruleRefused(c echo.Context, in url.Values, id string, err error) error {
	f := fault.Of(err)
	if !isForm(f) && f.Kind != fault.Conflict {
		return err
	}
	v := s.visit(c.Request())
	return v.answerRule(c, http.StatusUnprocessableEntity, v.alertRuleForm(in, id), f)
}

// tryAlertRuleNow handles POST /console/alerts/rules/try: the form again, with what
// the rule would have found.
func (s *Server) tryAlertRuleNow(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	id := in.Get("id")
	if id != "" {
		rules, err := s.Alerts.Rules(c.Request().Context())
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(rules, func(r alert.Rule) bool { return r.ID == id }) {
			id = ""
		}
	}
	days, _ := strconv.Atoi(in.Get("days")) // none is no time, and refused
	did, err := s.replayRule(c, in.Get("name"), ruleSpec(in), days)
	if err != nil {
		return s.ruleRefused(c, in, id, err)
	}
	v := s.visit(c.Request())
	form := v.alertRuleForm(in, id)
	form.Replay = &views.AlertReplay{Days: days, Records: did.Records, Matching: did.Matching, Partly: did.Partly, Total: did.Total}
	for _, a := range did.Alerts {
		form.Replay.Alerts = append(form.Replay.Alerts, views.ReplayedAlert{Title: a.Title, First: a.First, Last: a.Last, Count: a.Count, Href: views.RecordPath(a.Chain, a.Seq)})
	}
	return v.answerRule(c, http.StatusOK, form, nil)
}

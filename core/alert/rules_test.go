package alert_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/alert"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
)

// burst is a rule that can be.
func burst() alert.Spec {
	return alert.Spec{Severity: alert.Warning, Channels: []alert.Channel{alert.Webhook}, Match: alert.Match{Action: "operator.call", Outcome: "deny"}, Count: 5, Window: alert.Duration(time.Minute), By: alert.ByActor}
}

func TestRulesThatCannotBe(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		edit func(*alert.Spec)
		path string
	}{
		"severity":        {func(s *alert.Spec) { s.Severity = "loud" }, "/severity"},
		"channel":         {func(s *alert.Spec) { s.Channels = []alert.Channel{"pigeon"} }, "/channels"},
		"nothing":         {func(s *alert.Spec) { s.Match = alert.Match{} }, "/match"},
		"no count":        {func(s *alert.Spec) { s.Count = 0 }, "/count"},
		"too many":        {func(s *alert.Spec) { s.Count = 1 << 20 }, "/count"},
		"short window":    {func(s *alert.Spec) { s.Window = alert.Duration(time.Second) }, "/window"},
		"long window":     {func(s *alert.Spec) { s.Window = alert.Duration(25 * time.Hour) }, "/window"},
		"by":              {func(s *alert.Spec) { s.By = "moon" }, "/by"},
		"outcome":         {func(s *alert.Spec) { s.Match.Outcome = "maybe" }, "/match/outcome"},
		"action":          {func(s *alert.Spec) { s.Match.Action = "a b" }, "/match/action"},
		"its own records": {func(s *alert.Spec) { s.Match.Action = "alert.open" }, "/match/action"},
		"class":           {func(s *alert.Spec) { s.Match.Class = "secretest" }, "/match/class"},
		"kind":            {func(s *alert.Spec) { s.Match.ActorKind = "cat" }, "/match/actor_kind"},
		"empty clear":     {func(s *alert.Spec) { s.Clear = &alert.Match{} }, "/clear"},
		"state and match": {func(s *alert.Spec) { s.State = alert.LastAdmin }, "/state"},
		"unknown state":   {func(s *alert.Spec) { *s = alert.Spec{Severity: alert.Info, State: "moon.full"} }, "/state"},
		"for of records":  {func(s *alert.Spec) { s.For = alert.Duration(time.Minute) }, "/for"},
		"long text":       {func(s *alert.Spec) { s.Text = strings.Repeat("x", 1001) }, "/text"},
		"details":         {func(s *alert.Spec) { s.Match.Detail = map[string]string{"a": "", "b": "", "c": "", "d": "", "e": ""} }, "/match/detail"},
	} {
		t.Run(name, func(t *testing.T) {
			s := burst()
			c.edit(&s)
			_, err := w.Add(w.ctx, "A rule", true, s)
			if codeOf(err) != "alert.rule" {
				t.Fatalf("added: %v", err)
			}
			var paths []string
			for _, v := range fault.Of(err).Violations {
				paths = append(paths, v.Path)
			}
			if !strings.Contains(strings.Join(paths, " "), c.path) {
				t.Errorf("it complains of %v, want %s", paths, c.path)
			}
		})
	}
	if _, err := w.Add(w.ctx, "", true, burst()); codeOf(err) != "alert.rule" {
		t.Errorf("added without a name: %v", err)
	}
}

// Rules are added, changed by the version seen, removed, and put back as shipped.
func TestRulesAreKept(t *testing.T) {
	w := newWorld(t)
	shipped, err := w.Rules(w.ctx)
	if err != nil || len(shipped) < 15 {
		t.Fatalf("shipped are %d, %v", len(shipped), err)
	}
	for _, r := range shipped {
		if r.ID != "core.last-admin" && !r.Enabled {
			t.Errorf("%s is off", r.ID)
		}
		raw, err := json.Marshal(r.Spec)
		var back alert.Spec
		if err == nil {
			err = json.Unmarshal(raw, &back)
		}
		if d := cmp.Diff(r.Spec, back); d != "" || err != nil {
			t.Errorf("%s does not come back from JSON: %v\n%s", r.ID, err, d)
		}
		if r.Text == "" || len(r.Channels) == 0 {
			t.Errorf("%s says or tells nothing", r.ID)
		}
	}
	made, err := w.Add(w.ctx, "Denials", true, burst())
	if err != nil || made.Version != 1 || made.By != "Ada" {
		t.Fatalf("added %+v, %v", made, err)
	}
	if _, err := w.Add(w.ctx, "dENIALS", true, burst()); codeOf(err) != "alert.name_taken" {
		t.Errorf("added twice: %v", err)
	}
	if _, err := w.Add(w.ctx, shipped[0].Name, true, burst()); codeOf(err) != "alert.name_taken" {
		t.Errorf("added by a shipped name: %v", err)
	}
	if _, err := w.Change(w.ctx, made.ID, 7, "Denials", true, burst()); codeOf(err) != "alert.changed" {
		t.Errorf("changed unseen: %v", err)
	}
	if made, err = w.Change(w.ctx, made.ID, 1, "Denials", false, burst()); err != nil || made.Version != 2 || made.Enabled {
		t.Errorf("changed %+v, %v", made, err)
	}
	if err := w.Remove(w.ctx, made.ID); err != nil {
		t.Error(err)
	}
	if err := w.Remove(w.ctx, made.ID); codeOf(err) != "alert.rule_unknown" {
		t.Errorf("removed twice: %v", err)
	}
	if err := w.Remove(w.ctx, "core.sink-lag"); codeOf(err) != "alert.shipped" {
		t.Errorf("removed what is shipped: %v", err)
	}
	lag, _ := w.Rule(w.ctx, "core.sink-lag")
	lag.For = alert.Duration(time.Hour)
	changed, err := w.Change(w.ctx, lag.ID, 0, lag.Name, true, lag.Spec)
	if err != nil || !changed.Builtin || !changed.Changed || changed.Version != 1 {
		t.Errorf("changed %+v, %v", changed, err)
	}
	if _, err := w.Change(w.ctx, lag.ID, 0, lag.Name, true, lag.Spec); codeOf(err) != "alert.changed" {
		t.Errorf("changed by the version as shipped: %v", err)
	}
	if err := w.Remove(w.ctx, lag.ID); err != nil {
		t.Error(err)
	}
	if is, err := w.Rule(w.ctx, lag.ID); err != nil || is.Changed || time.Duration(is.For) != 10*time.Minute {
		t.Errorf("put back %+v, %v", is, err)
	}
	if n := w.recorded("alert.rule.*"); n != 5 {
		t.Errorf("%d changes are recorded, want 5", n)
	}
}

// What a rule asks of records, and what it does not.
func TestWhatARuleMatches(t *testing.T) {
	w := newWorld(t)
	ada := actor.From(w.ctx)
	is := audit.Entry{Action: "user.suspend", Object: "users/7", Outcome: audit.Failed, Rule: "identity.last_admin", Plugin: "mail", Detail: map[string]any{"n": 3, "who": "a \"b\"", "deep": map[string]any{"x": 1}}}
	cases := map[string]struct {
		match alert.Match
		fits  bool
	}{
		"action":             {alert.Match{Action: "user.suspend"}, true},
		"beginning":          {alert.Match{Action: "user.*"}, true},
		"another action":     {alert.Match{Action: "user.susp"}, false},
		"outcome":            {alert.Match{Outcome: "failed"}, true},
		"another outcome":    {alert.Match{Outcome: "ok"}, false},
		"rule":               {alert.Match{Rule: "identity.last_admin"}, true},
		"object's beginning": {alert.Match{Object: "users/*"}, true},
		"another object":     {alert.Match{Object: "users"}, false},
		"kind":               {alert.Match{ActorKind: "user", Action: "user.*"}, true},
		"another kind":       {alert.Match{ActorKind: "plugin", Action: "user.*"}, false},
		"actor by id":        {alert.Match{Actor: ada.ID}, true},
		"another actor":      {alert.Match{Actor: "ada@example.org"}, false},
		"plugin":             {alert.Match{Plugin: "mail"}, true},
		"another plugin":     {alert.Match{Plugin: "mai"}, false},
		"class":              {alert.Match{Class: "phi"}, false},
		"address":            {alert.Match{Address: "10.0.0.1"}, false},
		"a number":           {alert.Match{Detail: map[string]string{"n": "3"}}, true},
		"a text":             {alert.Match{Detail: map[string]string{"who": `a "b"`}}, true},
		"two members":        {alert.Match{Detail: map[string]string{"n": "3", "who": `a "b"`}}, true},
		"one member not":     {alert.Match{Detail: map[string]string{"n": "3", "who": "b"}}, false},
		"an absent member":   {alert.Match{Detail: map[string]string{"x": "1"}}, false},
	}
	for name, c := range cases {
		if _, err := w.Add(w.ctx, name, true, alert.Spec{Severity: alert.Info, Match: c.match, Count: 1, Window: alert.Duration(time.Minute)}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	w.write(1, actor.User, ada.ID, is)
	w.tend()
	opened := map[string]bool{}
	for _, a := range w.list("") {
		opened[a.RuleName] = true
	}
	for name, c := range cases {
		if opened[name] != c.fits {
			t.Errorf("%s: opened %t, want %t", name, opened[name], c.fits)
		}
	}
}

// A rule is tried on the past: what it would have opened, and nothing is opened.
func TestReplay(t *testing.T) {
	w := newWorld(t)
	w.write(12, actor.Plugin, "mail", denied)
	w.write(4, actor.Plugin, "fax", denied)
	w.write(2, actor.System, "operator lane", audit.Entry{Action: "operator.circuit", Plugin: "labs", Object: "labs", Outcome: audit.OK, Detail: map[string]any{"to": "open"}})
	w.write(1, actor.System, "operator lane", audit.Entry{Action: "operator.circuit", Plugin: "labs", Object: "labs", Outcome: audit.OK, Detail: map[string]any{"to": "closed"}})
	w.write(1, actor.System, "operator lane", audit.Entry{Action: "operator.circuit", Plugin: "labs", Object: "labs", Outcome: audit.OK, Detail: map[string]any{"to": "open"}})
	did, err := w.Replay(w.ctx, "Denials", burst(), 7)
	if err != nil || did.Records != 16 || did.Matching != 16 || did.Total != 1 || did.Partly {
		t.Fatalf("found %+v, %v", did, err)
	}
	if a := did.Alerts[0]; a.Key != "mail" || a.Count != 12 || a.Title != "Denials: MAIL" {
		t.Errorf("would open %+v", a)
	}
	open, _ := w.Rule(w.ctx, "core.circuit-open")
	if did, err := w.Replay(w.ctx, open.Name, open.Spec, 1); err != nil || did.Total != 2 {
		t.Errorf("found %+v, %v", did, err)
	}
	if _, err := w.Replay(w.ctx, "x", burst(), 91); codeOf(err) != "alert.days" {
		t.Errorf("looked back 91 days: %v", err)
	}
	if _, err := w.Replay(w.ctx, "x", alert.Spec{Severity: alert.Info, State: alert.LastAdmin}, 7); codeOf(err) != "alert.no_past" {
		t.Errorf("looked at health: %v", err)
	}
	if n := len(w.list("")); n != 0 {
		t.Errorf("%d alerts were opened", n)
	}
}

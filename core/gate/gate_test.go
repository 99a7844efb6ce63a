package gate_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// journal keeps records in memory, and can refuse to.
type journal struct {
	mu   sync.Mutex
	rows []audit.Entry
	down error
}

func (j *journal) Decide(_ context.Context, e audit.Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.down != nil {
		return j.down
	}
	j.rows = append(j.rows, e)
	return nil
}

func (j *journal) Later(ctx context.Context, e audit.Entry) { _ = j.Decide(ctx, e) }

// told reads the detail of a decision's row.
func told(t testing.TB, e audit.Entry) gate.Record {
	t.Helper()
	text, ok := e.Detail.(audit.Canonical)
	if !ok {
		t.Fatalf("the detail is a %T, want the canonical JSON of a record", e.Detail)
	}
	var r gate.Record
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("the detail %s: %v", text, err)
	}
	return r
}

var errDown = fault.New(fault.Unavailable, "audit.unavailable", "The decision cannot be recorded now.")

type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func newGate(t *testing.T) (*gate.Gate, *journal, *clock, *prometheus.Registry) {
	t.Helper()
	j, c, m := &journal{}, &clock{at: time.Date(2026, 3, 17, 14, 0, 30, 0, time.UTC)}, prometheus.NewRegistry()
	p := policy.New(trait.Builtin())
	return gate.New(gate.Config{Policy: func() *policy.Policy { return p }, Record: j, Metrics: m, Now: c.now, Log: slog.New(slog.DiscardHandler)}), j, c, m
}

func party(id string) policy.Party {
	return policy.Party{Kind: actor.Plugin, ID: id, Tenant: "default", State: policy.Active}
}

func call() *policy.Request {
	return &policy.Request{
		Action: policy.OperatorCall, Subject: party("greeter"), Target: party("profiles"),
		Resource: policy.Resource{Name: "get_profile", Declared: true, Granted: true},
	}
}

var note = gate.Note{Plugin: "greeter", Object: "profiles/get_profile", Level: audit.Basic}

func TestPassRecordsBeforeItLetsPass(t *testing.T) {
	g, j, _, _ := newGate(t)
	passage, err := g.Pass(t.Context(), call(), note)
	if err != nil {
		t.Fatal(err)
	}
	if len(j.rows) != 1 || j.rows[0].Outcome != audit.Allow || j.rows[0].ID != passage.ID || j.rows[0].Target != "profiles" {
		t.Fatalf("recorded %+v", j.rows)
	}
	passage.End(t.Context(), audit.OK, map[string]int{"status": 200})
	if end := j.rows[1]; end.Call != passage.ID || end.Outcome != audit.OK || end.Detail != nil {
		t.Errorf("the end is %+v: it bears the decision's id, and at level basic no detail", end)
	}
}

func TestNothingPassesUnrecorded(t *testing.T) {
	g, j, _, _ := newGate(t)
	j.down = errDown
	for name, r := range map[string]*policy.Request{"allowed": call(), "denied": {Action: policy.OperatorCall, Subject: party("greeter")}} {
		if _, err := g.Pass(t.Context(), r, note); !errors.Is(err, errDown) {
			t.Errorf("%s: %v, want the recorder's refusal", name, err)
		}
	}
	ctx := actor.With(t.Context(), actor.Actor{Kind: actor.User, ID: "u"})
	if err := g.Admit(ctx, "plugin.enable", "greeter", trait.SetOf(trait.PluginManager)); !errors.Is(err, errDown) {
		t.Errorf("an administrative denial: %v", err)
	}
}

func TestLevelNoneRecordsDenialsOnly(t *testing.T) {
	g, j, _, _ := newGate(t)
	quiet := note
	quiet.Level = audit.None
	passage, err := g.Pass(t.Context(), call(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	passage.End(t.Context(), audit.OK, nil)
	if len(j.rows) != 0 {
		t.Errorf("at level none %d rows were made of an allowed call", len(j.rows))
	}
	r := call()
	r.Resource.Granted = false
	if _, err := g.Pass(t.Context(), r, quiet); err == nil || len(j.rows) != 1 || j.rows[0].Outcome != audit.Deny {
		t.Errorf("a denial at level none: %v, recorded %+v", err, j.rows)
	}
}

func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*policy.Request)
		kind fault.Kind
		code string
	}{
		{"no grant", func(r *policy.Request) { r.Resource.Granted = false }, fault.Denied, "operator.grant"},
		{"an undeclared operation", func(r *policy.Request) { r.Resource.Declared = false }, fault.NotFound, "operator.endpoint"},
		{"a disabled target", func(r *policy.Request) { r.Target.State = policy.Disabled }, fault.Unavailable, "target.disabled"},
		{"an unhealthy target", func(r *policy.Request) { r.Target.State = policy.Unhealthy }, fault.Unavailable, "target.unhealthy"},
		{"a quarantined target", func(r *policy.Request) { r.Target.State = policy.Quarantined }, fault.Unavailable, "target.quarantined"},
		{"a disabled caller", func(r *policy.Request) { r.Subject.State = policy.Disabled }, fault.Unauthenticated, "plugin.disabled"},
		{"an unknown target, asked for by a plugin", func(r *policy.Request) { r.Target = policy.Party{} }, fault.Denied, "operator.target"},
		{"an unknown target, asked for by a person who may not list plugins", func(r *policy.Request) {
			r.Target, r.Subject = policy.Party{}, policy.Party{Kind: actor.User, ID: "u", Tenant: "default"}
		}, fault.Denied, "operator.target"},
		{"an unknown target, asked for by a person who may list plugins", func(r *policy.Request) {
			r.Target, r.Subject = policy.Party{}, policy.Party{Kind: actor.User, ID: "u", Tenant: "default", Traits: trait.SetOf(trait.Viewer)}
		}, fault.NotFound, "operator.target"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, j, _, _ := newGate(t)
			r := call()
			tt.edit(r)
			_, err := g.Pass(t.Context(), r, note)
			f := fault.Of(err)
			if f.Kind != tt.kind || f.Code != tt.code || f.Sentence == "" {
				t.Fatalf("refused as kind %d, code %s: %q", f.Kind, f.Code, f.Sentence)
			}
			if len(j.rows) != 1 || j.rows[0].ID.String() != f.Decision {
				t.Errorf("exactly one row bears the decision %s; there are %+v", f.Decision, j.rows)
			}
			record := told(t, j.rows[0])
			if record.Facts.Subject.ID != r.Subject.ID || len(record.Reasons) == 0 {
				t.Errorf("the row tells neither facts nor reasons: %+v", j.rows[0].Detail)
			}
		})
	}
}

func TestMeter(t *testing.T) {
	g, _, c, metrics := newGate(t)
	deny := call()
	deny.Resource.Granted = false
	for range 3 {
		p, err := g.Pass(t.Context(), call(), note)
		if err != nil {
			t.Fatal(err)
		}
		c.at = c.at.Add(8 * time.Millisecond)
		p.End(t.Context(), audit.OK, nil)
	}
	_, _ = g.Pass(t.Context(), deny, note)
	f := g.Meter().Flow(gate.Edge{Action: "operator"}, 10)
	if f.Allowed != 3 || f.Denied != 1 || f.PerMinute != 0.4 || f.P95 != 10*time.Millisecond || f.Series[9] != 4 || f.Denials[9] != 1 {
		t.Errorf("the flow is %+v", f)
	}
	if other := g.Meter().Flow(gate.Edge{To: "elsewhere"}, 10); other.Allowed != 0 {
		t.Errorf("another edge has traffic: %+v", other)
	}
	if e := g.Meter().Edges(10); len(e) != 1 || e[0] != (gate.Edge{Action: "operator.call", From: "greeter", To: "profiles"}) {
		t.Errorf("the edges are %+v", e)
	}
	if d := g.Meter().Denials(); d["operator.grant"] != 1 {
		t.Errorf("denials by rule are %v", d)
	}
	c.at = c.at.Add(2 * time.Hour)
	if f := g.Meter().Flow(gate.Edge{}, 60); f.Allowed != 0 || f.PerMinute != 0 {
		t.Errorf("after two hours the meter still remembers %+v", f)
	}
	if families, err := metrics.Gather(); err != nil || len(families) == 0 {
		t.Errorf("no decision was counted for Prometheus (%v)", err)
	}
}

func TestThrottle(t *testing.T) {
	th := gate.NewThrottle(1000, 2)
	one, err := th.Enter("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := th.Enter("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := th.Enter("a"); fault.Of(err).Code != "lane.in_flight" || fault.Of(err).RetryAfter == 0 {
		t.Errorf("a third at a time: %v", err)
	}
	if _, err := th.Enter("b"); err != nil {
		t.Errorf("one caller's requests hold up another: %v", err)
	}
	one()
	one() // releasing twice gives one slot back
	if n := th.Running("a"); n != 1 {
		t.Errorf("%d requests of a run, want 1", n)
	}
	slow := gate.NewThrottle(1, 100)
	if _, err := slow.Enter("a"); err != nil {
		t.Fatal(err)
	}
	if _, err := slow.Enter("a"); fault.Of(err).Code != "lane.rate" {
		t.Errorf("a second within a second: %v", err)
	}
}

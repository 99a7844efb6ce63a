package gate_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// row is an entry as it is read back from the audit.
func row(t *testing.T, e audit.Entry) *audit.Record {
	t.Helper()
	detail, err := json.Marshal(e.Detail)
	if err != nil {
		t.Fatal(err)
	}
	return &audit.Record{ID: e.ID, Action: e.Action, Outcome: e.Outcome, Rule: e.Rule, Detail: detail, At: time.Date(2026, 3, 17, 14, 0, 31, 0, time.UTC)}
}

// A decision that was recorded can be asked again with the very facts it had.
func FuzzDecisionsCanBeAskedAgain(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		traits := func() (s trait.Set) {
			for range rnd.IntN(6) {
				s = s.With(trait.ID(rnd.IntN(trait.Builtin().Len())))
			}
			return s
		}
		one := func(words ...string) string { return words[rnd.IntN(len(words))] }
		side := func() policy.Party {
			return policy.Party{
				Kind: actor.Kind(one("user", "plugin", "system")), ID: one("a", "b"), Name: one("", "A"), Tenant: one("", "default", "*"),
				State: policy.State(one("", "active", "disabled")), Traits: traits(),
			}
		}
		want := policy.Request{
			Action: policy.Action(one("operator.call", "proxy.request", "event.publish", "storage.read", "plugin.enable")), Subject: side(), Target: side(),
			Resource: policy.Resource{
				ID: one("", "1"), Name: one("x", "/y"), Tenant: one("", "default"), Requires: traits(), People: traits(), Classes: trait.Classes(rnd.IntN(32)),
				Declared: rnd.IntN(2) == 0, Granted: rnd.IntN(2) == 0, URL: one("", "no"), Address: one("", "no"),
				Resolved: rnd.IntN(2) == 0, Encrypts: rnd.IntN(2) == 0, Marked: rnd.IntN(2) == 0,
			},
			Method: one("", "GET"), Trace: one("", "0af7651916cd43dd8448eb211c80319c"), At: time.Date(2026, 3, 17, 23, 59, 59, 123456789, time.UTC),
		}
		if want.Action == policy.ProxyRequest {
			want.Resource.Egress = policy.Egress(rnd.IntN(7))
		}
		if rnd.IntN(2) == 0 {
			want.Resource.Unknown = []string{"moon_access"}
		}
		if rnd.IntN(2) == 0 {
			u := side()
			want.OnBehalf = &u
		}
		g, j, _, _ := newGate(t)
		asked := want
		passage, err := g.Pass(t.Context(), &asked, note)
		past, unread := gate.Decided(row(t, j.rows[0]), trait.Builtin())
		if unread != nil || len(past) != 1 {
			t.Fatalf("read back as %v, %v", past, unread)
		}
		if p := past[0]; !p.Complete || p.Allowed != (err == nil) || err == nil && p.Rule != passage.Decision.Rule {
			t.Errorf("read back as allowed=%v by %s, complete=%v; it was %v", p.Allowed, p.Rule, p.Complete, err)
		}
		if diff := cmp.Diff(want, past[0].Request, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("a fact got lost (- decided, + read back):\n%s", diff)
		}
	})
}

// The deliveries of an event share a row, and each receiver's decision is in it.
func TestDeliveriesCanBeAskedAgain(t *testing.T) {
	g, _, _, _ := newGate(t)
	request := func(to string, traits ...trait.ID) policy.Request {
		p := party(to)
		p.Traits = trait.SetOf(traits...)
		return policy.Request{
			Action: policy.EventDeliver, Subject: party("profiles"), Target: p, At: time.Date(2026, 3, 17, 14, 0, 0, 0, time.UTC),
			Resource: policy.Resource{Name: "user.created", Classes: trait.ClassesOf(trait.PII), Declared: true, Marked: true},
		}
	}
	whole, redacted := request("billing", trait.HandlesPII, trait.AuditRequired), request("greeter")
	detail := map[string]any{"deliveries": []map[string]any{
		{"receiver": "billing", "outcome": "deliver", "rule": "event.deliver", "policy_version": 7, "facts": g.Facts(&whole)},
		{"receiver": "greeter", "outcome": "redact", "rule": "event.deliver", "policy_version": 7, "hidden": []string{"pii"}, "facts": g.Facts(&redacted)},
	}}
	past, err := gate.Decided(row(t, audit.Entry{Action: "event.deliver", Outcome: audit.Allow, Detail: detail}), trait.Builtin())
	if err != nil || len(past) != 2 {
		t.Fatalf("read back as %+v, %v", past, err)
	}
	for i, want := range []policy.Request{whole, redacted} {
		if diff := cmp.Diff(want, past[i].Request, cmpopts.EquateEmpty()); diff != "" || !past[i].Complete || past[i].Version != 7 {
			t.Errorf("receiver %d: version %d, complete %v, and (- decided, + read back):\n%s", i, past[i].Version, past[i].Complete, diff)
		}
		if d := policy.New(trait.Builtin()).Decide(&past[i].Request); d.Allow != past[i].Allowed || d.Redact != past[i].Redacted {
			t.Errorf("receiver %d is decided otherwise when asked again: %+v", i, d)
		}
	}
}

// Rows of an earlier version lack some facts. What can be told from the outcome is
// told, so that asking again gives the recorded answer.
func TestRowsOfAnEarlierVersion(t *testing.T) {
	const traits = `"traits":["handles_pii","audit_required","external_service"]`
	for _, tt := range []struct {
		action, rule string
		outcome      audit.Outcome
		resource     string
	}{
		{"operator.call", "data.class", audit.Allow, `{"name":"get_profile","classes":["pii"]}`},
		{"operator.call", "operator.grant", audit.Deny, `{"name":"get_profile"}`},
		{"operator.call", "operator.endpoint", audit.Deny, `{"name":"/nowhere"}`},
		{"operator.call", "operator.traits", audit.Deny, `{"name":"get_profile","requires":["can_view_user"]}`},
		{"operator.call", "operator.traits", audit.Deny, `{"name":"get_profile","requires":["moon_access"]}`},
		{"proxy.request", "proxy.approved", audit.Allow, `{"name":"api.example.com"}`},
		{"proxy.request", "proxy.approved", audit.Deny, `{"name":"api.example.com"}`},
		{"proxy.request", "proxy.domain", audit.Deny, `{"name":"api.example.com"}`},
		{"proxy.request", "proxy.url", audit.Deny, `{"name":"a malformed URL"}`},
		{"proxy.request", "proxy.address", audit.Deny, `{"name":"an address"}`},
		{"event.publish", "event.publish", audit.Deny, `{"name":"user.created"}`},
		{"event.publish", "data.class", audit.Deny, `{"name":"user.created","classes":["phi"]}`},
	} {
		target := `,"target":{"kind":"plugin","id":"profiles","tenant":"default","state":"active","traits":[]}`
		if tt.action != "operator.call" {
			target = ""
		}
		old := &audit.Record{Action: tt.action, Outcome: tt.outcome, Rule: tt.rule, At: time.Now(), Trace: "t", Detail: json.RawMessage(
			`{"facts":{"subject":{"kind":"plugin","id":"greeter","tenant":"default","state":"active",` + traits + `}` + target + `,"resource":` + tt.resource + `},"reasons":[]}`)}
		past, err := gate.Decided(old, trait.Builtin())
		if err != nil || len(past) != 1 || past[0].Complete {
			t.Fatalf("%s by %s is read back as %+v, %v", tt.action, tt.rule, past, err)
		}
		d := policy.New(trait.Builtin()).Decide(&past[0].Request)
		if d.Allow != past[0].Allowed || d.Rule != tt.rule {
			t.Errorf("%s was %s by %s, and is %v by %s when asked again", tt.action, tt.outcome, tt.rule, d.Allow, d.Rule)
		}
		if past[0].Request.At != old.At || past[0].Request.Trace != "t" {
			t.Error("time and trace of the row were not taken")
		}
	}
}

// Rows that are no decisions of the policy hold none.
func TestOtherRowsHoldNoDecision(t *testing.T) {
	for name, r := range map[string]*audit.Record{
		"an outcome":                    {Outcome: audit.OK, Detail: json.RawMessage(`{"status":200}`)},
		"a change":                      {Outcome: audit.OK},
		"a detail too large to be kept": {Outcome: audit.Allow, Detail: json.RawMessage(`{"size":2000000,"sha256":"x"}`)},
		"a denial without facts":        {Outcome: audit.Deny},
	} {
		if past, err := gate.Decided(r, trait.Builtin()); err != nil || len(past) != 0 {
			t.Errorf("%s: %+v, %v", name, past, err)
		}
	}
	if _, err := gate.Decided(&audit.Record{Outcome: audit.Deny, Detail: json.RawMessage(`{"facts":3}`)}, trait.Builtin()); err == nil {
		t.Error("facts of another form are read without an error")
	}
}

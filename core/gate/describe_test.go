package gate_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// plain is what the detail of a decision is by the book: a Record, marshalled, and
// made canonical.
func plain(g *gate.Gate, r *policy.Request, context any) []byte {
	return audit.AppendJSON(nil, gate.Record{Facts: g.Facts(r), Reasons: g.Explain(*r), Context: context})
}

func same(t *testing.T, g *gate.Gate, j *journal, r *policy.Request, context any) {
	t.Helper()
	j.rows = j.rows[:0]
	n := note
	n.Context = context
	_, _ = g.Pass(t.Context(), r, n)
	got := []byte(j.rows[0].Detail.(audit.Canonical))
	if want := plain(g, r, context); !bytes.Equal(got, want) {
		t.Errorf("the decision is described as\n%s\nwant\n%s", got, want)
	}
	if again := audit.AppendJSON(nil, rawJSON(got)); !bytes.Equal(got, again) {
		t.Errorf("the description is not canonical:\n%s\nwant\n%s", got, again)
	}
}

type rawJSON []byte

func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

func TestDescription(t *testing.T) {
	for name, edit := range map[string]func(*policy.Request) any{
		"as it is":  func(*policy.Request) any { return nil },
		"a context": func(*policy.Request) any { return map[string]any{"path": "/a<b>&\u2028", "bytes": 12, "a": []int{1}} },
		"denied":    func(r *policy.Request) any { r.Resource.Granted = false; return nil },
		"traits are missing": func(r *policy.Request) any {
			r.Resource.Requires, r.Resource.People, r.Resource.Unknown = trait.SetOf(trait.HandlesPHI, trait.AuditRequired), trait.SetOf(trait.Admin), []string{"no_such"}
			return nil
		},
		"on behalf of somebody, everything said": func(r *policy.Request) any {
			r.OnBehalf = &policy.Party{Kind: actor.User, ID: "u", Name: "Zoë \"Z\" <z@example.com>\x00\n\xff", Tenant: "t", Traits: trait.SetOf(trait.Viewer, trait.Admin)}
			r.Subject.Traits = trait.SetOf(trait.HandlesPHI, trait.ExternalService)
			r.Method, r.Trace, r.At = "POST", "4bf92f3577b34da6a3ce929d0e0e4736", time.Date(2026, 3, 17, 14, 0, 30, 120_000_000, time.FixedZone("", 3600))
			r.Resource = policy.Resource{
				ID: "i", Name: "n", Tenant: "t", Classes: trait.ClassesOf(trait.PHI, trait.Internal), Declared: true, Granted: true, Egress: policy.Approved,
				URL: "u", Address: "a", Resolved: true, Encrypts: true, Marked: true,
			}
			return struct {
				B string `json:"b"`
				A int    `json:"a"`
			}{"\u00e9", 1}
		},
		"outward": func(r *policy.Request) any {
			r.Action, r.Resource.Egress = policy.ProxyRequest, policy.PathNotApproved
			return nil
		},
		"of nobody": func(r *policy.Request) any { *r = policy.Request{Action: policy.OperatorCall}; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			g, j, _, _ := newGate(t)
			r := call()
			same(t, g, j, r, edit(r))
		})
	}
}

// A context that JSON cannot hold does not take the facts with it.
func TestDescriptionOfWhatJSONCannotHold(t *testing.T) {
	g, j, _, _ := newGate(t)
	n := note
	n.Context = map[string]any{"f": math.Inf(1)}
	if _, err := g.Pass(t.Context(), call(), n); err != nil {
		t.Fatal(err)
	}
	if r := told(t, j.rows[0]); r.Facts.Subject.ID != "greeter" || !strings.Contains(fmt.Sprint(r.Context), "unsupported value") {
		t.Errorf("described as %+v", r)
	}
}

func FuzzDescription(f *testing.F) {
	f.Add("greeter", "Greeter", "GET", "/a", uint64(3), uint8(2), true)
	f.Add("\x00\"\\", "\xff\u2028", "", "\n", uint64(1<<63), uint8(255), false)
	f.Fuzz(func(t *testing.T, id, name, method, path string, traits uint64, classes uint8, declared bool) {
		p := policy.New(trait.Builtin())
		j := &journal{}
		g := gate.New(gate.Config{Policy: func() *policy.Policy { return p }, Record: j, Log: slog.New(slog.DiscardHandler)})
		r := call()
		r.Subject.ID, r.Subject.Name, r.Method, r.Resource.Name = id, name, method, path
		r.Subject.Traits, r.Resource.Classes, r.Resource.Declared = trait.Set{traits}, trait.Classes(classes), declared
		same(t, g, j, r, map[string]string{"path": path})
	})
}

// forgetful takes every record and keeps none.
type forgetful struct{}

func (forgetful) Decide(context.Context, audit.Entry) error { return nil }
func (forgetful) Later(context.Context, audit.Entry)        {}

// The rule of cost of the one door: what every request pays.
func TestAllocations(t *testing.T) {
	p := policy.New(trait.Builtin())
	g := gate.New(gate.Config{Policy: func() *policy.Policy { return p }, Record: forgetful{}, Log: slog.New(slog.DiscardHandler)})
	ctx, r := t.Context(), call()
	n := testing.AllocsPerRun(500, func() {
		passage, err := g.Pass(ctx, r, note)
		if err != nil {
			t.Fatal(err)
		}
		passage.End(ctx, audit.OK, nil)
	})
	if n > 12 {
		t.Errorf("a passage costs %.0f allocations, want at most 12", n)
	}
}

func BenchmarkPass(b *testing.B) {
	p := policy.New(trait.Builtin())
	g := gate.New(gate.Config{Policy: func() *policy.Policy { return p }, Record: forgetful{}, Log: slog.New(slog.DiscardHandler)})
	ctx, r := b.Context(), call()
	b.ReportAllocs()
	for b.Loop() {
		passage, err := g.Pass(ctx, r, note)
		if err != nil {
			b.Fatal(err)
		}
		passage.End(ctx, audit.OK, nil)
	}
}

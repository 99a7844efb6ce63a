package gate_test

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

const rulesText = `
@id("greeter-reads") @reason("The greeter may read profiles.") @audit("detailed")
permit (principal == Plugin::"greeter", action == Action::"operator.call", resource in Plugin::"profiles");

@id("no-deleting") @reason("Nobody deletes profiles.")
forbid (principal, action == Action::"operator.call", resource == Operation::"profiles/delete_profile");

@id("no-posts") @reason("Nobody posts.")
forbid (principal, action in Action::"lanes", resource) when { context.method == "POST" };

@id("hands-off") @reason("Nobody disables the vault.")
forbid (principal, action == Action::"plugin.disable", resource == Plugin::"vault");
`

// governed is a gate under admin rules of a version.
func governed(t *testing.T, version int64) (*gate.Gate, *journal, *prometheus.Registry) {
	t.Helper()
	d, found := policy.Compile(rulesText, trait.Builtin())
	if d == nil {
		t.Fatal(found)
	}
	p, j, m := policy.New(trait.Builtin()).With(d, version), &journal{}, prometheus.NewRegistry()
	return gate.New(gate.Config{Policy: func() *policy.Policy { return p }, Record: j, Metrics: m, Log: slog.New(slog.DiscardHandler)}), j, m
}

func TestCoverageCountsWhoHadASay(t *testing.T) {
	g, _, _ := governed(t, 3)
	granted := func(name, method string) *policy.Request {
		r := call()
		r.Resource.Granted, r.Resource.Name, r.Method = false, name, method
		return r
	}
	for _, r := range []*policy.Request{granted("get_profile", "GET"), granted("get_profile", "GET"), granted("delete_profile", "POST"), {Action: policy.OperatorCall, Subject: party("greeter")}} {
		g.Judge(r)
	}
	g.Would(*granted("get_profile", "GET")) // a question, which counts for nothing
	want := []gate.Hits{
		{Rule: "operator.target", Denied: 1, Matched: 1},
		{Version: 3, Rule: "admin.greeter-reads", Granted: 2, Matched: 3},
		{Version: 3, Rule: "admin.no-deleting", Denied: 1, Matched: 1},
		{Version: 3, Rule: "admin.no-posts", Matched: 1},
	}
	if diff := cmp.Diff(want, g.Coverage()); diff != "" {
		t.Errorf("(- wanted, + counted):\n%s", diff)
	}
	if again := g.Coverage(); len(again) != 0 {
		t.Errorf("counted twice: %+v", again)
	}
}

// Decisions of many at once, under two documents in turn, are all counted once.
func TestCoverageLosesNothing(t *testing.T) {
	d, _ := policy.Compile(rulesText, trait.Builtin())
	old, now := policy.New(trait.Builtin()).With(d, 1), policy.New(trait.Builtin()).With(d, 2)
	var turn sync.Mutex
	n := 0
	g := gate.New(gate.Config{Record: &journal{}, Log: slog.New(slog.DiscardHandler), Policy: func() *policy.Policy {
		turn.Lock()
		defer turn.Unlock()
		if n++; n%2 == 0 {
			return old
		}
		return now
	}})
	var sum uint64
	count := func() {
		for _, h := range g.Coverage() {
			sum += h.Granted
		}
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 500 {
				r := call()
				r.Resource.Granted = false
				g.Judge(r)
			}
		})
	}
	count()
	all.Wait()
	count()
	if sum != 2000 {
		t.Errorf("2000 calls were granted, and %d counted", sum)
	}
}

// The record of a decision names the version of the rules and the rule that
// granted, and is kept as long as the rule says.
func TestTheRuleThatGrantsIsOnRecord(t *testing.T) {
	g, j, _ := governed(t, 3)
	r := call()
	r.Resource.Granted = false
	quiet := note
	quiet.Level = audit.None
	passage, err := g.Pass(t.Context(), r, quiet)
	if err != nil {
		t.Fatal(err)
	}
	passage.End(t.Context(), audit.OK, map[string]int{"bytes": 3})
	said := told(t, j.rows[0])
	if j.rows[0].Rule != "admin.greeter-reads" || said.Version != 3 || !slices.ContainsFunc(said.Reasons, func(r policy.Reason) bool {
		return r.Rule == "admin.greeter-reads" && r.Outcome == "pass"
	}) {
		t.Errorf("recorded as %+v", j.rows[0])
	}
	if j.rows[1].Detail == nil {
		t.Error("the outcome has no detail, though the rule asks for it")
	}
}

// An administrator's rule can speak of the one plugin an action is about.
func TestARuleBindsAnActionOnOnePlugin(t *testing.T) {
	g, j, _ := governed(t, 3)
	ctx := actor.With(t.Context(), actor.Actor{Kind: actor.User, ID: "ada", Tenant: "default", Traits: trait.SetOf(trait.PluginManager)})
	on := func(id string) gate.On {
		return gate.On{Object: "/plugins/" + id + "/disable", ID: id, Plugin: party(id), Requires: trait.SetOf(trait.PluginManager)}
	}
	if err := g.AdmitOn(ctx, "plugin.disable", on("greeter")); err != nil {
		t.Error(err)
	}
	err := g.AdmitOn(ctx, "plugin.disable", on("vault"))
	if f := fault.Of(err); f.Code != "admin.hands-off" || f.Sentence != "Nobody disables the vault." || f.Decision == "" {
		t.Errorf("got %+v", f)
	}
	if len(j.rows) != 1 || j.rows[0].Plugin != "vault" {
		t.Errorf("recorded %+v", j.rows)
	}
}

func TestLatencyOfTheLanes(t *testing.T) {
	g, _, m := governed(t, 3)
	passage, err := g.Pass(t.Context(), call(), note)
	if err != nil {
		t.Fatal(err)
	}
	passage.End(t.Context(), audit.Failed, nil)
	posted := call()
	posted.Method = "POST"
	g.Judge(posted)
	families, err := m.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]uint64{}
	for _, f := range families {
		if f.GetName() != "vivified_lane_duration_seconds" {
			continue
		}
		for _, one := range f.Metric {
			var labels []string
			for _, l := range one.Label {
				labels = append(labels, l.GetValue())
			}
			counts[strings.Join(labels, " ")] = one.GetHistogram().GetSampleCount()
		}
	}
	if counts["operator.call failed"] != 1 || counts["operator.call denied"] != 1 || counts["operator.call ok"] != 0 {
		t.Errorf("counted %v", counts)
	}
}

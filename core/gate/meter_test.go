package gate_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
)

// An allowed call that could not be recorded was not made: it counts as failed.
func TestWhatCouldNotBeRecordedCountsAsFailed(t *testing.T) {
	g, j, _, _ := newGate(t)
	j.down = errDown
	if _, err := g.Pass(t.Context(), call(), note); err == nil {
		t.Fatal("it passed")
	}
	if f := g.Meter().Flow(gate.Edge{}, 5); f.Allowed != 1 || f.Failed != 1 {
		t.Errorf("the flow is %+v, want one allowed and failed", f)
	}
}

// Each minute has a place of its own, the oldest first, and a flow holds only
// the minutes asked for.
func TestAFlowIsASeriesOfMinutes(t *testing.T) {
	g, _, c, _ := newGate(t)
	for minute, calls := range []int{1, 0, 3} {
		for range calls {
			if _, err := g.Pass(t.Context(), call(), note); err != nil {
				t.Fatal(err)
			}
		}
		if minute < 2 {
			c.at = c.at.Add(time.Minute)
		}
	}
	for minutes, want := range map[int][]uint64{1: {3}, 2: {0, 3}, 4: {0, 1, 0, 3}} {
		f := g.Meter().Flow(gate.Edge{Action: "operator.call"}, minutes)
		for i := range want {
			if f.Series[i] != want[i] {
				t.Errorf("the last %d minutes are %v, want %v", minutes, f.Series, want)
				break
			}
		}
	}
	for asked, want := range map[int]int{-1: 1, 0: 1, 60: 60, 1000: 60} {
		if n := len(g.Meter().Flow(gate.Edge{}, asked).Series); n != want {
			t.Errorf("asked for %d minutes it answers with %d, want %d", asked, n, want)
		}
	}
}

// The 95th percentile is the upper end of the step that holds it.
func TestP95(t *testing.T) {
	const ms = time.Millisecond
	for name, tt := range map[string]struct {
		took []time.Duration
		want time.Duration
	}{
		"nothing ended":          {nil, 0},
		"one, on a step's end":   {[]time.Duration{ms}, ms},
		"one, just over it":      {[]time.Duration{ms + 1}, 2 * ms},
		"one slow in twenty":     {append(repeat(19, ms), time.Second), ms},
		"two slow in twenty":     {append(repeat(18, ms), time.Second, time.Second), time.Second},
		"slower than every step": {[]time.Duration{time.Hour}, 30 * time.Second},
	} {
		g, _, _, _ := newGate(t)
		edge := gate.Edge{Action: string(policy.OperatorCall), From: "a", To: "b"}
		for _, d := range tt.took {
			g.Meter().Ended(edge, d, false)
		}
		for _, like := range []gate.Edge{{}, edge} {
			if got := g.Meter().Flow(like, 1).P95; got != tt.want {
				t.Errorf("%s: %s, want %s", name, got, tt.want)
			}
		}
	}
}

func repeat(n int, d time.Duration) []time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = d
	}
	return all
}

// Who asks for ever new names neither grows the meter nor takes the others' room;
// what had its hour is forgotten.
func TestTheMeterKeepsItsSize(t *testing.T) {
	g, _, c, _ := newGate(t)
	ask := func(from, to string) {
		_, _ = g.Pass(t.Context(), &policy.Request{Action: policy.ProxyRequest, Subject: party(from), Resource: policy.Resource{Name: to}}, gate.Note{Level: audit.Basic})
	}
	ask("quiet", "early.example.com")
	c.at = c.at.Add(61 * time.Minute)
	for i := range 3000 {
		ask("noisy", strconv.Itoa(i)+".example.com")
	}
	ask("other", "api.example.com")
	edges := g.Meter().Edges(60)
	if len(edges) > 210 {
		t.Errorf("one party made %d edges", len(edges))
	}
	seen := map[string]uint64{}
	for _, e := range edges {
		seen[e.From] += g.Meter().Flow(gate.Edge{From: e.From}, 60).Denied
	}
	if f := g.Meter().Flow(gate.Edge{From: "noisy"}, 60); f.Denied != 3000 {
		t.Errorf("of 3000 denials %d are counted", f.Denied)
	}
	if seen["other"] != 1 || seen["quiet"] != 0 {
		t.Errorf("beside a noisy party the others count as %v", seen)
	}
}

package rulebook_test

import (
	"log/slog"
	"testing"

	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/rulebook"
)

// replayed starts a replay and waits for its end.
func (w *world) replayed(days, most int) rulebook.Shadow {
	w.t.Helper()
	s := must(w.StartShadow(w.as(mara), days, most))(w.t)
	eventually(w.t, "the replay ends", func() bool {
		s = must(w.Shadow(w.as(mara), s.ID))(w.t)
		return s.State != "running"
	})
	return s
}

func TestAReplayListsEveryFlip(t *testing.T) {
	w := newWorld(t)
	w.run(w.Rulebook)
	last := w.decide(w.Policy, 600) // three pages
	w.save(closed)
	s := w.replayed(7, 0)
	if s.State != "done" || s.Replayed != 600 || s.Flips != 600 || s.Drifts != 0 || s.Skipped != 0 || s.Progress != 1 || !s.Draft {
		t.Fatalf("the replay is %+v", s)
	}
	groups := s.Groups(rulebook.Flips)
	if len(groups) != 1 {
		t.Fatalf("the groups are %+v", groups)
	}
	if g := groups[0]; g.Kind != "denied" || g.Now != "admin.closed" || g.Caller != "shop" || g.Target != "stock" || g.Action != "operator.call" || g.Count != 600 || g.Decision != last {
		t.Errorf("the group is %+v; the last decision is %s", g, last)
	}
	seen, after := 0, int64(0)
	for {
		flips := must(w.ListFlips(w.as(mara), s.ID, rulebook.Flips, after, 250))(t)
		if len(flips) == 0 {
			break
		}
		if seen += len(flips); seen > 0 && after == 0 && flips[0].Decision != last {
			t.Errorf("the first one listed is %s, the last one decided %s", flips[0].Decision, last)
		}
		after = flips[len(flips)-1].Seq
	}
	if seen != 600 {
		t.Errorf("%d are listed one by one", seen)
	}
	if few := w.replayed(7, 100); few.Replayed != 100 || few.State != "done" {
		t.Errorf("of at most 100 it is %+v", few)
	}
	if list := must(w.Shadows(w.as(mara)))(t); len(list) != 2 || list[1].ID != s.ID {
		t.Errorf("listed are %+v", list)
	}
	w.save(open)
	if must(w.Shadow(w.as(mara), s.ID))(t).Draft {
		t.Error("it passes for a replay of the draft there is now")
	}
	if allows(w.Policy()) != true {
		t.Error("a replay has an effect")
	}
}

// What has changed since is told apart from what the draft changes.
func TestAReplayTellsDriftFromFlips(t *testing.T) {
	w := newWorld(t)
	w.run(w.Rulebook)
	w.decide(w.Policy, 5)
	w.publish(closed)
	if s := w.replayed(1, 0); s.Flips != 0 || s.Drifts != 5 {
		t.Errorf("a draft that is published already: %+v", s)
	}
	w.save(open)
	s := w.replayed(1, 0)
	if s.Flips != 5 || s.Drifts != 5 {
		t.Errorf("the other way round: %+v", s)
	}
	if g := s.Groups(rulebook.Flips); len(g) != 1 || g[0].Kind != "allowed" || g[0].Was != "admin.closed" {
		t.Errorf("the draft changes %+v", g)
	}
	if g := s.Groups(rulebook.Drifts); len(g) != 1 || g[0].Kind != "denied" {
		t.Errorf("since then has changed %+v", g)
	}
}

func TestAReplayIsOneAtATime(t *testing.T) {
	w := newWorld(t) // nobody runs it
	for _, tt := range []struct{ days, most int }{{0, 1}, {91, 1}, {1, -1}, {1, rulebook.MaxReplay + 1}} {
		_, err := w.StartShadow(w.as(mara), tt.days, tt.most)
		refused(t, err, "policy.shadow_size")
	}
	s := must(w.StartShadow(w.as(mara), 90, 0))(t)
	_, err := w.StartShadow(w.as(joel), 1, 0)
	refused(t, err, "policy.shadow_runs")
	if err := w.CancelShadow(w.as(joel), s.ID); err != nil {
		t.Fatal(err)
	}
	refused(t, w.CancelShadow(w.as(joel), s.ID), "policy.shadow_over")
	if got := must(w.Shadow(w.as(mara), s.ID))(t); got.State != "cancelled" || got.EndedAt == nil {
		t.Errorf("cancelled it is %+v", got)
	}
	w.run(w.Rulebook) // what was cancelled is not run
	eventually(t, "another one can start", func() bool { _, err := w.StartShadow(w.as(mara), 1, 0); return err == nil })
}

// A replay whose core died does not run for ever.
func TestAReplayOfADeadCoreFails(t *testing.T) {
	w := newWorld(t)
	dead := must(w.StartShadow(w.as(mara), 1, 0))(t)
	w.exec("UPDATE policy_shadows SET until = now() - interval '1 second'")
	other := w.open("two")
	w.run(other)
	next, err := other.StartShadow(w.as(mara), 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := must(w.Shadow(w.as(mara), dead.ID))(t); got.State != "failed" || got.Why == "" {
		t.Errorf("the dead one is %+v", got)
	}
	eventually(t, "the next one ends", func() bool { return must(w.Shadow(w.as(mara), next.ID))(t).State == "done" })
}

// counts is a gate of a test, with hits as it counted them.
type counts []gate.Hits

// Coverage implements rulebook.Counted.
func (c *counts) Coverage() []gate.Hits {
	now := *c
	*c = nil
	return now
}

func TestCoverageAddsUp(t *testing.T) {
	w := newWorld(t)
	var one, two counts
	a, b := rulebook.NewCounter(w.db.Pool, &one, slog.New(slog.DiscardHandler)), rulebook.NewCounter(w.db.Pool, &two, slog.New(slog.DiscardHandler))
	one = counts{{Rule: "core.active", Matched: 5, Denied: 5}, {Version: 1, Rule: "admin.closed", Matched: 2, Granted: 1}, {Version: 2, Rule: "admin.closed", Matched: 1}}
	two = counts{{Rule: "core.active", Matched: 1, Denied: 1}}
	for _, c := range []*rulebook.Counter{a, b, a, b} {
		if err := c.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.exec("INSERT INTO policy_coverage (rule, hour, matched, granted, denied, last_at) VALUES ('core.active', now() - interval '3 days', 100, 0, 100, now() - interval '3 days'), ('core.tenant', now() - interval '10 days', 1, 0, 1, now() - interval '10 days')")
	for over, want := range map[string][3]int64{"24h": {6, 3, 0}, "7d": {106, 3, 0}, "30d": {106, 3, 1}} {
		got := must(w.Coverage(w.as(mara), rulebook.Spans[over]))(t)
		if n := [3]int64{got["core.active"].Denied, got["admin.closed"].Matched, got["core.tenant"].Matched}; n != want {
			t.Errorf("in %s they count %v, want %v", over, n, want)
		}
		if got["core.tenant"].LastAt == nil || got["admin.closed"].Granted != 1 {
			t.Errorf("in %s: %+v", over, got)
		}
	}
	w.exec("ALTER TABLE policy_coverage RENAME TO policy_coverage_away")
	one = counts{{Rule: "core.active", Denied: 4, Matched: 4}}
	if err := a.Flush(t.Context()); err == nil {
		t.Fatal("what could not be written is")
	}
	w.exec("ALTER TABLE policy_coverage_away RENAME TO policy_coverage")
	if err := a.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := must(w.Coverage(w.as(mara), rulebook.Spans["24h"]))(t)["core.active"].Denied; got != 10 {
		t.Errorf("counts are lost: %d, want 10", got)
	}
}

// The gate counts what its policy decides; the counter writes it down.
func TestCoverageOfRealDecisions(t *testing.T) {
	w := newWorld(t)
	w.publish(closed)
	door := gate.New(gate.Config{Policy: w.Policy, Log: slog.New(slog.DiscardHandler)})
	for range 3 {
		c := call()
		r := c.Facts.Request(policy.OperatorCall, w.traits)
		door.Judge(&r)
	}
	if err := rulebook.NewCounter(w.db.Pool, door, slog.New(slog.DiscardHandler)).Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := must(w.Coverage(w.as(mara), rulebook.Spans["24h"]))(t)["admin.closed"]; got.Matched != 3 || got.Denied != 3 {
		t.Errorf("it applied %+v", got)
	}
}

package alert_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/alert"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/siem"
)

var denied = audit.Entry{Action: "operator.call", Object: "labs/results", Outcome: audit.Deny, Rule: "operator.grant"}

// A burst of denials opens one alert, counts on, tells the webhook once, and is
// resolved when all is quiet; every step is recorded.
func TestABurstOpensOneAlertAndEnds(t *testing.T) {
	w := newWorld(t)
	hook := w.receiver()
	w.write(19, actor.Plugin, "mail", denied)
	w.tend()
	if all := w.list(""); len(all) != 0 {
		t.Fatalf("19 denials opened %+v", all)
	}
	w.write(1, actor.Plugin, "mail", denied)
	w.write(3, actor.Plugin, "fax", denied)
	w.tend()
	a := w.only(alert.Open)
	if a.Rule != "core.denials-plugin" || a.Key != "mail" || a.Title != "A plugin is denied again and again: MAIL" || a.Plugin != "mail" {
		t.Errorf("opened %+v", a)
	}
	w.write(30, actor.Plugin, "mail", denied)
	w.tend()
	if a = w.only(alert.Open); a.Count != 50 {
		t.Errorf("it was met %d times, want 50", a.Count)
	}
	records, err := w.Records(w.ctx, a.ID)
	if err != nil || len(records) != 31 {
		t.Errorf("%d records are kept, %v", len(records), err)
	}
	w.later(6 * time.Minute)
	w.tend()
	if a = w.only(alert.Resolved); a.ResolvedAt == nil {
		t.Errorf("resolved without a time: %+v", a)
	}
	w.tend()
	want := []string{"alert.opened A plugin is denied again and again: MAIL", "alert.resolved A plugin is denied again and again: MAIL"}
	if d := cmp.Diff(want, hook.got()); d != "" {
		t.Errorf("the webhook heard (-want +got):\n%s", d)
	}
	for action, n := range map[string]int{"alert.open": 1, "alert.resolve": 1, "alert.notify": 2} {
		if got := w.recorded(action); got != n {
			t.Errorf("%s is recorded %d times, want %d", action, got, n)
		}
	}
	w.write(20, actor.Plugin, "mail", denied)
	w.tend()
	if len(w.list("")) != 2 {
		t.Error("a burst after that opens no alert of its own")
	}
}

// What happens while the service is away it finds afterwards, with the counts from before.
func TestARestartForgetsNothing(t *testing.T) {
	w := newWorld(t)
	w.write(12, actor.Plugin, "mail", denied)
	w.tend()
	w.Service = w.replica("one")
	w.write(8, actor.Plugin, "mail", denied)
	w.tend()
	a := w.only(alert.Open)
	if a.Count != 20 {
		t.Errorf("it was met %d times, want 20", a.Count)
	}
}

// However many replicas look at once, an alert opens once and is told once.
func TestReplicasFireOnce(t *testing.T) {
	w := newWorld(t)
	hook := w.receiver()
	w.write(40, actor.Plugin, "mail", denied)
	w.write(1, actor.User, "ada", audit.Entry{Action: "auth.break_glass", Object: "ada", Outcome: audit.OK})
	w.later(time.Minute)
	var all sync.WaitGroup
	for _, name := range []string{"one", "two", "three", "four"} {
		all.Go(func() {
			r := w.replica(name)
			for range 5 {
				if err := r.Tend(t.Context()); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				w.later(10 * time.Second)
			}
		})
	}
	all.Wait()
	if got := w.recorded("alert.open"); got != 2 {
		t.Errorf("%d alerts were opened, want 2", got)
	}
	for id, n := range hook.ids {
		if n != 1 {
			t.Errorf("message %s was sent %d times", id, n)
		}
	}
	if len(hook.ids) != 2 {
		t.Errorf("%d messages were sent, want 2", len(hook.ids))
	}
}

// An account for emergencies: the alert waits for a person although its hour is over.
func TestAStickyAlertWaitsForAPerson(t *testing.T) {
	w := newWorld(t)
	use := audit.Entry{Action: "auth.break_glass", Object: "ada", Outcome: audit.OK}
	w.write(1, actor.User, "ada", use)
	w.tend()
	a := w.only(alert.Open)
	if a.Severity != alert.Critical || !a.Sticky {
		t.Errorf("opened %+v", a)
	}
	w.later(2 * time.Hour)
	w.tend()
	if a = w.only(alert.Open); a.EndedAt == nil {
		t.Error("its condition goes on after two hours")
	}
	if _, err := w.Acknowledge(w.ctx, a.ID, "  "); codeOf(err) != "alert.note" {
		t.Errorf("acknowledged without a note: %v", err)
	}
	is, err := w.Acknowledge(w.ctx, a.ID, "It was me: the identity provider was away.")
	if err != nil || is.Stage != alert.Resolved || is.AckedName != "Ada" {
		t.Errorf("acknowledged: %+v, %v", is, err)
	}
	if _, err := w.Acknowledge(w.ctx, a.ID, "Again."); codeOf(err) != "alert.not_open" {
		t.Errorf("acknowledged twice: %v", err)
	}
	if _, err := w.Acknowledge(w.ctx, uuid.New(), "x"); codeOf(err) != "alert.unknown" {
		t.Errorf("acknowledged none: %v", err)
	}
	// While it goes on, acknowledging does not resolve it; its end does.
	w.later(-2*time.Hour - time.Minute)
	w.write(1, actor.User, "bob", use)
	w.tend()
	a = w.only(alert.Open)
	if is, err := w.Acknowledge(w.ctx, a.ID, "Looking."); err != nil || is.Stage != alert.Acknowledged {
		t.Errorf("acknowledged: %+v, %v", is, err)
	}
	w.later(2 * time.Hour)
	w.tend()
	if n := len(w.list(alert.Resolved)); n != 2 {
		t.Errorf("%d are resolved, want 2", n)
	}
}

// A record that says that it is over ends what a record opened.
func TestARecordEndsIt(t *testing.T) {
	w := newWorld(t)
	verify := func(ok bool) audit.Entry {
		return audit.Entry{Action: "audit.verify", Object: "audit", Outcome: audit.OK, Detail: map[string]any{"ok": ok, "rows": 7}}
	}
	circuit := func(to string) audit.Entry {
		return audit.Entry{Action: "operator.circuit", Plugin: "labs", Object: "labs", Outcome: audit.OK, Detail: map[string]any{"to": to}}
	}
	w.write(1, actor.User, "ada", verify(true))
	w.write(1, actor.System, "operator lane", circuit("open"))
	w.tend()
	if a := w.only(alert.Open); a.Rule != "core.circuit-open" || a.Key != "labs" {
		t.Errorf("opened %+v", a)
	}
	w.later(48 * time.Hour)
	w.tend()
	w.only(alert.Open) // silence is no sign that it is over
	w.write(1, actor.System, "operator lane", circuit("closed"))
	w.write(1, actor.User, "ada", verify(false))
	w.tend()
	w.only(alert.Resolved)
	if a := w.only(alert.Open); a.Rule != "core.chain-broken" {
		t.Errorf("opened %+v", a)
	}
	w.write(1, actor.User, "ada", verify(true))
	w.tend()
	if a := w.only(alert.Open); a.EndedAt == nil {
		t.Error("a chain that was broken must be seen by a person, and its end known")
	}
}

// What is silenced stands in the list and tells nobody until the silence ends.
func TestASilence(t *testing.T) {
	w := newWorld(t)
	hook := w.receiver()
	for _, bad := range []struct {
		reason string
		how    time.Duration
	}{{"", time.Hour}, {"why", time.Second}, {"why", 31 * 24 * time.Hour}, {strings.Repeat("x", 1001), time.Hour}} {
		if _, err := w.Silence(w.ctx, "core.denials-plugin", nil, bad.reason, bad.how); codeOf(err) != "alert.silence" {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if _, err := w.Silence(w.ctx, "none", nil, "why", time.Hour); codeOf(err) != "alert.rule_unknown" {
		t.Errorf("silenced none: %v", err)
	}
	key := "mail"
	q, err := w.Silence(w.ctx, "core.denials-plugin", &key, "It is being repaired.", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	w.write(20, actor.Plugin, "mail", denied)
	w.write(20, actor.Plugin, "fax", denied)
	w.tend()
	w.tend()
	if got := hook.got(); len(got) != 1 || !strings.HasSuffix(got[0], "FAX") {
		t.Errorf("told %v, want only fax", got)
	}
	if n, err := w.Waiting(w.ctx); err != nil || n[alert.Warning] != 1 {
		t.Errorf("%v wait, %v", n, err)
	}
	yes, no := true, false
	quiet, _ := w.List(w.ctx, alert.Filter{Silenced: &yes})
	loud, _ := w.List(w.ctx, alert.Filter{Silenced: &no})
	if len(quiet.Alerts) != 1 || quiet.Alerts[0].Key != "mail" || quiet.Alerts[0].Silenced.IsZero() || len(loud.Alerts) != 1 || loud.Alerts[0].Key != "fax" {
		t.Errorf("silenced are %+v, others %+v", quiet.Alerts, loud.Alerts)
	}
	if err := w.EndSilence(w.ctx, q.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.EndSilence(w.ctx, q.ID); codeOf(err) != "alert.silence_unknown" {
		t.Errorf("ended twice: %v", err)
	}
	w.tend()
	w.tend()
	if got := hook.got(); len(got) != 2 || !strings.HasSuffix(got[1], "MAIL") {
		t.Errorf("after the silence %v were told", got)
	}
	// One that lapses ends by itself, and that is recorded.
	if _, err := w.Silence(w.ctx, "core.denials-plugin", nil, "For a while.", time.Minute); err != nil {
		t.Fatal(err)
	}
	if all, err := w.Silences(w.ctx); err != nil || len(all) != 1 || all[0].By != "Ada" {
		t.Errorf("in force are %+v, %v", all, err)
	}
	w.later(2 * time.Minute)
	w.tend()
	if n := w.recorded("alert.silence.end"); n != 2 {
		t.Errorf("%d ends are recorded, want 2", n)
	}
}

// A receiver that is away is told later; after a day it is given up.
func TestAMessageIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	hook := w.receiver()
	hook.set(true)
	w.write(20, actor.Plugin, "mail", denied)
	w.tend()
	w.tend()
	a := w.only(alert.Open)
	notices, err := w.Notices(w.ctx, a.ID)
	if err != nil || len(notices) != 1 { // e-mail is not set up
		t.Fatalf("notices are %+v, %v", notices, err)
	}
	if n := notices[0]; n.Channel != alert.Webhook || n.SentAt != nil || n.GivenUp || !strings.Contains(n.Error, "503") {
		t.Errorf("the webhook: %+v", n)
	}
	hook.set(false)
	w.later(time.Minute)
	w.tend()
	if got := hook.got(); len(got) != 1 {
		t.Errorf("told %v", got)
	}
	hook.set(true)
	w.write(20, actor.Plugin, "fax", denied)
	w.tend()
	for range 60 {
		w.later(40 * time.Minute)
		w.tend()
	}
	page, _ := w.config.Store.Search(w.ctx, audit.Filter{Action: "alert.notify", Outcome: audit.Failed, Limit: 100})
	gaveUp := 0
	for _, r := range page.Records {
		if strings.Contains(string(r.Detail), `"given_up": true`) && strings.Contains(string(r.Detail), "webhook") {
			gaveUp++
		}
	}
	if gaveUp != 3 || len(page.Records) != 7 {
		t.Errorf("given up %d times, %d failures are recorded", gaveUp, len(page.Records))
	}
}

// States open and end alerts by themselves.
func TestHealth(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Change(w.ctx, "core.last-admin", 0, "Only one administrator is left", true, alert.Spec{Severity: alert.Info, State: alert.LastAdmin}); err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	w.admins = 1
	w.mu.Unlock()
	key := secret
	if _, err := w.sink.Add(w.ctx, siem.Spec{Name: "Far", Kind: siem.Webhook, Address: "http://127.0.0.1:1/", Secret: &key, Enabled: true, FromStart: true}); err != nil {
		t.Fatal(err)
	}
	w.tend()
	if a := w.only(alert.Open); a.Rule != "core.last-admin" {
		t.Errorf("opened %+v", a)
	}
	w.later(11 * time.Minute) // the sink has records to send that wait
	w.tend()
	titles := map[string]bool{}
	for _, a := range w.list(alert.Open) {
		titles[a.Title] = true
	}
	if !titles["A sink of the audit lags: Far"] || len(titles) != 2 {
		t.Errorf("open are %v", titles)
	}
	w.mu.Lock()
	w.admins = 2
	w.mu.Unlock()
	w.tend()
	if a := w.only(alert.Resolved); a.Rule != "core.last-admin" {
		t.Errorf("resolved %+v", a)
	}
}

// One thing that repeats endlessly fills neither the list nor the channels.
func TestAStormStaysBounded(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Add(w.ctx, "Every failure", true, alert.Spec{Severity: alert.Info, Match: alert.Match{Action: "test.storm"}, Count: 1, Window: alert.Duration(time.Minute), By: alert.ByObject}); err != nil {
		t.Fatal(err)
	}
	for i := range 230 {
		w.write(1, actor.User, "ada", audit.Entry{Action: "test.storm", Object: uuid.NewString() + string(rune('a'+i%26)), Outcome: audit.Failed})
	}
	w.tend()
	page, err := w.List(w.ctx, alert.Filter{Limit: 200})
	if err != nil || len(page.Alerts) != 200 || page.Next == "" {
		t.Fatalf("listed %d, %v", len(page.Alerts), err)
	}
	rest, err := w.List(w.ctx, alert.Filter{Limit: 200, Cursor: page.Next})
	if err != nil || len(rest.Alerts) != 1 {
		t.Errorf("the rest are %d, %v", len(rest.Alerts), err)
	}
	shared := 0
	for _, a := range append(page.Alerts, rest.Alerts...) {
		if a.Key == "…" {
			shared++
			if a.Count != 30 {
				t.Errorf("the others were met %d times, want 30", a.Count)
			}
		}
	}
	if shared != 1 {
		t.Errorf("%d alerts are shared, want 1", shared)
	}
	for _, bad := range []string{"x", "eA", strings.Repeat("A", 4000)} {
		if _, err := w.List(w.ctx, alert.Filter{Cursor: bad}); codeOf(err) != "alert.filter" {
			t.Errorf("cursor %.10q: %v", bad, err)
		}
	}
}

// Nobody sees the alerts of another tenant.
func TestAlertsOfOneTenant(t *testing.T) {
	w := newWorld(t)
	w.write(20, actor.Plugin, "mail", denied)
	w.tend()
	a := w.only(alert.Open)
	other := actor.With(t.Context(), actor.Actor{Kind: actor.User, ID: "x", Tenant: "other"})
	if page, err := w.List(other, alert.Filter{}); err != nil || len(page.Alerts) != 0 {
		t.Errorf("listed %+v, %v", page, err)
	}
	if _, err := w.Alert(other, a.ID); codeOf(err) != "alert.unknown" {
		t.Errorf("shown: %v", err)
	}
	if _, err := w.Acknowledge(other, a.ID, "mine"); codeOf(err) != "alert.unknown" {
		t.Errorf("acknowledged: %v", err)
	}
}

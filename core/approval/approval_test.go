package approval_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
)

func elevation(subject, name string, days int, reason string) approval.Ask {
	return approval.Ask{Kind: approval.Elevation, Subject: subject, Object: name, Terms: approval.Terms{Days: days}, Reason: reason}
}

// TestElevation: somebody asks for a trait, may not decide, and has it once a
// second person says so, until it ends.
func TestElevation(t *testing.T) {
	w := newWorld(t)
	ada, ben := w.person("ada", []string{"viewer"}), w.person("ben", []string{"viewer"})
	manager := w.person("mia", []string{"user-manager"}, "event_viewer")
	r, joined, err := w.Ask(ada, elevation(me(ada), "event_viewer", 2, "an outage"))
	if err != nil || joined {
		t.Fatal(joined, err)
	}
	if again, joined, err := w.Ask(ada, elevation(me(ada), "event_viewer", 5, "still")); err != nil || !joined || again.ID != r.ID {
		t.Errorf("asked twice: %v, joined %v, %v", again.ID, joined, err)
	}
	for name, try := range map[string]struct {
		got  error
		want string
	}{
		"the asker decides":      {second(w.Decide(ada, r.ID, approval.Verdict{Approve: true, Reason: "me"})), "approval.decider"},
		"somebody else's":        {second(w.Get(ben, r.ID)), "approval.unknown"},
		"a stranger to it":       {second(w.Decide(ben, r.ID, approval.Verdict{Approve: true, Reason: "hm"})), "approval.unknown"},
		"no reason":              {second(w.Decide(manager, r.ID, approval.Verdict{Approve: true, Reason: " "})), "approval.reason"},
		"somebody else's to end": {second(w.Withdraw(ben, r.ID)), "approval.unknown"},
	} {
		if code(try.got) != try.want {
			t.Errorf("%s: %v, want %s", name, try.got, try.want)
		}
	}
	if n := must(w.Counts(manager))(t)[approval.Elevation]; n != 1 {
		t.Errorf("%d wait for the manager, want 1", n)
	}
	done, err := w.Decide(manager, r.ID, approval.Verdict{Approve: true, Reason: "agreed"})
	if err != nil || done.State != approval.Approved || done.Own || done.GivenUntil == nil {
		t.Fatalf("%+v, %v", done, err)
	}
	if got := w.as(me(ada)); !must(w.people.User(w.core(), uuid.MustParse(me(got))))(t).Traits.Has(trait.EventViewer) {
		t.Error("the trait was not given")
	}
	if err := second(w.Decide(manager, r.ID, approval.Verdict{Reason: "late"})); code(err) != "approval.decided" {
		t.Errorf("decided twice: %v", err)
	}
	if a, g := w.rows("approval.approve"), w.rows("user.grant"); a != 1 || g != 2 { // the manager's own, too
		t.Errorf("%d approvals and %d grants are recorded", a, g)
	}
	w.later(49 * time.Hour)
	if err := w.Tend(w.core()); err != nil {
		t.Fatal(err)
	}
	if must(w.people.User(w.core(), uuid.MustParse(me(ada))))(t).Traits.Has(trait.EventViewer) {
		t.Error("it lasts beyond its end")
	}
	if n := w.rows("grant.expired"); n != 1 {
		t.Errorf("%d ends are recorded, want 1", n)
	}
}

// TestNobodyGivesMoreThanTheyHave: what may not be given stays undone, and the
// request goes on waiting.
func TestNobodyGivesMoreThanTheyHave(t *testing.T) {
	w := newWorld(t)
	ada, manager := w.person("ada", []string{"viewer"}), w.person("mia", []string{"user-manager"})
	r, _, err := w.Ask(ada, elevation(me(ada), "policy_manager", 1, "to write rules"))
	if err != nil {
		t.Fatal(err)
	}
	if err := second(w.Decide(manager, r.ID, approval.Verdict{Approve: true, Reason: "why not"})); code(err) != "identity.escalation" {
		t.Errorf("a user manager gives policy_manager: %v", err)
	}
	if got := must(w.Get(manager, r.ID))(t); got.State != approval.Waiting {
		t.Errorf("it is %s", got.State)
	}
	if n := w.rows("approval.approve"); n != 0 {
		t.Errorf("%d approvals are recorded", n)
	}
}

// TestOwnWord: nobody decides what they asked for, but the last administrator where
// the installation lets them.
func TestOwnWord(t *testing.T) {
	w := newWorld(t)
	admin := w.person("root", []string{"admin"})
	ask := func(name string) uuid.UUID {
		r, _, err := w.Ask(admin, elevation(me(admin), name, 1, "to look"))
		if err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	first := ask("handles_pii")
	w.ownWord = false
	if err := second(w.Decide(admin, first, approval.Verdict{Approve: true, Reason: "alone"})); code(err) != "approval.own" {
		t.Errorf("without the exception: %v", err)
	}
	w.ownWord = true
	if r, err := w.Decide(admin, first, approval.Verdict{Approve: true, Reason: "alone"}); err != nil || !r.Own {
		t.Errorf("the last administrator: own %v, %v", r.Own, err)
	}
	admin = w.as(me(admin))
	next := ask("handles_phi")
	w.person("second", []string{"admin"})
	if err := second(w.Decide(admin, next, approval.Verdict{Approve: true, Reason: "alone"})); code(err) != "approval.own" {
		t.Errorf("with a second administrator: %v", err)
	}
	if err := second(w.Give(admin, elevation(me(admin), "handles_confidential", 1, "quickly"))); code(err) != "approval.own" {
		t.Errorf("given to oneself: %v", err)
	}
	w.later(15 * 24 * time.Hour) // what waited has run out, and nobody has closed it
	if err := second(w.Give(admin, elevation(me(admin), "handles_phi", 1, "at last"))); code(err) != "approval.own" {
		t.Errorf("given to oneself once the request ran out: %v", err)
	}
}

// TestOneWordCounts: of many who decide at once one is heard.
func TestOneWordCounts(t *testing.T) {
	w := newWorld(t)
	ada := w.person("ada", []string{"viewer"})
	admin := w.person("root", []string{"admin"})
	r, _, err := w.Ask(ada, elevation(me(ada), "event_viewer", 1, "an outage"))
	if err != nil {
		t.Fatal(err)
	}
	codes := make([]string, 6)
	var all sync.WaitGroup
	for i := range codes {
		all.Go(func() {
			codes[i] = code(second(w.Decide(admin, r.ID, approval.Verdict{Approve: i%2 == 0, Reason: "quick"})))
		})
	}
	all.Wait()
	won := 0
	for _, c := range codes {
		switch c {
		case "":
			won++
		case "approval.decided":
		default:
			t.Errorf("another answer: %s", c)
		}
	}
	if words := w.rows("approval.approve") + w.rows("approval.deny"); won != 1 || words != 1 {
		t.Errorf("%d were heard, %d are recorded", won, words)
	}
}

func TestWhatCannotBeAskedFor(t *testing.T) {
	w := newWorld(t)
	w.plugin("caller", nil)
	w.plugin("target", map[string]any{"endpoints": map[string]any{"read": "/read"}})
	ada := w.person("ada", []string{"viewer"})
	for _, tt := range []struct {
		name string
		ask  approval.Ask
		want string
	}{
		{"no reason", elevation(me(ada), "event_viewer", 1, ""), "approval.reason"},
		{"a reason nobody can read", elevation(me(ada), "event_viewer", 1, "a\u202eb"), "approval.reason"},
		{"a reason without an end", elevation(me(ada), "event_viewer", 1, strings.Repeat("long ", 200)), "approval.reason"},
		{"for ever", elevation(me(ada), "event_viewer", 0, "x"), "approval.days"},
		{"for less than nothing", elevation(me(ada), "event_viewer", -1, "x"), "approval.days"},
		{"a trait of plugins", elevation(me(ada), "external_service", 1, "x"), "trait.not_assignable"},
		{"a trait of nobody", elevation(me(ada), "moon_access", 1, "x"), "trait.not_assignable"},
		{"what is held already", elevation(me(ada), "viewer", 1, "x"), "approval.given"},
		{"for nobody", elevation(uuid.NewString(), "event_viewer", 1, "x"), "user.unknown"},
		{"of no kind", approval.Ask{Kind: "poetry", Reason: "x"}, "approval.kind"},
		{"a host nobody declares", approval.Ask{Kind: approval.Egress, Subject: "caller", Object: "api.example.com", Reason: "x"}, "proxy.domain"},
		{"an operation nobody declares", approval.Ask{Kind: approval.Grant, Subject: "caller", Object: "target", Terms: approval.Terms{Operations: []string{"fly"}}, Reason: "x"}, "operator.endpoint"},
		{"for a plugin that is not there", approval.Ask{Kind: approval.Grant, Subject: "nobody", Object: "target", Reason: "x"}, "plugin.unknown"},
		{"a manifest that does not wait", approval.Ask{Kind: approval.Widening, Subject: "caller", Object: "sha256:0", Reason: "x"}, "plugin.manifest"},
	} {
		if _, _, err := w.Ask(ada, tt.ask); code(err) != tt.want {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	asked := 0
	for _, one := range w.registry.Snapshot().Traits().All() {
		if !one.Assignable.Has(trait.ToUser) || one.Name == "viewer" {
			continue
		}
		_, _, err := w.Ask(ada, elevation(me(ada), one.Name, 1, "everything"))
		if err != nil {
			if code(err) != "approval.limit" || asked != 20 {
				t.Errorf("after %d requests: %v", asked, err)
			}
			return
		}
		asked++
	}
	t.Errorf("%d requests of one person wait", asked)
}

// TestGrants: a grant that was asked for counts until the moment it ends, whether
// or not anybody came by.
func TestGrants(t *testing.T) {
	w := newWorld(t)
	w.plugin("caller", nil)
	w.plugin("target", map[string]any{"endpoints": map[string]any{"read": "/read", "write": "/write"}})
	ada, keeper := w.person("ada", []string{"viewer"}), w.person("kit", []string{"viewer"}, "policy_manager")
	r, _, err := w.Ask(ada, approval.Ask{Kind: approval.Grant, Subject: "caller", Object: "target", Terms: approval.Terms{Days: 1, Operations: []string{"read"}}, Reason: "a report"})
	if err != nil {
		t.Fatal(err)
	}
	made, err := w.Give(keeper, approval.Ask{Kind: approval.Grant, Subject: "caller", Object: "target", Terms: approval.Terms{Days: 1, Operations: []string{"read"}}, Reason: "agreed"})
	if err != nil {
		t.Fatal(err)
	}
	if got := must(w.Get(ada, r.ID))(t); got.State != approval.Approved || got.DecidedReason != "agreed" {
		t.Errorf("the request that waited is %+v", got)
	}
	snap, end := w.registry.Snapshot(), *made.Until
	if !snap.Granted("caller", "target", "read", end.Add(-time.Second)) || snap.Granted("caller", "target", "write", end.Add(-time.Second)) {
		t.Error("it covers something else than was asked for")
	}
	if snap.Granted("caller", "target", "read", end) {
		t.Error("it counts at its end")
	}
	w.later(25 * time.Hour)
	if err := w.Tend(w.core()); err != nil {
		t.Fatal(err)
	}
	if n := len(w.registry.Snapshot().Grants()); n != 0 || w.rows("grant.expired") != 1 {
		t.Errorf("%d grants are left, %d ends recorded", n, w.rows("grant.expired"))
	}
}

// TestHosts: declared hosts wait for a word, others that were asked for wait for
// one too; what was refused is not raised again.
func TestHosts(t *testing.T) {
	w := newWorld(t)
	w.plugin("reader", outgoing(nil, "api.example.com", "other.example.com"))
	w.observe("reader", "learned.example.com", "proxy.domain")
	approver := w.person("eve", []string{"viewer"}, "egress_approver")
	waits := w.waiting()
	if len(waits) != 3 || !waits["egress reader learned.example.com"].Terms.Learned {
		t.Fatalf("what waits: %v", waits)
	}
	say := func(what string, approve bool) {
		t.Helper()
		if _, err := w.Decide(approver, waits[what].ID, approval.Verdict{Approve: approve, Reason: "said"}); err != nil {
			t.Fatal(err)
		}
	}
	say("egress reader api.example.com", true)
	say("egress reader other.example.com", false)
	say("egress reader learned.example.com", true)
	if left := w.waiting(); len(left) != 0 {
		t.Errorf("raised again: %v", left)
	}
	judge := func(host string) policy.Egress {
		a, ok := w.registry.Snapshot().Approval("reader", host)
		if !ok {
			return policy.NotApproved
		}
		return a.Judge("https", "GET", "/", 443, time.Now())
	}
	if judge("api.example.com") != policy.Approved || judge("other.example.com") != policy.NotApproved || judge("learned.example.com") != policy.Approved {
		t.Error("the words on the hosts are not what was said")
	}
	a, _ := w.registry.Snapshot().Approval("reader", "api.example.com")
	if err := w.registry.Revoke(w.core(), a.ID); err != nil {
		t.Fatal(err)
	}
	if left := w.waiting(); len(left) != 0 {
		t.Errorf("an approval that was withdrawn is asked for again unasked: %v", left)
	}
	w.observe("reader", "api.example.com", "proxy.approved")
	if left := w.waiting(); len(left) != 1 {
		t.Errorf("the plugin asked for it again; what waits: %v", left)
	}
}

// TestWidening: a wider manifest waits as a request; the one that was read is put
// in force while the plugin runs, and no other.
func TestWidening(t *testing.T) {
	w := newWorld(t)
	w.plugin("reader", nil)
	w.plugin("reader", outgoing(map[string]any{"version": "2.0.0"}, "api.example.com"))
	manager := w.person("pat", []string{"plugin-manager"})
	waits := w.waiting()
	if len(waits) != 1 {
		t.Fatalf("what waits: %v", waits)
	}
	var first approval.Request
	for _, first = range waits {
	}
	w.plugin("reader", outgoing(map[string]any{"version": "3.0.0"}, "api.example.com", "evil.example.com"))
	if err := second(w.Decide(manager, first.ID, approval.Verdict{Approve: true, Reason: "as read"})); code(err) != "plugin.manifest" {
		t.Errorf("another manifest than was read is accepted: %v", err)
	}
	waits = w.waiting()
	var now approval.Request
	for _, now = range waits {
	}
	if len(waits) != 1 || now.Terms.Version != "3.0.0" || must(w.Get(manager, first.ID))(t).State != approval.Withdrawn {
		t.Fatalf("what waits: %v", waits)
	}
	if _, err := w.Decide(manager, now.ID, approval.Verdict{Approve: true, Reason: "read"}); err != nil {
		t.Fatal(err)
	}
	p, _ := w.registry.Snapshot().Plugin("reader")
	if p.Version != "3.0.0" || p.Pending != nil || p.State != policy.Active || !p.Traits.Has(trait.ExternalService) || w.rows("plugin.disable") != 0 {
		t.Errorf("it runs as %s, %s; it was disabled %d times", p.Version, p.State, w.rows("plugin.disable"))
	}

	w.plugin("reader", outgoing(map[string]any{"version": "4.0.0"}, "api.example.com", "evil.example.com", "more.example.com"))
	for name, r := range w.waiting() {
		if !strings.HasPrefix(name, "widening") {
			continue
		}
		if _, err := w.Decide(manager, r.ID, approval.Verdict{Reason: "too much"}); err != nil {
			t.Fatal(err)
		}
	}
	if p, _ := w.registry.Snapshot().Plugin("reader"); p.Pending != nil || p.Version != "3.0.0" {
		t.Errorf("a refused manifest still waits: %v", p.Pending)
	}
}

// TestTraitsRegisteredLater wait to be accepted like a wider manifest.
func TestTraitsRegisteredLater(t *testing.T) {
	w := newWorld(t)
	w.plugin("reader", map[string]any{"traits": []string{"handles_internal", "sees_stock"}})
	if waits := w.waiting(); len(waits) != 0 {
		t.Fatalf("what waits: %v", waits)
	}
	if err := w.registry.AddTrait(w.core(), registry.NewTrait{Name: "sees_stock"}); err != nil {
		t.Fatal(err)
	}
	waits := w.waiting()
	manager := w.person("pat", []string{"plugin-manager"})
	for _, r := range waits {
		if _, err := w.Decide(manager, r.ID, approval.Verdict{Approve: true, Reason: "it may"}); err != nil {
			t.Fatal(err)
		}
	}
	p, _ := w.registry.Snapshot().Plugin("reader")
	if got := w.registry.Snapshot().Traits().Names(p.Traits); len(waits) != 1 || len(got) != 2 {
		t.Errorf("%d waited; it holds %v", len(waits), got)
	}
}

// TestRequestsRunOut: what nobody decided in time is over.
func TestRequestsRunOut(t *testing.T) {
	w := newWorld(t)
	ada, admin := w.person("ada", []string{"viewer"}), w.person("root", []string{"admin"})
	r, _, err := w.Ask(ada, elevation(me(ada), "event_viewer", 1, "an outage"))
	if err != nil {
		t.Fatal(err)
	}
	w.later(15 * 24 * time.Hour)
	if err := second(w.Decide(admin, r.ID, approval.Verdict{Approve: true, Reason: "late"})); code(err) != "approval.decided" {
		t.Errorf("decided after its time: %v", err)
	}
	if err := w.Tend(w.core()); err != nil {
		t.Fatal(err)
	}
	if got := must(w.Get(ada, r.ID))(t); got.State != approval.Expired || w.rows("approval.expired") != 1 {
		t.Errorf("it is %s", got.State)
	}
}

func second[T any](_ T, err error) error { return err }

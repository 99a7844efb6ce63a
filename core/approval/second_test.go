package approval_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/rulebook"
	"github.com/vivified/vivified/core/settings"
)

// set changes a setting as one person does.
func (w *world) set(ctx context.Context, k settings.Key, value string) error {
	return w.conf.Set(ctx, []settings.Change{{Key: k, Value: json.RawMessage(value)}}, "")
}

// one returns the only request of a kind that waits.
func (w *world) one(ctx context.Context, k approval.Kind) approval.Request {
	w.t.Helper()
	all := must(w.List(ctx, approval.Filter{State: approval.Waiting, Kind: k, Limit: 10}))(w.t).Requests
	if len(all) != 1 {
		w.t.Fatalf("%d requests of kind %s wait, want 1", len(all), k)
	}
	return all[0]
}

// What demands a second person is switched on by one, and off by two.
func TestNobodySwitchesTheSecondPersonOffAlone(t *testing.T) {
	w := newWorld(t)
	mara, joel := w.person("mara", []string{"admin"}), w.person("joel", []string{"admin"})
	w.person("grace", []string{"admin"})
	off := approval.Ask{Kind: approval.Setting, Subject: "policy_four_eyes", Object: "false", Reason: "We are three now."}
	if _, _, err := w.Ask(mara, off); code(err) != "approval.alone" {
		t.Errorf("asking for what one changes: %v", err)
	}
	must(0, w.set(mara, settings.PolicyFourEyes, "true"))(t)
	for _, value := range []string{"false", "null"} {
		if err := w.set(mara, settings.PolicyFourEyes, value); code(err) != "settings.two_people" {
			t.Errorf("one person sets it to %s: %v", value, err)
		}
	}
	must(0, w.set(mara, settings.PolicyFourEyes, "true"))(t) // as it is
	if _, _, err := w.Ask(w.person("emile", []string{"viewer"}), off); code(err) != "settings.edit" {
		t.Errorf("a viewer asks: %v", err)
	}
	r, _, err := w.Ask(mara, off)
	must(0, err)(t)
	if _, err := w.Decide(mara, r.ID, approval.Verdict{Approve: true, Reason: "I agree with me."}); code(err) != "approval.own" {
		t.Errorf("who asked approves: %v", err)
	}
	if !w.conf.Bool(settings.PolicyFourEyes) {
		t.Fatal("one person switched it off")
	}
	must(w.Decide(joel, r.ID, approval.Verdict{Approve: true, Reason: "Agreed."}))(t)
	if w.conf.Bool(settings.PolicyFourEyes) {
		t.Error("two people agreed, and it is on")
	}
	if w.rows("config.write") != 2 {
		t.Errorf("%d changes are on record, want 2", w.rows("config.write"))
	}
}

// The last administrator decides what they asked for, but never where two have to.
func TestNothingStandsInForTheSecondPerson(t *testing.T) {
	w := newWorld(t)
	mara := w.person("mara", []string{"admin"})
	must(0, w.set(mara, settings.PolicyFourEyes, "true"))(t)
	r, _, err := w.Ask(mara, approval.Ask{Kind: approval.Setting, Subject: "policy_four_eyes", Object: "false", Reason: "I am alone."})
	must(0, err)(t)
	if _, err := w.Decide(mara, r.ID, approval.Verdict{Approve: true, Reason: "Nobody else is here."}); code(err) != "approval.own" {
		t.Errorf("the last administrator switches it off alone: %v", err)
	}
}

// Where two people give, the first word is a request, and the second one gives.
func TestTwoPeopleGive(t *testing.T) {
	w := newWorld(t)
	mara, joel := w.person("mara", []string{"admin"}), w.person("joel", []string{"admin"})
	emile := w.person("emile", []string{"viewer"})
	w.plugin("reader", outgoing(nil, "api.example.com"))
	must(0, w.set(mara, settings.ApprovalFourEyes, "true"))(t)

	// By hand: sensitive traits only by a request.
	id := uuid.MustParse(me(emile))
	if _, err := w.people.GrantTrait(mara, id, identity.TraitGrant{Trait: "audit_viewer"}); code(err) != "identity.four_eyes" {
		t.Errorf("one person gives a sensitive trait: %v", err)
	}
	if _, err := w.people.GiveRole(mara, id, identity.RoleGrant{Role: "admin"}); code(err) != "identity.four_eyes" {
		t.Errorf("one person gives a role with sensitive traits: %v", err)
	}
	must(w.people.GiveRole(mara, id, identity.RoleGrant{Role: "viewer"}))(t)

	// At once: the first word is kept, the second does it.
	give := approval.Ask{Kind: approval.Elevation, Subject: me(emile), Terms: approval.Terms{Traits: []string{"audit_viewer"}, Days: 1}, Reason: "An audit."}
	if _, err := w.Give(mara, give); code(err) != "approval.second" {
		t.Fatalf("the first word: %v", err)
	}
	if _, err := w.Give(mara, give); code(err) != "approval.own" {
		t.Errorf("the same word once more: %v", err)
	}
	must(w.Give(joel, give))(t)
	if u := must(w.people.User(w.core(), id))(t); !contains(must(w.people.Effective(w.core(), u.ID))(t), "audit_viewer") {
		t.Error("two people gave it, and it is not there")
	}

	// What a plugin gave cause for was asked for by nobody.
	if err := w.Gather(t.Context()); err != nil {
		t.Fatal(err)
	}
	r := w.one(mara, approval.Egress)
	if _, err := w.Decide(mara, r.ID, approval.Verdict{Approve: true, Reason: "It needs it."}); code(err) != "approval.second" {
		t.Errorf("one person lets a plugin out: %v", err)
	}
	if _, ok := w.registry.Snapshot().Approval("reader", "api.example.com"); ok {
		t.Fatal("one person let a plugin out")
	}
	must(w.Decide(joel, r.ID, approval.Verdict{Approve: true, Reason: "Agreed."}))(t)
	if _, ok := w.registry.Snapshot().Approval("reader", "api.example.com"); !ok {
		t.Error("two people let it out, and it is not")
	}

	// What somebody asked for takes one word more.
	_, _, err := w.Ask(emile, approval.Ask{Kind: approval.Elevation, Subject: me(emile), Object: "event_viewer", Terms: approval.Terms{Days: 1}, Reason: "Please."})
	must(0, err)(t)
	must(w.Decide(mara, w.one(mara, approval.Elevation).ID, approval.Verdict{Approve: true, Reason: "Fine."}))(t)
}

func contains(held []identity.Held, name string) bool {
	for _, h := range held {
		if h.Trait.Name == name {
			return true
		}
	}
	return false
}

// A publication of rules stands in the inbox, and is decided there or on its own
// page alike: once, by somebody else.
func TestPublicationsInTheInbox(t *testing.T) {
	w := newWorld(t)
	mara, joel := w.person("mara", []string{"admin"}), w.person("joel", []string{"admin"})
	must(0, w.set(mara, settings.PolicyFourEyes, "true"))(t)
	publish := func(text string) approval.Request {
		t.Helper()
		revision := must(w.rules.Draft(mara))(t).Revision
		d, _, err := w.rules.Save(mara, rulebook.Edit{Text: &text, Revision: revision})
		must(0, err)(t)
		out := must(w.rules.Publish(mara, d.Revision, "Quiet at night"))(t)
		if out.Waiting == nil {
			t.Fatal("one person published")
		}
		r := w.one(joel, approval.Policy)
		if r.Object != out.Waiting.ID.String() || r.Reason != "Quiet at night" || !r.AskedBy(me(mara)) {
			t.Errorf("the request is %+v", r)
		}
		return r
	}
	first := publish("@id(\"one\")\n@reason(\"No.\")\nforbid (principal, action, resource);")
	if _, err := w.Decide(mara, first.ID, approval.Verdict{Approve: true, Reason: "Mine."}); code(err) != "policy.own" {
		t.Errorf("its author approves: %v", err)
	}
	if r := must(w.Decide(joel, first.ID, approval.Verdict{Reason: "Too much."}))(t); r.State != approval.Denied || r.DecidedBy != me(joel) {
		t.Errorf("denied in the inbox, it is %+v", r)
	}
	second := publish("@id(\"two\")\n@reason(\"No.\")\nforbid (principal, action, resource);")
	if r := must(w.Decide(joel, second.ID, approval.Verdict{Approve: true, Reason: "Better."}))(t); r.State != approval.Approved {
		t.Errorf("approved in the inbox, it is %s", r.State)
	}
	if w.rules.InForce().Version != 1 {
		t.Errorf("version %d is in force, want 1", w.rules.InForce().Version)
	}
	third := publish("@id(\"three\")\n@reason(\"No.\")\nforbid (principal, action, resource);")
	must(w.rules.Approve(joel, uuid.MustParse(third.Object), "On its page."))(t)
	if r := must(w.Get(joel, third.ID))(t); r.State != approval.Approved || r.DecidedReason != "On its page." {
		t.Errorf("approved on its page, the inbox says %+v", r)
	}
	fourth := publish("@id(\"four\")\n@reason(\"No.\")\nforbid (principal, action, resource);")
	if _, err := w.Withdraw(joel, fourth.ID); code(err) != "policy.own" {
		t.Errorf("somebody else withdraws: %v", err)
	}
	if r := must(w.Withdraw(mara, fourth.ID))(t); r.State != approval.Withdrawn {
		t.Errorf("withdrawn, it is %s", r.State)
	}
	if _, _, err := w.Ask(mara, approval.Ask{Kind: approval.Policy, Subject: "policy", Object: uuid.NewString(), Reason: "x"}); code(err) != "approval.kind" {
		t.Errorf("a publication asked for by hand: %v", err)
	}
}

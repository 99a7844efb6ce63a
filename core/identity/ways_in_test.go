package identity_test

import (
	"context"
	"testing"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
)

// elsewhere is an identity that a thief has at a provider.
var elsewhere = identity.Vouched{Issuer: "https://idp.example", Subject: "mallory", Gives: identity.External{Provider: "idp"}}

// A key carries less than its owner: whoever has the key makes no way to sign in as
// the owner.
func TestANarrowKeyLinksNoIdentityWithItsOwner(t *testing.T) {
	w := newWorld(t)
	admin := w.setUp()
	_, secret, err := w.CreateAPIKey(w.as(admin), "people", []string{"user_manager"}, *w.in(time.Hour))
	works(t, "a key", err)
	who, err := w.bearer(secret)
	works(t, "the key", err)
	thief := actor.With(w.stranger(), who)
	is(t, "link by the key", w.Link(thief, admin.User.ID, elsewhere), fault.Denied, "identity.escalation")
	_, err = w.NewLink(thief, admin.User.ID)
	is(t, "a link by the key", err, fault.Denied, "identity.escalation")
	if n := w.number("SELECT count(*) FROM user_identities"); n != 0 {
		t.Errorf("%d identities are linked", n)
	}
}

// Whoever broke the glass is out again when the session ends: they leave no key, no
// other password and no identity behind, nor does anybody for them.
func TestBrokenGlassLeavesNoOtherWayIn(t *testing.T) {
	w := newWorld(t)
	admin := w.setUp()
	sealed, err := w.MakeBreakGlass(w.as(admin), identity.NewBreakGlass{Account: "glass@example.com"})
	works(t, "seal", err)
	g, err := w.BreakTheGlass(w.stranger(), identity.Emergency{Account: "glass@example.com", Password: sealed.Password, Reason: "The provider is away."})
	works(t, "break", err)
	for who, ctx := range map[string]context.Context{"the account itself": w.as(g), "an administrator": w.as(admin)} {
		is(t, who+" links an identity", w.Link(ctx, sealed.User.ID, elsewhere), fault.Denied, "break_glass.sealed")
		_, err = w.NewLink(ctx, sealed.User.ID)
		is(t, who+" makes a link for a new password", err, fault.Denied, "break_glass.sealed")
	}
	_, _, err = w.CreateAPIKey(w.as(g), "later", []string{"admin"}, *w.in(24 * time.Hour))
	is(t, "a key", err, fault.Denied, "break_glass.sealed")
	_, err = w.ChangePassword(w.as(g), sealed.Password, "a password of one's own")
	is(t, "another password", err, fault.Denied, "break_glass.sealed")
	if n := w.records("key.create", audit.OK); n != 0 {
		t.Errorf("%d keys were made", n)
	}

	// What stands on paper proves them again, as it is written there.
	w.clock.move(11 * time.Minute)
	if err := w.Fresh(actor.From(w.as(g))); !fault.Is(err, fault.Denied) {
		t.Errorf("after eleven minutes it is fresh still: %v", err)
	}
	_, err = w.StepUp(w.as(g), identity.Evidence{Password: sealed.Password})
	works(t, "step up", err)
	works(t, "then", w.Fresh(actor.From(w.as(g))))
}

// What a user manager was given for a day they do not make last, nor do they give
// themselves anything else, by no way there is.
func TestNobodyGivesRightsToThemselves(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	nora := w.person("nora@example.com", "Nora", "user-manager")
	_, err := w.GrantTrait(w.core(), nora.ID, identity.TraitGrant{Trait: "handles_phi", Expires: w.in(24 * time.Hour)})
	works(t, "PHI for a day", err)
	group, err := w.CreateGroup(w.core(), identity.GroupEdit{Name: "Hers"})
	works(t, "a group", err)
	_, err = w.JoinGroup(w.core(), group.ID, nora.ID, identity.MemberGrant{})
	works(t, "in it", err)
	self := w.as(w.login("nora@example.com"))
	for what, give := range map[string]func() error{
		"for longer": func() error {
			_, err := w.GrantTrait(self, nora.ID, identity.TraitGrant{Trait: "handles_phi"})
			return err
		},
		"a trait": func() error {
			_, err := w.GrantTrait(self, nora.ID, identity.TraitGrant{Trait: "event_viewer"})
			return err
		},
		"a role": func() error { _, err := w.GiveRole(self, nora.ID, identity.RoleGrant{Role: "developer"}); return err },
		"roles": func() error {
			_, err := w.SetRoles(self, nora.ID, []identity.RoleGrant{{Role: "user-manager"}, {Role: "developer"}})
			return err
		},
		"a place": func() error { _, err := w.JoinGroup(self, group.ID, nora.ID, identity.MemberGrant{}); return err },
		"by a group": func() error {
			_, err := w.ChangeGroup(self, group.ID, identity.GroupEdit{Name: "Hers", Roles: []identity.RoleGrant{{Role: "developer"}}})
			return err
		},
	} {
		is(t, what, give(), fault.Denied, "identity.escalation")
	}
	_, err = w.RevokeTrait(self, nora.ID, "handles_phi")
	works(t, "give it up", err)
}

package identity_test

import (
	"context"
	"testing"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
)

// What was lent for a time is not passed on for longer, by whatever way: nobody
// outlives their own right by a grant, a role, a group, an invitation, a mapping or
// an account for emergencies.
func TestNobodyGivesForLongerThanTheyHave(t *testing.T) {
	w := newWorld(t)
	first := w.setUp()
	mara := w.as(first)
	week := w.in(7 * 24 * time.Hour)
	temp := w.person("temp@example.com", "Temp", "viewer")
	if _, err := w.GrantTrait(mara, temp.ID, identity.TraitGrant{Trait: "admin", Expires: week}); err != nil {
		t.Fatalf("lend: %v", err)
	}
	emile := w.person("emile@example.com", "Emile", "viewer")
	acts := w.as(w.login("temp@example.com"))
	group, err := w.CreateGroup(mara, identity.GroupEdit{Name: "Chiefs", Roles: []identity.RoleGrant{{Role: "admin"}}})
	works(t, "make a group", err)

	day, month := w.in(24*time.Hour), w.in(30*24*time.Hour)
	for _, c := range []struct {
		what string
		give func(ctx context.Context, until *time.Time) error
	}{
		{"a trait", func(ctx context.Context, until *time.Time) error {
			_, err := w.GrantTrait(ctx, emile.ID, identity.TraitGrant{Trait: "audit_viewer", Expires: until})
			return err
		}},
		{"a role", func(ctx context.Context, until *time.Time) error {
			_, err := w.GiveRole(ctx, emile.ID, identity.RoleGrant{Role: "admin", Expires: until})
			return err
		}},
		{"exactly these roles", func(ctx context.Context, until *time.Time) error {
			_, err := w.SetRoles(ctx, emile.ID, []identity.RoleGrant{{Role: "admin", Expires: until}})
			return err
		}},
		{"a place in a group", func(ctx context.Context, until *time.Time) error {
			_, err := w.JoinGroup(ctx, group.ID, emile.ID, identity.MemberGrant{Expires: until})
			return err
		}},
		{"their own right, longer", func(ctx context.Context, until *time.Time) error {
			_, err := w.GrantTrait(ctx, temp.ID, identity.TraitGrant{Trait: "admin", Expires: until})
			return err
		}},
	} {
		for until, fits := range map[*time.Time]bool{month: false, nil: false} {
			if err := c.give(acts, until); (err == nil) != fits {
				t.Errorf("%s until %v: %v", c.what, until, err)
			} else if err != nil {
				is(t, c.what, err, fault.Denied, "identity.tenure")
			}
		}
	}
	if _, err := w.Invite(acts, identity.Invitation{Email: "new@example.com", Name: "New", Roles: []identity.RoleGrant{{Role: "admin"}}}); err == nil {
		t.Error("an invitation makes an administrator without an end")
	}
	is(t, "a mapping", w.MayMap(acts, identity.External{Provider: "op", Roles: []string{"admin"}}), fault.Denied, "identity.tenure")
	works(t, "a mapping of what is not sensitive", w.MayMap(acts, identity.External{Provider: "op", Roles: []string{"viewer"}}))
	_, err = w.MakeBreakGlass(acts, identity.NewBreakGlass{Account: "glass@example.com", Expires: w.clock.now().Add(90 * 24 * time.Hour)})
	is(t, "an account for emergencies", err, fault.Denied, "identity.tenure")

	// Within the tenure all goes, and so does what is not sensitive.
	if _, err := w.GiveRole(acts, emile.ID, identity.RoleGrant{Role: "admin", Expires: day}); err != nil {
		t.Errorf("for a day: %v", err)
	}
	if _, err := w.GiveRole(acts, emile.ID, identity.RoleGrant{Role: "viewer"}); err != nil {
		t.Errorf("a viewer without an end: %v", err)
	}
	// What somebody has already may be changed otherwise, and shortened.
	if _, err := w.GiveRole(acts, first.User.ID, identity.RoleGrant{Role: "viewer"}); err != nil {
		t.Errorf("a role more for an administrator without an end: %v", err)
	}
}

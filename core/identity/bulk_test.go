package identity_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
)

// Of several people each is changed by themselves: who is refused is told of, the
// others are changed.
func TestChangeMany(t *testing.T) {
	w := newWorld(t)
	admin := w.setUp()
	ann, ben := w.person("ann@example.com", "Ann"), w.person("ben@example.com", "Ben", "config-manager")
	uma := w.person("uma@example.com", "Uma", "user-manager")
	ctx := w.as(w.login("uma@example.com"))
	nobody := uuid.New()
	all := []uuid.UUID{ann.ID, nobody, ben.ID, uma.ID, admin.User.ID, ann.ID}
	codes := func(b identity.Bulk) map[string]string {
		t.Helper()
		results, err := w.ChangeMany(ctx, slices.Clone(all), b)
		works(t, b.Do, err)
		got := map[string]string{}
		for _, r := range results {
			got[r.Name] = "done"
			if f, ok := errors.AsType[*fault.Fault](r.Err); ok {
				got[r.Name] = f.Code
			}
		}
		return got
	}
	g := w.group("Plain", []string{"viewer"})
	for _, row := range []struct {
		b    identity.Bulk
		want map[string]string
	}{
		{identity.Bulk{Do: "give_role", Role: "emperor"}, map[string]string{"Ann": "role.unknown", "Ben": "role.unknown", "Uma": "role.unknown", "Mara Lindqvist": "role.unknown", "": "user.unknown"}},
		{identity.Bulk{Do: "give_role", Role: "admin"}, map[string]string{"Ann": "identity.escalation", "Ben": "identity.escalation", "Uma": "identity.escalation", "Mara Lindqvist": "identity.escalation", "": "user.unknown"}},
		{identity.Bulk{Do: "take_role", Role: "viewer"}, map[string]string{"Ann": "role.not_given", "Ben": "identity.escalation", "Uma": "role.not_given", "Mara Lindqvist": "identity.escalation", "": "user.unknown"}},
		{identity.Bulk{Do: "sign_out"}, map[string]string{"Ann": "done", "Ben": "identity.escalation", "Uma": "done", "Mara Lindqvist": "identity.escalation", "": "user.unknown"}},
		{identity.Bulk{Do: "leave_group", Group: g.ID}, map[string]string{"Ann": "group.not_member", "Ben": "identity.escalation", "Uma": "group.not_member", "Mara Lindqvist": "identity.escalation", "": "user.unknown"}},
		{identity.Bulk{Do: "suspend", Reason: "tidying"}, map[string]string{"Ann": "done", "Ben": "identity.escalation", "Uma": "user.self", "Mara Lindqvist": "identity.escalation", "": "user.unknown"}},
		{identity.Bulk{Do: "reactivate"}, map[string]string{"Ann": "done", "Ben": "identity.escalation", "Uma": "user.status", "Mara Lindqvist": "identity.escalation", "": "user.unknown"}},
		{identity.Bulk{Do: "join_group", Group: g.ID, Expires: w.in(time.Hour)}, map[string]string{"Ann": "done", "Ben": "identity.escalation", "Uma": "identity.escalation", "Mara Lindqvist": "identity.escalation", "": "user.unknown"}},
	} {
		if diff := cmp.Diff(row.want, codes(row.b)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", row.b.Do, diff)
		}
	}
	if !w.now(ann).Traits.Has(trait.Viewer) || w.now(ben).Status != identity.Active {
		t.Error("not each was changed by themselves")
	}
	for what, ids := range map[string][]uuid.UUID{"nobody": nil, "too many": make([]uuid.UUID, 0)} {
		if what == "too many" {
			for range 201 {
				ids = append(ids, uuid.New())
			}
		}
		_, err := w.ChangeMany(ctx, ids, identity.Bulk{Do: "sign_out"})
		is(t, what, err, fault.Unprocessable, "bulk.people")
	}
	_, err := w.ChangeMany(ctx, []uuid.UUID{ann.ID}, identity.Bulk{Do: "paint"})
	is(t, "what is no change", err, fault.Unprocessable, "bulk.action")
}

// A pasted list invites whom it can, and says of each other line why not.
func TestInviteMany(t *testing.T) {
	w := newWorld(t)
	admin := w.setUp()
	g := w.group("Plain", []string{"viewer"})
	lines, err := w.InviteMany(w.as(admin), "ann@example.com\r\n\r\nBen Berg <BEN@example.com>,\n  cay@example.com;Cay Cole\nnobody\nDot\tdot@example.com\nann@example.com\nEve, eve@example.com\nmara@example.com", []identity.RoleGrant{{Role: "developer"}}, []uuid.UUID{g.ID})
	works(t, "invite", err)
	var got []string
	for _, l := range lines {
		text := l.Link.User.Name + " " + l.Link.User.Email
		if f, ok := errors.AsType[*fault.Fault](l.Err); ok {
			text = f.Code
		} else if !strings.HasPrefix(l.Link.Secret, "vvi_") || !l.Link.User.Traits.Has(trait.Developer) {
			t.Errorf("%s was invited with %v", text, trait.Builtin().Names(l.Link.User.Traits))
		}
		got = append(got, text)
	}
	want := []string{"ann ann@example.com", "Ben Berg ben@example.com", "Cay Cole cay@example.com", "email.format", "email.format", "user.email", "Eve eve@example.com", "user.email"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("invited (-want +got):\n%s", diff)
	}
	if lines[1].Line != 3 {
		t.Errorf("the second is said to stand on line %d", lines[1].Line)
	}
	_, err = w.InviteMany(w.as(admin), strings.Repeat("x@example.com\n", 101), nil, nil)
	is(t, "too many", err, fault.Unprocessable, "invite.list")
	if n := w.records("user.invite", audit.OK); n != 4 {
		t.Errorf("%d rows of four invitations", n)
	}

	open, next, err := w.OpenInvitations(w.as(admin), uuid.Nil, 3)
	if err != nil || len(open) != 3 || next == uuid.Nil || open[0].User.Name != "Eve" || open[0].InvitedBy != admin.User.ID.String() || !open[0].Expires.After(w.clock.now()) {
		t.Errorf("open: %+v, %v, %v", open, next, err)
	}
	rest, next, err := w.OpenInvitations(w.as(admin), next, 3)
	if err != nil || len(rest) != 1 || next != uuid.Nil || rest[0].User.Name != "ann" {
		t.Errorf("the rest: %+v, %v, %v", rest, next, err)
	}
	works(t, "take one back", w.Withdraw(w.as(admin), open[0].User.ID))
	_, err = w.Invited(w.stranger(), lines[6].Link.Secret)
	is(t, "its link", err, fault.Gone, "link.gone")
	_, err = w.Invite(w.as(admin), identity.Invitation{Email: "eve@example.com", Name: "Eve"})
	works(t, "invite her again", err)
	is(t, "take back somebody who joined", w.Withdraw(w.as(admin), admin.User.ID), fault.Conflict, "user.status")
}

// Whatever is pasted, each line is an invitation of a clean address or a refusal.
func FuzzParseInvitee(f *testing.F) {
	for _, line := range []string{"a@b.c", "A B <a@b.c>", "a@b.c, A B", "A;a@b.c", "\"x\" <a@b.c>", "a@b.c <x@y.z>", ",@,", "@", "<>", "a@b.c,d@e.f"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		in, err := identity.ParseInvitee(line)
		if err != nil {
			if fault.Of(err).Kind != fault.Unprocessable {
				t.Errorf("%q: %v", line, err)
			}
			return
		}
		if strings.Count(in.Email, "@") < 1 || in.Email != strings.ToLower(in.Email) || in.Name == "" || strings.ContainsAny(in.Email, " \t<>") && !strings.Contains(in.Email, `"`) {
			t.Errorf("%q invites %+v", line, in)
		}
	})
}

// A rotated key goes on for the overlap, and its successor carries no more than its
// owner has.
func TestRotateAPIKey(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	pat := w.person("pat@example.com", "Pat", "developer")
	ctx := w.as(w.login("pat@example.com"))
	old, first, err := w.CreateAPIKey(ctx, "ci", []string{"developer", "event_viewer"}, *w.in(30 * 24 * time.Hour))
	works(t, "make", err)
	w.clock.move(24 * time.Hour)
	ctx = w.as(w.login("pat@example.com"))
	_, err = w.bearer(first)
	works(t, "use", err)
	next, second, err := w.RotateAPIKey(ctx, old.ID, 2*time.Hour)
	works(t, "rotate", err)
	if next.Name != "ci" || !slices.Equal(next.Scope, old.Scope) || next.ExpiresAt.Sub(w.clock.now()) != 30*24*time.Hour || next.Replaces == nil || *next.Replaces != old.ID {
		t.Errorf("the new key is %+v", next)
	}
	for name, secret := range map[string]string{"the old": first, "the new": second} {
		_, err := w.bearer(secret)
		works(t, name, err)
	}
	w.clock.move(2 * time.Hour)
	_, err = w.bearer(first)
	is(t, "the old one after the overlap", err, fault.Unauthenticated, "auth.invalid")
	_, err = w.bearer(second)
	works(t, "the new one", err)
	_, _, err = w.RotateAPIKey(ctx, old.ID, 0)
	is(t, "rotate what ended", err, fault.NotFound, "key.unknown")
	_, _, err = w.RotateAPIKey(ctx, next.ID, 8*24*time.Hour)
	is(t, "too long an overlap", err, fault.Unprocessable, "key.overlap")

	w.login("mara@example.com")
	_, _, err = w.RotateAPIKey(w.as(w.login("mara@example.com")), next.ID, 0)
	is(t, "an administrator rotates hers", err, fault.NotFound, "key.unknown")
	_, err = w.SetRoles(w.core(), pat.ID, []identity.RoleGrant{{Role: "viewer"}})
	works(t, "she loses the role", err)
	_, _, err = w.RotateAPIKey(w.as(w.login("pat@example.com")), next.ID, 0)
	is(t, "nothing is left of its scope", err, fault.Unprocessable, "scope.beyond")
	_, err = w.Suspend(w.core(), pat.ID, "")
	works(t, "suspend", err)
	_, err = w.bearer(second)
	is(t, "a key of somebody suspended", err, fault.Unauthenticated, "auth.invalid")
}

// A key that nobody uses for long is called stale; where it was used last is kept.
func TestStaleKeys(t *testing.T) {
	w := newWorld(t)
	admin := w.setUp()
	_, used, err := w.CreateAPIKey(w.as(admin), "used", []string{"viewer"}, *w.in(300 * 24 * time.Hour))
	works(t, "make", err)
	_, _, err = w.CreateAPIKey(w.as(admin), "idle", []string{"viewer"}, *w.in(300 * 24 * time.Hour))
	works(t, "make", err)
	w.clock.move(80 * 24 * time.Hour)
	_, err = w.bearer(used)
	works(t, "use", err)
	w.clock.move(10 * 24 * time.Hour)
	admin = w.login("mara@example.com")
	keys, err := w.APIKeys(w.as(admin), admin.User.ID)
	works(t, "list", err)
	for _, k := range keys {
		if k.Stale(w.clock.now()) != (k.Name == "idle") || k.Name == "used" && k.UsedFrom != address {
			t.Errorf("%s: stale %v, used from %q", k.Name, k.Stale(w.clock.now()), k.UsedFrom)
		}
	}
	for of, want := range map[uuid.UUID]int{admin.User.ID: 1, uuid.Nil: 1, uuid.New(): 0} {
		if n, err := w.StaleKeys(w.as(admin), of); err != nil || n != want {
			t.Errorf("%d stale keys of %s, %v", n, of, err)
		}
	}
	strict := w.config
	strict.KeyLife = func() time.Duration { return 7 * 24 * time.Hour }
	s, err := identity.Open(t.Context(), strict)
	works(t, "open", err)
	_, _, err = s.CreateAPIKey(w.as(admin), "k", []string{"viewer"}, *w.in(8 * 24 * time.Hour))
	is(t, "longer than is allowed", err, fault.Unprocessable, "expires.range")
}

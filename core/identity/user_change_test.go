package identity_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
)

// changes are all ways to change a person.
var changes = map[string]func(ctx context.Context, s *identity.Service, id uuid.UUID) error{
	"rename": func(ctx context.Context, s *identity.Service, id uuid.UUID) error {
		_, err := s.SetName(ctx, id, "New Name")
		return err
	},
	"demote": func(ctx context.Context, s *identity.Service, id uuid.UUID) error {
		_, err := s.SetRoles(ctx, id, []identity.RoleGrant{{Role: "viewer"}})
		return err
	},
	"let it end": func(ctx context.Context, s *identity.Service, id uuid.UUID) error {
		end := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
		_, err := s.SetRoles(ctx, id, []identity.RoleGrant{{Role: "admin", Expires: &end}})
		return err
	},
	"promote": func(ctx context.Context, s *identity.Service, id uuid.UUID) error {
		_, err := s.SetRoles(ctx, id, []identity.RoleGrant{{Role: "admin"}, {Role: "auditor"}})
		return err
	},
	"grant": func(ctx context.Context, s *identity.Service, id uuid.UUID) error {
		_, err := s.GrantTrait(ctx, id, identity.TraitGrant{Trait: "handles_phi"})
		return err
	},
	"suspend": func(ctx context.Context, s *identity.Service, id uuid.UUID) error {
		_, err := s.Suspend(ctx, id, "x")
		return err
	},
	"delete": func(ctx context.Context, s *identity.Service, id uuid.UUID) error { return s.Delete(ctx, id) },
	"link": func(ctx context.Context, s *identity.Service, id uuid.UUID) error {
		_, err := s.NewLink(ctx, id)
		return err
	},
	"log out": func(ctx context.Context, s *identity.Service, id uuid.UUID) error {
		return s.RevokeSessions(ctx, id, false)
	},
	"invite": func(ctx context.Context, s *identity.Service, _ uuid.UUID) error {
		_, err := s.Invite(ctx, identity.Invitation{Email: uuid.NewString() + "@example.com", Name: "New", Roles: []identity.RoleGrant{{Role: "admin"}}})
		return err
	},
	"reg. token": func(ctx context.Context, s *identity.Service, _ uuid.UUID) error {
		_, _, err := s.CreateRegistrationToken(ctx, "", "", 0)
		return err
	},
	"rotate": func(ctx context.Context, s *identity.Service, _ uuid.UUID) error { return s.Rotate(ctx) },
}

// The last administrator stays, whoever tries and however.
func TestLastAdmin(t *testing.T) {
	for _, name := range []string{"demote", "let it end", "suspend", "delete"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			g := w.setUp()
			w.person("sus@example.com", "Sus", "admin")
			_, err := w.Suspend(w.core(), first(t, w, "sus").ID, "")
			works(t, "suspend the other", err)
			_, err = w.Invite(w.core(), identity.Invitation{Email: "inv@example.com", Name: "Inv", Roles: []identity.RoleGrant{{Role: "admin"}}})
			works(t, "invite another", err)
			temp := w.person("tmp@example.com", "Tmp")
			_, err = w.GrantTrait(w.core(), temp.ID, identity.TraitGrant{Trait: "admin", Expires: w.in(time.Hour)})
			works(t, "one for an hour", err)

			for who, ctx := range map[string]context.Context{"herself": w.as(g), "the core": w.core()} {
				is(t, who, changes[name](ctx, w.Service, g.User.ID), fault.Conflict, "identity.last_admin")
			}
			u, err := w.User(w.core(), g.User.ID)
			if err != nil || u.Status != identity.Active || !slices.Equal(u.Roles, []string{"admin"}) {
				t.Errorf("she is now %+v, %v", u, err)
			}
			_, err = w.bearer(g.Secret)
			works(t, "her session", err)
			_, err = w.GrantTrait(w.core(), temp.ID, identity.TraitGrant{Trait: "admin"})
			works(t, "a second one without an end", err)
			works(t, "then it can be done", changes[name](w.core(), w.Service, g.User.ID))
		})
	}
}

// Two administrators cannot remove each other at the same moment.
func TestLastAdminRace(t *testing.T) {
	w := newWorld(t)
	a, other := w.setUp(), w.replica()
	b := w.person("ben@example.com", "Ben", "admin")
	var wg sync.WaitGroup
	results := make(chan error, 2)
	wg.Go(func() { results <- w.Delete(w.core(), a.User.ID) })
	wg.Go(func() { results <- other.Delete(w.core(), b.ID) })
	wg.Wait()
	won := 0
	for range 2 {
		if err := <-results; err == nil {
			won++
		} else {
			is(t, "the loser", err, fault.Conflict, "identity.last_admin")
		}
	}
	if won != 1 {
		t.Errorf("%d of two administrators were removed", won)
	}
}

// Nobody rises above themselves, nor touches those who stand above.
func TestEscalation(t *testing.T) {
	w := newWorld(t)
	admin := w.setUp()
	manager := w.person("uma@example.com", "Uma", "user-manager")
	viewer := w.person("vic@example.com", "Vic", "viewer")
	ctx := w.as(w.login("uma@example.com"))
	for what, try := range map[string]func() error{
		"makes herself admin":         func() error { return changes["promote"](ctx, w.Service, manager.ID) },
		"makes another admin":         func() error { return changes["promote"](ctx, w.Service, viewer.ID) },
		"invites an admin":            func() error { return changes["invite"](ctx, w.Service, uuid.Nil) },
		"gives herself PHI":           func() error { return changes["grant"](ctx, w.Service, manager.ID) },
		"gives another PHI":           func() error { return changes["grant"](ctx, w.Service, viewer.ID) },
		"renames the admin":           func() error { return changes["rename"](ctx, w.Service, admin.User.ID) },
		"suspends the admin":          func() error { return changes["suspend"](ctx, w.Service, admin.User.ID) },
		"deletes the admin":           func() error { return changes["delete"](ctx, w.Service, admin.User.ID) },
		"resets the admin's password": func() error { return changes["link"](ctx, w.Service, admin.User.ID) },
		"ends the admin's sessions":   func() error { return changes["log out"](ctx, w.Service, admin.User.ID) },
		"gives a sensitive role": func() error {
			_, err := w.SetRoles(ctx, viewer.ID, []identity.RoleGrant{{Role: "operator"}})
			return err
		},
	} {
		is(t, "the user manager "+what, try(), fault.Denied, "identity.escalation")
	}
	for what, ctx := range map[string]context.Context{
		"a stranger": w.stranger(), "a plugin": actor.With(w.stranger(), actor.Actor{Kind: actor.Plugin, ID: "p", Tenant: actor.DefaultTenant, Traits: trait.SetOf(trait.Admin)}),
	} {
		for name, change := range changes {
			if name == "reg. token" || name == "rotate" {
				continue // not of people; the gate decides
			}
			is(t, what+": "+name, change(ctx, w.Service, viewer.ID), fault.Denied, "identity.person")
		}
	}
	// What she has she may give, and what is not sensitive.
	for _, role := range []string{"user-manager", "viewer", "developer"} {
		_, err := w.SetRoles(ctx, viewer.ID, []identity.RoleGrant{{Role: role}})
		works(t, "the user manager gives "+role, err)
	}
	_, err := w.SetName(ctx, manager.ID, "Uma Thurgau")
	works(t, "she renames herself", err)
	works(t, "she deletes a viewer", w.Delete(ctx, viewer.ID))
	// Somebody of another tenant is not there.
	elsewhere := actor.With(w.stranger(), actor.Actor{Kind: actor.User, ID: uuid.NewString(), Tenant: "other", Traits: trait.SetOf(trait.Admin)})
	for name, change := range changes {
		if slices.Contains([]string{"reg. token", "rotate", "invite"}, name) {
			continue
		}
		is(t, "another tenant's admin: "+name, change(elsewhere, w.Service, manager.ID), fault.NotFound, "user.unknown")
	}
	if page, err := w.Users(elsewhere, identity.UserFilter{}); err != nil || len(page.Users) != 0 {
		t.Errorf("another tenant sees %+v, %v", page.Users, err)
	}
}

// A change says before and after, and who; no change says nothing and ends nothing.
func TestChangeRecorded(t *testing.T) {
	w := newWorld(t)
	admin := w.setUp()
	u := w.person("pat@example.com", "Pat", "viewer")
	g := w.login("pat@example.com")
	_, err := w.SetRoles(w.as(admin), u.ID, []identity.RoleGrant{{Role: "viewer"}})
	works(t, "the same roles", err)
	if n := w.records("user.roles", audit.OK); n != 0 {
		t.Errorf("no change left %d rows", n)
	}
	_, err = w.bearer(g.Secret)
	works(t, "the session after no change", err)
	_, err = w.SetRoles(w.as(admin), u.ID, []identity.RoleGrant{{Role: "auditor", Expires: w.in(time.Hour)}})
	works(t, "other roles", err)
	var by, object string
	var before, after map[string]any
	works(t, "row", w.db.Owner.QueryRow(t.Context(), "SELECT actor_id, object, before, after FROM audit_log WHERE action = 'user.roles'").Scan(&by, &object, &before, &after))
	password := w.clock.now().Format(time.RFC3339)
	want := []map[string]any{
		{"name": "Pat", "status": "active", "password_set_at": password, "traits": []any{}, "roles": []any{map[string]any{"name": "viewer"}}},
		{"name": "Pat", "status": "active", "password_set_at": password, "traits": []any{}, "roles": []any{map[string]any{"name": "auditor", "expires_at": w.in(time.Hour).Format(time.RFC3339)}}},
	}
	if diff := cmp.Diff(want, []map[string]any{before, after}); diff != "" || by != admin.User.ID.String() || object != u.ID.String() {
		t.Errorf("row by %s of %s (-want +got):\n%s", by, object, diff)
	}
}

// Without its record nothing changes.
func TestChangeWithoutAudit(t *testing.T) {
	w := newWorld(t)
	admin := w.setUp()
	ctx := w.as(admin)
	u := w.person("pat@example.com", "Pat", "viewer")
	key, _, err := w.CreateAPIKey(ctx, "k", []string{"viewer"}, *w.in(time.Hour))
	works(t, "key", err)
	w.plugin("greeter", "active")
	refresh := w.tokens("greeter").RefreshToken
	state := func() string {
		var s string
		works(t, "state", w.db.Owner.QueryRow(t.Context(), `SELECT jsonb_build_array(
			(SELECT jsonb_agg(u ORDER BY id) FROM users u), (SELECT jsonb_agg(r ORDER BY user_id, role) FROM user_roles r), (SELECT jsonb_agg(x) FROM user_traits x),
			(SELECT jsonb_agg(s ORDER BY id) FROM sessions s), (SELECT jsonb_agg(i ORDER BY hash) FROM invitations i), (SELECT jsonb_agg(k ORDER BY id) FROM api_keys k),
			(SELECT jsonb_agg(k) FROM signing_keys k), (SELECT jsonb_agg(r) FROM registration_tokens r), (SELECT jsonb_agg(p) FROM plugin_refresh_tokens p))::text`).Scan(&s))
		return s
	}
	before := state()
	w.exec("REVOKE INSERT ON audit_log FROM vivified_app")
	for name, change := range changes {
		if name == "let it end" || name == "demote" {
			continue // refused before it is recorded; changes nothing
		}
		is(t, name, change(ctx, w.Service, u.ID), fault.Unavailable, "audit.unavailable")
	}
	_, _, err = w.CreateAPIKey(ctx, "k", []string{"viewer"}, *w.in(time.Hour))
	is(t, "key", err, fault.Unavailable, "audit.unavailable")
	is(t, "revoke a key", w.RevokeAPIKey(ctx, key.ID), fault.Unavailable, "audit.unavailable")
	is(t, "log out", w.Logout(ctx), fault.Unavailable, "audit.unavailable")
	_, err = w.ChangePassword(ctx, password, "nine silver spoons")
	is(t, "password", err, fault.Unavailable, "audit.unavailable")
	_, err = w.RefreshPlugin(w.stranger(), refresh)
	is(t, "refresh", err, fault.Unavailable, "audit.unavailable")
	_, err = w.IssuePluginTokens(w.stranger(), "greeter")
	is(t, "issue", err, fault.Unavailable, "audit.unavailable")
	_, err = w.bearer("nonsense")
	is(t, "a refused credential", err, fault.Unavailable, "audit.unavailable")
	if diff := cmp.Diff(before, state()); diff != "" {
		t.Errorf("something changed (-before +after):\n%s", diff)
	}
	w.exec("GRANT INSERT ON audit_log TO vivified_app")
	works(t, "it recovers by itself", w.Delete(ctx, u.ID))
	_, err = w.RefreshPlugin(w.stranger(), refresh)
	works(t, "the refresh token was not spent", err)
}

package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
)

func TestAPIKey(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	u := w.person("pat@example.com", "Pat", "operator")
	g := w.login("pat@example.com")
	own := w.as(g)
	key, secret, err := w.CreateAPIKey(own, "nightly job", []string{"operator", "event_viewer"}, *w.in(365 * 24 * time.Hour))
	works(t, "create", err)
	if !strings.HasPrefix(secret, "vv_") || len(secret) != 46 || key.Hint != secret[42:] || key.LastUsed != nil {
		t.Errorf("made %+v", key)
	}
	if strings.Contains(w.everything(), secret) || strings.Contains(w.everything(), secret[3:40]) {
		t.Error("the key is stored")
	}
	want := trait.SetOf(trait.Operator, trait.Viewer, trait.EventViewer)
	for what, c := range map[string]identity.Credentials{
		"X-API-Key": {APIKey: []string{secret}}, "bearer": {Authorization: []string{"Bearer " + secret}}, "scheme in lower case": {Authorization: []string{"bearer " + secret}},
	} {
		who, err := w.Prove(w.stranger(), c)
		if err != nil || who.ID != u.ID.String() || who.Traits != want || who.Credential != (actor.Credential{Kind: "api_key", ID: key.ID.String()}) {
			t.Errorf("%s proves %+v, %v", what, who, err)
		}
	}
	list, err := w.APIKeys(own, u.ID)
	if err != nil || len(list) != 1 || list[0].LastUsed == nil || !list[0].LastUsed.Equal(w.clock.now()) {
		t.Errorf("listed %+v, %v", list, err)
	}
	// A pause does not end a key, but its owner's loss shrinks it.
	w.clock.move(20 * time.Hour)
	_, err = w.SetRoles(w.core(), u.ID, []identity.RoleGrant{{Role: "viewer"}})
	works(t, "fewer roles", err)
	if who, err := w.bearer(secret); err != nil || who.Traits != trait.SetOf(trait.Viewer) {
		t.Errorf("with fewer roles it proves %v, %v", trait.Builtin().Names(who.Traits), err)
	}
	_, err = w.SetRoles(w.core(), u.ID, []identity.RoleGrant{{Role: "operator"}, {Role: "auditor"}})
	works(t, "more roles", err)
	if who, err := w.bearer(secret); err != nil || who.Traits != want {
		t.Errorf("with more roles it proves %v, %v", trait.Builtin().Names(who.Traits), err)
	}
	w.clock.set(key.ExpiresAt.Add(-time.Microsecond))
	_, err = w.bearer(secret)
	works(t, "just within its life", err)
	w.clock.set(key.ExpiresAt)
	_, err = w.bearer(secret)
	is(t, "at its end", err, fault.Unauthenticated, "auth.invalid")
}

func TestAPIKeyRefused(t *testing.T) {
	w := newWorld(t)
	admin := w.setUp()
	u := w.person("pat@example.com", "Pat", "viewer")
	own := w.as(w.login("pat@example.com"))
	hour := *w.in(time.Hour)
	for what, tc := range map[string]struct {
		name  string
		scope []string
		until time.Time
		rule  string
	}{
		"no scope":       {"k", nil, hour, "scope.unknown"},
		"unknown scope":  {"k", []string{"viewer", "flying"}, hour, "scope.unknown"},
		"beyond":         {"k", []string{"admin"}, hour, "scope.beyond"},
		"beyond by PHI":  {"k", []string{"viewer", "handles_phi"}, hour, "scope.beyond"},
		"no end":         {"k", []string{"viewer"}, time.Time{}, "expires.range"},
		"an end by now":  {"k", []string{"viewer"}, w.clock.now(), "expires.range"},
		"two years":      {"k", []string{"viewer"}, *w.in(2 * 365 * 24 * time.Hour), "expires.range"},
		"no name":        {" ", []string{"viewer"}, hour, "name.missing"},
		"a name of junk": {"\x1b[31m", []string{"viewer"}, hour, "name.format"},
	} {
		_, _, err := w.CreateAPIKey(own, tc.name, tc.scope, tc.until)
		is(t, what, err, fault.Unprocessable, tc.rule)
	}
	key, secret, err := w.CreateAPIKey(own, "k", []string{"viewer"}, hour)
	works(t, "create", err)
	who, err := w.bearer(secret)
	works(t, "use", err)
	byKey := actor.With(w.stranger(), who)
	_, _, err = w.CreateAPIKey(byKey, "child", []string{"viewer"}, hour)
	is(t, "a key makes a key", err, fault.Denied, "identity.session")
	_, err = w.ChangePassword(byKey, password, "nine silver spoons")
	is(t, "a key changes the password", err, fault.Denied, "identity.session")
	_, _, err = w.CreateAPIKey(w.core(), "k", []string{"viewer"}, hour)
	is(t, "the core makes a key", err, fault.Denied, "identity.session")

	is(t, "a stranger revokes", w.RevokeAPIKey(w.stranger(), key.ID), fault.Denied, "identity.person")
	is(t, "no such key", w.RevokeAPIKey(own, uuid.New()), fault.NotFound, "key.unknown")
	works(t, "revoke", w.RevokeAPIKey(own, key.ID))
	_, err = w.bearer(secret)
	is(t, "revoked", err, fault.Unauthenticated, "auth.invalid")
	is(t, "revoke again", w.RevokeAPIKey(own, key.ID), fault.NotFound, "key.unknown")

	adminKey, _, err := w.CreateAPIKey(w.as(admin), "all", []string{"admin"}, hour)
	works(t, "an administrator's key", err)
	is(t, "a viewer revokes an administrator's key", w.RevokeAPIKey(own, adminKey.ID), fault.Denied, "identity.escalation")

	_, secret, err = w.CreateAPIKey(own, "k", []string{"viewer"}, hour)
	works(t, "create", err)
	_, err = w.Suspend(w.core(), u.ID, "left")
	works(t, "suspend", err)
	_, err = w.bearer(secret)
	is(t, "of somebody suspended", err, fault.Unauthenticated, "auth.invalid")
	_, err = w.Reactivate(w.core(), u.ID)
	works(t, "reactivate", err)
	_, err = w.bearer(secret)
	is(t, "of somebody who was", err, fault.Unauthenticated, "auth.invalid")
}

func TestAllAPIKeys(t *testing.T) {
	w := newWorld(t)
	own := w.as(w.setUp())
	var made []string
	for range 5 {
		k, _, err := w.CreateAPIKey(own, "k", []string{"viewer"}, *w.in(time.Hour))
		works(t, "create", err)
		made = append([]string{k.ID.String()}, made...)
	}
	var seen []string
	before := uuid.Nil
	for {
		page, err := w.AllAPIKeys(own, before, 2)
		works(t, "page", err)
		for _, k := range page.Keys {
			if k.OwnerName != "Mara Lindqvist" {
				t.Errorf("owner %q", k.OwnerName)
			}
			seen = append(seen, k.ID.String())
		}
		if before = page.Next; before == uuid.Nil {
			break
		}
	}
	if strings.Join(seen, " ") != strings.Join(made, " ") {
		t.Errorf("pages showed %v, made were %v", seen, made)
	}
}

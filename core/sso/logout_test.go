package sso_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
)

const event = "http://schemas.openid.net/event/backchannel-logout"

// logoutToken is a right one, edited.
func (w *world) logoutToken(edit claims) string {
	before := w.op.Edit
	w.op.Edit = edit
	defer func() { w.op.Edit = before }()
	return w.op.signed(claims{
		"iss": w.op.URL, "aud": "core", "iat": w.now.Unix(), "exp": w.now.Add(time.Minute).Unix(), "jti": uuid.NewString(), "sub": "ada", "sid": "s1",
		"events": map[string]any{event: map[string]any{}},
	})
}

func TestBackchannelLogout(t *testing.T) {
	w := newWorld(t)
	out, err := w.login()
	must(t, err)
	open := func() int {
		all, err := w.people.Sessions(w.admin, out.Grant.User.ID)
		must(t, err)
		return len(all)
	}
	for name, edit := range map[string]claims{
		"no event":           {"events": nil},
		"another event":      {"events": map[string]any{"other": map[string]any{}}},
		"a nonce":            {"nonce": "n"},
		"no jti":             {"jti": nil},
		"nobody":             {"sub": nil, "sid": nil},
		"another audience":   {"aud": "other"},
		"another issuer":     {"iss": "https://evil.test"},
		"ended":              {"exp": w.now.Add(-5 * time.Minute).Unix()},
		"made long ago":      {"iat": w.now.Add(-11 * time.Minute).Unix()},
		"made in the future": {"iat": w.now.Add(5 * time.Minute).Unix()},
		"no time":            {"iat": nil},
	} {
		if err := w.BackchannelLogout(w.stranger(), "op", w.logoutToken(edit)); fault.Of(err).Code != "sso.logout_token" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := w.BackchannelLogout(w.stranger(), "op", w.logoutToken(claims{"sub": nil, "sid": "another"})); err != nil || open() != 1 {
		t.Errorf("another session there: %v, %d sessions here", err, open())
	}
	right := w.logoutToken(nil)
	if err := w.BackchannelLogout(w.stranger(), "op", right); err != nil || open() != 0 {
		t.Errorf("the right one: %v, %d sessions left", err, open())
	}
	if out, err = w.login(); err != nil {
		t.Fatal(err)
	}
	if err := w.BackchannelLogout(w.stranger(), "op", right); fault.Of(err).Code != "sso.logout_token" || open() != 1 {
		t.Errorf("the same token again: %v, %d sessions", err, open())
	}
	if err := w.BackchannelLogout(w.stranger(), "op", w.logoutToken(claims{"sid": nil})); err != nil || open() != 0 {
		t.Errorf("every session of the subject: %v, %d left", err, open())
	}
}

// Signing out leads to the provider with the hint and exactly the registered address.
func TestSignOutThere(t *testing.T) {
	w := newWorld(t)
	out, err := w.login()
	must(t, err)
	there := w.SignOut(w.as(out.Grant.User, out.Grant.Session.ID))
	u, err := url.Parse(there.To)
	must(t, err)
	q := u.Query()
	if u.Path != "/logout" || q.Get("post_logout_redirect_uri") != public+"/sign-in" || q.Get("client_id") != "core" || len(q.Get("id_token_hint")) < 100 {
		t.Errorf("it leads to %s", there.To)
	}
	if there := w.SignOut(w.as(identity.User{ID: out.Grant.User.ID, Tenant: "default"}, uuid.Must(uuid.NewV7()))); there.To != "" {
		t.Errorf("a session of another kind leads to %s", there.To)
	}
}

// A provider that is deleted ends what it began.
func TestDeleteEnds(t *testing.T) {
	w := newWorld(t)
	out, err := w.login()
	must(t, err)
	must(t, w.Delete(w.admin, "op"))
	all, err := w.people.Sessions(w.admin, out.Grant.User.ID)
	must(t, err)
	u, err := w.people.User(w.admin, out.Grant.User.ID)
	must(t, err)
	if len(all) != 0 || !u.Traits.Empty() {
		t.Errorf("%d sessions and %d traits are left", len(all), u.Traits.Len())
	}
}

// Passwords stay on until an administrator has come by a provider.
func TestMayCloseLocal(t *testing.T) {
	w := newWorld(t)
	if err := w.MayCloseLocal(w.admin); fault.Of(err).Code != "sso.local_login" {
		t.Errorf("nobody has come: %v", err)
	}
	out, err := w.login()
	must(t, err)
	if err := w.MayCloseLocal(w.admin); fault.Of(err).Code != "sso.local_login" {
		t.Errorf("no administrator has come: %v", err)
	}
	_, err = w.people.SetRoles(w.admin, out.Grant.User.ID, []identity.RoleGrant{{Role: "admin"}})
	must(t, err)
	if err := w.MayCloseLocal(w.admin); err != nil {
		t.Errorf("an administrator came just now: %v", err)
	}
	w.now = w.now.Add(25 * time.Hour)
	if err := w.MayCloseLocal(w.admin); fault.Of(err).Code != "sso.local_login" {
		t.Errorf("a day ago: %v", err)
	}
}

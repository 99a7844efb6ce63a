package identity_test

import (
	"encoding/base64"
	"encoding/hex"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
)

func signIn(account, password string) identity.SignIn {
	return identity.SignIn{Account: account, Password: password, Client: identity.Client{Kind: identity.KindToken, UserAgent: "test\n/1.0\x1b[31m"}}
}

func TestLogin(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	w.person("emile@example.com", "Émile")
	_, err := w.Login(w.stranger(), signIn("Émile", password))
	works(t, "a name beyond ASCII", err)
	for _, account := range []string{"mara@example.com", " MARA@Example.com ", "Mara Lindqvist", "mara lindqvist"} {
		g, err := w.Login(w.stranger(), signIn(account, password))
		works(t, account, err)
		who, err := w.bearer(g.Secret)
		if err != nil || who.Kind != actor.User || who.ID != g.User.ID.String() || who.Credential != (actor.Credential{Kind: "session", ID: g.Session.ID.String(), Proved: w.clock.now()}) || who.Traits != g.User.Traits {
			t.Errorf("%s: the session proves %+v, %v", account, who, err)
		}
		if g.Session.Address != address || g.Session.UserAgent != "test/1.0[31m" || g.Session.ExpiresAt != w.clock.now().Add(12*time.Hour) {
			t.Errorf("session %+v", g.Session)
		}
	}
	u, err := w.User(w.core(), w.login("mara@example.com").User.ID)
	if err != nil || u.LastLogin == nil || !u.LastLogin.Equal(w.clock.now()) {
		t.Errorf("last sign-in %v, %v", u.LastLogin, err)
	}
	if n := w.records("auth.login", audit.OK); n != 7 {
		t.Errorf("%d sign-ins are in the audit, want 7", n)
	}
	var name, credential string
	works(t, "audit row", w.db.Owner.QueryRow(t.Context(), "SELECT actor_name, credential FROM audit_log WHERE action = 'auth.login' AND actor_name LIKE 'Mara%' LIMIT 1").Scan(&name, &credential))
	if name != "Mara Lindqvist" || !strings.HasPrefix(credential, "session") {
		t.Errorf("the audit says %q signed in by %q", name, credential)
	}
}

// Every failed sign-in has one answer, whatever is wrong.
func TestLoginTellsNothing(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	suspended := w.person("sam@example.com", "Sam")
	_, err := w.Suspend(w.core(), suspended.ID, "leave")
	works(t, "suspend", err)
	works(t, "delete", w.Delete(w.core(), w.person("del@example.com", "Del").ID))
	_, err = w.Invite(w.core(), identity.Invitation{Email: "ivy@example.com", Name: "Ivy"})
	works(t, "invite", err)
	w.person("one@example.com", "Twin")
	w.person("two@example.com", "Twin")

	_, want := w.Login(w.stranger(), signIn("mara@example.com", "wrong password"))
	is(t, "a wrong password", want, fault.Unauthenticated, "auth.login")
	for what, in := range map[string]identity.SignIn{
		"unknown":             signIn("nobody@example.com", password),
		"suspended":           signIn("sam@example.com", password),
		"deleted":             signIn("del@example.com", password),
		"invited":             signIn("ivy@example.com", password),
		"a name of two":       signIn("Twin", password),
		"empty":               signIn("", ""),
		"empty password":      signIn("mara@example.com", ""),
		"NUL":                 signIn("mara@example.com\x00", password),
		"not UTF-8":           signIn("mara\xff@example.com", password),
		"very long account":   signIn(strings.Repeat("a", 100_000), password),
		"very long password":  signIn("mara@example.com", strings.Repeat("a", 100_000)),
		"password with NUL":   signIn("mara@example.com", password+"\x00"),
		"another case":        signIn("mara@example.com", strings.ToUpper(password)),
		"a wildcard":          signIn("%", password),
		"SQL":                 signIn("' OR 1=1 --", password),
		"a look-alike letter": signIn("mаra@example.com", password),
	} {
		_, err := w.Login(w.stranger(), in)
		if diff := cmp.Diff(fault.Of(want), fault.Of(err)); diff != "" {
			t.Errorf("%s is told something else than a wrong password (-want +got):\n%s", what, diff)
		}
	}
	w.clock.move(time.Minute)
	g, err := w.Login(w.stranger(), signIn("mara@example.com", password))
	works(t, "after all that", err)
	if g.Session.Kind != identity.KindToken {
		t.Errorf("kind %q", g.Session.Kind)
	}
}

// An account that does not exist takes the work of one that does: a hash of the
// same size is computed. Its memory is measured, since time depends on the machine.
func TestLoginSameWork(t *testing.T) {
	const mib = 1 << 20
	w := newWorld(t, func(c *identity.Config) {
		c.Hashing = &argon2id.Params{Memory: 32 * 1024, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	})
	w.setUp()
	w.person("sam@example.com", "Sam")
	_, err := w.Suspend(w.core(), first(t, w, "Sam").ID, "")
	works(t, "suspend", err)
	_, err = w.Invite(w.core(), identity.Invitation{Email: "ivy@example.com", Name: "Ivy"})
	works(t, "invite", err)
	for what, in := range map[string]identity.SignIn{
		"wrong": signIn("mara@example.com", "wrong password"), "unknown": signIn("nobody@example.com", "wrong password"), "suspended": signIn("sam@example.com", password),
		"no password yet": signIn("ivy@example.com", ""), "empty": signIn("mara@example.com", ""), "too long": signIn("mara@example.com", strings.Repeat("x", 300)), "no account": signIn("", ""),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := w.Login(w.stranger(), in)
		runtime.ReadMemStats(&after)
		is(t, what, err, fault.Unauthenticated, "auth.login")
		if used := after.TotalAlloc - before.TotalAlloc; used < 32*mib || used > 40*mib {
			t.Errorf("%s: %d MiB were used, want those of one hash: 32", what, used/mib)
		}
	}
}

// What people type, above all a password in the name field, is written nowhere.
func TestLoginKeepsNoSecrets(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	typed := "my secret passphrase"
	for _, in := range []identity.SignIn{signIn(typed, "x"), signIn("mara@example.com", typed), signIn(password, password)} {
		_, err := w.Login(w.stranger(), in)
		is(t, "a slip", err, fault.Unauthenticated, "auth.login")
	}
	g := w.login("mara@example.com")
	all := w.everything()
	for _, secret := range []string{typed, password, g.Secret} {
		for form, text := range map[string]string{"clear": secret, "hex": hex.EncodeToString([]byte(secret)), "base64": base64.StdEncoding.EncodeToString([]byte(secret))} {
			if strings.Contains(all, text) {
				t.Errorf("%q is stored in %s", secret, form)
			}
		}
	}
}

func TestLoginEndsPreviousSession(t *testing.T) {
	w := newWorld(t)
	old := w.setUp()
	in := signIn("mara@example.com", password)
	in.Kind, in.Previous = identity.KindCookie, old.Secret
	g, err := w.Login(w.stranger(), in)
	works(t, "sign in again", err)
	if g.Secret == old.Secret || g.Session.ID == old.Session.ID {
		t.Error("the session was not rotated")
	}
	_, err = w.bearer(old.Secret)
	is(t, "the old session", err, fault.Unauthenticated, "auth.invalid")
	_, err = w.bearer(g.Secret)
	works(t, "the new session", err)
	// A value somebody planted is never adopted.
	in.Previous = "vvs_" + strings.Repeat("A", 43)
	if g, err = w.Login(w.stranger(), in); err != nil || g.Secret == in.Previous {
		t.Errorf("a planted session: %v", err)
	}
	_, err = w.bearer(in.Previous)
	is(t, "the planted session", err, fault.Unauthenticated, "auth.invalid")
}

func TestLoginUpgradesHash(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	hash := func() (h string) {
		works(t, "hash", w.db.Owner.QueryRow(t.Context(), "SELECT password_hash FROM users").Scan(&h))
		return h
	}
	before := hash()
	w.config.Hashing = &argon2id.Params{Memory: 128, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	w.Service = w.replica()
	w.login("mara@example.com")
	after := hash()
	if !strings.HasPrefix(before, "$argon2id$v=19$m=64,t=1,p=1$") || !strings.HasPrefix(after, "$argon2id$v=19$m=128,t=2,p=1$") {
		t.Errorf("the hash went from %s to %s", before, after)
	}
	w.login("mara@example.com")
	if hash() != after {
		t.Error("a hash that is up to date was replaced")
	}
}

func TestLoginDefaultHashing(t *testing.T) {
	w := newWorld(t, func(c *identity.Config) { c.Hashing = nil })
	w.setUp()
	var h string
	works(t, "hash", w.db.Owner.QueryRow(t.Context(), "SELECT password_hash FROM users").Scan(&h))
	if !strings.HasPrefix(h, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hashed as %s, not as OWASP recommends", h)
	}
}

// Without its record nothing happens: neither sign-in nor refusal.
func TestLoginWithoutAudit(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	w.exec("REVOKE INSERT ON audit_log FROM vivified_app")
	for what, in := range map[string]identity.SignIn{"right": signIn("mara@example.com", password), "wrong": signIn("mara@example.com", "wrong password")} {
		_, err := w.Login(w.stranger(), in)
		is(t, what, err, fault.Unavailable, "audit.unavailable")
	}
	if n := w.number("SELECT count(*) FROM sessions"); n != 1 {
		t.Errorf("%d sessions exist, want the one from before", n)
	}
}

func TestSessionsListed(t *testing.T) {
	w := newWorld(t)
	first := w.setUp()
	w.clock.move(30 * time.Minute)
	second := w.login("mara@example.com")
	own := w.as(second)
	list, err := w.Sessions(own, first.User.ID)
	works(t, "list", err)
	if len(list) != 2 || list[0].ID != second.Session.ID || !list[0].Current || list[1].ID != first.Session.ID || list[1].Current {
		t.Errorf("sessions %+v", list)
	}
	w.clock.move(31 * time.Minute)
	list, err = w.Sessions(own, first.User.ID)
	if err != nil || len(list) != 1 || list[0].ID != second.Session.ID {
		t.Errorf("an hour later: %+v, %v", list, err)
	}
	works(t, "revoke", w.RevokeSession(own, first.User.ID, second.Session.ID))
	_, err = w.bearer(second.Secret)
	is(t, "a revoked session", err, fault.Unauthenticated, "auth.invalid")
	is(t, "revoke again", w.RevokeSession(own, first.User.ID, second.Session.ID), fault.NotFound, "session.unknown")

	a, b, c := w.login("mara@example.com"), w.login("mara@example.com"), w.login("mara@example.com")
	works(t, "revoke the others", w.RevokeSessions(w.as(a), a.User.ID, true))
	good := []string{}
	for name, g := range map[string]identity.Grant{"a": a, "b": b, "c": c} {
		if _, err := w.bearer(g.Secret); err == nil {
			good = append(good, name)
		}
	}
	if !slices.Equal(good, []string{"a"}) {
		t.Errorf("after revoking the others %v are good", good)
	}
	works(t, "log out", w.Logout(w.as(a)))
	_, err = w.bearer(a.Secret)
	is(t, "after logging out", err, fault.Unauthenticated, "auth.invalid")
	works(t, "a stranger logs out", w.Logout(w.stranger()))
}

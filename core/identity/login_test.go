package identity_test

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	return identity.SignIn{Account: account, Password: password, Kind: identity.KindToken, UserAgent: "test\n/1.0\x1b[31m"}
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
		if err != nil || who.Kind != actor.User || who.ID != g.User.ID.String() || who.Credential != (actor.Credential{Kind: "session", ID: g.Session.ID.String()}) || who.Traits != g.User.Traits {
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

// A flood of sign-ins is turned away before it takes the memory of the core, and
// nobody is blamed for it.
func TestLoginFlood(t *testing.T) {
	w := newWorld(t, func(c *identity.Config) {
		c.Hashing = &argon2id.Params{Memory: 32 * 1024, Iterations: 8, Parallelism: 1, SaltLength: 16, KeyLength: 32}
	})
	ctx, stop := context.WithCancel(w.stranger())
	defer stop()
	var wg sync.WaitGroup
	var busy atomic.Int32
	for i := range 400 {
		ctx := actor.WithAddress(ctx, fmt.Sprintf("198.51.100.%d", i%200))
		wg.Go(func() {
			_, err := w.Login(ctx, signIn(fmt.Sprintf("u%d@example.com", i), "wrong password"))
			if fault.Of(err).Code == "auth.busy" {
				if f := fault.Of(err); f.Kind != fault.Unavailable || f.RetryAfter <= 0 {
					t.Errorf("turned away with %+v", f)
				}
				busy.Add(1)
				stop() // those who wait give up
			}
		})
	}
	wg.Wait()
	if busy.Load() == 0 {
		t.Error("400 sign-ins at once were all let in")
	}
	judged := w.records("auth.login", audit.Failed)
	// A caller who left in the middle of a commit may stay counted: at most one for each of 16 connections.
	if counted := w.number("SELECT coalesce(sum(failures), 0) FROM login_throttle"); counted > 2*(judged+16) {
		t.Errorf("%d attempts are counted, by account and by address, though %d were judged", counted, judged)
	}
}

func TestLoginThrottled(t *testing.T) {
	for _, account := range []string{"mara@example.com", "nobody@example.com"} {
		t.Run(account, func(t *testing.T) {
			w := newWorld(t)
			w.setUp()
			for range 5 {
				_, err := w.Login(w.stranger(), signIn(account, "wrong password"))
				is(t, "a free attempt", err, fault.Unauthenticated, "auth.login")
			}
			// Each further failure doubles the pause; within it nothing is compared.
			for _, pause := range []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900} {
				pause *= time.Second
				for range 3 {
					_, err := w.Login(w.stranger(), signIn(account, password))
					is(t, "within the pause", err, fault.TooMany, "auth.throttled")
					if f := fault.Of(err); f.RetryAfter != pause || f.Sentence != fmt.Sprintf("Too many attempts; try again in %d seconds.", int(pause.Seconds())) {
						t.Fatalf("the pause is %s (%s), want %s", f.RetryAfter, f.Sentence, pause)
					}
				}
				w.clock.move(pause - time.Microsecond)
				_, err := w.Login(w.stranger(), signIn(account, password))
				is(t, "just within the pause", err, fault.TooMany, "auth.throttled")
				w.clock.move(time.Microsecond)
				_, err = w.Login(w.stranger(), signIn(account, "wrong password"))
				is(t, "after the pause", err, fault.Unauthenticated, "auth.login")
			}
			// Each of the 17 counted attempts has its row, and each pause one, however often it was run into.
			if n := w.records("auth.login", audit.Failed); n != 17+12 {
				t.Errorf("%d failures are in the audit, want 29", n)
			}
			// Another account from elsewhere is not concerned.
			w.person("other@example.com", "Other")
			elsewhere := actor.WithAddress(t.Context(), "198.51.100.9")
			_, err := w.Login(elsewhere, signIn("other@example.com", password))
			works(t, "somebody else", err)
			// After an hour of silence it starts anew.
			w.clock.move(time.Hour + time.Second)
			_, err = w.Login(w.stranger(), signIn(account, "wrong password"))
			is(t, "an hour later", err, fault.Unauthenticated, "auth.login")
			_, err = w.Login(w.stranger(), signIn(account, "wrong password"))
			is(t, "an hour later, again", err, fault.Unauthenticated, "auth.login")
		})
	}
}

func TestLoginForgives(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	for range 3 {
		for range 4 {
			_, err := w.Login(w.stranger(), signIn("mara@example.com", "wrong password"))
			is(t, "a slip", err, fault.Unauthenticated, "auth.login")
		}
		w.login("mara@example.com")
	}
	// The address is not forgiven by its own success: 12 slips remain of 30.
	for i := range 17 {
		_, err := w.Login(w.stranger(), signIn(fmt.Sprintf("user%d@example.com", i), "wrong password"))
		is(t, "another account", err, fault.Unauthenticated, "auth.login")
	}
	_, err := w.Login(w.stranger(), signIn("yet@example.com", "wrong password"))
	is(t, "the 30th of an address", err, fault.Unauthenticated, "auth.login")
	_, err = w.Login(w.stranger(), signIn("mara@example.com", password))
	is(t, "the 31st of an address", err, fault.TooMany, "auth.throttled")
}

func TestLoginThrottleAddresses(t *testing.T) {
	w := newWorld(t)
	for i := range 30 {
		ctx := actor.WithAddress(t.Context(), fmt.Sprintf("2001:db8:1:2::%x", i))
		_, err := w.Login(ctx, signIn(fmt.Sprintf("u%d@example.com", i), "wrong password"))
		is(t, "an address of the network", err, fault.Unauthenticated, "auth.login")
	}
	for addr, kind := range map[string]fault.Kind{
		"2001:db8:1:2:ffff::1": fault.TooMany, "2001:db8:1:3::1": fault.Unauthenticated, "::ffff:192.0.2.7": fault.Unauthenticated, "not an address": fault.Unauthenticated,
	} {
		_, err := w.Login(actor.WithAddress(t.Context(), addr), signIn("new@example.com"+addr, "wrong password"))
		is(t, addr, err, kind, "")
	}
}

// Guesses made at the same time count one by one.
func TestLoginParallelGuesses(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	var wg sync.WaitGroup
	var compared, throttled atomic.Int32
	for range 40 {
		wg.Go(func() {
			_, err := w.Login(w.stranger(), signIn("mara@example.com", "wrong password"))
			switch {
			case fault.Is(err, fault.Unauthenticated):
				compared.Add(1)
			case fault.Is(err, fault.TooMany):
				throttled.Add(1)
			default:
				t.Errorf("a guess gave %v", err)
			}
		})
	}
	wg.Wait()
	if compared.Load() != 5 || throttled.Load() != 35 {
		t.Errorf("%d of 40 guesses were compared, %d throttled; want 5 and 35", compared.Load(), throttled.Load())
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

func TestChangePassword(t *testing.T) {
	w := newWorld(t)
	first := w.setUp()
	second, own := w.login("mara@example.com"), w.as(first)
	const changed = "nine silver spoons"

	_, err := w.ChangePassword(own, "wrong password", changed)
	is(t, "a wrong current password", err, fault.Denied, "password.current")
	_, err = w.ChangePassword(own, password, "short")
	is(t, "a weak one", err, fault.Unprocessable, "password.short")
	_, err = w.ChangePassword(w.core(), password, changed)
	is(t, "no person", err, fault.Denied, "identity.session")

	g, err := w.ChangePassword(own, password, changed)
	works(t, "change", err)
	for what, secret := range map[string]string{"the session it was changed by": first.Secret, "the other session": second.Secret} {
		_, err := w.bearer(secret)
		is(t, what, err, fault.Unauthenticated, "auth.invalid")
	}
	_, err = w.bearer(g.Secret)
	works(t, "the session in its place", err)
	_, err = w.Login(w.stranger(), signIn("mara@example.com", password))
	is(t, "the old password", err, fault.Unauthenticated, "auth.login")
	_, err = w.Login(w.stranger(), signIn("mara@example.com", changed))
	works(t, "the new password", err)

	for range 5 {
		_, err = w.ChangePassword(w.as(g), "wrong password", changed)
	}
	is(t, "the fifth guess", err, fault.Denied, "password.current")
	_, err = w.ChangePassword(w.as(g), changed, password)
	is(t, "whoever stole a session cannot guess on", err, fault.TooMany, "auth.throttled")
	if ok, failed := w.records("user.password", audit.OK), w.records("user.password", audit.Failed); ok != 1 || failed != 6 {
		t.Errorf("%d changes and %d failures are in the audit, want 1 and 6", ok, failed)
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

package identity_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
)

func TestSetup(t *testing.T) {
	w := newWorld(t)
	if needed, err := w.SetupNeeded(w.stranger()); err != nil || !needed {
		t.Fatalf("a fresh core: setup needed %v, %v", needed, err)
	}
	_, err := w.CompleteSetup(w.stranger(), "", "a@example.com", "A", password)
	is(t, "setup before any token was printed", err, fault.Unauthenticated, "setup.token")

	first, err := w.NewSetupToken(w.stranger())
	works(t, "first token", err)
	second, err := w.NewSetupToken(w.stranger())
	works(t, "second token", err)
	for what, token := range map[string]string{"the replaced token": first, "no token": "", "a guess": "vvu_" + strings.Repeat("A", 43)} {
		_, err := w.CompleteSetup(w.stranger(), token, "a@example.com", "A", password)
		is(t, what, err, fault.Unauthenticated, "setup.token")
	}
	_, err = w.CompleteSetup(w.stranger(), second, "a@example.com", "A", "short")
	is(t, "a weak password", err, fault.Unprocessable, "password.short")

	u, err := w.CompleteSetup(w.stranger(), second, " Mara@Example.com ", "Mara  Lindqvist", password)
	works(t, "setup", err)
	if u.Email != "mara@example.com" || u.Name != "Mara Lindqvist" || u.Status != identity.Active || !u.Traits.Has(trait.Admin) || !u.Traits.Has(trait.UserManager) {
		t.Errorf("the first administrator is %+v", u)
	}
	if needed, err := w.SetupNeeded(w.stranger()); err != nil || needed {
		t.Errorf("after setup: needed %v, %v", needed, err)
	}
	for what, token := range map[string]string{"the spent token": second, "a wrong token": "x"} {
		_, err := w.CompleteSetup(w.stranger(), token, "b@example.com", "B", password)
		is(t, what+" after setup", err, fault.Gone, "setup.done")
	}
	_, err = w.NewSetupToken(w.stranger())
	is(t, "a token after setup", err, fault.Gone, "setup.done")
	if ok, failed := w.records("setup.complete", audit.OK), w.records("setup.complete", audit.Failed); ok != 1 || failed != 4 {
		t.Errorf("%d successes and %d failures are in the audit, want 1 and 4", ok, failed)
	}
	if strings.Contains(w.everything(), second) {
		t.Error("the setup token is stored")
	}
}

func TestSetupFixedToken(t *testing.T) {
	w := newWorld(t, func(c *identity.Config) { c.SetupToken = "for-automation" })
	token, err := w.NewSetupToken(w.stranger())
	if err != nil || token != "for-automation" {
		t.Fatalf("got %q, %v", token, err)
	}
	_, err = w.CompleteSetup(w.stranger(), "for-automation", "a@example.com", "Ada", password)
	works(t, "setup", err)
}

func TestSetupOnce(t *testing.T) {
	w := newWorld(t)
	token, err := w.NewSetupToken(w.stranger())
	works(t, "token", err)
	var wg sync.WaitGroup
	results := make(chan error, 5)
	for _, name := range []string{"ada", "ben", "cleo", "dan", "eve"} {
		wg.Go(func() {
			_, err := w.CompleteSetup(w.stranger(), token, name+"@example.com", name, password)
			results <- err
		})
	}
	wg.Wait()
	close(results)
	won := 0
	for err := range results {
		if err == nil {
			won++
			continue
		}
		is(t, "a loser", err, fault.Gone, "setup.done")
	}
	if n := w.number("SELECT count(*) FROM users"); won != 1 || n != 1 {
		t.Errorf("%d of 5 made an administrator, %d people exist; want 1 and 1", won, n)
	}
}

func TestSetupThrottled(t *testing.T) {
	w := newWorld(t)
	token, err := w.NewSetupToken(w.stranger())
	works(t, "token", err)
	for i := range 40 {
		_, err = w.CompleteSetup(w.stranger(), "guess", "a@example.com", "A", password)
		if fault.Is(err, fault.TooMany) {
			if i < 20 || fault.Of(err).RetryAfter <= 0 {
				t.Errorf("throttled at guess %d, for %s", i+1, fault.Of(err).RetryAfter)
			}
			break
		}
	}
	is(t, "the fortieth guess", err, fault.TooMany, "auth.throttled")
	_, err = w.CompleteSetup(w.stranger(), token, "a@example.com", "A", password)
	is(t, "the right token within the pause", err, fault.TooMany, "")
}

func TestPasswordRules(t *testing.T) {
	w := newWorld(t)
	token, err := w.NewSetupToken(w.stranger())
	works(t, "token", err)
	for password, rule := range map[string]string{
		"":                           "password.short",
		"eleven char":                "password.short",
		"äöüäöüäöü":                  "password.short", // 18 bytes, 9 characters
		strings.Repeat("wörld ", 40): "password.long",
		"with a \x00 byte in it":     "password.characters",
		"with a \n line in it":       "password.characters",
		"not \xff\xfe utf-8 at all":  "password.characters",
		"Password1234!":              "password.common",
		"passwordpassword":           "password.common",
		"iloveyouforever":            "password.common",
		"1q2w3e4r5t6y":               "password.common",
		"aaaaaaaaaaaaaaaa":           "password.common",
		"abcabcabcabcabc":            "password.common",
		"123456789012":               "password.common",
		"abcdefghijklmnop":           "password.common",
		"QwertyUiopAsdf":             "password.common",
		"ada.lovelace@example.com":   "password.own",
		"Ada Lovelace 1815":          "password.own",
		"lovelace-vivified":          "password.own",
	} {
		_, err := w.CompleteSetup(w.stranger(), token, "ada.lovelace@example.com", "Ada Lovelace", password)
		is(t, "password "+password, err, fault.Unprocessable, rule)
		if v := fault.Of(err).Violations; len(v) != 1 || v[0].Rule != rule || v[0].Path != "/password" || v[0].Fix == "" {
			t.Errorf("password %q: violations %+v", password, v)
		}
	}
	for email, rule := range map[string]string{
		"": "email.format", "ada": "email.format", "Ada <ada@example.com>": "email.format", "a@b@c": "email.format", "ada@exämple.com": "email.format",
		"аda@example.com": "email.format", "ada@example.com\nbcc: x@example.com": "email.format", strings.Repeat("a", 250) + "@b.co": "email.format",
	} {
		_, err := w.CompleteSetup(w.stranger(), token, email, "Ada", password)
		is(t, "address "+email, err, fault.Unprocessable, rule)
	}
	for name, rule := range map[string]string{
		"": "name.missing", " \t ": "name.missing", "a\x00b": "name.format", "a\u202eb": "name.format", "\xff": "name.format", strings.Repeat("a", 101): "name.format",
	} {
		_, err := w.CompleteSetup(w.stranger(), token, "ada@example.com", name, password)
		is(t, "name "+name, err, fault.Unprocessable, rule)
	}
	// One password typed on two keyboards: composed and decomposed, with another space.
	_, err = w.CompleteSetup(w.stranger(), token, "ada@localhost", "Ada", "caf\u00e9 au lait\u00a0noir")
	works(t, "a good password", err)
	_, err = w.Login(w.stranger(), identity.SignIn{Account: "ada@localhost", Password: "cafe\u0301 au lait noir"})
	works(t, "the same, typed elsewhere", err)
}

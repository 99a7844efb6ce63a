package identity_test

import (
	"testing"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
)

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
	if ok, denied := w.records("user.password", audit.OK), w.records("user.password", audit.Deny); ok != 1 || denied != 6 {
		t.Errorf("%d changes and %d denials are in the audit, want 1 and 6", ok, denied)
	}
}

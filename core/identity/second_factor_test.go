package identity_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
)

// enrol sets up an authenticator app for whoever acts in ctx, and returns its
// secret and the recovery codes.
func (w *world) enrol(ctx context.Context) (secret string, codes []string) {
	w.t.Helper()
	works(w.t, "begin", w.BeginTOTP(ctx))
	begun, err := w.PendingTOTP(ctx, "Clinic")
	works(w.t, "the secret", err)
	codes, err = w.ConfirmTOTP(ctx, w.code(begun.Secret, 0))
	works(w.t, "confirm", err)
	return begun.Secret, codes
}

// code is what the app shows some steps from now.
func (w *world) code(secret string, steps int) string {
	w.t.Helper()
	code, err := totp.GenerateCode(secret, w.clock.now().Add(time.Duration(steps)*30*time.Second))
	works(w.t, "a code", err)
	return code
}

// codeOf is the code of a fault, "" for none.
func codeOf(err error) string {
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f.Code
	}
	return ""
}

// A password alone starts nothing, and each code counts once, within a step of now.
func TestSecondFactor(t *testing.T) {
	w := newWorld(t)
	other := w.setUp()
	g := w.login("mara@example.com")
	secret, codes := w.enrol(w.as(g))
	if len(codes) != 10 {
		t.Errorf("%d recovery codes come with the first factor", len(codes))
	}
	if _, err := w.bearer(other.Secret); err == nil {
		t.Error("a session from before the factor goes on")
	}
	in := signIn("mara@example.com", password)
	for _, step := range []struct {
		what, code, want string
	}{
		{"no code", "", "auth.mfa_required"},
		{"the code it was confirmed by", w.code(secret, 0), "auth.factor"},
		{"a code two steps early", w.code(secret, 2), "auth.factor"},
		{"a code of the next step", w.code(secret, 1), ""},
		{"the same again", w.code(secret, 1), "auth.factor"},
		{"a recovery code of nobody", "aaaa-aaaa-aaaa", "auth.factor"},
	} {
		in.Code = step.code
		if _, err := w.Login(w.stranger(), in); codeOf(err) != step.want {
			t.Errorf("%s: %v, want %q", step.what, err, step.want)
		}
	}
	w.clock.move(2 * time.Hour)
	in.Code = codes[3]
	got, err := w.Login(w.stranger(), in)
	works(t, "a recovery code", err)
	if got.Session.Factor != identity.FactorRecovery {
		t.Errorf("the session was shown %q", got.Session.Factor)
	}
	if _, err := w.Login(w.stranger(), in); codeOf(err) != "auth.factor" {
		t.Errorf("the same recovery code again: %v", err)
	}
	renewed, err := w.RenewRecoveryCodes(w.as(got))
	works(t, "new recovery codes", err)
	w.clock.move(2 * time.Hour)
	in.Code = codes[4]
	if _, err := w.Login(w.stranger(), in); codeOf(err) != "auth.factor" {
		t.Errorf("a recovery code that was voided: %v", err)
	}
	w.clock.move(2 * time.Hour)
	in.Code = renewed[0]
	_, err = w.Login(w.stranger(), in)
	works(t, "a renewed recovery code", err)
}

// The password alone wipes out no failures: only the second factor does.
func TestSecondFactorIsThrottledAndResetsTheCount(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	secret, _ := w.enrol(w.as(w.login("mara@example.com")))
	in := signIn("mara@example.com", password)
	wrong := in
	wrong.Code = "000000"
	var last error
	for range 12 {
		_, last = w.Login(w.stranger(), wrong)
	}
	if codeOf(last) != "auth.throttled" {
		t.Fatalf("codes can be guessed on and on: %v", last)
	}
	w.clock.move(time.Hour)
	in.Code = w.code(secret, 0)
	_, err := w.Login(w.stranger(), in)
	works(t, "the right code after the pause", err)
	for range 4 {
		if _, err := w.Login(w.stranger(), wrong); codeOf(err) != "auth.factor" {
			t.Fatalf("the count was not reset: %v", err)
		}
	}
}

// Guesses from elsewhere keep nobody out who comes from where they always come from.
func TestStrangersLockNobodyOut(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	elsewhere := actor.WithAddress(t.Context(), "203.0.113.66")
	for range 20 {
		_, _ = w.Login(elsewhere, signIn("mara@example.com", "a guess of somebody"))
	}
	if _, err := w.Login(elsewhere, signIn("mara@example.com", password)); codeOf(err) != "auth.throttled" {
		t.Errorf("the stranger may go on: %v", err)
	}
	_, err := w.Login(w.stranger(), signIn("mara@example.com", password))
	works(t, "Mara, from where she signed in before", err)
}

// Past the grace a session without the factor that is required carries nothing,
// and gets everything once it is set up.
func TestRequiredFactor(t *testing.T) {
	demands := identity.DefaultDemands()
	w := newWorld(t, func(c *identity.Config) { c.Demands = func() identity.Demands { return demands } })
	g := w.setUp()
	if g.User.FactorDue == nil || !g.User.FactorDue.Equal(w.clock.now().Add(demands.Grace)) {
		t.Errorf("an administrator's factor is due %v", g.User.FactorDue)
	}
	w.person("emile@example.com", "Emile", "viewer")
	if e := w.login("emile@example.com"); e.User.FactorDue != nil {
		t.Errorf("somebody without sensitive traits must have a factor by %v", e.User.FactorDue)
	}
	w.clock.move(demands.Grace)
	g = w.login("mara@example.com")
	who, err := w.bearer(g.Secret)
	if err != nil || !who.Credential.Limited || !who.Traits.Empty() {
		t.Fatalf("past the grace: %+v, %v", who.Credential, err)
	}
	ctx := w.as(g)
	w.enrol(ctx)
	if who, err = w.bearer(g.Secret); err != nil || who.Credential.Limited || who.Traits.Empty() {
		t.Errorf("with the factor: %+v, %v", who.Credential, err)
	}
	if err := w.RemoveTOTP(w.as(g)); codeOf(err) != "factor.last" {
		t.Errorf("the only required factor is removed: %v", err)
	}
	demands.SecondFactor = identity.FactorOfNobody
	works(t, "remove what nobody requires", w.RemoveTOTP(w.as(g)))
}

// A proof lasts ten minutes, and a new one is taken by password or code.
func TestStepUp(t *testing.T) {
	w := newWorld(t)
	w.setUp()
	g := w.login("mara@example.com")
	secret, _ := w.enrol(w.as(g))
	w.clock.move(10 * time.Minute)
	if err := w.Fresh(actor.From(w.as(g))); codeOf(err) != "auth.step_up" {
		t.Fatalf("an old proof: %v", err)
	}
	for what, shown := range map[string]identity.Evidence{
		"nothing": {}, "a wrong password": {Password: "another one entirely"}, "a wrong code": {Code: "123"}, "no passkey": {Passkey: []byte("{}")},
	} {
		if _, err := w.StepUp(w.as(g), shown); codeOf(err) != "auth.proof" {
			t.Errorf("%s: %v", what, err)
		}
	}
	w.clock.move(20 * time.Minute)
	for what, shown := range map[string]identity.Evidence{"the password": {Password: password}, "a code": {Code: w.code(secret, 0)}} {
		_, err := w.StepUp(w.as(g), shown)
		works(t, what, err)
		works(t, "what is dangerous after "+what, w.Fresh(actor.From(w.as(g))))
	}
	if n := w.records("auth.step_up", audit.OK); n != 2 {
		t.Errorf("%d step-ups are in the audit", n)
	}
}

// An account for emergencies opens with a reason only, for an hour, and is heard of.
func TestBreakGlass(t *testing.T) {
	w := newWorld(t, func(c *identity.Config) { c.LocalLogin = func() bool { return false } })
	token, err := w.NewSetupToken(w.stranger())
	works(t, "token", err)
	mara, err := w.CompleteSetup(w.stranger(), token, "mara@example.com", "Mara", password)
	works(t, "set up", err)
	admin := actor.With(w.stranger(), mara.Actor(actor.Credential{Kind: identity.CredentialSession}))
	made, err := w.MakeBreakGlass(admin, identity.NewBreakGlass{Account: "glass@example.com"})
	works(t, "make", err)
	in := identity.Emergency{Account: "glass@example.com", Password: made.Password, Reason: "Nothing else lets anybody in."}
	for what, bad := range map[string]identity.Emergency{
		"no reason":         {Account: in.Account, Password: in.Password},
		"a wrong password":  {Account: in.Account, Password: "wrong", Reason: in.Reason},
		"somebody ordinary": {Account: "mara@example.com", Password: password, Reason: in.Reason},
	} {
		if _, err := w.BreakTheGlass(w.stranger(), bad); err == nil {
			t.Errorf("%s breaks the glass", what)
		}
	}
	g, err := w.BreakTheGlass(w.stranger(), in)
	works(t, "break the glass although passwords are switched off", err)
	if life := g.Session.ExpiresAt.Sub(w.clock.now()); life != time.Hour {
		t.Errorf("its session lasts %v", life)
	}
	if n := w.records("auth.break_glass", audit.OK); n != 1 {
		t.Errorf("%d rows of the use", n)
	}
	alerts, err := w.BreakGlassAlerts(admin)
	if err != nil || len(alerts) != 1 || alerts[0].Reason != in.Reason || !alerts[0].Open {
		t.Fatalf("alerts %+v, %v", alerts, err)
	}
	if err := w.AcknowledgeBreakGlass(w.as(g), alerts[0].Session); codeOf(err) != "break_glass.self" {
		t.Errorf("it acknowledges itself: %v", err)
	}
	works(t, "acknowledge", w.AcknowledgeBreakGlass(admin, alerts[0].Session))
	if _, err := w.RotateBreakGlass(admin, made.User.ID, time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.bearer(g.Secret); err == nil {
		t.Error("its session outlives the seal")
	}
	if _, err := w.BreakTheGlass(w.stranger(), in); err == nil {
		t.Error("the old password opens it still")
	}
	if _, err := w.Suspend(w.core(), mara.ID, ""); codeOf(err) != "identity.last_admin" {
		t.Errorf("an account for emergencies counts as the last administrator: %v", err)
	}
}

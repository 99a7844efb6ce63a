package sso_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/sso"
)

// signedIn is somebody who came by the provider, in a session as old as it says.
func (w *world) signedIn() (context.Context, sso.Outcome) {
	w.t.Helper()
	out, err := w.login()
	must(w.t, err)
	who := out.Grant.User.Actor(actor.Credential{Kind: "session", ID: out.Grant.Session.ID.String()})
	return actor.With(w.stranger(), who), out
}

// provedAt is when the session of somebody counts as proved.
func (w *world) provedAt(ctx context.Context, user uuid.UUID) time.Time {
	w.t.Helper()
	all, err := w.people.Sessions(ctx, user)
	must(w.t, err)
	if len(all) != 1 {
		w.t.Fatalf("%d sessions, want 1", len(all))
	}
	return all[0].ProvedAt
}

// A session is as well proved as the provider says: a silent sign-in hours after
// the person was asked there does nothing dangerous.
func TestASignInIsAsOldAsTheProviderSays(t *testing.T) {
	for name, c := range map[string]struct {
		authTime func(now time.Time) any
		want     func(now time.Time) time.Time
	}{
		"asked just now":         {func(now time.Time) any { return now.Unix() }, func(now time.Time) time.Time { return time.Unix(now.Unix(), 0) }},
		"asked three hours ago":  {func(now time.Time) any { return now.Add(-3 * time.Hour).Unix() }, func(now time.Time) time.Time { return time.Unix(now.Add(-3*time.Hour).Unix(), 0) }},
		"a clock one minute off": {func(now time.Time) any { return now.Add(time.Minute).Unix() }, func(now time.Time) time.Time { return now }},
		"not said":               {func(time.Time) any { return nil }, func(time.Time) time.Time { return time.Unix(0, 0) }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.op.Edit = claims{"auth_time": c.authTime(w.now)}
			ctx, out := w.signedIn()
			if got, want := w.provedAt(ctx, out.Grant.User.ID), c.want(w.now).Truncate(time.Microsecond); !got.Equal(want) {
				t.Errorf("counts as proved at %s, want %s", got, want)
			}
		})
	}
}

// Who proves again that it is them must have been asked since, must be the same
// person, and must come back to the same session.
func TestProvingItAgain(t *testing.T) {
	for name, c := range map[string]struct {
		edit    func(*sso.Draft)
		claims  func(now time.Time) claims
		subject string
		want    string // code; "": proved
	}{
		"asked now":                   {claims: func(now time.Time) claims { return claims{"auth_time": now.Unix()} }},
		"asked three minutes before":  {claims: func(now time.Time) claims { return claims{"auth_time": now.Add(-3 * time.Minute).Unix()} }, want: "sso.not_asked"},
		"not said":                    {claims: func(time.Time) claims { return nil }, want: "sso.not_asked"},
		"not said, and trusted":       {edit: func(d *sso.Draft) { d.Options.TrustPrompt = true }, claims: func(time.Time) claims { return nil }},
		"trusted, yet said to be old": {edit: func(d *sso.Draft) { d.Options.TrustPrompt = true }, claims: func(now time.Time) claims { return claims{"auth_time": now.Add(-time.Hour).Unix()} }, want: "sso.not_asked"},
		"in the future":               {claims: func(now time.Time) claims { return claims{"auth_time": now.Add(time.Hour).Unix()} }, want: "sso.refused"},
		"no number":                   {edit: func(d *sso.Draft) { d.Options.TrustPrompt = true }, claims: func(time.Time) claims { return claims{"auth_time": "now"} }, want: "sso.refused"},
		"in capitals":                 {claims: func(now time.Time) claims { return claims{"AUTH_TIME": now.Unix()} }, want: "sso.not_asked"},
		"somebody else":               {claims: func(now time.Time) claims { return claims{"auth_time": now.Unix(), "email": "eve@analytical.test"} }, subject: "eve", want: "identity.another"},
	} {
		t.Run(name, func(t *testing.T) {
			edit := func(*sso.Draft) {}
			if c.edit != nil {
				edit = c.edit
			}
			w := newWorld(t, edit)
			ctx, out := w.signedIn()
			before := w.provedAt(ctx, out.Grant.User.ID)
			w.now = w.now.Add(20 * time.Minute)
			back := w.start(ctx, sso.Again)
			w.op.Edit = c.claims(w.now)
			if c.subject != "" {
				w.op.Subject = c.subject
			}
			again, err := w.Finish(ctx, "op", back)
			got := ""
			if err != nil {
				got = fault.Of(err).Code
			}
			if got != c.want || again.Grant.Secret != "" {
				t.Fatalf("answers %v with session %q, want %q and none", err, again.Grant.Secret, c.want)
			}
			if now := w.provedAt(ctx, out.Grant.User.ID); now.After(before) != (c.want == "") {
				t.Errorf("counts as proved at %s, before at %s", now, before)
			}
		})
	}
	w := newWorld(t)
	ctx, _ := w.signedIn()
	back := w.start(ctx, sso.Again)
	w.op.Edit = claims{"auth_time": w.now.Unix()}
	if _, err := w.Finish(w.stranger(), "op", back); fault.Of(err).Code != "sso.state" {
		t.Errorf("the proof of a session comes back without it: %v", err)
	}
}

// Whoever is to prove it is asked by the provider, and it is to say when.
func TestTheProviderIsToldToAsk(t *testing.T) {
	w := newWorld(t, func(d *sso.Draft) { d.Options.FactorACR = []string{"urn:mfa", "urn:hw"} })
	ctx, _ := w.signedIn()
	for purpose, want := range map[sso.Purpose]url.Values{
		sso.Login: {"acr_values": {"urn:mfa urn:hw"}},
		sso.Again: {"acr_values": {"urn:mfa urn:hw"}, "prompt": {"login"}, "max_age": {"0"}},
		sso.Link:  {"acr_values": {"urn:mfa urn:hw"}, "prompt": {"login"}, "max_age": {"0"}},
	} {
		leave, err := w.Start(ctx, "op", purpose, "", "/console")
		must(t, err)
		to, err := url.Parse(leave.To)
		must(t, err)
		for _, name := range []string{"acr_values", "prompt", "max_age"} {
			if got := to.Query().Get(name); got != want.Get(name) {
				t.Errorf("%s: %s is %q, want %q", purpose, name, got, want.Get(name))
			}
		}
	}
	if _, err := w.Start(w.stranger(), "op", sso.Again, "", ""); fault.Of(err).Code != "auth.required" {
		t.Errorf("a stranger proves again who they are: %v", err)
	}
}

// A second factor counts by the values that stand in the settings, as the provider
// signs them, and by nothing else.
func TestWhatCountsAsASecondFactor(t *testing.T) {
	none, both := func(*sso.Draft) {}, func(d *sso.Draft) {
		d.Options.FactorAMR, d.Options.FactorACR = []string{"mfa", "hwk"}, []string{"urn:mfa"}
	}
	for name, c := range map[string]struct {
		edit   func(*sso.Draft)
		claims claims
		want   string
	}{
		"nothing configured":   {none, claims{"amr": []string{"pwd", "otp", "mfa"}, "acr": "urn:mfa"}, ""},
		"a configured amr":     {both, claims{"amr": []string{"pwd", "hwk"}}, "provider"},
		"another amr":          {both, claims{"amr": []string{"pwd", "otp"}}, ""},
		"amr in capitals":      {both, claims{"amr": []string{"MFA"}}, ""},
		"amr as one text":      {both, claims{"amr": "mfa"}, ""},
		"amr inside of an amr": {both, claims{"amr": [][]string{{"mfa"}}}, ""},
		"a configured acr":     {both, claims{"acr": "urn:mfa"}, "provider"},
		"another acr":          {both, claims{"acr": "urn:mfa:not"}, ""},
		"an acr as a list":     {both, claims{"acr": []string{"urn:mfa"}}, ""},
		"nothing said":         {both, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, c.edit)
			w.op.Edit = c.claims
			out, err := w.login()
			must(t, err)
			if got := out.Grant.Session.Factor; got != c.want {
				t.Errorf("the session has the factor %q, want %q", got, c.want)
			}
		})
	}
}

// O07: whatever session a browser brought along, another one begins, and the one
// that it brought ends.
func TestASignInFixesNoSession(t *testing.T) {
	w := newWorld(t)
	_, first := w.signedIn()
	for name, planted := range map[string]string{"a session of before": first.Grant.Secret, "a planted one": "vvs_" + strings.Repeat("A", 43), "none at all": "", "no secret": "<b>"} {
		back := w.start(w.stranger(), sso.Login)
		back.Previous = planted
		out, err := w.Finish(w.stranger(), "op", back)
		must(t, err)
		if out.Grant.Secret == "" || out.Grant.Secret == planted {
			t.Errorf("%s: the session is %q", name, out.Grant.Secret)
		}
		if _, err := w.people.Prove(w.stranger(), identity.Credentials{Authorization: []string{"Bearer " + planted}}); planted != "" && err == nil {
			t.Errorf("%s is good after the sign-in", name)
		}
	}
}

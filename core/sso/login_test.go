package sso_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/sso"
	"github.com/vivified/vivified/core/trait"
)

// as is a context in which a person acts by a session.
func (w *world) as(u identity.User, session uuid.UUID) context.Context {
	return actor.With(w.stranger(), u.Actor(actor.Credential{Kind: identity.CredentialSession, ID: session.String(), Proved: w.now}))
}

// The first sign-in makes the person with the mapped role, a removed group takes the
// role away at the next and ends what was open, and a role given by hand stays.
func TestMappedRolesFollowTheClaims(t *testing.T) {
	w := newWorld(t)
	first, err := w.login()
	must(t, err)
	u := first.Grant.User
	if u.Source != "oidc" || u.Email != "ada@analytical.test" || !u.Traits.Has(trait.AuditViewer) {
		t.Fatalf("the first sign-in made %+v", u)
	}
	if u, err = w.people.SetRoles(w.admin, u.ID, []identity.RoleGrant{{Role: "viewer"}}); err != nil {
		t.Fatal(err)
	}
	held, err := w.people.Effective(w.admin, u.ID)
	must(t, err)
	i := slices.IndexFunc(held, func(h identity.Held) bool { return h.Trait.ID == trait.AuditViewer })
	if from := held[i].From[0]; from.From != identity.FromProvider || from.Provider != "op" || from.Name != "auditor" {
		t.Errorf("where it comes from: %+v", from)
	}
	second, err := w.login()
	must(t, err)
	w.op.Edit = claims{"groups": []string{}}
	third, err := w.login()
	must(t, err)
	u = third.Grant.User
	if u.Traits.Has(trait.AuditViewer) || !u.Traits.Has(trait.Viewer) {
		t.Errorf("after the group was removed the person has %v", trait.Builtin().Names(u.Traits))
	}
	open, err := w.people.Sessions(w.admin, u.ID)
	must(t, err)
	if len(open) != 1 || open[0].ID != third.Grant.Session.ID {
		t.Errorf("%d sessions are open, want the last alone; the one before was %s", len(open), second.Grant.Session.ID)
	}
	if third.Grant.Session.Method != identity.MethodOIDC || third.Grant.Session.Factor != "" {
		t.Errorf("the session says %q, %q", third.Grant.Session.Method, third.Grant.Session.Factor)
	}
}

// An address is no identity: whoever owns it at a provider does not get the account
// here, until both sides were proved.
func TestAnAddressTakesNoAccountOver(t *testing.T) {
	w := newWorld(t)
	link, err := w.people.Invite(w.admin, identity.Invitation{Email: "ada@analytical.test", Name: "Ada Local", Roles: []identity.RoleGrant{{Role: "viewer"}}})
	must(t, err)
	local, err := w.people.AcceptInvitation(w.stranger(), link.Secret, "", "correct horse battery staple")
	must(t, err)
	out, err := w.login()
	if f := fault.Of(err); f.Code != "identity.email_taken" || f.Kind != fault.Denied || out.Grant.Secret != "" {
		t.Fatalf("the account was taken over, or the refusal is another: %v", err)
	}
	a := w.last()
	if !a.Linkable() || a.Subject != "ada" || !strings.Contains(a.Fix, "link") {
		t.Errorf("the attempt cannot be linked: %+v", a)
	}

	// The person proves both: signed in here, then there.
	self := w.as(local, uuid.Must(uuid.NewV7()))
	back := w.start(self, sso.Link)
	if _, err := w.Finish(w.as(identity.User{ID: uuid.Must(uuid.NewV7()), Tenant: actor.DefaultTenant}, uuid.Must(uuid.NewV7())), "op", back); fault.Of(err).Code != "sso.state" {
		t.Errorf("somebody else's session ends the link: %v", err)
	}
	if _, err := w.Finish(self, "op", w.start(self, sso.Link)); err != nil {
		t.Fatal(err)
	}
	out, err = w.login()
	if err != nil || out.Grant.User.ID != local.ID {
		t.Errorf("after linking %v signs in: %v", out.Grant.User.Email, err)
	}
	// An identity is one person's.
	if err := w.people.Link(w.admin, uuid.Must(uuid.NewV7()), identity.Vouched{Issuer: w.op.URL, Subject: "ada", Gives: identity.External{Provider: "op"}}); !fault.Is(err, fault.NotFound) {
		t.Errorf("a link with nobody: %v", err)
	}
	w.op.Subject = "eve"
	w.op.Edit = claims{"email": "eve@analytical.test"}
	eve, err := w.login()
	must(t, err)
	if err := w.people.Link(w.admin, eve.Grant.User.ID, identity.Vouched{Issuer: w.op.URL, Subject: "ada", Gives: identity.External{Provider: "op"}}); fault.Of(err).Code != "identity.linked" {
		t.Errorf("a second link of one identity: %v", err)
	}
	linked, err := w.people.Linked(w.admin, local.ID)
	must(t, err)
	if err := w.people.Unlink(w.admin, local.ID, linked[0].ID); err != nil {
		t.Fatal(err)
	}
	if u, err := w.people.User(w.admin, local.ID); err != nil || u.Traits.Has(trait.AuditViewer) {
		t.Errorf("what the provider gave stayed after unlinking: %v", err)
	}
}

// Who may come: by the settings of the provider.
func TestWhoMayCome(t *testing.T) {
	for name, c := range map[string]struct {
		edit   func(*sso.Draft)
		claims claims
		want   string
	}{
		"nobody new":                {func(d *sso.Draft) { d.Options.Create = false }, nil, "identity.unlinked"},
		"an unverified address":     {nil, claims{"email_verified": false}, "sso.email"},
		"nothing said of it":        {nil, claims{"email_verified": nil}, "sso.email"},
		"nothing said, but trusted": {func(d *sso.Draft) { d.Options.TrustEmail = true }, claims{"email_verified": nil}, ""},
		"no address":                {nil, claims{"email": nil}, "identity.email_missing"},
		"another domain":            {func(d *sso.Draft) { d.Domains = []string{"example.com"} }, nil, "sso.domain"},
		"a domain that ends alike":  {func(d *sso.Draft) { d.Domains = []string{"tical.test"} }, nil, "sso.domain"},
		"its domain":                {func(d *sso.Draft) { d.Domains = []string{"analytical.test"} }, nil, ""},
		"switched off":              {func(d *sso.Draft) { d.Enabled = false }, nil, "sso.unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			edit := c.edit
			if edit == nil {
				edit = func(*sso.Draft) {}
			}
			w := newWorld(t, edit)
			w.op.Edit = c.claims
			leave, err := w.Start(w.stranger(), "op", sso.Login, "", "")
			if err == nil {
				_, err = w.Finish(w.stranger(), "op", sso.Return{Query: w.op.authorize(leave.To), Browser: leave.Browser})
			}
			if got := ""; err != nil {
				got = fault.Of(err).Code
				if got != c.want {
					t.Errorf("answers %v, want %q", err, c.want)
				}
			} else if c.want != got {
				t.Errorf("lets them in, want %q", c.want)
			}
		})
	}
}

// A test goes all the way, keeps its claims for the tester, and makes nobody.
func TestATestMakesNoSession(t *testing.T) {
	w := newWorld(t)
	link, err := w.people.Invite(w.admin, identity.Invitation{Email: "mara@example.com", Name: "Mara", Roles: []identity.RoleGrant{{Role: "user-manager"}}})
	must(t, err)
	mara, err := w.people.AcceptInvitation(w.stranger(), link.Secret, "", "correct horse battery staple")
	must(t, err)
	self := w.as(mara, uuid.Must(uuid.NewV7()))
	out, err := w.Finish(self, "op", w.start(self, sso.Test))
	if err != nil || out.Grant.Secret != "" {
		t.Fatalf("a test: %v, %q", err, out.Grant.Secret)
	}
	a, err := w.Attempt(w.admin, out.Attempt)
	must(t, err)
	var steps []string
	for _, s := range a.Steps {
		steps = append(steps, s.Name)
	}
	if diff := cmp.Diff([]string{"discovery", "return", "code", "token", "proof", "mapping", "person"}, steps); diff != "" || !a.OK {
		t.Errorf("the steps differ (-want +got):\n%s", diff)
	}
	page, err := w.people.Users(w.admin, identity.UserFilter{})
	must(t, err)
	if len(page.Users) != 1 {
		t.Errorf("a test made %d people", len(page.Users)-1)
	}
	doc, _, err := w.LastClaims(w.admin, "op")
	must(t, err)
	m, err := w.DryRun(w.admin, doc, []sso.Rule{{Claim: "groups", Match: sso.Equals, Value: "Auditors", Kind: sso.Role, Give: "auditor"}})
	must(t, err)
	if len(m.Mapped) != 0 || !strings.Contains(m.Rules[0].Why, "capital letters") {
		t.Errorf("the tester says %+v", m)
	}
	if shown := doc.Masked(nil); strings.Contains(shown, `"s1"`) || !strings.Contains(shown, `"sub": "ada"`) {
		t.Errorf("the claims are shown as %s", shown)
	}
}

// Every refusal is one row that says who refused whom and why, and no secret.
func TestRefusalsAreRecorded(t *testing.T) {
	w := newWorld(t)
	w.op.Edit = claims{"nonce": "another"}
	_, _ = w.login()
	if len(w.record.entries) != 1 {
		t.Fatalf("%d rows, want 1: %+v", len(w.record.entries), w.record.entries)
	}
	e := w.record.entries[0]
	if e.Action != "auth.denied" || e.Outcome != audit.Deny || e.Object != "sso/op" || e.Rule != "sso.refused" {
		t.Errorf("the row is %+v", e)
	}
}

// A user manager maps only what they could give by hand, and a secret does not
// follow a provider to another issuer.
func TestWhoeverMapsGivesWhatTheyMay(t *testing.T) {
	w := newWorld(t)
	manager := actor.With(w.stranger(), actor.Actor{Kind: actor.User, ID: uuid.Must(uuid.NewV7()).String(), Tenant: actor.DefaultTenant, Traits: trait.Builtin().Effective(trait.SetOf(trait.UserManager))})
	p, err := w.Provider(manager, "op")
	must(t, err)
	d := p.Draft()
	d.Rules = []sso.Rule{{Claim: "groups", Match: sso.Present, Kind: sso.Role, Give: "admin"}}
	if _, err := w.Update(manager, "op", d); fault.Of(err).Code != "identity.escalation" {
		t.Errorf("a user manager maps administrators: %v", err)
	}
	d = p.Draft()
	d.Issuer = "https://other.example.com"
	if p, err = w.Update(w.admin, "op", d); err != nil || p.SecretAt != nil {
		t.Errorf("the secret went to another issuer: %v, %v", p.SecretAt, err)
	}
	d.Version = new(int64)
	if _, err := w.Update(w.admin, "op", d); fault.Of(err).Code != "sso.version" {
		t.Errorf("an old version: %v", err)
	}
}

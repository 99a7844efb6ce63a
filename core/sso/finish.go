package sso

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/url"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/db"
)

// Return is what a browser brings back from a provider.
type Return struct {
	Query     url.Values
	Browser   string // value of the cookie that Start gave
	UserAgent string
	Previous  string // the session cookie
}

// Outcome is what came of a return.
type Outcome struct {
	Purpose Purpose
	Grant   identity.Grant // of a login
	Next    string
	Attempt uuid.UUID // zero when it was none of ours
}

// Finish ends a sign-in by a provider. Its faults are what the person is told; the
// attempt keeps what whoever runs this needs. A fault comes with an Outcome that
// says what the return was for, when it was one of ours.
func (s *Service) Finish(ctx context.Context, id string, back Return) (Outcome, error) {
	forgive, err := s.People.CountReturn(ctx)
	if err != nil {
		return Outcome{}, err
	}
	flow, err := s.takeFlow(ctx, id, back)
	if err != nil {
		if fault.Is(err, fault.Invalid) {
			err = s.denied(ctx, id, err)
		}
		return Outcome{}, err
	}
	out := Outcome{Purpose: Purpose(flow.Purpose), Next: flow.Next}
	if err := s.sameUser(ctx, flow); err != nil {
		return out, s.denied(ctx, id, err)
	}
	p, err := s.usable(ctx, id, out.Purpose)
	if err != nil {
		return out, err
	}
	t := s.trace(ctx, id, out.Purpose)
	out.Attempt = t.ID
	who, err := s.vouched(ctx, p, flow, back, t)
	if err == nil {
		out.Grant, err = s.conclude(ctx, p, flow, back, who, t)
	}
	t.OK = err == nil
	s.keep(ctx, t)
	switch f := fault.Of(err); {
	case err == nil:
		forgive(ctx)
	case f.Kind == fault.Unavailable:
		forgive(ctx) // not for the person to answer for
	case f.Kind != fault.Internal:
		err = s.denied(ctx, id, err)
	}
	return out, err
}

// takeFlow ends the sign-in that a return answers: once, in the browser it was
// started in, in time.
func (s *Service) takeFlow(ctx context.Context, id string, back Return) (db.SSOFlow, error) {
	bad := func(why string) error {
		return fault.New(fault.Invalid, "sso.state", "This sign-in was not started in this browser, took too long or was used already. Start again.").Because(errors.New(why))
	}
	state, err := single(back.Query, "state")
	if err != nil || !isRandom(state) {
		return db.SSOFlow{}, bad("no state")
	}
	if !isRandom(back.Browser) {
		return db.SSOFlow{}, bad("no cookie of this browser")
	}
	flow, err := db.New(s.Pool).SSOFlowTake(ctx, hashOf(state))
	if errors.Is(err, pgx.ErrNoRows) {
		return flow, bad("unknown or used state")
	}
	if err != nil {
		return flow, db.Fault(err)
	}
	switch {
	case subtle.ConstantTimeCompare(flow.Browser, hashOf(back.Browser)) != 1:
		return flow, bad("state of another browser")
	case flow.Provider != id:
		return flow, bad("state of another provider")
	case !s.now().Before(flow.ExpiresAt):
		return flow, bad("state ran out")
	}
	return flow, nil
}

// sameUser refuses whatever is not a login and comes back to somebody else's session.
func (s *Service) sameUser(ctx context.Context, flow db.SSOFlow) error {
	if flow.UserID == nil || actor.From(ctx).ID == flow.UserID.String() {
		return nil
	}
	return fault.New(fault.Invalid, "sso.state", "You are signed in as somebody else than when this was started. Start again.").Because(errors.New("another person's session"))
}

// denied puts a refused return on record.
func (s *Service) denied(ctx context.Context, id string, err error) error {
	f := fault.Of(err)
	e := audit.Entry{Action: "auth.denied", Object: "sso/" + id, Outcome: audit.Deny, Rule: f.Code, Detail: map[string]any{
		"method": identity.MethodOIDC, "provider": id, "credential": "oidc", "reason": causeOf(f),
	}}
	if failed := s.Record.Decide(ctx, e); failed != nil {
		return failed
	}
	return err
}

// causeOf is why something failed, for those who run this.
func causeOf(f *fault.Fault) string {
	if f.Cause != nil {
		return clip(strings.Map(printableRune, f.Cause.Error()))
	}
	return f.Sentence
}

// conclude does what a sign-in was for.
func (s *Service) conclude(ctx context.Context, p Provider, flow db.SSOFlow, back Return, who vouched, t *tracing) (identity.Grant, error) {
	switch t.Purpose {
	case Test:
		t.step("person", "Find the person", s.wouldBe(ctx, p, who))
		t.User = flow.UserID
		return identity.Grant{}, nil
	case Link:
		t.User = flow.UserID
		if err := s.People.Link(ctx, *flow.UserID, who.external); err != nil {
			f := fault.Of(err)
			return identity.Grant{}, t.fail("person", "Link with the person", f.Sentence, "", f)
		}
		t.step("person", "Link with the person", "Linked.")
		return identity.Grant{}, nil
	}
	in := who.external
	if t.Purpose == Again {
		t.User = flow.UserID
		if err := s.People.StepUpExternal(ctx, in); err != nil {
			f := fault.Of(err)
			return identity.Grant{}, t.fail("person", "Compare with the person", f.Sentence, "", f)
		}
		t.step("person", "Compare with the person", "It is still them.")
		return identity.Grant{}, nil
	}
	in.UserAgent, in.Previous = back.UserAgent, back.Previous
	in.Create = p.Options.Create
	grant, came, err := s.People.LoginExternal(ctx, in, func(q *db.Queries, g identity.Grant) error { return s.noteSession(ctx, q, p, who, g) })
	if err != nil {
		f := fault.Of(err)
		if f.Kind == fault.Internal || f.Kind == fault.Unavailable {
			t.fail("person", "Find the person", f.Sentence, "", f)
			return grant, err
		}
		return grant, t.fail("person", "Find the person", f.Sentence, personFix[f.Code], f)
	}
	t.User = &grant.User.ID
	t.step("person", "Find the person", arrived(grant, came))
	return grant, nil
}

// personFix says what whoever runs this does about a refusal.
var personFix = map[string]string{
	"identity.unlinked":      "Link this identity with a person, or let this provider add people at their first sign-in.",
	"identity.email_taken":   "Make sure that it is the same person, then link this identity with their account; or let them do it under Account.",
	"identity.inactive":      "Let the person in again under Users, if they may.",
	"identity.email_missing": "Ask for the scope email, or name the claim that holds the address.",
}

// arrived says in words what a sign-in did.
func arrived(g identity.Grant, came identity.Arrival) string {
	var said []string
	if came.Created {
		said = append(said, "Added "+g.User.Name+".")
	} else {
		said = append(said, "It is "+g.User.Name+".")
	}
	if len(came.Gained) > 0 {
		said = append(said, "Gained "+strings.Join(came.Gained, ", ")+".")
	}
	if len(came.Lost) > 0 {
		said = append(said, "Lost "+strings.Join(came.Lost, ", ")+"; open sessions ended.")
	}
	return strings.Join(said, " ")
}

// wouldBe says what a sign-in would have done, for a test.
func (s *Service) wouldBe(ctx context.Context, p Provider, who vouched) string {
	name, err := s.People.LinkedName(ctx, who.external.Issuer, who.external.Subject)
	switch {
	case err == nil:
		return "This identity is " + name + ". A test makes no session."
	case p.Options.Create:
		return "Nobody is linked with this identity: its first sign-in adds a person. A test makes no session."
	}
	return "Nobody is linked with this identity, and this provider does not add people: a sign-in would be refused."
}

// single returns the one value of a parameter.
func single(q url.Values, name string) (string, error) {
	v := q[name]
	if len(v) != 1 {
		return "", errors.New(name + " is missing or stands several times")
	}
	return v[0], nil
}

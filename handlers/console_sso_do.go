package handlers

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/sso"
	"github.com/vivified/vivified/views"
)

// switchProvider handles POST /console/sso/:provider/on and /off.
func (s *Server) switchProvider(c echo.Context) error {
	p, err := s.providerOf(c)
	if err != nil {
		return err
	}
	d := p.Draft()
	d.Enabled = strings.HasSuffix(c.Path(), "/on")
	if _, err := s.SSO.Update(c.Request().Context(), p.ID, d); err != nil {
		return err
	}
	f := flash{Text: p.Name + " is switched off: nobody signs in by it, and sessions that are open stay."}
	if d.Enabled {
		f.Text = p.Name + " is switched on."
	}
	return s.done(c, f, views.SSOPath(p.ID))
}

// askDeleteProvider handles GET /console/sso/:provider/delete.
func (s *Server) askDeleteProvider(c echo.Context) error {
	return s.confirmDeleteProvider(c, http.StatusOK, "")
}

func (s *Server) confirmDeleteProvider(c echo.Context, status int, refused string) error {
	p, err := s.providerOf(c)
	if err != nil {
		return err
	}
	return ask(c, s.visit(c.Request()), status, providerFrame(p), views.Confirm{
		Title: "Delete " + p.Name + "?", Text: "Everybody who signs in by it alone is locked out. People stay, without what its claims gave them.", Typed: p.ID, Error: refused,
		Reach: []views.KV{{Label: "Ends at once", Value: "its sessions, links with people, roles and groups it gave"}}, Back: views.SSOPath(p.ID),
		Action: views.Action{Label: "Delete", Icon: "trash-2", Danger: true, Primary: true, Href: views.SSOPath(p.ID, "delete")},
	})
}

// deleteProvider handles POST /console/sso/:provider/delete.
func (s *Server) deleteProvider(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	if in.Get("typed") != c.Param("provider") {
		return s.confirmDeleteProvider(c, http.StatusUnprocessableEntity, "Type the id as it is shown.")
	}
	if err := s.SSO.Delete(c.Request().Context(), c.Param("provider")); err != nil {
		return err
	}
	if isPart(c.Request()) {
		s.keepFlash(c, flash{Text: "The provider is deleted."})
		c.Response().Header().Set("HX-Redirect", views.PathSSO)
		return c.NoContent(http.StatusOK)
	}
	return s.done(c, flash{Text: "The provider is deleted."}, views.PathSSO)
}

// checkProviderPage handles POST /console/sso/:provider/check.
func (s *Server) checkProviderPage(c echo.Context) error {
	p, err := s.providerOf(c)
	if err != nil {
		return err
	}
	found, err := s.SSO.Check(c.Request().Context(), p.ID)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	props, err := v.provider(c, p)
	if err != nil {
		return err
	}
	props.Found = &views.ProviderFound{Problem: found.Problem, Fix: found.Fix}
	if found.OK {
		props.Found.Facts = []views.KV{
			{Label: "Sign-in", Value: found.Authorization, Mono: true}, {Label: "Tokens", Value: found.Token, Mono: true},
			{Label: "Keys", Value: found.Keys + " (" + strconv.Itoa(found.SigningKeys) + ")", Mono: true}, {Label: "Sign-out", Value: found.EndSession, Mono: true},
			{Label: "Signs by", Value: strings.Join(found.Algorithms, ", ")}, {Label: "Back-channel logout", Value: onOff(found.Backchannel, "announced", "not announced")},
		}
	}
	return answerProvider(c, v, http.StatusOK, p, props)
}

// tryClaims handles POST /console/sso/:provider/try.
func (s *Server) tryClaims(c echo.Context) error {
	ctx := c.Request().Context()
	in, err := formOf(c)
	if err != nil {
		return err
	}
	p, err := s.providerOf(c)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	props, err := v.provider(c, p)
	if err != nil {
		return err
	}
	pasted := strings.TrimSpace(in.Get("claims"))
	props.Try.Claims = pasted
	if in.Get("last") != "" {
		pasted = ""
	} else if pasted == "" {
		pasted = "{}"
	}
	doc, err := s.claimsToTry(c, p, []byte(pasted))
	if f := fault.Of(err); err != nil {
		if !isForm(f) && f.Code != "sso.no_claims" {
			return err
		}
		props.Try.Error = f.Sentence
		return answerProvider(c, v, http.StatusUnprocessableEntity, p, props)
	}
	if in.Get("last") != "" {
		props.Try.Claims = doc.Masked(p.Reads())
	}
	m, err := s.SSO.DryRun(ctx, doc, p.Rules)
	if err != nil {
		return err
	}
	if props.Try.Result, err = v.claimsResult(c, m); err != nil {
		return err
	}
	return answerProvider(c, v, http.StatusOK, p, props)
}

// claimsResult writes what a mapping makes of claims.
func (v *visit) claimsResult(c echo.Context, m sso.Mapping) (*views.ClaimsResult, error) {
	names, err := v.giveNames(c.Request().Context())
	if err != nil {
		return nil, err
	}
	r := &views.ClaimsResult{Traits: m.Traits, Hints: m.Hints}
	for _, g := range m.Mapped {
		r.Gives = append(r.Gives, names[giveValue(g.Kind, g.Name)])
	}
	for _, j := range m.Rules {
		step := views.Step{Rule: j.Words, Verdict: views.NotApplied, Text: j.Why}
		if j.Matched {
			step.Verdict, step.Text = views.Pass, j.Why+" Gives "+names[giveValue(j.Rule.Kind, j.Rule.Give)]+"."
		}
		r.Rules = append(r.Rules, step)
	}
	return r, nil
}

// testSignIn handles POST /console/sso/:provider/test: it leads to the provider, and
// back to what was seen on the way.
func (s *Server) testSignIn(c echo.Context) error {
	return s.goTo(c, sso.Test, views.SSOPath(c.Param("provider")))
}

// linkSelf handles POST /console/account/identities/:provider/link.
func (s *Server) linkSelf(c echo.Context) error { return s.goTo(c, sso.Link, views.PathAccount) }

// goTo leads to a provider from a form. A form's answer must not lead elsewhere
// itself (form-action), so the page it answers with does.
func (s *Server) goTo(c echo.Context, purpose sso.Purpose, back string) error {
	leave, err := s.leave(c, purpose, "")
	if err != nil {
		f := fault.Of(err)
		if f.Kind != fault.Unavailable {
			return err
		}
		return s.done(c, flash{Tone: views.Danger, Text: f.Sentence + " Check the provider for the reason."}, back)
	}
	return going(c, s.visit(c.Request()), leave.To, "To the provider", "Sign in there; it leads you back here.")
}

// going has the browser go on to an address elsewhere.
func going(c echo.Context, v *visit, to, title, text string) error {
	if isPart(c.Request()) {
		c.Response().Header().Set("HX-Redirect", to)
		return c.NoContent(http.StatusOK)
	}
	c.Response().Header().Set("Refresh", "0; url="+to)
	return draw(c, v, http.StatusOK, views.GoingPage(title, text))
}

// unlinkSelf handles POST /console/account/identities/:identity/unlink.
func (s *Server) unlinkSelf(c echo.Context) error {
	id, err := ownID(c.Request().Context())
	if err != nil {
		return err
	}
	identity, _ := uuid.Parse(c.Param("identity")) // what is no id is nobody's
	if err := s.Identity.Unlink(c.Request().Context(), id, identity); err != nil {
		if f := fault.Of(err); f.Kind == fault.Conflict {
			return s.done(c, flash{Tone: views.Danger, Text: f.Sentence}, views.PathAccount)
		}
		return err
	}
	return s.done(c, flash{Text: "The identity is unlinked. Your other sessions have ended."}, views.PathAccount)
}

// unlinkUser handles POST /console/users/:id/identities/:identity/unlink.
func (s *Server) unlinkUser(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	id, _ := uuid.Parse(c.Param("identity")) // what is no id is nobody's
	if err := s.Identity.Unlink(c.Request().Context(), u.ID, id); err != nil {
		return err
	}
	return s.done(c, flash{Text: "The identity is unlinked from " + u.Name + ". Their sessions have ended."}, userPath(u))
}

// attemptPage handles GET /console/sso/:provider/attempts/:attempt.
func (s *Server) attemptPage(c echo.Context) error {
	return s.showAttemptPage(c, http.StatusOK, "", "")
}

func (s *Server) showAttemptPage(c echo.Context, status int, email, refused string) error {
	ctx := c.Request().Context()
	a, err := s.attemptOf(c)
	if err != nil {
		return err
	}
	p, err := s.providerOf(c)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	props := views.AttemptDetail{Provider: p.Name, OK: a.OK, Test: a.Purpose == sso.Test, Sentence: a.Sentence, Fix: a.Fix}
	for _, step := range a.Steps {
		verdict := views.Pass
		if !step.OK {
			verdict = views.Deny
		}
		props.Steps = append(props.Steps, views.Step{Rule: step.Title, Verdict: verdict, Text: step.Text})
	}
	props.Facts = []views.KV{{Label: "Time", Body: views.Zoned(a.At, views.Full)}, {Label: "For", Value: purposes[a.Purpose]}, {Label: "Account", Value: a.Account}}
	if a.Subject != "" {
		props.Facts = append(props.Facts, views.KV{Label: "Subject", Value: a.Subject, Mono: true}, views.KV{Label: "Issuer", Value: a.Issuer, Mono: true})
	}
	if a.User != nil {
		props.Facts = append(props.Facts, views.KV{Label: onOff(a.Purpose == sso.Test, "Tested by", "Person"), Value: v.nameOf(ctx, a.User.String()), Href: views.UserPath(a.User.String())})
	}
	props.Facts = append(props.Facts, views.KV{Label: "Address", Value: a.Address, Mono: true}, views.KV{Label: "Code", Value: a.Code, Mono: true}, views.KV{Label: "Id", Value: a.ID.String(), Mono: true, Copy: true})
	if props.Claims, err = s.maskedClaims(c, a); err != nil {
		return err
	}
	if a.Linkable() {
		if email == "" && strings.Contains(a.Account, "@") {
			email = a.Account
		}
		props.Link = &views.LinkPerson{Href: views.SSOPath(p.ID, "attempts", a.ID.String(), "link"), Email: views.Field{
			Name: "email", Label: "E-mail of the account here", Type: views.Email, Value: email, Error: refused, Required: true,
		}}
	}
	return answer(c, v, status, providerFrame(p, "Sign-in", ""), props, views.AttemptPage, views.AttemptBody)
}

// linkPerson handles POST /console/sso/:provider/attempts/:attempt/link.
func (s *Server) linkPerson(c echo.Context) error {
	ctx := c.Request().Context()
	in, err := formOf(c)
	if err != nil {
		return err
	}
	a, err := s.attemptOf(c)
	if err != nil {
		return err
	}
	email := strings.ToLower(strings.TrimSpace(in.Get("email")))
	page, err := s.Identity.Users(ctx, identity.UserFilter{Text: email, Limit: 200})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(page.Users, func(u identity.User) bool { return u.Email == email })
	if email == "" || i < 0 {
		return s.showAttemptPage(c, http.StatusUnprocessableEntity, email, "Nobody here has this address.")
	}
	if err := s.SSO.LinkAttempt(ctx, a.ID, page.Users[i].ID); err != nil {
		if f := fault.Of(err); isRefusal(f) {
			return s.showAttemptPage(c, http.StatusUnprocessableEntity, email, f.Sentence)
		}
		return err
	}
	return s.done(c, flash{Text: "Linked with " + page.Users[i].Name + ". They sign in by it from now on."}, views.UserPath(page.Users[i].ID.String()))
}

// identitiesOf lists the identities of a person; each can be unlinked below base.
func (v *visit) identitiesOf(ctx context.Context, id uuid.UUID, base string) ([]views.IdentityRow, error) {
	linked, err := v.Identity.Linked(ctx, id)
	if err != nil {
		return nil, err
	}
	var rows []views.IdentityRow
	for _, l := range linked {
		rows = append(rows, views.IdentityRow{
			Provider: l.ProviderName, Account: orElse(l.Email, l.Subject), Subject: l.Subject, Linked: l.LinkedAt, LastUsed: when(l.LastUsed),
			Unlink: views.Action{Label: "Unlink", Object: l.ProviderName, Danger: true, Href: base + "/" + l.ID.String() + "/unlink"},
		})
	}
	return rows, nil
}

// linkChoices are the providers somebody may link their own identity of.
func (v *visit) linkChoices(ctx context.Context) ([]views.Action, error) {
	ways, err := v.SSO.Buttons(ctx)
	if err != nil {
		return nil, err
	}
	var out []views.Action
	for _, w := range ways {
		out = append(out, views.Action{Label: "Link " + w.Name, Icon: "link", Href: views.PathIdentities + "/" + w.ID + "/link"})
	}
	return out, nil
}

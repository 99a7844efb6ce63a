package handlers

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/sso"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// consoleSSO are the pages of identity providers.
func (s *Server) consoleSSO() []route {
	people, admin := []trait.ID{trait.UserManager}, []trait.ID{trait.Admin}
	const one, attempt = views.PathSSO + "/:provider", views.PathSSO + "/:provider/attempts/:attempt"
	return []route{
		{method: get, path: views.PathSSO, who: users, needs: people, action: "sso.view", handler: s.ssoPage},
		{method: post, path: views.PathSSO + "/local", who: users, needs: admin, action: "config.write", fresh: true, handler: s.switchLocal, body: form},
		{method: get, path: views.PathSSO + "/new", who: users, needs: people, action: "sso.change", handler: s.newProvider},
		{method: post, path: views.PathSSO + "/new", who: users, needs: people, action: "sso.change", fresh: true, handler: s.saveProvider, body: 256 << 10},
		{method: get, path: one, who: users, needs: people, action: "sso.view", handler: s.providerPage},
		{method: get, path: one + "/edit", who: users, needs: people, action: "sso.change", handler: s.editProvider},
		{method: post, path: one + "/edit", who: users, needs: people, action: "sso.change", fresh: true, handler: s.saveProvider, body: 256 << 10},
		{method: post, path: one + "/on", who: users, needs: people, action: "sso.change", fresh: true, handler: s.switchProvider, body: form},
		{method: post, path: one + "/off", who: users, needs: people, action: "sso.change", fresh: true, handler: s.switchProvider, body: form},
		{method: get, path: one + "/delete", who: users, needs: people, action: "sso.change", handler: s.askDeleteProvider},
		{method: post, path: one + "/delete", who: users, needs: people, action: "sso.change", fresh: true, handler: s.deleteProvider, body: form},
		{method: post, path: one + "/check", who: users, needs: people, action: "sso.view", handler: s.checkProviderPage, body: form, slow: true},
		{method: post, path: one + "/try", who: users, needs: people, action: "sso.view", handler: s.tryClaims, body: 256 << 10},
		{method: post, path: one + "/test", who: users, needs: people, action: "sso.view", handler: s.testSignIn, body: form, slow: true},
		{method: get, path: attempt, who: users, needs: people, action: "sso.view", handler: s.attemptPage},
		{method: post, path: attempt + "/link", who: users, needs: people, action: "sso.link", fresh: true, handler: s.linkPerson, body: form},

		{method: post, path: views.PathUsers + "/:id/identities/:identity/unlink", who: users, needs: people, action: "sso.link", fresh: true, handler: s.unlinkUser, body: form},
		{method: post, path: views.PathIdentities + "/:provider/link", who: users, handler: s.linkSelf, body: form, fresh: true, slow: true},
		{method: post, path: views.PathIdentities + "/:identity/unlink", who: users, handler: s.unlinkSelf, body: form, fresh: true},
	}
}

// ssoPage handles GET /console/sso.
func (s *Server) ssoPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	providers, err := s.SSO.Providers(ctx)
	if err != nil {
		return err
	}
	props := views.SSO{Add: views.Action{Label: "Add a provider", Icon: "plus", Primary: true, Get: true, Href: views.PathSSO + "/new"}}
	for _, p := range providers {
		row := views.ProviderRow{ID: p.ID, Name: p.Name, Icon: p.Icon, Issuer: p.Issuer, On: p.Enabled, Rules: len(p.Rules)}
		last, err := s.SSO.Attempts(ctx, sso.AttemptFilter{Provider: p.ID, Limit: 1})
		if err != nil {
			return err
		}
		if len(last) > 0 {
			row.Last, row.LastOK, row.LastNote = last[0].At, last[0].OK, attemptNote(last[0])
		}
		props.Rows = append(props.Rows, row)
	}
	props.Local = v.localLogin(ctx)
	return answer(c, v, http.StatusOK, at(views.PathSSO, "People", "", "Single sign-on", ""), props, views.SSOPage, views.SSOBody)
}

// localLogin is whether passwords sign people in, and the way to change that.
func (v *visit) localLogin(ctx context.Context) views.LocalLogin {
	l := views.LocalLogin{On: v.Settings.Bool(settings.AuthLocalLogin), Rescue: v.Settings.Bool(settings.AuthLocalLoginRescue)}
	l.Switch = views.Action{Label: "Switch on", Icon: "power", Href: views.PathSSO + "/local", Fields: []views.Hidden{{Name: "on", Value: "true"}}}
	if l.On {
		l.Switch = views.Action{Label: "Switch off", Icon: "power-off", Danger: true, Href: views.PathSSO + "/local", Fields: []views.Hidden{{Name: "on", Value: "false"}}}
		if err := v.SSO.MayCloseLocal(ctx); err != nil {
			l.Switch.Why = &views.Why{Text: fault.Of(err).Sentence}
		}
	}
	if !v.has(trait.Admin) {
		l.Switch.Why = v.why(ctx, trait.Admin, "Only an administrator switches this.")
	}
	return l
}

// switchLocal handles POST /console/sso/local.
func (s *Server) switchLocal(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	on := in.Get("on") == "true"
	value := []byte("false")
	if on {
		value = []byte("true")
	}
	if err := s.Settings.Set(c.Request().Context(), []settings.Change{{Key: settings.AuthLocalLogin, Value: value}}, "single sign-on page"); err != nil {
		return err
	}
	f := flash{Text: "Passwords kept here sign nobody in any more. Sessions that are open stay."}
	if on {
		f.Text = "Passwords kept here sign people in again."
	}
	return s.done(c, f, views.PathSSO)
}

// providerFrame is where a provider's pages stand.
func providerFrame(p sso.Provider, way ...string) frame {
	return at(views.PathSSO, append([]string{"People", "", "Single sign-on", views.PathSSO, p.Name, views.SSOPath(p.ID)}, way...)...)
}

// providerOf returns the provider the address names.
func (s *Server) providerOf(c echo.Context) (sso.Provider, error) {
	return s.SSO.Provider(c.Request().Context(), c.Param("provider"))
}

// attemptsShown is how many sign-ins a provider's page lists.
const attemptsShown = 15

// providerPage handles GET /console/sso/:provider.
func (s *Server) providerPage(c echo.Context) error {
	p, err := s.providerOf(c)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	props, err := v.provider(c, p)
	if err != nil {
		return err
	}
	return answerProvider(c, v, http.StatusOK, p, props)
}

func answerProvider(c echo.Context, v *visit, status int, p sso.Provider, props views.ProviderDetail) error {
	return answer(c, v, status, providerFrame(p), props, views.ProviderPage, views.ProviderBody)
}

// provider is the page of one provider.
func (v *visit) provider(c echo.Context, p sso.Provider) (views.ProviderDetail, error) {
	ctx := c.Request().Context()
	names, err := v.giveNames(ctx)
	if err != nil {
		return views.ProviderDetail{}, err
	}
	props := views.ProviderDetail{
		ID: p.ID, Name: p.Name, Icon: p.Icon, On: p.Enabled, Facts: v.providerFacts(p),
		Addresses: []views.KV{{Label: "Redirect URI", Value: p.RedirectURI}, {Label: "Sign-out redirect URI", Value: p.SignedOutURI}, {Label: "Back-channel logout URI", Value: p.BackchannelURI}},
		Check:     views.Action{Label: "Check", Icon: "refresh-cw", Href: views.SSOPath(p.ID, "check")},
		Try:       views.ClaimsTry{Href: views.SSOPath(p.ID, "try")},
		Actions: []views.Action{
			{Label: "Test sign-in", Icon: "play", Primary: true, Href: views.SSOPath(p.ID, "test")},
			{Label: "Edit", Icon: "pencil", Get: true, Href: views.SSOPath(p.ID, "edit")},
			{Label: "Switch off", Icon: "power-off", Href: views.SSOPath(p.ID, "off")},
			{Label: "Delete", Icon: "trash-2", Danger: true, Ask: true, Href: views.SSOPath(p.ID, "delete")},
		},
	}
	if !p.Enabled {
		props.Actions[2] = views.Action{Label: "Switch on", Icon: "power", Href: views.SSOPath(p.ID, "on")}
	}
	for _, r := range p.Rules {
		props.Rules = append(props.Rules, views.RuleShown{If: r.String(), Gives: names[giveValue(r.Kind, r.Give)]})
	}
	f := sso.AttemptFilter{Provider: p.ID, Limit: attemptsShown}
	if before, err := uuid.Parse(c.QueryParam("before")); err == nil {
		f.Before = before
	}
	attempts, err := v.SSO.Attempts(ctx, f)
	if err != nil {
		return props, err
	}
	for _, a := range attempts {
		props.Attempts = append(props.Attempts, attemptRow(a))
		if a.OK && props.Try.Last == "" && a.Account != "" {
			props.Try.Last = a.Account
		}
	}
	if len(attempts) == attemptsShown {
		props.Older = views.SSOPath(p.ID) + "?before=" + attempts[len(attempts)-1].ID.String()
	}
	return props, nil
}

func (v *visit) providerFacts(p sso.Provider) []views.KV {
	secret := views.KV{Label: "Client secret", Value: "none, a public client"}
	if p.SecretAt != nil {
		secret = views.KV{Label: "Client secret set", Body: views.Time(*p.SecretAt, views.Day)}
	}
	domains := "any"
	if len(p.Domains) > 0 {
		domains = strings.Join(p.Domains, ", ")
	}
	return []views.KV{
		{Label: "Issuer", Value: p.Issuer, Mono: true}, {Label: "Client id", Value: p.ClientID, Mono: true}, secret,
		{Label: "Scopes", Value: strings.Join(p.Scopes, " "), Mono: true}, {Label: "Domains", Value: domains},
		{Label: "New people", Value: onOff(p.Options.Create, "added at their first sign-in", "not added")},
		{Label: "Unverified addresses", Value: onOff(p.Options.TrustEmail, "trusted", "refused")},
		{Label: "Userinfo endpoint", Value: onOff(p.Options.UserInfo, "asked", "not asked")},
		{Label: "Signing out", Value: onOff(p.Options.SignOut, "here and there", "here only")},
		{Label: "Id", Value: p.ID, Mono: true},
	}
}

func onOff(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}

// attemptRow is a sign-in as lists show it.
func attemptRow(a sso.Attempt) views.AttemptRow {
	return views.AttemptRow{
		Href: views.SSOPath(a.Provider, "attempts", a.ID.String()), At: a.At, Account: orElse(a.Account, "unknown"), Purpose: purposes[a.Purpose], OK: a.OK, Note: attemptNote(a),
	}
}

// purposes are what a sign-in was for, in words.
var purposes = map[sso.Purpose]string{sso.Login: "Sign-in", sso.Test: "Test", sso.Link: "Link", sso.Again: "Proof"}

// attemptNote says in a word or two what came of a sign-in.
func attemptNote(a sso.Attempt) string {
	if a.OK {
		return "Worked"
	}
	for _, step := range a.Steps {
		if !step.OK {
			return step.Title
		}
	}
	return "Did not work"
}

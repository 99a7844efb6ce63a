package handlers

import (
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/sso"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// oidc is the part of the table that leads to identity providers and back.
func (s *Server) oidc() []route {
	const one = views.PathOIDC + "/:provider"
	return []route{
		{method: get, path: one + "/start", who: anyone, action: "auth.login", handler: s.startOIDC, slow: true},
		{method: get, path: one + "/callback", who: anyone, action: "auth.login", handler: s.finishOIDC, slow: true},
		{method: post, path: one + "/backchannel", who: anyone, action: "auth.logout", handler: s.backchannelOIDC, body: 128 << 10, slow: true},
	}
}

// flowCookie is the name of the cookie by which a browser is known again when it
// comes back from a provider.
func (s *Server) flowCookie() string {
	if s.Secure {
		return "__Host-vv_sso"
	}
	return "vv_sso"
}

// flowSecret returns the value of that cookie; "" when there is none, or several.
func (s *Server) flowSecret(r *http.Request) string {
	if c := r.CookiesNamed(s.flowCookie()); len(c) == 1 {
		return c[0].Value
	}
	return ""
}

// startOIDC handles GET /auth/oidc/:provider/start: it leads to the provider. Who is
// signed in is led there only to prove once more that it is them.
func (s *Server) startOIDC(c echo.Context) error {
	ctx := c.Request().Context()
	purpose, next := sso.Login, safeNext(c.QueryParam("next"))
	if actor.From(ctx).Kind == actor.User {
		if purpose = sso.Again; c.QueryParam("again") == "" {
			return c.Redirect(http.StatusSeeOther, next)
		}
	}
	leave, err := s.leave(c, purpose, next)
	if err != nil {
		return s.oidcFailed(c, sso.Outcome{Purpose: purpose, Next: next}, err)
	}
	return c.Redirect(http.StatusSeeOther, leave.To)
}

// leave begins a way to a provider, and marks the browser that goes it.
func (s *Server) leave(c echo.Context, purpose sso.Purpose, next string) (sso.Leave, error) {
	r := c.Request()
	leave, err := s.SSO.Start(r.Context(), c.Param("provider"), purpose, s.flowSecret(r), next)
	if err == nil {
		c.SetCookie(&http.Cookie{
			Name: s.flowCookie(), Value: leave.Browser, Path: "/", MaxAge: int(leave.Life / time.Second), Secure: s.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
	}
	return leave, err
}

// finishOIDC handles GET /auth/oidc/:provider/callback.
func (s *Server) finishOIDC(c echo.Context) error {
	r := c.Request()
	back := sso.Return{Query: c.QueryParams(), Browser: s.flowSecret(r), UserAgent: r.UserAgent()}
	if cookie, err := r.Cookie(s.Identity.CookieName()); err == nil {
		back.Previous = cookie.Value
	}
	out, err := s.SSO.Finish(r.Context(), c.Param("provider"), back)
	switch {
	case out.Purpose == sso.Test && out.Attempt != uuid.Nil && actor.From(r.Context()).Has(trait.UserManager):
		return c.Redirect(http.StatusSeeOther, views.SSOPath(c.Param("provider"), "attempts", out.Attempt.String()))
	case err != nil:
		return s.oidcFailed(c, out, err)
	case out.Purpose == sso.Link:
		return s.done(c, flash{Text: "The identity is linked. You can sign in by it from now on."}, views.PathAccount+"#identities")
	case out.Purpose == sso.Again:
		return s.done(c, flash{Text: "Confirmed. Do it again within the next minutes."}, safeNext(out.Next))
	}
	if err := s.Identity.CookieStore().Start(r, c.Response(), out.Grant); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, safeNext(out.Next))
}

// oidcFailed tells a person why they were not signed in. What failed inside is
// answered as everywhere.
func (s *Server) oidcFailed(c echo.Context, out sso.Outcome, err error) error {
	f := fault.Of(err)
	if f.Kind == fault.Internal || f.Kind == fault.NotFound || !wantsPage(c.Request()) {
		return err
	}
	switch out.Purpose {
	case sso.Link:
		return s.done(c, flash{Tone: views.Danger, Text: f.Sentence}, views.PathAccount+"#identities")
	case sso.Again:
		return s.done(c, flash{Tone: views.Danger, Text: f.Sentence}, safeNext(out.Next))
	}
	p := views.NotSignedIn{Text: f.Sentence, Again: views.OIDCPath(c.Param("provider"), "start")}
	if out.Next != "" && out.Next != views.PathOverview {
		p.Next = safeNext(out.Next)
	}
	if out.Attempt != uuid.Nil {
		p.Reference = out.Attempt.String()
	}
	setRetryAfter(c, f)
	return draw(c, s.visit(c.Request()), statuses[f.Kind], views.NotSignedInPage(p))
}

// backchannelOIDC handles POST /auth/oidc/:provider/backchannel.
func (s *Server) backchannelOIDC(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	if len(in["logout_token"]) != 1 {
		return fault.New(fault.Invalid, "sso.logout_token", "The logout token is not valid.")
	}
	if err := s.SSO.BackchannelLogout(c.Request().Context(), c.Param("provider"), in.Get("logout_token")); err != nil {
		return err
	}
	return c.NoContent(http.StatusOK)
}

// otherWays adds to the sign-in page the providers, and whether a password is one.
func (s *Server) otherWays(c echo.Context, p *views.SignIn) error {
	ways, err := s.SSO.Buttons(c.Request().Context())
	if err != nil {
		return err
	}
	for _, w := range ways {
		p.Providers = append(p.Providers, views.ProviderButton{ID: w.ID, Name: w.Name, Icon: w.Icon})
	}
	p.LocalOff = !s.Identity.LocalLogin()
	return nil
}

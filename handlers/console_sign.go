package handlers

import (
	"cmp"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/views"
)

// notices are what the sign-in page may tell, by the word in its address.
var notices = map[string]string{
	"out":   "You are signed out.",
	"ended": "Your session has ended. Sign in to go on.",
	"late":  "That took too long. Start again.",
}

// signInPage handles GET /sign-in.
func (s *Server) signInPage(c echo.Context) error {
	ctx := c.Request().Context()
	if actor.From(ctx).Kind == actor.User {
		return c.Redirect(http.StatusSeeOther, safeNext(c.QueryParam("next")))
	}
	needed, err := s.Identity.SetupNeeded(ctx)
	if err != nil {
		return err
	}
	if needed {
		return c.Redirect(http.StatusSeeOther, views.PathSetup)
	}
	return s.signInForm(c, http.StatusOK, views.SignIn{Notice: notices[cmp.Or(c.QueryParam("notice"), c.QueryParam("state"))], Next: c.QueryParam("next")})
}

// signInForm draws the sign-in page.
func (s *Server) signInForm(c echo.Context, status int, p views.SignIn) error {
	if err := s.otherWays(c, &p); err != nil {
		return err
	}
	p.Org, p.Version, p.Next = s.Settings.String(settings.Organisation), s.Version, nextPage(p.Next)
	p.Passkey = !p.LocalOff && s.passkeysWork(c.Request())
	ready, err := s.Identity.BreakGlassReady(c.Request().Context())
	if err != nil {
		return err
	}
	p.Emergency = ready
	return draw(c, s.visit(c.Request()), status, views.SignInPage(p))
}

// signIn handles POST /sign-in.
func (s *Server) signIn(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	granted, err := s.login(c, in.Get("email"), in.Get("password"))
	if err == nil {
		return s.enter(c, granted, in.Get("next"))
	}
	f := fault.Of(err)
	p := views.SignIn{Email: in.Get("email"), Next: in.Get("next"), Error: f.Sentence}
	switch f.Kind {
	case fault.Unauthenticated:
		p.Error = "E-mail or password not accepted."
		c.Response().Header().Set("WWW-Authenticate", `Bearer realm="vivified"`)
	case fault.TooMany:
		p.Error = tooMany(f)
		setRetryAfter(c, f)
	default:
		return err
	}
	return s.signInForm(c, statuses[f.Kind], p)
}

// login signs a person in by their password, for a browser.
func (s *Server) login(c echo.Context, account, password string) (identity.Grant, error) {
	return s.Identity.Login(c.Request().Context(), identity.SignIn{Account: account, Password: password, Client: s.browser(c)})
}

// browser is who asks as a client of sessions: the one it has ends with the next.
func (s *Server) browser(c echo.Context) identity.Client {
	b := identity.Client{Kind: identity.KindCookie, UserAgent: c.Request().UserAgent()}
	if cookie, err := c.Cookie(s.Identity.CookieName()); err == nil {
		b.Previous = cookie.Value
	}
	return b
}

// enter gives the browser the session that was granted, in place of whichever it
// had, and leads it on; or to the second step when that is waited for.
func (s *Server) enter(c echo.Context, granted identity.Grant, next string) error {
	if granted.Pending != "" {
		s.keepPending(c, granted.Pending)
		return c.Redirect(http.StatusSeeOther, withNext(views.PathSecondStep, next))
	}
	if err := s.Identity.CookieStore().Start(c.Request(), c.Response(), granted); err != nil {
		return err
	}
	s.dropPending(c)
	return c.Redirect(http.StatusSeeOther, safeNext(next))
}

// signOut handles POST /sign-out.
func (s *Server) signOut(c echo.Context) error {
	session, err := s.Identity.CookieStore().Get(c.Request(), s.Identity.CookieName())
	if err != nil {
		return err
	}
	there := s.SSO.SignOut(c.Request().Context()) // asked while there is a session
	session.Options.MaxAge = -1
	if err := session.Save(c.Request(), c.Response()); err != nil {
		return err
	}
	if there.To != "" {
		return going(c, s.visit(c.Request()), there.To, "Signed out here", "Signing you out at "+there.Provider+", too.")
	}
	return c.Redirect(http.StatusSeeOther, views.PathSignIn+"?notice=out")
}

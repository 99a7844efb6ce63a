package handlers

import (
	"cmp"
	"net/http"
	"time"

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
	p.Org, p.Version = s.Settings.String(settings.Organisation), s.Version
	if p.Next = safeNext(p.Next); p.Next == views.PathOverview {
		p.Next = ""
	}
	return draw(c, s.visit(c.Request()), status, views.SignInPage(p))
}

// signIn handles POST /sign-in.
func (s *Server) signIn(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	err = s.startSession(c, in.Get("email"), in.Get("password"))
	if err == nil {
		return c.Redirect(http.StatusSeeOther, safeNext(in.Get("next")))
	}
	f := fault.Of(err)
	p := views.SignIn{Email: in.Get("email"), Next: in.Get("next"), Error: f.Sentence}
	switch f.Kind {
	case fault.Unauthenticated:
		p.Error = "E-mail or password not accepted."
		c.Response().Header().Set("WWW-Authenticate", `Bearer realm="vivified"`)
	case fault.TooMany:
		wait := max(f.RetryAfter.Round(time.Second), time.Second)
		p.Error = "Too many attempts. Try again in " + wait.String() + "."
		setRetryAfter(c, f)
	default:
		return err
	}
	return s.signInForm(c, statuses[f.Kind], p)
}

// startSession signs a person in and gives their browser the session, in place of
// whichever it had.
func (s *Server) startSession(c echo.Context, account, password string) error {
	r := c.Request()
	in := identity.SignIn{Account: account, Password: password, Kind: identity.KindCookie, UserAgent: r.UserAgent()}
	if cookie, err := r.Cookie(s.Identity.CookieName()); err == nil {
		in.Previous = cookie.Value
	}
	granted, err := s.Identity.Login(r.Context(), in)
	if err != nil {
		return err
	}
	return s.Identity.CookieStore().Start(r, c.Response(), granted)
}

// signOut handles POST /sign-out.
func (s *Server) signOut(c echo.Context) error {
	session, err := s.Identity.CookieStore().Get(c.Request(), s.Identity.CookieName())
	if err != nil {
		return err
	}
	session.Options.MaxAge = -1
	if err := session.Save(c.Request(), c.Response()); err != nil {
		return err
	}
	return c.Redirect(http.StatusSeeOther, views.PathSignIn+"?notice=out")
}

package handlers

import (
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/views"
)

// pendingLife is how long a browser keeps the secret of a sign-in under way, in seconds.
const pendingLife = 5 * 60

// pendingCookie is the cookie that holds the secret of a sign-in under way.
func (s *Server) pendingCookie() string {
	if s.Identity.Plain {
		return "vv_sign_in"
	}
	return "__Host-vv_sign_in"
}

// keepPending has the browser keep the secret of a sign-in under way.
func (s *Server) keepPending(c echo.Context, secret string) {
	c.SetCookie(&http.Cookie{
		Name: s.pendingCookie(), Value: secret, Path: "/", MaxAge: pendingLife, HttpOnly: true, Secure: !s.Identity.Plain, SameSite: http.SameSiteStrictMode,
	})
}

// dropPending has it forget that.
func (s *Server) dropPending(c echo.Context) {
	if s.pending(c) != "" {
		c.SetCookie(&http.Cookie{Name: s.pendingCookie(), Path: "/", MaxAge: -1, HttpOnly: true, Secure: !s.Identity.Plain, SameSite: http.SameSiteStrictMode})
	}
}

func (s *Server) pending(c echo.Context) string {
	cookie, err := c.Cookie(s.pendingCookie())
	if err != nil {
		return ""
	}
	return cookie.Value
}

// nextPage is where a sign-in leads, "" for where it leads anyway.
func nextPage(next string) string {
	if next = safeNext(next); next == views.PathOverview {
		return ""
	}
	return next
}

// withNext returns the address of a page of the sign-in that remembers where it leads.
func withNext(path, next string) string {
	if next = nextPage(next); next == "" {
		return path
	}
	return path + "?" + url.Values{"next": {next}}.Encode()
}

// passkeysWork reports whether the browser is where passkeys are bound to.
func (s *Server) passkeysWork(r *http.Request) bool {
	u, err := url.Parse(s.Identity.PasskeyOrigin())
	return err == nil && u.Host != "" && u.Host == r.Host
}

// secondStepPage handles GET /sign-in/second-step.
func (s *Server) secondStepPage(c echo.Context) error {
	return s.secondStepForm(c, http.StatusOK, views.SecondStep{Next: c.QueryParam("next")})
}

// secondStepForm asks for the second factor; without a sign-in under way it leads
// back to the first step.
func (s *Server) secondStepForm(c echo.Context, status int, p views.SecondStep) error {
	ctx := c.Request().Context()
	u, has, err := s.Identity.Pending(ctx, s.pending(c))
	if fault.Is(err, fault.Gone) {
		return s.startOver(c, p.Next)
	}
	if err != nil {
		return err
	}
	p.Person, p.App, p.Next = u.Email, has.TOTP != nil, nextPage(p.Next)
	if s.passkeysWork(c.Request()) {
		options, err := s.Identity.PendingChallenge(ctx, s.pending(c))
		if err != nil {
			return err
		}
		p.Passkey = string(options)
	}
	return draw(c, s.visit(c.Request()), status, views.SecondStepPage(p))
}

// startOver leads back to the first step of a sign-in that took too long.
func (s *Server) startOver(c echo.Context, next string) error {
	s.dropPending(c)
	q := url.Values{"notice": {"late"}}
	if next = nextPage(next); next != "" {
		q.Set("next", next)
	}
	return c.Redirect(http.StatusSeeOther, views.PathSignIn+"?"+q.Encode())
}

// secondStep handles POST /sign-in/second-step.
func (s *Server) secondStep(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	granted, err := s.Identity.SecondStep(c.Request().Context(), identity.SecondStep{
		Pending: s.pending(c), Evidence: identity.Evidence{Code: in.Get("code"), Passkey: []byte(in.Get("credential"))}, Client: s.browser(c),
	})
	if err == nil {
		return s.enter(c, granted, in.Get("next"))
	}
	f := fault.Of(err)
	p := views.SecondStep{Next: in.Get("next"), Error: f.Sentence}
	switch f.Kind {
	case fault.Gone:
		return s.startOver(c, p.Next)
	case fault.Unauthenticated:
		c.Response().Header().Set("WWW-Authenticate", `Bearer realm="vivified"`)
	case fault.TooMany:
		p.Error = tooMany(f)
		setRetryAfter(c, f)
	default:
		return err
	}
	return s.secondStepForm(c, statuses[f.Kind], p)
}

// tooMany says when somebody may try again.
func tooMany(f *fault.Fault) string {
	return "Too many attempts. Try again in " + max(f.RetryAfter.Round(time.Second), time.Second).String() + "."
}

// challengeAnyPasskey handles POST /sign-in/passkey/challenge, which the script
// asks once somebody wants to sign in by passkey.
func (s *Server) challengeAnyPasskey(c echo.Context) error {
	options, secret, err := s.Identity.PasskeyChallenge(c.Request().Context())
	if err != nil {
		return err
	}
	s.keepPending(c, secret)
	return c.JSONBlob(http.StatusOK, options)
}

// passkeySignIn handles POST /sign-in/passkey.
func (s *Server) passkeySignIn(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	granted, err := s.Identity.PasskeySignIn(c.Request().Context(), s.pending(c), []byte(in.Get("credential")), s.browser(c))
	if err == nil {
		return s.enter(c, granted, in.Get("next"))
	}
	f := fault.Of(err)
	p := views.SignIn{Next: in.Get("next"), Error: f.Sentence}
	switch f.Kind {
	case fault.Gone:
		return s.startOver(c, p.Next)
	case fault.Unauthenticated:
		c.Response().Header().Set("WWW-Authenticate", `Bearer realm="vivified"`)
	case fault.TooMany:
		p.Error = tooMany(f)
		setRetryAfter(c, f)
	default:
		return err
	}
	return s.signInForm(c, statuses[f.Kind], p)
}

// emergencyPage handles GET /sign-in/emergency.
func (s *Server) emergencyPage(c echo.Context) error {
	return s.emergencyForm(c, http.StatusOK, views.Emergency{})
}

func (s *Server) emergencyForm(c echo.Context, status int, p views.Emergency) error {
	p.Org, p.Longest = s.Settings.String(settings.Organisation), s.Identity.Demands().BreakGlass
	return draw(c, s.visit(c.Request()), status, views.EmergencyPage(p))
}

// emergency handles POST /sign-in/emergency.
func (s *Server) emergency(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	granted, err := s.Identity.BreakTheGlass(c.Request().Context(), identity.Emergency{
		Account: in.Get("email"), Password: in.Get("password"), Reason: in.Get("reason"), Client: s.browser(c),
	})
	if err == nil {
		return s.enter(c, granted, views.PathOverview)
	}
	f := fault.Of(err)
	p := views.Emergency{Account: in.Get("email"), Reason: in.Get("reason"), Error: f.Sentence}
	switch f.Kind {
	case fault.Unauthenticated:
		p.Error = "Account or password not accepted."
		c.Response().Header().Set("WWW-Authenticate", `Bearer realm="vivified"`)
	case fault.TooMany:
		p.Error = tooMany(f)
		setRetryAfter(c, f)
	case fault.Unprocessable:
		p.Error = f.Violations[0].Message + " " + f.Violations[0].Fix
	default:
		return err
	}
	return s.emergencyForm(c, statuses[f.Kind], p)
}

package handlers

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/views"
)

// public lists what a stranger may ask for: exact paths, and prefixes that end in a slash.
var public = []string{
	"/health", "/health/live", "/health/ready", "/.well-known/jwks.json", "/setup", "/auth/login", "/plugins/register", "/plugins/token",
	"/sign-in", views.PathSecondStep, views.PathSignInChallenge, views.PathSignInPasskey, views.PathEmergency, "/invite", "/favicon.ico", "/static/", "/webhooks/", "/auth/oidc/",
}

func isPublic(path string) bool {
	for _, p := range public {
		if path == p || strings.HasSuffix(p, "/") && strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

// isConsole reports whether the request is a person's, to be answered with pages.
func isConsole(r *http.Request) bool {
	switch p := r.URL.Path; {
	case p == "/", p == "/console", strings.HasPrefix(p, "/console/"), p == views.PathSignIn, strings.HasPrefix(p, views.PathSignIn+"/"), p == views.PathSignOut, p == views.PathInvite:
		return true
	case strings.HasPrefix(p, views.PathOIDC+"/"):
		return r.Method == http.MethodGet
	case p == views.PathSetup:
		return r.Method == http.MethodGet || strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	}
	return false
}

// sameOrigin refuses requests that a browser makes for another site's page.
func (s *Server) sameOrigin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := s.csrf.Check(c.Request()); err != nil {
			return fault.New(fault.Denied, "request.cross_origin", "The request comes from another site; open the page here and try again.").Because(err)
		}
		return next(c)
	}
}

// authenticate proves who asks, before anything is routed. Without a valid
// credential only public paths go on, whether the path exists or not.
func (s *Server) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.URL.Path == "/metrics" && s.mayScrape(c) {
			return next(c)
		}
		if strings.HasPrefix(r.URL.Path, "/static/") || r.URL.Path == "/health" || strings.HasPrefix(r.URL.Path, "/health/") {
			return next(c)
		}
		who, err := s.prove(r)
		if err == nil && who.Kind == actor.Anonymous {
			err = fault.New(fault.Unauthenticated, "auth.required", "Sign in, or send a token or key.")
		}
		if err == nil {
			c.SetRequest(r.WithContext(actor.With(r.Context(), who)))
			return next(c)
		}
		// A stale cookie must not keep anybody from signing in, nor a stale token a plugin from registering.
		if isPublic(r.URL.Path) && fault.Is(err, fault.Unauthenticated) {
			return next(c)
		}
		if fault.Is(err, fault.Unauthenticated) && isConsole(r) {
			return s.toSignIn(c, err)
		}
		return err
	}
}

// proving is how long the proof of who asks may take: a database that hangs
// instead of failing must not hold everybody who comes.
const proving = 5 * time.Second

// prove returns who sends r. A stream that keeps a page current is no use of a
// session; everything else is, also what htmx asks for: it accepts event streams
// wherever it asks, so that the header says nothing.
func (s *Server) prove(r *http.Request) (actor.Actor, error) {
	c := s.Identity.Credentials(r)
	c.Passive = r.URL.Path == views.PathLive || r.URL.Path == views.PathSession && r.Method == http.MethodGet || r.URL.Path == views.PathTail || r.URL.Path == "/messaging/events/stream" || strings.HasSuffix(r.URL.Path, "/logs/stream")
	ctx, cancel := context.WithTimeout(r.Context(), proving)
	defer cancel()
	return s.Identity.Prove(ctx, c)
}

// toSignIn leads a person to the sign-in page, and a program to its mistake.
func (s *Server) toSignIn(c echo.Context, err error) error {
	r := c.Request()
	q := url.Values{}
	if next := safeNext(wanted(r)); next != views.PathOverview {
		q.Set("next", next)
	}
	if _, err := r.Cookie(s.Identity.CookieName()); err == nil {
		q.Set("notice", "ended")
	}
	to := views.PathSignIn
	if len(q) > 0 {
		to += "?" + q.Encode()
	}
	switch {
	case r.Header.Get("HX-Request") != "":
		c.Response().Header().Set("HX-Redirect", to)
		return c.NoContent(http.StatusUnauthorized)
	case r.Method == http.MethodGet && r.Header.Get("Authorization") == "" && strings.Contains(r.Header.Get("Accept"), "text/html"):
		return c.Redirect(http.StatusSeeOther, to)
	}
	return err
}

// wanted is the page a person was on or asked for.
func wanted(r *http.Request) string {
	if r.Header.Get("HX-Request") != "" {
		if shown, err := url.Parse(r.Header.Get("HX-Current-URL")); err == nil && shown.Host == r.Host {
			return shown.RequestURI()
		}
		return ""
	}
	if r.Method != http.MethodGet {
		return ""
	}
	return r.URL.RequestURI()
}

// mayScrape lets a scraper in by token, or from loopback when nobody stands in between.
func (s *Server) mayScrape(c echo.Context) bool {
	r := c.Request()
	if want := s.MetricsToken(); want != "" && secretEqual(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), want) {
		return true
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || c.Get(forwarded) != nil || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

package handlers

import (
	"cmp"
	"context"
	"crypto/subtle"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/lanes/operator"
)

// every stands for every method of carried.
const every = "*"

// carried are the methods that lanes carry. CONNECT and TRACE are not among them:
// a target that mirrors what it received would show the caller the core's token.
var carried = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

// access says whose request a route answers.
type access uint8

const (
	anyone  access = iota // also a stranger
	users                 // signed-in people and their keys
	plugins               // registered plugins
	parties               // both
)

// route is one line of the table.
type route struct {
	method  string
	path    string
	who     access
	needs   []trait.ID // what a person must hold, all of them
	action  string     // what a refusal is recorded as; "": a look at the console
	handler echo.HandlerFunc
	body    int64 // limit in bytes; 0: 1 MiB
	fresh   bool  // dangerous: a session must have been proved a moment ago
	enrols  bool  // also open to a session that lacks the second factor required of its owner
	slow    bool  // may take longer than patient: it carries, streams, waits for a plugin, or walks the whole audit
}

// atSockets are what of the public surface a plugin finds at its socket: signing
// in and setting up are no business of its.
var atSockets = []string{"/health", "/health/live", "/health/ready", "/.well-known/jwks.json", "/plugins/register", "/plugins/token"}

// patient is how long any other request may take, so that a database that hangs
// instead of failing is told of, as one that fails is.
const patient = 10 * time.Second

// methods are those it answers. What is got can be asked for without its body
// (RFC 9110, section 9.3.2).
func (r route) methods() []string {
	switch r.method {
	case every:
		return carried
	case http.MethodGet:
		return []string{http.MethodGet, http.MethodHead}
	}
	return []string{r.method}
}

func (r route) bodyLimit() int64 {
	if r.body > 0 {
		return r.body
	}
	return 1 << 20
}

// usualAction is what a refusal is recorded as when its route does not say.
const usualAction = "console.view"

// routed is where a request has the action of its route, once it has one.
const routed = "action"

// guard lets a request through to r's handler when its actor is of the right
// kind and holds what the route needs. Denials are recorded and carry a decision.
func (s *Server) guard(r route) echo.HandlerFunc {
	needs, action := trait.SetOf(r.needs...), cmp.Or(r.action, usualAction)
	return func(c echo.Context) error {
		ctx := c.Request().Context()
		if !r.slow {
			short, cancel := context.WithTimeout(ctx, patient)
			context.AfterFunc(ctx, cancel) // not sooner: what is told of an error is read under it, too
			ctx = short
			c.SetRequest(c.Request().WithContext(ctx))
		}
		who := actor.From(ctx)
		c.Set(routed, action)
		switch {
		case r.who == anyone && actor.Socket(ctx) != "" && !slices.Contains(atSockets, r.path):
			return fault.New(fault.Denied, "identity.people_only", "This address answers people, not plugins at their sockets.")
		case r.who == anyone:
			return r.handler(c)
		case who.Kind == actor.Anonymous:
			return fault.New(fault.Unauthenticated, "auth.required", "Sign in, or send a token or key.")
		case who.Credential.Limited && !r.enrols:
			if wantsPage(c.Request()) {
				return toEnrol(c)
			}
			return fault.New(fault.Denied, "auth.factor_required", "A second factor is required of you; set one up first.")
		case r.who == plugins && who.Kind != actor.Plugin:
			return fault.New(fault.Denied, "identity.plugins_only", "This address answers plugins only.")
		case r.who == parties && who.Viewing():
			return fault.New(fault.Denied, "view_as.lane", "You look as %s; nothing is sent to a plugin meanwhile.", who.OnBehalf.Name)
		case r.who == users || who.Kind == actor.User && len(r.needs) > 0:
			if err := s.Gate.AdmitOn(ctx, action, s.about(c, action, needs)); err != nil {
				return notShown(who, needs, err)
			}
		}
		if r.fresh {
			if asked, err := s.fresh(c); asked || err != nil {
				return err
			}
		}
		return r.handler(c)
	}
}

// recorded puts on record what was denied without the gate being asked, such as a
// request that names another plugin than its credential does.
func (s *Server) recorded(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		if err == nil {
			return nil
		}
		f := fault.Of(err)
		if f.Kind != fault.Denied || f.Decision != "" {
			return err
		}
		action, ok := c.Get(routed).(string)
		if !ok {
			action = "http.request"
		}
		return s.Gate.Refuse(c.Request().Context(), action, c.Request().URL.Path, f)
	}
}

// Table returns method and path of every route, for the test that holds the
// published contract against it.
func (s *Server) Table() [][2]string {
	var t [][2]string
	for _, r := range s.table {
		t = append(t, [2]string{r.method, r.path})
	}
	return t
}

func secretEqual(got, want string) bool {
	return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

// safeNext returns where to go after signing in: a path of this console, never
// anything a browser could read as another origin.
func safeNext(next string) string {
	u, err := url.Parse(next)
	if err != nil || operator.CheckTarget(next) != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || !strings.HasPrefix(next, "/console") ||
		strings.ContainsAny(next, "\\\t\r\n") || strings.Contains(next, "//") || strings.Contains(u.Path, "..") {
		return "/console"
	}
	if rest := strings.TrimPrefix(u.Path, "/console"); rest != "" && rest[0] != '/' {
		return "/console"
	}
	return u.RequestURI()
}

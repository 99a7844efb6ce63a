package handlers

import (
	"crypto/subtle"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/lanes/operator"
)

// every stands for every method.
const every = "*"

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
	action  string     // what a refusal is recorded as; needed with needs
	handler echo.HandlerFunc
	body    int64 // limit in bytes; 0: 1 MiB
}

func (r route) bodyLimit() int64 {
	if r.body > 0 {
		return r.body
	}
	return 1 << 20
}

// guard lets a request through to r's handler when its actor is of the right
// kind and holds what the route needs. Denials are recorded and carry a decision.
func (s *Server) guard(r route) echo.HandlerFunc {
	needs := trait.SetOf(r.needs...)
	return func(c echo.Context) error {
		ctx := c.Request().Context()
		who := actor.From(ctx)
		switch {
		case r.who == anyone:
			return r.handler(c)
		case who.Kind == actor.Anonymous:
			return fault.New(fault.Unauthenticated, "auth.required", "Sign in, or send a token or key.")
		case r.who == plugins && who.Kind != actor.Plugin:
			return fault.New(fault.Denied, "identity.plugins_only", "This address answers plugins only.")
		case r.who == users || who.Kind == actor.User && len(r.needs) > 0:
			action := r.action
			if action == "" {
				action = "console.view"
			}
			if err := s.Gate.Admit(ctx, action, r.path, needs); err != nil {
				return err
			}
		}
		return r.handler(c)
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

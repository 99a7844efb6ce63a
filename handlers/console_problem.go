package handlers

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// wantsPage reports whether an error is to be answered as a page or a part of
// one: programs that ask the console's addresses get a problem document.
func wantsPage(r *http.Request) bool {
	return isConsole(r) && (isPart(r) || strings.Contains(r.Header.Get("Accept"), "text/html"))
}

// failPage answers an error as a page, or as a toast beside the page that an
// action of htmx was refused on.
func (s *Server) failPage(c echo.Context, status int, f *fault.Fault) {
	// The request's time may be over: what else is told has a moment of its own, and
	// drawing it needs none.
	alive := context.WithoutCancel(c.Request().Context())
	ctx, cancel := context.WithTimeout(alive, time.Second)
	defer cancel()
	c.SetRequest(c.Request().WithContext(alive))
	v := s.visit(c.Request())
	known := v.who.Kind == actor.User
	p := views.Problem{Status: status, Detail: f.Sentence, Code: f.Code, Trace: actor.Trace(ctx), SignedIn: known}
	if known && (f.Decision != "" || status == http.StatusForbidden) {
		p.Why = s.whyRefused(ctx, c, v, f)
	}
	var what templ.Component
	switch {
	case isPart(c.Request()):
		c.Response().Header().Set("HX-Reswap", "none")
		what = views.ProblemToast(p)
	case known:
		what = views.ProblemPage(v.shell(ctx, at("", "Home", "", statusWords(status), "")), p)
	default:
		what = views.ProblemAlone(p)
	}
	if err := draw(c, v, status, what); err != nil {
		s.Log.ErrorContext(ctx, "error page not drawn", slog.Any("error", err))
		_ = c.String(status, f.Sentence) // what is left to say it with
	}
}

// statusWords names a status as a title: Not found.
func statusWords(status int) string {
	words := http.StatusText(status)
	if words == "" {
		return "Error"
	}
	return words[:1] + strings.ToLower(words[1:])
}

// whyRefused says which trait would have let a person through, who may grant it,
// and where the decision is.
func (s *Server) whyRefused(ctx context.Context, c echo.Context, v *visit, f *fault.Fault) *views.Why {
	w := &views.Why{Decision: f.Decision}
	for _, r := range s.table {
		if r.path != c.Path() || r.method != c.Request().Method {
			continue
		}
		if missing := v.snap.Traits().Names(v.who.Traits.Missing(trait.SetOf(r.needs...))); len(missing) > 0 {
			w.Trait, w.Grantors = missing[0], v.holders(ctx, trait.UserManager)
		}
		break
	}
	if w.Decision == "" && w.Trait == "" {
		return nil
	}
	return w
}

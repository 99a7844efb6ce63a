package handlers

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/views"
)

// flash is what the next page tells once. Undo, if set, is where to post to take
// back what was done.
type flash struct {
	Tone views.Tone `json:"tone,omitempty"`
	Text string     `json:"text"`
	Undo string     `json:"undo,omitempty"`
}

// done ends an action: the answer leads to where the person was, which tells
// what came of it. htmx follows as a browser does, and swaps what it finds.
func (s *Server) done(c echo.Context, f flash, back string) error {
	s.keepFlash(c, f)
	return c.Redirect(http.StatusSeeOther, back)
}

// keepFlash keeps f in the session for the next page. What cannot be told is no
// reason to fail what was done.
func (s *Server) keepFlash(c echo.Context, f flash) {
	session, err := s.Identity.CookieStore().Get(c.Request(), s.Identity.CookieName())
	if err == nil && session.ID == "" {
		return // a program with a key: it reads the status
	}
	text, merr := json.Marshal(f)
	if err == nil && merr == nil {
		session.AddFlash(string(text))
		err = session.Save(c.Request(), c.Response())
	}
	if err != nil {
		s.Log.WarnContext(c.Request().Context(), "what was done is not told on the next page", slog.Any("error", err))
	}
}

// toasts takes what there is to tell out of the session.
func (v *visit) toasts(c echo.Context) []views.Toast {
	session, err := v.Identity.CookieStore().Get(c.Request(), v.Identity.CookieName())
	if err != nil || session.ID == "" {
		return nil
	}
	var out []views.Toast
	for _, kept := range session.Flashes() {
		var f flash
		if text, ok := kept.(string); !ok || json.Unmarshal([]byte(text), &f) != nil {
			continue
		}
		t := views.Toast{Tone: f.Tone, Text: f.Text}
		if f.Undo != "" {
			t.Undo = &views.Action{Href: f.Undo}
		}
		out = append(out, t)
	}
	if out != nil {
		if err := session.Save(c.Request(), c.Response()); err != nil {
			return nil // told on a later page instead
		}
	}
	return out
}

// back is where an action returns to: where its form says, else the page it was
// done on, else fallback. It is always a page of this console, and not one that
// only asks.
func back(c echo.Context, fallback string) string {
	r := c.Request()
	for _, from := range []string{r.PostFormValue("back"), r.Header.Get("HX-Current-URL"), r.Referer()} {
		if from == "" {
			continue
		}
		u, err := url.Parse(from)
		if err != nil || u.Host != "" && u.Host != r.Host {
			continue
		}
		if to := safeNext(u.RequestURI()); to == u.RequestURI() && !asks(u.Path) {
			return to
		}
	}
	return fallback
}

// asks reports whether a path is one of a question, which is over once answered.
func asks(path string) bool {
	for _, verb := range []string{"/enable", "/accept", "/disable", "/quarantine", "/unregister", "/approve", "/deny", "/withdraw", "/request", "/grant", "/suspend", "/view-as", "/delete", "/link", "/invite", "/new", "/edit", "/join", "/leave", "/revoke", "/verify", "/replay", "/discard", "/rotate", "/bulk", "/many", "/reset-factors", "/acknowledge", "/silence"} {
		if strings.HasSuffix(path, verb) {
			return true
		}
	}
	return false
}

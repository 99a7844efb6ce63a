package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// passwordFields are what a change of password asks for.
func passwordFields() []views.Field {
	return []views.Field{
		{Name: "current", Label: "Current password", Type: views.Password, Required: true, Autocomplete: "current-password"},
		{Name: "password", Label: "New password", Type: views.Password, Required: true, Autocomplete: "new-password"},
	}
}

// changePassword handles POST /console/account/password: every session ends, and
// this browser goes on in a new one.
func (s *Server) changePassword(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	granted, err := s.Identity.ChangePassword(c.Request().Context(), in.Get("current"), in.Get("password"))
	if err != nil {
		return s.passwordRefused(c, err)
	}
	if err := s.goOn(c, granted); err != nil {
		return err
	}
	return s.done(c, flash{Text: "Your password is changed. Every other session of yours has ended."}, views.PathAccount)
}

// goOn gives the browser a session in place of the one it came with, which has
// ended: what is told on the next page goes into the new one.
func (s *Server) goOn(c echo.Context, g identity.Grant) error {
	r, store := c.Request(), s.Identity.CookieStore()
	if err := store.Start(r, c.Response(), g); err != nil {
		return err
	}
	session, err := store.Get(r, s.Identity.CookieName())
	if err != nil {
		return err
	}
	session.ID = g.Secret
	clear(session.Values)
	return nil
}

// passwordRefused draws the account page with what was wrong with a password; an
// error that is about something else stays one.
func (s *Server) passwordRefused(c echo.Context, refusal error) error {
	f := fault.Of(refusal)
	status := http.StatusUnprocessableEntity
	switch {
	case f.Code == "password.current", isForm(f):
	case f.Kind == fault.TooMany:
		status = http.StatusTooManyRequests
		setRetryAfter(c, f)
	default:
		return refusal
	}
	v := s.visit(c.Request())
	props, err := v.account(c.Request().Context())
	if err != nil {
		return err
	}
	if props.Password == nil {
		return refusal
	}
	current, password := &props.Password.Fields[0], &props.Password.Fields[1]
	if isForm(f) {
		props.Errors = corrections(f, current, password)
	} else {
		current.Error = f.Sentence
		props.Errors = views.Errors(corrected(1), *current)
	}
	return answerAccount(c, v, status, props)
}

package handlers

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/views"
)

// setupPage handles GET /setup.
func (s *Server) setupPage(c echo.Context) error {
	needed, err := s.Identity.SetupNeeded(c.Request().Context())
	if err != nil {
		return err
	}
	if !needed {
		return s.setUpAlready(c)
	}
	name, email, password := accountFields("", "")
	return draw(c, s.visit(c.Request()), http.StatusOK, views.SetupPage(views.Setup{
		Token: c.QueryParam("token"), Fields: []views.Field{*email, *name, *password}, Rules: passwordRules,
	}))
}

// setUpAlready says that there is nothing to set up.
func (s *Server) setUpAlready(c echo.Context) error {
	return draw(c, s.visit(c.Request()), http.StatusGone, views.SetupPage(views.Setup{Done: true}))
}

// setupEither handles POST /setup: a form of the console, or JSON of a program.
func (s *Server) setupEither(c echo.Context) error {
	if strings.HasPrefix(c.Request().Header.Get("Content-Type"), echo.MIMEApplicationForm) {
		return s.completeSetup(c)
	}
	return s.setup(c)
}

// completeSetup handles POST /setup with a form: it makes the first
// administrator and signs them in.
func (s *Server) completeSetup(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	token := strings.TrimSpace(in.Get("token"))
	_, err = s.Identity.CompleteSetup(c.Request().Context(), token, in.Get("email"), in.Get("name"), in.Get("password"))
	if err == nil {
		s.SetUp()
		granted, err := s.login(c, in.Get("email"), in.Get("password"))
		if err != nil {
			return err
		}
		return s.enter(c, granted, views.PathOverview)
	}
	f := fault.Of(err)
	name, email, password := accountFields(in.Get("name"), in.Get("email"))
	p := views.Setup{Token: token, Rules: passwordRules}
	switch {
	case f.Kind == fault.Gone:
		return s.setUpAlready(c)
	case f.Kind == fault.Unauthenticated:
		p.Token = "" // asked for anew
		c.Response().Header().Set("WWW-Authenticate", `Bearer realm="vivified"`)
	case f.Kind == fault.TooMany:
		setRetryAfter(c, f)
	case !isForm(f):
		return err
	}
	p.Errors = corrections(f, email, name, password)
	p.Fields = []views.Field{*email, *name, *password}
	return draw(c, s.visit(c.Request()), statuses[f.Kind], views.SetupPage(p))
}

// accountFields are what a new account is asked for.
func accountFields(name, email string) (nameField, emailField, passwordField *views.Field) {
	return &views.Field{Name: "name", Label: "Name", Value: name, Required: true, Autocomplete: "name", MaxLength: 100},
		&views.Field{Name: "email", Label: "E-mail", Type: views.Email, Value: email, Required: true, Autocomplete: "username", MaxLength: 254},
		&views.Field{Name: "password", Label: "Password", Type: views.Password, Required: true, Autocomplete: "new-password"}
}

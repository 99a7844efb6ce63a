package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// passkeyPage handles GET /console/account/factors/passkeys/new.
func (s *Server) passkeyPage(c echo.Context) error {
	return s.passkeyForm(c, http.StatusOK, views.NewPasskey{Name: device(identity.Session{UserAgent: c.Request().UserAgent()})})
}

// passkeyForm asks for a new passkey, where this browser is at an address that
// passkeys are bound to.
func (s *Server) passkeyForm(c echo.Context, status int, p views.NewPasskey) error {
	if s.passkeysWork(c.Request()) {
		options, err := s.Identity.RegistrationChallenge(c.Request().Context())
		if err != nil {
			return err
		}
		p.Options = string(options)
	} else {
		p.Origin = s.Identity.PasskeyOrigin()
	}
	return answer(c, s.visit(c.Request()), status, at(views.PathAccount, "Account", views.PathAccount, "Passkey", ""), p, views.NewPasskeyPage, views.NewPasskeyBody)
}

// passkeyAdd handles POST /console/account/factors/passkeys.
func (s *Server) passkeyAdd(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	codes, err := s.Identity.RegisterPasskey(c.Request().Context(), in.Get("name"), []byte(in.Get("credential")))
	if f := fault.Of(err); err != nil && (isForm(f) || f.Kind == fault.Gone || f.Kind == fault.Conflict) {
		return s.passkeyForm(c, http.StatusUnprocessableEntity, views.NewPasskey{Name: in.Get("name"), Error: f.Sentence})
	}
	return s.enrolled(c, "Your passkey is registered.", codes, err)
}

// askRemovePasskey handles GET /console/account/factors/passkeys/:id/remove.
func (s *Server) askRemovePasskey(c echo.Context) error {
	return s.askFactor(c, views.Confirm{
		Title: "Remove this passkey?", Text: "It is refused from then on. Every other session of yours ends. Delete it on your device, too.",
		Action: views.Action{Label: "Remove", Danger: true, Primary: true, Href: views.PasskeyPath(c.Param("id"), "remove")},
	})
}

// passkeyRemove handles POST /console/account/factors/passkeys/:id/remove.
func (s *Server) passkeyRemove(c echo.Context) error {
	return s.removed(c, s.Identity.RemovePasskey(c.Request().Context(), c.Param("id")), "The passkey is removed.")
}

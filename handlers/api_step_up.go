package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/identity"
)

// stepUp handles POST /auth/step-up.
func (s *Server) stepUp(c echo.Context) error {
	var in struct {
		Password string `json:"password"`
		OTP      string `json:"otp"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	until, err := s.Identity.StepUp(c.Request().Context(), identity.Evidence{Password: in.Password, Code: in.OTP})
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, map[string]any{"fresh_until": until})
}

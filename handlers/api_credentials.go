package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/lanes/proxy"
)

// listCredentials handles GET /admin/egress/credentials. Secrets are not among it.
func (s *Server) listCredentials(c echo.Context) error {
	list, err := s.Egress.Credentials(c.Request().Context())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"items": list})
}

// bindCredential handles PUT /admin/egress/credentials/:id/:domain.
func (s *Server) bindCredential(c echo.Context) error {
	var in struct {
		Kind proxy.CredentialKind `json:"kind"`
		proxy.Terms
		Secret string `json:"secret"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	made, err := s.Egress.Bind(c.Request().Context(), proxy.Credential{Plugin: c.Param("id"), Domain: c.Param("domain"), Kind: in.Kind, Terms: in.Terms}, in.Secret)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, made)
}

// unbindCredential handles DELETE /admin/egress/credentials/:id/:domain.
func (s *Server) unbindCredential(c echo.Context) error {
	if err := s.Egress.Unbind(c.Request().Context(), c.Param("id"), c.Param("domain")); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "removed"})
}

package handlers

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// signingKeyView is one of the core's keys; its private half is nowhere.
type signingKeyView struct {
	ID        string    `json:"kid"`
	NotBefore time.Time `json:"not_before"`
	RetireAt  time.Time `json:"retire_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Signs     bool      `json:"signs"`
}

// listSigningKeys handles GET /admin/signing-keys.
func (s *Server) listSigningKeys(c echo.Context) error { return s.answerSigningKeys(c, http.StatusOK) }

func (s *Server) answerSigningKeys(c echo.Context, status int) error {
	keys, err := s.Identity.SigningKeys(c.Request().Context())
	if err != nil {
		return err
	}
	items := []signingKeyView{}
	for _, k := range keys {
		items = append(items, signingKeyView{k.ID, k.NotBefore.UTC(), k.Retire.UTC(), k.Expires.UTC(), k.Signs})
	}
	return c.JSON(status, map[string]any{"items": items})
}

// rotateSigningKey handles POST /admin/signing-keys: the next key, and what signs
// and verifies then.
func (s *Server) rotateSigningKey(c echo.Context) error {
	if err := s.Identity.Rotate(c.Request().Context()); err != nil {
		return err
	}
	return s.answerSigningKeys(c, http.StatusCreated)
}

// revokeSigningKey handles DELETE /admin/signing-keys/:key: what it signed is void
// at once.
func (s *Server) revokeSigningKey(c echo.Context) error {
	if err := s.Identity.RevokeKey(c.Request().Context(), c.Param("key")); err != nil {
		return err
	}
	return s.answerSigningKeys(c, http.StatusOK)
}

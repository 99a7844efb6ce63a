package handlers

import (
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
)

// listRegistrationTokens handles GET /admin/registration-tokens.
func (s *Server) listRegistrationTokens(c echo.Context) error {
	limit, err := pageSize(c, 50, 200)
	if err != nil {
		return err
	}
	before, err := keyCursor(c.QueryParam("cursor"))
	if err != nil {
		return err
	}
	page, err := s.Identity.RegistrationTokens(c.Request().Context(), before, limit)
	if err != nil {
		return err
	}
	type token struct {
		ID        string     `json:"id"`
		Plugin    string     `json:"plugin,omitempty"`
		Label     string     `json:"label"`
		CreatedBy string     `json:"created_by"`
		CreatedAt time.Time  `json:"created_at"`
		ExpiresAt time.Time  `json:"expires_at"`
		UsedAt    *time.Time `json:"used_at,omitempty"`
		UsedBy    string     `json:"used_by,omitempty"`
		RevokedAt *time.Time `json:"revoked_at,omitempty"`
	}
	items := []token{}
	for _, t := range page.Tokens {
		items = append(items, token{t.ID.String(), t.Plugin, t.Label, t.CreatedBy, t.CreatedAt.UTC(), t.ExpiresAt.UTC(), t.UsedAt, t.UsedBy, t.RevokedAt})
	}
	next := ""
	if page.Next != uuid.Nil {
		next = page.Next.String()
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items, "next_cursor": next})
}

// maxSeconds is a time longer than any that is allowed, which can be computed with.
const maxSeconds = 10 * 366 * 24 * 60 * 60

// createRegistrationToken handles POST /admin/registration-tokens.
func (s *Server) createRegistrationToken(c echo.Context) error {
	var in struct {
		Plugin    string `json:"plugin"`
		Label     string `json:"label"`
		ExpiresIn int64  `json:"expires_in"` // seconds; 0: a day
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	in.ExpiresIn = min(max(in.ExpiresIn, -1), maxSeconds) // beyond, it would be another number as a duration
	t, secret, err := s.Identity.CreateRegistrationToken(c.Request().Context(), in.Plugin, in.Label, time.Duration(in.ExpiresIn)*time.Second)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusCreated, map[string]any{
		"id": t.ID, "token": secret, "plugin": t.Plugin, "label": t.Label, "expires_at": t.ExpiresAt.UTC(),
	})
}

// revokeRegistrationToken handles DELETE /admin/registration-tokens/:id.
func (s *Server) revokeRegistrationToken(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	if err := s.Identity.RevokeRegistrationToken(c.Request().Context(), id); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "revoked"})
}

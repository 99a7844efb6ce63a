package handlers

import (
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
)

// listExpiring handles GET /admin/expiring-grants: what people were given that ends
// by itself, the soonest first.
func (s *Server) listExpiring(c echo.Context) error {
	limit, err := pageSize(c, 50, 200)
	if err != nil {
		return err
	}
	grants, next, err := s.Identity.ExpiringGrants(c.Request().Context(), c.QueryParam("cursor"), limit)
	if err != nil {
		return err
	}
	type person struct {
		ID    uuid.UUID `json:"id"`
		Name  string    `json:"name"`
		Email string    `json:"email"`
	}
	type expiring struct {
		User      person    `json:"user"`
		Kind      string    `json:"kind"`
		Name      string    `json:"name"`
		Label     string    `json:"label"`
		Provider  string    `json:"provider,omitempty"`
		Reason    string    `json:"reason,omitempty"`
		GrantedBy string    `json:"granted_by"`
		GrantedAt time.Time `json:"granted_at"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	items := []expiring{}
	for _, g := range grants {
		items = append(items, expiring{person{g.User.ID, g.User.Name, g.User.Email}, g.Kind, g.Name, g.Label, g.Provider, g.Reason, g.GrantedBy, g.GrantedAt.UTC(), g.Expires.UTC()})
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items, "next_cursor": next})
}

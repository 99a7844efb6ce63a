package handlers

import (
	"net/http"
	"strconv"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/rulebook"
)

// listShadows handles GET /admin/policies/shadow.
func (s *Server) listShadows(c echo.Context) error {
	list, err := s.Rules.Shadows(c.Request().Context())
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, map[string]any{"items": list})
}

// startShadow handles POST /admin/policies/shadow.
func (s *Server) startShadow(c echo.Context) error {
	in := struct {
		Days  int `json:"days"`
		Limit int `json:"limit"`
	}{Days: 7}
	if err := bind(c, &in); err != nil {
		return err
	}
	shadow, err := s.Rules.StartShadow(c.Request().Context(), in.Days, in.Limit)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusAccepted, shadow)
}

// shadowOf returns the replay the address names.
func (s *Server) shadowOf(c echo.Context) (rulebook.Shadow, error) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return rulebook.Shadow{}, fault.New(fault.NotFound, "policy.shadow_unknown", "There is no such replay; the oldest are forgotten.")
	}
	return s.Rules.Shadow(c.Request().Context(), id)
}

// showShadow handles GET /admin/policies/shadow/:id: how far it is, and what it
// found so far, summed up.
func (s *Server) showShadow(c echo.Context) error {
	shadow, err := s.shadowOf(c)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, map[string]any{"shadow": shadow, "flips": shadow.Groups(rulebook.Flips), "drifts": shadow.Groups(rulebook.Drifts)})
}

// listFlips handles GET /admin/policies/shadow/:id/flips.
func (s *Server) listFlips(c echo.Context) error {
	limit, err := pageSize(c, 100, 500)
	if err != nil {
		return err
	}
	after, err := numberCursor(c)
	if err != nil {
		return err
	}
	against := rulebook.Against(orElse(c.QueryParam("against"), string(rulebook.Flips)))
	if against != rulebook.Flips && against != rulebook.Drifts {
		return fault.New(fault.Invalid, "policy.against", "against is published or recorded.")
	}
	shadow, err := s.shadowOf(c)
	if err != nil {
		return err
	}
	items, err := s.Rules.ListFlips(c.Request().Context(), shadow.ID, against, after, limit)
	if err != nil {
		return err
	}
	next := ""
	if len(items) == limit {
		next = strconv.FormatInt(items[limit-1].Seq, 10)
	}
	return noStore(c, http.StatusOK, map[string]any{"items": items, "next_cursor": next})
}

// cancelShadow handles DELETE /admin/policies/shadow/:id.
func (s *Server) cancelShadow(c echo.Context) error {
	shadow, err := s.shadowOf(c)
	if err != nil {
		return err
	}
	if err := s.Rules.CancelShadow(c.Request().Context(), shadow.ID); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "cancelled"})
}

package handlers

import (
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/rulebook"
)

// listPolicyWaiting handles GET /admin/policies/waiting.
func (s *Server) listPolicyWaiting(c echo.Context) error {
	list, err := s.Rules.Waiting(c.Request().Context())
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, map[string]any{"items": list})
}

// waitingParam reads the id of a publication that waits, and the reason given.
func waitingParam(c echo.Context) (id uuid.UUID, reason string, err error) {
	if id, err = waitingID(c); err != nil {
		return id, "", err
	}
	var in struct {
		Reason string `json:"reason"`
	}
	err = bind(c, &in)
	return id, in.Reason, err
}

// approvePolicy handles POST /admin/policies/waiting/:id/approve.
func (s *Server) approvePolicy(c echo.Context) error {
	id, reason, err := waitingParam(c)
	if err != nil {
		return err
	}
	v, err := s.Rules.Approve(c.Request().Context(), id, reason)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, rulebook.Outcome{Version: &v})
}

// denyPolicy handles POST /admin/policies/waiting/:id/deny.
func (s *Server) denyPolicy(c echo.Context) error {
	id, reason, err := waitingParam(c)
	if err != nil {
		return err
	}
	if err := s.Rules.Deny(c.Request().Context(), id, reason); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "denied"})
}

// withdrawPolicy handles POST /admin/policies/waiting/:id/withdraw.
func (s *Server) withdrawPolicy(c echo.Context) error {
	id, _, err := waitingParam(c)
	if err != nil {
		return err
	}
	if err := s.Rules.Withdraw(c.Request().Context(), id); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "withdrawn"})
}

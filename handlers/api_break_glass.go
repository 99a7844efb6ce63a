package handlers

import (
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/identity"
)

// breakGlassView is an account for emergencies as the API shows it.
type breakGlassView struct {
	ID       uuid.UUID  `json:"id"`
	Username string     `json:"username"`
	Name     string     `json:"name"`
	Status   string     `json:"status"`
	Traits   []string   `json:"traits"`
	Sealed   time.Time  `json:"sealed_at"`
	Expires  time.Time  `json:"expires_at"`
	Used     *time.Time `json:"last_used_at"`
}

// breakGlassAlert is a use nobody acknowledged, as the API shows it.
type breakGlassAlert struct {
	Session uuid.UUID `json:"session"`
	User    uuid.UUID `json:"user"`
	Name    string    `json:"name"`
	Reason  string    `json:"reason"`
	Address string    `json:"address"`
	At      time.Time `json:"at"`
	Open    bool      `json:"open"`
}

// listBreakGlass handles GET /admin/break-glass.
func (s *Server) listBreakGlass(c echo.Context) error {
	ctx := c.Request().Context()
	all, err := s.Identity.BreakGlassAccounts(ctx)
	if err != nil {
		return err
	}
	uses, err := s.Identity.BreakGlassAlerts(ctx)
	if err != nil {
		return err
	}
	traits := s.Registry.Snapshot().Traits()
	accounts, alerts := make([]breakGlassView, len(all)), make([]breakGlassAlert, len(uses))
	for i, a := range all {
		accounts[i] = breakGlassView{
			ID: a.User.ID, Username: a.User.Email, Name: a.User.Name, Status: string(a.User.Status), Traits: traits.Names(a.User.Traits),
			Sealed: a.Sealed.UTC(), Expires: a.Expires.UTC(), Used: a.Used,
		}
	}
	for i, u := range uses {
		alerts[i] = breakGlassAlert(u)
	}
	return noStore(c, http.StatusOK, map[string]any{"accounts": accounts, "alerts": alerts})
}

// makeBreakGlass handles POST /admin/break-glass.
func (s *Server) makeBreakGlass(c echo.Context) error {
	var in struct {
		Username string     `json:"username"`
		Name     string     `json:"name"`
		Traits   []string   `json:"traits"`
		Reason   string     `json:"reason"`
		Expires  *time.Time `json:"expires_at"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	made, err := s.Identity.MakeBreakGlass(c.Request().Context(), identity.NewBreakGlass{
		Account: in.Username, Name: in.Name, Traits: in.Traits, Reason: in.Reason, Expires: timeOf(in.Expires),
	})
	return s.sealed(c, http.StatusCreated, made, err)
}

// rotateBreakGlass handles POST /admin/break-glass/:id/rotate.
func (s *Server) rotateBreakGlass(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	var in struct {
		Expires *time.Time `json:"expires_at"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	made, err := s.Identity.RotateBreakGlass(c.Request().Context(), id, timeOf(in.Expires))
	return s.sealed(c, http.StatusOK, made, err)
}

// sealed answers with the password of an account for emergencies, this once.
func (s *Server) sealed(c echo.Context, status int, made identity.Sealed, err error) error {
	if err != nil {
		return err
	}
	return noStore(c, status, map[string]any{"id": made.User.ID, "username": made.User.Email, "password": made.Password, "expires_at": made.Expires})
}

// acknowledgeBreakGlass handles POST /admin/break-glass/alerts/:session/acknowledge.
func (s *Server) acknowledgeBreakGlass(c echo.Context) error {
	id, err := idParam(c, "session")
	if err != nil {
		return err
	}
	if err := s.Identity.AcknowledgeBreakGlass(c.Request().Context(), id); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "acknowledged"})
}

// timeOf is a time that may be left out.
func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

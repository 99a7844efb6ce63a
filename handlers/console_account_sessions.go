package handlers

import (
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// endOtherSessions handles POST /console/account/sessions/revoke-others.
func (s *Server) endOtherSessions(c echo.Context) error {
	ctx := c.Request().Context()
	id, err := ownID(ctx)
	if err != nil {
		return err
	}
	if err := s.Identity.RevokeSessions(ctx, id, true); err != nil {
		return err
	}
	return s.done(c, flash{Text: "Every other session of yours has ended."}, back(c, views.PathAccount))
}

// sessionLeft handles GET and POST /console/session: how long the session goes on
// without being used, in seconds. Posting uses it.
func (s *Server) sessionLeft(c echo.Context) error {
	left, err := s.Identity.SessionLeft(c.Request().Context())
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, map[string]any{"ends_in": int(left.Seconds())})
}

// endSession handles POST /console/account/sessions/:session/revoke.
func (s *Server) endSession(c echo.Context) error {
	id, err := ownID(c.Request().Context())
	if err != nil {
		return err
	}
	return s.endSessionOf(c, id, views.PathAccount)
}

// endSessionOf ends the session of a person that the address names.
func (s *Server) endSessionOf(c echo.Context, user uuid.UUID, fallback string) error {
	ctx := c.Request().Context()
	id, err := idParam(c, "session")
	if err != nil {
		return err
	}
	if err := s.Identity.RevokeSession(ctx, user, id); err != nil {
		return err
	}
	if own := actor.From(ctx).Credential; own.Kind == identity.CredentialSession && own.ID == id.String() {
		return signedOut(c, "out")
	}
	return s.done(c, flash{Text: "The session has ended."}, back(c, fallback))
}

// signedOut leads a person whose session just ended to the page to sign in at.
func signedOut(c echo.Context, notice string) error {
	to := views.PathSignIn + "?notice=" + notice
	if isPart(c.Request()) {
		c.Response().Header().Set("HX-Redirect", to) // the whole page goes
		return c.NoContent(http.StatusNoContent)
	}
	return c.Redirect(http.StatusSeeOther, to)
}

package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// userQuestion begins a question about a person: where it is posted to, and where
// whoever is asked goes on.
func userQuestion(c echo.Context, u identity.User, label, verb string) views.Confirm {
	return views.Confirm{
		Title: label + " " + u.Name + "?", Back: back(c, userPath(u)),
		Action: views.Action{Label: label, Href: userPath(u, verb), Primary: true},
	}
}

// askedOf sends a question about a person.
func (s *Server) askedOf(c echo.Context, status int, u identity.User, q views.Confirm) error {
	q.Action.Fields = append(q.Action.Fields, views.Hidden{Name: "back", Value: q.Back})
	return ask(c, s.visit(c.Request()), status, userFrame(u, userPath(u)), q)
}

// askSuspend handles GET /console/users/:id/suspend.
func (s *Server) askSuspend(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	return s.confirmSuspend(c, http.StatusOK, u, "")
}

// confirmSuspend asks for a reason, and says what ends.
func (s *Server) confirmSuspend(c echo.Context, status int, u identity.User, refused string) error {
	q := userQuestion(c, u, "Suspend", suspend)
	q.Text = "They are signed out everywhere at once and cannot sign in until somebody restores them. Their roles and records stay."
	q.Action.Icon, q.Action.Danger, q.Error = "user-x", true, refused
	q.Fields = []views.Field{{Name: "reason", Label: "Reason", Help: "Kept in the audit.", MaxLength: 500, Value: c.FormValue("reason")}}
	return s.askWithReach(c, status, u, q)
}

// askDelete handles GET /console/users/:id/delete.
func (s *Server) askDelete(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	return s.confirmDelete(c, http.StatusOK, u, "")
}

// confirmDelete asks for the person's address, typed.
func (s *Server) confirmDelete(c echo.Context, status int, u identity.User, refused string) error {
	q := userQuestion(c, u, "Delete", remove)
	q.Text = "This cannot be taken back. Their name stays in the audit; the address becomes free."
	q.Action.Icon, q.Action.Danger, q.Typed, q.Error = "trash-2", true, u.Email, refused
	return s.askWithReach(c, status, u, q)
}

// askWithReach asks with what ends: sessions and keys.
func (s *Server) askWithReach(c echo.Context, status int, u identity.User, q views.Confirm) error {
	ctx := c.Request().Context()
	sessions, err := s.Identity.Sessions(ctx, u.ID)
	if err != nil {
		return err
	}
	keys, err := s.Identity.APIKeys(ctx, u.ID)
	if err != nil {
		return err
	}
	live, now := 0, s.visit(c.Request()).reader.Now
	for _, k := range keys {
		if k.RevokedAt == nil && k.ExpiresAt.After(now) {
			live++
		}
	}
	q.Reach = []views.KV{{Label: "Ends at once", Value: count(len(sessions), "session", "sessions") + ", " + count(live, "API key", "API keys") + ", links not used yet"}}
	return s.askedOf(c, status, u, q)
}

// askLink handles GET /console/users/:id/link.
func (s *Server) askLink(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	return s.confirmLink(c, http.StatusOK, u, "")
}

// confirmLink asks before a one-time link is made in place of those before.
func (s *Server) confirmLink(c echo.Context, status int, u identity.User, refused string) error {
	q := userQuestion(c, u, "Make the link", "link")
	q.Title = "Make a password link for " + u.Name + "?"
	q.Text = "Whoever opens it sets a new password, once, and every session of " + u.Name + " ends then. Links made before stop working now."
	if u.Status == identity.Invited {
		q.Title = "Make a new invitation link for " + u.Name + "?"
		q.Text = "Whoever opens it sets the password of this account, once. The link made before stops working now."
	}
	q.Action.Icon, q.Error = "link", refused
	return s.askedOf(c, status, u, q)
}

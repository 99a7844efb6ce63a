package handlers

import (
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
)

// itemResult is what became of one of several.
type itemResult struct {
	ID     *uuid.UUID `json:"id,omitempty"`
	Name   string     `json:"name,omitempty"`
	OK     bool       `json:"ok"`
	Code   string     `json:"code,omitempty"`
	Detail string     `json:"detail,omitempty"`
}

func resultOf(id uuid.UUID, name string, err error) itemResult {
	r := itemResult{Name: name, OK: err == nil}
	if id != uuid.Nil {
		r.ID = &id
	}
	if err != nil {
		f := fault.Of(err)
		r.Code, r.Detail = f.Code, f.Sentence
	}
	return r
}

// changeUsers handles POST /admin/users/bulk: one change of several people, with
// what became of each.
func (s *Server) changeUsers(c echo.Context) error {
	var in struct {
		Do        string      `json:"do"`
		People    []uuid.UUID `json:"people"`
		Role      string      `json:"role"`
		Group     uuid.UUID   `json:"group"`
		Reason    string      `json:"reason"`
		ExpiresAt *time.Time  `json:"expires_at"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	results, err := s.Identity.ChangeMany(c.Request().Context(), in.People, identity.Bulk{Do: in.Do, Role: in.Role, Group: in.Group, Reason: in.Reason, Expires: in.ExpiresAt})
	if err != nil {
		return err
	}
	items, done := []itemResult{}, 0
	for _, r := range results {
		if r.Err == nil {
			done++
		}
		items = append(items, resultOf(r.ID, r.Name, r.Err))
	}
	return c.JSON(http.StatusOK, map[string]any{"done": done, "refused": len(items) - done, "items": items})
}

// inviteUsers handles POST /admin/invitations: whom a pasted list names, with what
// became of each. The links are shown this once.
func (s *Server) inviteUsers(c echo.Context) error {
	var in struct {
		List   string      `json:"list"`
		Roles  []string    `json:"roles"`
		Groups []uuid.UUID `json:"groups"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	lines, err := s.Identity.InviteMany(c.Request().Context(), in.List, roleGrants(in.Roles), in.Groups)
	if err != nil {
		return err
	}
	type item struct {
		Line int    `json:"line"`
		Text string `json:"text"`
		itemResult
		InviteURL string     `json:"invite_url,omitempty"`
		ExpiresAt *time.Time `json:"expires_at,omitempty"`
	}
	items, done := []item{}, 0
	for _, l := range lines {
		one := item{Line: l.Line, Text: l.Text, itemResult: resultOf(l.Link.User.ID, l.Link.User.Name, l.Err)}
		if l.Err == nil {
			done++
			end := l.Link.Expires.UTC()
			one.InviteURL, one.ExpiresAt = s.inviteURL(l.Link.Secret), &end
		}
		items = append(items, one)
	}
	return noStore(c, http.StatusOK, map[string]any{"done": done, "refused": len(items) - done, "items": items})
}

// listInvitations handles GET /admin/invitations.
func (s *Server) listInvitations(c echo.Context) error {
	limit, err := pageSize(c, 50, 200)
	if err != nil {
		return err
	}
	before := uuid.Nil
	if cursor := c.QueryParam("cursor"); cursor != "" {
		if before, err = uuid.Parse(cursor); err != nil {
			return fault.New(fault.Invalid, "cursor.malformed", "This page cannot be found; start from the first.")
		}
	}
	open, next, err := s.Identity.OpenInvitations(c.Request().Context(), before, limit)
	if err != nil {
		return err
	}
	type item struct {
		userView
		InvitedBy string    `json:"invited_by,omitempty"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	items, cursor := []item{}, ""
	for _, o := range open {
		items = append(items, item{s.userView(o.User), o.InvitedBy, o.Expires.UTC()})
	}
	if next != uuid.Nil {
		cursor = next.String()
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items, "next_cursor": cursor})
}

// resendInvitation handles POST /admin/users/:id/link: a new one-time link in
// place of those before.
func (s *Server) resendInvitation(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	link, err := s.Identity.NewLink(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusCreated, map[string]any{
		"user": s.userView(link.User), "invite_url": s.inviteURL(link.Secret), "expires_at": link.Expires.UTC(),
	})
}

// withdrawInvitation handles DELETE /admin/invitations/:id.
func (s *Server) withdrawInvitation(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	if err := s.Identity.Withdraw(c.Request().Context(), id); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "withdrawn"})
}

// listSessions handles GET /admin/users/:id/sessions.
func (s *Server) listSessions(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	sessions, err := s.Identity.Sessions(c.Request().Context(), id)
	if err != nil {
		return err
	}
	type item struct {
		ID        uuid.UUID `json:"id"`
		Kind      string    `json:"kind"`
		Address   string    `json:"address"`
		UserAgent string    `json:"user_agent"`
		CreatedAt time.Time `json:"created_at"`
		SeenAt    time.Time `json:"seen_at"`
		ExpiresAt time.Time `json:"expires_at"`
		Current   bool      `json:"current"`
	}
	items := []item{}
	for _, one := range sessions {
		items = append(items, item{one.ID, one.Kind, one.Address, one.UserAgent, one.CreatedAt.UTC(), one.SeenAt.UTC(), one.ExpiresAt.UTC(), one.Current})
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items})
}

// endSessions handles DELETE /admin/users/:id/sessions: all of them.
func (s *Server) endSessions(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	if err := s.Identity.RevokeSessions(c.Request().Context(), id, false); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "signed out"})
}

// endOneSession handles DELETE /admin/users/:id/sessions/:session.
func (s *Server) endOneSession(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	session, err := idParam(c, "session")
	if err != nil {
		return err
	}
	if err := s.Identity.RevokeSession(c.Request().Context(), id, session); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "signed out"})
}

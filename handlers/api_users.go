package handlers

import (
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// listUsers handles GET /admin/users.
func (s *Server) listUsers(c echo.Context) error {
	limit, err := pageSize(c, 50, 200)
	if err != nil {
		return err
	}
	f := identity.UserFilter{
		Text: c.QueryParam("q"), Status: identity.Status(c.QueryParam("status")), Source: c.QueryParam("source"), Role: c.QueryParam("role"), Trait: c.QueryParam("trait"),
		Cursor: c.QueryParam("cursor"), Limit: limit,
	}
	if group := c.QueryParam("group"); group != "" {
		if f.Group, err = uuid.Parse(group); err != nil {
			return fault.New(fault.Invalid, "query.group", "group is the id of a group.")
		}
	}
	page, err := s.Identity.Users(c.Request().Context(), f)
	if err != nil {
		return err
	}
	items := []userView{}
	for _, u := range page.Users {
		items = append(items, s.userView(u))
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items, "next_cursor": page.Next})
}

// inviteUser handles POST /admin/users: the answer carries the one-time link.
func (s *Server) inviteUser(c echo.Context) error {
	var in struct {
		Email  string      `json:"email"`
		Name   string      `json:"name"`
		Roles  []string    `json:"roles"`
		Groups []uuid.UUID `json:"groups"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	link, err := s.Identity.Invite(c.Request().Context(), identity.Invitation{Email: in.Email, Name: in.Name, Roles: roleGrants(in.Roles), Groups: in.Groups})
	if err != nil {
		return err
	}
	return noStore(c, http.StatusCreated, map[string]any{
		"user": s.userView(link.User), "invite_url": s.inviteURL(link.Secret), "expires_at": link.Expires.UTC(),
	})
}

func (s *Server) inviteURL(secret string) string {
	return s.Public + views.PathInvite + "?token=" + secret
}

func roleGrants(names []string) []identity.RoleGrant {
	grants := []identity.RoleGrant{}
	for _, n := range names {
		grants = append(grants, identity.RoleGrant{Role: n})
	}
	return grants
}

func idParam(c echo.Context, name string) (uuid.UUID, error) {
	id, err := uuid.Parse(c.Param(name))
	if err != nil {
		return uuid.Nil, fault.New(fault.NotFound, name+".unknown", "There is nothing with this id.")
	}
	return id, nil
}

// showUser handles GET /admin/users/:id: the person, and where each trait comes from.
func (s *Server) showUser(c echo.Context) error {
	ctx := c.Request().Context()
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	user, err := s.Identity.User(ctx, id)
	if err != nil {
		return err
	}
	held, err := s.Identity.Effective(ctx, id)
	if err != nil {
		return err
	}
	type holding struct {
		Trait   string            `json:"trait"`
		From    []identity.Source `json:"from"`
		Expires *time.Time        `json:"expires_at,omitempty"`
	}
	effective := []holding{}
	for _, h := range held {
		effective = append(effective, holding{h.Trait.Name, h.From, h.Expires})
	}
	return c.JSON(http.StatusOK, struct {
		userView
		Effective []holding `json:"effective"`
	}{s.userView(user), effective})
}

// changeUser handles PATCH /admin/users/:id.
func (s *Server) changeUser(c echo.Context) error {
	ctx := c.Request().Context()
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	var in struct {
		Name   *string   `json:"name"`
		Roles  *[]string `json:"roles"`
		Status *string   `json:"status"`
		Reason string    `json:"reason"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	if in.Status != nil && *in.Status != "active" && *in.Status != "suspended" {
		return fault.New(fault.Unprocessable, "user.status", "The status is active or suspended.")
	}
	user, err := s.Identity.User(ctx, id)
	if err != nil {
		return err
	}
	if in.Name != nil {
		if user, err = s.Identity.SetName(ctx, id, *in.Name); err != nil {
			return err
		}
	}
	if in.Roles != nil {
		if user, err = s.Identity.SetRoles(ctx, id, roleGrants(*in.Roles)); err != nil {
			return err
		}
	}
	if in.Status != nil {
		if *in.Status == "suspended" {
			user, err = s.Identity.Suspend(ctx, id, in.Reason)
		} else {
			user, err = s.Identity.Reactivate(ctx, id)
		}
		if err != nil {
			return err
		}
	}
	return c.JSON(http.StatusOK, s.userView(user))
}

// deleteUser handles DELETE /admin/users/:id.
func (s *Server) deleteUser(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	if err := s.Identity.Delete(c.Request().Context(), id); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "deleted"})
}

// grantTrait handles POST /admin/users/:id/traits.
func (s *Server) grantTrait(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	var in struct {
		Trait     string     `json:"trait"`
		Reason    string     `json:"reason"`
		ExpiresAt *time.Time `json:"expires_at"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	user, err := s.Identity.GrantTrait(c.Request().Context(), id, identity.TraitGrant{Trait: in.Trait, Reason: in.Reason, Expires: in.ExpiresAt})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, s.userView(user))
}

// revokeTrait handles DELETE /admin/users/:id/traits/:trait.
func (s *Server) revokeTrait(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	user, err := s.Identity.RevokeTrait(c.Request().Context(), id, c.Param("trait"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, s.userView(user))
}

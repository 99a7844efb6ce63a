package handlers

import (
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/identity"
)

// groupView is a group as the API shows it.
type groupView struct {
	ID          uuid.UUID     `json:"id"`
	Name        string        `json:"name"`
	Description string        `json:"description"`
	Roles       []groupRole   `json:"roles"`
	Traits      []string      `json:"traits"`
	People      int           `json:"people"`
	CreatedAt   time.Time     `json:"created_at"`
	Members     *[]memberView `json:"members,omitempty"`
	NextCursor  *string       `json:"next_cursor,omitempty"`
}

type groupRole struct {
	Role      string     `json:"role"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

// memberView is a person in a group.
type memberView struct {
	ID        uuid.UUID  `json:"id"`
	Name      string     `json:"name"`
	Email     string     `json:"email"`
	Status    string     `json:"status"`
	Provider  string     `json:"provider,omitempty"`
	Reason    string     `json:"reason,omitempty"`
	GrantedBy string     `json:"granted_by"`
	GrantedAt time.Time  `json:"granted_at"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
}

func (s *Server) groupView(g identity.Group) groupView {
	v := groupView{
		ID: g.ID, Name: g.Name, Description: g.Description, Roles: []groupRole{}, Traits: s.Registry.Snapshot().Traits().Names(g.Traits), People: g.People, CreatedAt: g.CreatedAt.UTC(),
	}
	for _, r := range g.Roles {
		v.Roles = append(v.Roles, groupRole{r.Name, r.Expires})
	}
	return v
}

// listGroups handles GET /admin/groups.
func (s *Server) listGroups(c echo.Context) error {
	limit, err := pageSize(c, 50, 200)
	if err != nil {
		return err
	}
	page, err := s.Identity.Groups(c.Request().Context(), identity.GroupFilter{Text: c.QueryParam("q"), Role: c.QueryParam("role"), Cursor: c.QueryParam("cursor"), Limit: limit})
	if err != nil {
		return err
	}
	items := []groupView{}
	for _, g := range page.Groups {
		items = append(items, s.groupView(g))
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items, "next_cursor": page.Next})
}

// showGroup handles GET /admin/groups/:id: the group and a page of who is in it.
func (s *Server) showGroup(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	limit, err := pageSize(c, 50, 200)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	g, err := s.Identity.Group(ctx, id)
	if err != nil {
		return err
	}
	page, err := s.Identity.GroupMembers(ctx, id, c.QueryParam("cursor"), limit)
	if err != nil {
		return err
	}
	members := []memberView{}
	for _, m := range page.Members {
		members = append(members, memberView{
			ID: m.ID, Name: m.Name, Email: m.Email, Status: string(m.Status), Provider: m.Membership.Provider, Reason: m.Membership.Reason,
			GrantedBy: m.Membership.GrantedBy, GrantedAt: m.Membership.GrantedAt.UTC(), ExpiresAt: m.Membership.Expires,
		})
	}
	v := s.groupView(g)
	v.Members, v.NextCursor = &members, &page.Next
	return c.JSON(http.StatusOK, v)
}

// groupEdit is a group as it is sent.
type groupEdit struct {
	Name        *string      `json:"name"`
	Description *string      `json:"description"`
	Roles       *[]groupRole `json:"roles"`
}

// over returns the group as it is to be: what is not sent stays.
func (in groupEdit) over(g identity.Group) identity.GroupEdit {
	e := identity.GroupEdit{Name: g.Name, Description: g.Description}
	for _, r := range g.Roles {
		e.Roles = append(e.Roles, identity.RoleGrant{Role: r.Name, Expires: r.Expires})
	}
	if in.Name != nil {
		e.Name = *in.Name
	}
	if in.Description != nil {
		e.Description = *in.Description
	}
	if in.Roles != nil {
		e.Roles = nil
		for _, r := range *in.Roles {
			e.Roles = append(e.Roles, identity.RoleGrant{Role: r.Role, Expires: r.ExpiresAt})
		}
	}
	return e
}

// createGroup handles POST /admin/groups.
func (s *Server) createGroup(c echo.Context) error {
	var in groupEdit
	if err := bind(c, &in); err != nil {
		return err
	}
	g, err := s.Identity.CreateGroup(c.Request().Context(), in.over(identity.Group{}))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, s.groupView(g))
}

// changeGroup handles PATCH /admin/groups/:id.
func (s *Server) changeGroup(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	var in groupEdit
	if err := bind(c, &in); err != nil {
		return err
	}
	ctx := c.Request().Context()
	g, err := s.Identity.Group(ctx, id)
	if err != nil {
		return err
	}
	if g, err = s.Identity.ChangeGroup(ctx, id, in.over(g)); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, s.groupView(g))
}

// deleteGroup handles DELETE /admin/groups/:id.
func (s *Server) deleteGroup(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	if err := s.Identity.DeleteGroup(c.Request().Context(), id); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "deleted"})
}

// joinGroup handles PUT /admin/groups/:id/members/:user.
func (s *Server) joinGroup(c echo.Context) error {
	var in struct {
		Reason    string     `json:"reason"`
		ExpiresAt *time.Time `json:"expires_at"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	return s.memberChange(c, func(group, user uuid.UUID) (identity.User, error) {
		return s.Identity.JoinGroup(c.Request().Context(), group, user, identity.MemberGrant{Reason: in.Reason, Expires: in.ExpiresAt})
	})
}

// leaveGroup handles DELETE /admin/groups/:id/members/:user.
func (s *Server) leaveGroup(c echo.Context) error {
	return s.memberChange(c, func(group, user uuid.UUID) (identity.User, error) {
		return s.Identity.LeaveGroup(c.Request().Context(), group, user)
	})
}

func (s *Server) memberChange(c echo.Context, change func(group, user uuid.UUID) (identity.User, error)) error {
	group, err := idParam(c, "id")
	if err != nil {
		return err
	}
	user, err := idParam(c, "user")
	if err != nil {
		return err
	}
	u, err := change(group, user)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, s.userView(u))
}

// groupsOf names the groups a person is in, once each.
func groupsOf(u identity.User) []groupName {
	names := []groupName{}
	for _, m := range u.Groups {
		if n := (groupName{m.Group, m.Name}); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

// groupName is a group in a list of a person's.
type groupName struct {
	ID   uuid.UUID `json:"id"`
	Name string    `json:"name"`
}

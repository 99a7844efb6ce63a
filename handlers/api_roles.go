package handlers

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
)

// roleView is a role as the API shows it.
type roleView struct {
	Name        string   `json:"name"`
	Label       string   `json:"label"`
	Description string   `json:"description"`
	Traits      []string `json:"traits"`
	Builtin     bool     `json:"builtin"`
	People      int      `json:"people"`
	Groups      int      `json:"groups"`
}

func roleViewOf(r identity.Role, use identity.RoleUse) roleView {
	return roleView{Name: r.Name, Label: r.Label, Description: r.Description, Traits: r.Traits, Builtin: r.Builtin, People: use.People, Groups: use.Groups}
}

// listRoles handles GET /admin/roles.
func (s *Server) listRoles(c echo.Context) error {
	ctx := c.Request().Context()
	roles, err := s.Identity.Roles(ctx)
	if err != nil {
		return err
	}
	uses, err := s.Identity.RoleUses(ctx)
	if err != nil {
		return err
	}
	items := []roleView{}
	for _, r := range roles {
		items = append(items, roleViewOf(r, uses[r.Name]))
	}
	return c.JSON(http.StatusOK, map[string]any{"items": items})
}

// roleEdit is a role as it is sent.
type roleEdit struct {
	Name        string    `json:"name"`
	Label       *string   `json:"label"`
	Description *string   `json:"description"`
	Traits      *[]string `json:"traits"`
}

// over returns the role as it is to be: what is not sent stays.
func (in roleEdit) over(r identity.Role) identity.Role {
	if in.Label != nil {
		r.Label = *in.Label
	}
	if in.Description != nil {
		r.Description = *in.Description
	}
	if in.Traits != nil {
		r.Traits = *in.Traits
	}
	return r
}

// createRole handles POST /admin/roles.
func (s *Server) createRole(c echo.Context) error {
	var in roleEdit
	if err := bind(c, &in); err != nil {
		return err
	}
	r, err := s.Identity.CreateRole(c.Request().Context(), in.over(identity.Role{Name: in.Name}))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, roleViewOf(r, identity.RoleUse{}))
}

// changeRole handles PATCH /admin/roles/:role.
func (s *Server) changeRole(c echo.Context) error {
	var in roleEdit
	if err := bind(c, &in); err != nil {
		return err
	}
	ctx := c.Request().Context()
	r, err := s.Identity.Role(ctx, c.Param("role"))
	if err != nil {
		return err
	}
	if in.Name != "" && in.Name != r.Name {
		return fault.New(fault.Unprocessable, "role.name", "The name of a role stays; change its label.")
	}
	if r, err = s.Identity.ChangeRole(ctx, in.over(r)); err != nil {
		return err
	}
	uses, err := s.Identity.RoleUses(ctx)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, roleViewOf(r, uses[r.Name]))
}

// deleteRole handles DELETE /admin/roles/:role: one in use only with ?in_use=take.
func (s *Server) deleteRole(c echo.Context) error {
	if err := s.Identity.DeleteRole(c.Request().Context(), c.Param("role"), c.QueryParam("in_use") == "take"); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "deleted"})
}

// giveRole handles PUT /admin/users/:id/roles/:role.
func (s *Server) giveRole(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	var in struct {
		Reason    string     `json:"reason"`
		ExpiresAt *time.Time `json:"expires_at"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	u, err := s.Identity.GiveRole(c.Request().Context(), id, identity.RoleGrant{Role: c.Param("role"), Reason: in.Reason, Expires: in.ExpiresAt})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, s.userView(u))
}

// takeRole handles DELETE /admin/users/:id/roles/:role.
func (s *Server) takeRole(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	u, err := s.Identity.TakeRole(c.Request().Context(), id, c.Param("role"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, s.userView(u))
}

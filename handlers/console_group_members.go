package handlers

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// askGroupJoin handles GET /console/groups/:id/join.
func (s *Server) askGroupJoin(c echo.Context) error {
	g, err := s.groupAt(c, "id")
	if err != nil {
		return err
	}
	return s.confirmGroupJoin(c, http.StatusOK, g, s.visit(c.Request()).giveFields(url.Values{"days": {""}}), "")
}

// confirmGroupJoin asks whom to put into a group, for how long and why.
func (s *Server) confirmGroupJoin(c echo.Context, status int, g identity.Group, fields []*views.Field, refused string) error {
	q := views.Confirm{
		Title: "Add a person to " + g.Name + "?", Text: "They have what it carries at once: their sessions end where that changes what they may.", Error: refused,
		Reach:  []views.KV{{Label: "It carries", Value: orElse(joined(groupRoles(g)), "no role")}},
		Action: views.Action{Label: "Add", Icon: "user-plus", Href: groupPath(g, "join")},
		Fields: []views.Field{{Name: "email", Label: "E-mail of the person", Type: views.Email, Value: c.FormValue("email"), Required: true, Autocomplete: "off"}},
	}
	for _, f := range fields {
		q.Fields = append(q.Fields, *f)
	}
	return s.askOfGroup(c, status, g, q)
}

// groupJoin handles POST /console/groups/:id/join.
func (s *Server) groupJoin(c echo.Context) error {
	ctx := c.Request().Context()
	in, err := formOf(c)
	if err != nil {
		return err
	}
	g, err := s.groupAt(c, "id")
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	fields := v.giveFields(in)
	days, ok := readDays(in, fields)
	if !ok {
		return s.confirmGroupJoin(c, http.StatusUnprocessableEntity, g, fields, "The number of days needs a correction; nothing was done.")
	}
	u, err := s.userByEmail(ctx, in.Get("email"))
	if err != nil {
		return err
	}
	if u == nil {
		return s.confirmGroupJoin(c, http.StatusUnprocessableEntity, g, fields, "Nobody here has this address.")
	}
	after, err := s.Identity.JoinGroup(ctx, g.ID, u.ID, identity.MemberGrant{Reason: in.Get("reason"), Expires: endIn(v.reader.Now, days)})
	if refused, ok := saidInForm(err); ok {
		return s.confirmGroupJoin(c, http.StatusUnprocessableEntity, g, fields, refused)
	}
	if err != nil {
		return err
	}
	return s.rightsChanged(c, v, *u, after, u.Name+" is in "+g.Name+forDays(days)+".", groupPath(g))
}

// carriedRole returns the role of a group that the address names; none when the form
// asks for it.
func carriedRole(c echo.Context, g identity.Group) (role identity.GroupRole, named bool, err error) {
	name := c.Param("role")
	if name == "" {
		return role, false, nil
	}
	i := slices.IndexFunc(g.Roles, func(r identity.GroupRole) bool { return r.Name == name })
	if i < 0 {
		return role, true, fault.New(fault.NotFound, "role.unknown", "%s carries no such role.", g.Name)
	}
	return g.Roles[i], true, nil
}

// askGroupGive handles GET /console/groups/:id/grant, and below a role, which then
// gets another end.
func (s *Server) askGroupGive(c echo.Context) error {
	g, err := s.groupAt(c, "id")
	if err != nil {
		return err
	}
	return s.confirmGroupGive(c, http.StatusOK, g, daysFields(url.Values{"days": {""}}, 0, true), "")
}

// confirmGroupGive asks which role a group is to carry, and for how long.
func (s *Server) confirmGroupGive(c echo.Context, status int, g identity.Group, fields []*views.Field, refused string) error {
	r, named, err := carriedRole(c, g)
	if err != nil {
		return err
	}
	q := views.Confirm{
		Title: "Give " + g.Name + " a role?", Text: "Everybody in it has the role at once: their sessions end where that changes what they may.", Error: refused,
		Reach:  []views.KV{{Label: "People in it", Value: count(g.People, "person", "people")}},
		Action: views.Action{Label: "Give", Icon: "key-round", Href: groupPath(g, "grant")},
	}
	if named {
		q.Title, q.Text = "Let "+g.Name+" carry "+orElse(r.Label, r.Name)+" for how long?", "The time runs from now."
		q.Action.Label, q.Action.Href = "Save", groupPath(g, giveRole, r.Name, "grant")
	} else {
		roles, err := s.Identity.Roles(c.Request().Context())
		if err != nil {
			return err
		}
		q.Fields = []views.Field{s.visit(c.Request()).roleSelect(roles, g, c.FormValue("role"))}
	}
	for _, f := range fields {
		q.Fields = append(q.Fields, *f)
	}
	return s.askOfGroup(c, status, g, q)
}

// roleSelect asks for a role that a group does not carry yet: those that whoever
// looks may give.
func (v *visit) roleSelect(roles []identity.Role, g identity.Group, chosen string) views.Field {
	f := views.Field{Name: "role", Label: "Role", Type: views.Select, Value: chosen, Required: true, Options: []views.Option{{Label: "Choose one"}}, Help: "Those above your own are left out."}
	for _, o := range v.roleField(roles, nil).Options {
		if !slices.ContainsFunc(g.Roles, func(r identity.GroupRole) bool { return r.Name == o.Value }) {
			f.Options = append(f.Options, o)
		}
	}
	return f
}

// groupGive handles POST to the same.
func (s *Server) groupGive(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	g, err := s.groupAt(c, "id")
	if err != nil {
		return err
	}
	r, named, err := carriedRole(c, g)
	if err != nil {
		return err
	}
	fields := daysFields(in, 0, true)
	days, ok := readDays(in, fields)
	if !ok {
		return s.confirmGroupGive(c, http.StatusUnprocessableEntity, g, fields, "The number of days needs a correction; nothing was done.")
	}
	edit, told := editOf(g), g.Name+" carries the role"+forDays(days)+"."
	if !named {
		r.Name = in.Get("role")
	}
	edit.Roles = slices.DeleteFunc(edit.Roles, func(was identity.RoleGrant) bool { return was.Role == r.Name })
	edit.Roles = append(edit.Roles, identity.RoleGrant{Role: r.Name, Expires: endIn(s.visit(c.Request()).reader.Now, days)})
	_, err = s.Identity.ChangeGroup(c.Request().Context(), g.ID, edit)
	if refused, ok := saidInForm(err); ok {
		return s.confirmGroupGive(c, http.StatusUnprocessableEntity, g, fields, refused)
	}
	if err != nil {
		return err
	}
	return s.done(c, flash{Text: told}, groupPath(g))
}

// askGroupTake handles GET /console/groups/:id/roles/:role/revoke.
func (s *Server) askGroupTake(c echo.Context) error {
	g, err := s.groupAt(c, "id")
	if err != nil {
		return err
	}
	return s.confirmGroupTake(c, http.StatusOK, g, "")
}

// confirmGroupTake says whom it touches when a group no longer carries a role.
func (s *Server) confirmGroupTake(c echo.Context, status int, g identity.Group, refused string) error {
	r, _, err := carriedRole(c, g)
	if err != nil {
		return err
	}
	return s.askOfGroup(c, status, g, views.Confirm{
		Title: "Take " + orElse(r.Label, r.Name) + " from " + g.Name + "?", Text: "Whoever has the role by this group alone loses it, and their sessions end.", Error: refused,
		Reach:  []views.KV{{Label: "People in it", Value: count(g.People, "person", "people")}},
		Action: views.Action{Label: "Take away", Danger: true, Href: groupPath(g, giveRole, r.Name, "revoke")},
	})
}

// groupTake handles POST to the same.
func (s *Server) groupTake(c echo.Context) error {
	g, err := s.groupAt(c, "id")
	if err != nil {
		return err
	}
	r, _, err := carriedRole(c, g)
	if err != nil {
		return err
	}
	edit := editOf(g)
	edit.Roles = slices.DeleteFunc(edit.Roles, func(was identity.RoleGrant) bool { return was.Role == r.Name })
	_, err = s.Identity.ChangeGroup(c.Request().Context(), g.ID, edit)
	if refused, ok := saidInForm(err); ok {
		return s.confirmGroupTake(c, http.StatusUnprocessableEntity, g, refused)
	}
	if err != nil {
		return err
	}
	return s.done(c, flash{Text: g.Name + " no longer carries " + orElse(r.Label, r.Name) + "."}, groupPath(g))
}

package handlers

import (
	"context"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// groupAt returns the group that the address names.
func (s *Server) groupAt(c echo.Context, param string) (identity.Group, error) {
	id, err := uuid.Parse(c.Param(param))
	if err != nil {
		return identity.Group{}, fault.New(fault.NotFound, "group.unknown", "There is no such group.")
	}
	return s.Identity.Group(c.Request().Context(), id)
}

// askUserJoin handles GET /console/users/:id/groups/join, and below a group, where
// the person's place then gets another end.
func (s *Server) askUserJoin(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	return s.confirmUserJoin(c, http.StatusOK, u, s.visit(c.Request()).giveFields(nil), "")
}

// confirmUserJoin asks which group, for how long and why.
func (s *Server) confirmUserJoin(c echo.Context, status int, u identity.User, fields []*views.Field, refused string) error {
	v := s.visit(c.Request())
	q := userQuestion(c, u, "Add", "")
	q.Action.Icon, q.Error, q.Text = "users", refused, "They have what the group carries at once: their sessions end where that changes what they may."
	q.Title, q.Action.Href = "Add "+u.Name+" to a group?", userPath(u, "groups", "join")
	if c.Param("group") != "" {
		g, err := s.groupAt(c, "group")
		if err != nil {
			return err
		}
		q.Title, q.Text = "Keep "+u.Name+" in "+g.Name+" for how long?", "The time runs from now."
		q.Action.Label, q.Action.Href = "Save", userPath(u, "groups", g.ID.String(), "join")
	} else {
		which, err := v.groupField(c.Request().Context(), c.FormValue("group"))
		if err != nil {
			return err
		}
		q.Fields = []views.Field{which}
	}
	for _, f := range fields {
		q.Fields = append(q.Fields, *f)
	}
	return s.askedOf(c, status, u, q)
}

// groupField asks for a group: those that whoever looks may put people into.
func (v *visit) groupField(ctx context.Context, chosen string) (views.Field, error) {
	f := views.Field{Name: "group", Label: "Group", Type: views.Select, Value: chosen, Required: true, Options: []views.Option{{Label: "Choose one"}}}
	page, err := v.Identity.Groups(ctx, identity.GroupFilter{Limit: 200})
	if err != nil {
		return f, err
	}
	for _, g := range page.Groups {
		if len(v.beyond(g.Traits)) == 0 {
			f.Options = append(f.Options, views.Option{Value: g.ID.String(), Label: g.Name})
		}
	}
	if len(f.Options) == 1 {
		f.Help = "There is no group that you may put people into."
	}
	return f, nil
}

// userJoin handles POST to the same.
func (s *Server) userJoin(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	fields := v.giveFields(in)
	days, ok := readDays(in, fields)
	if !ok {
		return s.confirmUserJoin(c, http.StatusUnprocessableEntity, u, fields, "The number of days needs a correction; nothing was done.")
	}
	id, err := uuid.Parse(orElse(c.Param("group"), in.Get("group")))
	if err != nil {
		return s.confirmUserJoin(c, http.StatusUnprocessableEntity, u, fields, "Choose a group.")
	}
	after, err := s.Identity.JoinGroup(c.Request().Context(), id, u.ID, identity.MemberGrant{Reason: in.Get("reason"), Expires: endIn(v.reader.Now, days)})
	if refused, ok := saidInForm(err); ok {
		return s.confirmUserJoin(c, http.StatusUnprocessableEntity, u, fields, refused)
	}
	if err != nil {
		return err
	}
	return s.rightsChanged(c, v, u, after, u.Name+" is in the group"+forDays(days)+".", userPath(u))
}

// askUserLeave handles GET /console/users/:id/groups/:group/leave.
func (s *Server) askUserLeave(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	return s.confirmUserLeave(c, http.StatusOK, u, "")
}

// confirmUserLeave says what a person loses with a group.
func (s *Server) confirmUserLeave(c echo.Context, status int, u identity.User, refused string) error {
	g, err := s.groupAt(c, "group")
	if err != nil {
		return err
	}
	q := userQuestion(c, u, "Take out", "")
	q.Title, q.Text = "Take "+u.Name+" out of "+g.Name+"?", "Their sessions end at once where that changes what they may."
	q.Action.Danger, q.Action.Href, q.Error = true, userPath(u, "groups", g.ID.String(), "leave"), refused
	q.Reach = []views.KV{{Label: "The group carries", Value: orElse(joined(groupRoles(g)), "no role")}}
	return s.askedOf(c, status, u, q)
}

// userLeave handles POST to the same.
func (s *Server) userLeave(c echo.Context) error {
	if _, err := formOf(c); err != nil {
		return err
	}
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	g, err := s.groupAt(c, "group")
	if err != nil {
		return err
	}
	after, err := s.Identity.LeaveGroup(c.Request().Context(), g.ID, u.ID)
	if refused, ok := saidInForm(err); ok {
		return s.confirmUserLeave(c, http.StatusUnprocessableEntity, u, refused)
	}
	if err != nil {
		return err
	}
	return s.rightsChanged(c, s.visit(c.Request()), u, after, u.Name+" is out of "+g.Name+".", userPath(u))
}

// groupRoles are the roles a group carries, as people know them.
func groupRoles(g identity.Group) []string {
	var labels []string
	for _, r := range g.Roles {
		labels = append(labels, orElse(r.Label, r.Name))
	}
	return labels
}

package handlers

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/sso"
	"github.com/vivified/vivified/views"
)

// groupFields ask for a group's name and description.
func groupFields(in url.Values) []views.Field {
	return []views.Field{
		{Name: "name", Label: "Name", Value: in.Get("name"), Required: true, MaxLength: 100, Autocomplete: "off", Help: "Such as Ward 4B."},
		{Name: "description", Label: "Description", Value: in.Get("description"), MaxLength: 500, Autocomplete: "off"},
	}
}

// newGroupForm asks for a group and the roles it is to carry.
func (v *visit) newGroupForm(roles []identity.Role, in url.Values) views.Form {
	carried := v.roleField(roles, in["roles"])
	carried.Help = "Everybody in the group has them. " + carried.Help
	return views.Form{
		Title: "New group", Text: "It begins empty; add people afterwards.", Fields: append(groupFields(in), carried),
		Post: views.PathGroups, Submit: "Make the group", Back: views.PathGroups,
	}
}

// newGroupPage handles GET /console/groups/new.
func (s *Server) newGroupPage(c echo.Context) error {
	roles, err := s.Identity.Roles(c.Request().Context())
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	return answer(c, v, http.StatusOK, groupFrame("New group", ""), v.newGroupForm(roles, nil), views.FormPage, views.FormBody)
}

// makeGroup handles POST /console/groups.
func (s *Server) makeGroup(c echo.Context) error {
	ctx := c.Request().Context()
	in, err := formOf(c)
	if err != nil {
		return err
	}
	g, err := s.Identity.CreateGroup(ctx, identity.GroupEdit{Name: in.Get("name"), Description: strings.TrimSpace(in.Get("description")), Roles: roleGrants(in["roles"])})
	if err == nil {
		return s.done(c, flash{Text: "The group " + g.Name + " is made."}, groupPath(g))
	}
	f := fault.Of(err)
	if !isForm(f) && !isRefusal(f) {
		return err
	}
	roles, err := s.Identity.Roles(ctx)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	asked := v.newGroupForm(roles, in)
	asked.Errors = corrections(onField(f, "group.name", "/name"), pointers(asked.Fields)...)
	return answer(c, v, http.StatusUnprocessableEntity, groupFrame("New group", ""), asked, views.FormPage, views.FormBody)
}

// onField says at a field of a form what was refused with a code, such as a name
// that is taken.
func onField(f *fault.Fault, code, path string) *fault.Fault {
	if f.Code != code || len(f.Violations) > 0 {
		return f
	}
	at := *f
	at.Violations = []fault.Violation{{Path: path, Message: f.Sentence}}
	return &at
}

// editGroupForm asks for another name and description.
func editGroupForm(g identity.Group, in url.Values) views.Form {
	return views.Form{
		Title: "Edit " + g.Name, Text: "Its roles and people are changed on its page.", Fields: groupFields(in),
		Post: groupPath(g, "edit"), Submit: "Save", Back: groupPath(g),
	}
}

// editGroupPage handles GET /console/groups/:id/edit.
func (s *Server) editGroupPage(c echo.Context) error {
	g, err := s.groupAt(c, "id")
	if err != nil {
		return err
	}
	return s.answerEditGroup(c, http.StatusOK, g, editGroupForm(g, url.Values{"name": {g.Name}, "description": {g.Description}}))
}

func (s *Server) answerEditGroup(c echo.Context, status int, g identity.Group, f views.Form) error {
	at := groupFrame(g.Name, groupPath(g))
	at.crumbs = append(at.crumbs, views.Crumb{Label: "Edit"})
	return answer(c, s.visit(c.Request()), status, at, f, views.FormPage, views.FormBody)
}

// editOf is a group as it is, to be changed in part.
func editOf(g identity.Group) identity.GroupEdit { return groupEdit{}.over(g) }

// saveGroup handles POST /console/groups/:id/edit.
func (s *Server) saveGroup(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	g, err := s.groupAt(c, "id")
	if err != nil {
		return err
	}
	edit := editOf(g)
	edit.Name, edit.Description = in.Get("name"), strings.TrimSpace(in.Get("description"))
	after, err := s.Identity.ChangeGroup(c.Request().Context(), g.ID, edit)
	if err == nil {
		return s.done(c, flash{Text: after.Name + " is saved."}, groupPath(g))
	}
	f := fault.Of(err)
	if !isForm(f) && !isRefusal(f) {
		return err
	}
	asked := editGroupForm(g, in)
	asked.Errors = corrections(onField(f, "group.name", "/name"), pointers(asked.Fields)...)
	return s.answerEditGroup(c, http.StatusUnprocessableEntity, g, asked)
}

// askOfGroup sends a question about a group.
func (s *Server) askOfGroup(c echo.Context, status int, g identity.Group, q views.Confirm) error {
	q.Back, q.Action.Primary = groupPath(g), true
	return ask(c, s.visit(c.Request()), status, groupFrame(g.Name, groupPath(g)), q)
}

// askDeleteGroup handles GET /console/groups/:id/delete.
func (s *Server) askDeleteGroup(c echo.Context) error {
	g, err := s.groupAt(c, "id")
	if err != nil {
		return err
	}
	return s.confirmDeleteGroup(c, http.StatusOK, g, "")
}

// confirmDeleteGroup says who loses what, and asks for the name, typed.
func (s *Server) confirmDeleteGroup(c echo.Context, status int, g identity.Group, refused string) error {
	v := s.visit(c.Request())
	from, err := v.mappedBy(c.Request().Context(), sso.Group, g.ID.String())
	if err != nil {
		return err
	}
	q := views.Confirm{
		Title: "Delete " + g.Name + "?", Text: "The people stay, without what only this group gave them; their sessions end where that changes what they may. It cannot be taken back.",
		Reach: []views.KV{
			{Label: "People in it", Value: count(g.People, "person", "people")}, {Label: "Roles it carries", Value: orElse(joined(groupRoles(g)), "none")},
			{Label: "Traits it gives", Body: views.TraitChips(v.snap.Traits().Names(g.Traits))},
		},
		Typed: g.Name, Error: refused, Action: views.Action{Label: "Delete", Icon: "trash-2", Danger: true, Href: groupPath(g, "delete")},
	}
	if len(from) > 0 {
		q.Reach = append(q.Reach, views.KV{Label: "Rules that put people in", Value: "of " + joined(from) + "; they put nobody anywhere then"})
	}
	return s.askOfGroup(c, status, g, q)
}

// removeGroup handles POST /console/groups/:id/delete.
func (s *Server) removeGroup(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	g, err := s.groupAt(c, "id")
	if err != nil {
		return err
	}
	if strings.TrimSpace(in.Get("typed")) != g.Name {
		return s.confirmDeleteGroup(c, http.StatusUnprocessableEntity, g, "What was typed is not "+g.Name+"; nothing was changed.")
	}
	if err := s.Identity.DeleteGroup(c.Request().Context(), g.ID); err != nil {
		if f := fault.Of(err); isRefusal(f) {
			return s.confirmDeleteGroup(c, http.StatusUnprocessableEntity, g, f.Sentence)
		}
		return err
	}
	return s.done(c, flash{Text: "The group " + g.Name + " is deleted."}, views.PathGroups)
}

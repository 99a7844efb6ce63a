package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// roleFields ask for what a role is called and which traits it gives: those that
// whoever looks may give.
func (v *visit) roleFields(in url.Values) []views.Field {
	traits := views.Field{Name: "traits", Label: "Traits", Type: views.Checks, Required: true, Help: "What a trait brings along is given with it.", Options: v.traitOptions()}
	if !v.has(trait.Admin) {
		traits.Help += " Those above your own are left out."
	}
	choices(traits.Options, in["traits"])
	return []views.Field{
		{Name: "label", Label: "Label", Value: in.Get("label"), Required: true, MaxLength: 100, Autocomplete: "off", Help: "As people know it, such as Ward clerk."},
		{Name: "description", Label: "Description", Value: in.Get("description"), MaxLength: 500, Autocomplete: "off"},
		traits,
	}
}

// newRoleForm asks for a role of one's own.
func (v *visit) newRoleForm(in url.Values) views.Form {
	name := views.Field{Name: "name", Label: "Name", Value: in.Get("name"), MaxLength: 64, Mono: true, Autocomplete: "off", Help: "As programs write it, such as ward-clerk. Left empty, it is made from the label; it cannot be changed later."}
	return views.Form{
		Title: "New role", Text: "A named set of traits, to be given to people and groups.", Fields: slices.Insert(v.roleFields(in), 1, name),
		Post: views.PathRoles, Submit: "Make the role", Back: views.PathRoles,
	}
}

// newRolePage handles GET /console/roles/new; ?like= names a role to begin with.
func (s *Server) newRolePage(c echo.Context) error {
	v, in := s.visit(c.Request()), url.Values{}
	if like := c.QueryParam("like"); like != "" {
		r, err := s.Identity.Role(c.Request().Context(), like)
		if err != nil {
			return err
		}
		in = url.Values{"description": {r.Description}, "traits": r.Traits}
	}
	return answer(c, v, http.StatusOK, roleFrame("New role", ""), v.newRoleForm(in), views.FormPage, views.FormBody)
}

// makeRole handles POST /console/roles.
func (s *Server) makeRole(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	made := identity.Role{Name: orElse(strings.TrimSpace(in.Get("name")), nameFrom(in.Get("label"))), Label: in.Get("label"), Description: strings.TrimSpace(in.Get("description")), Traits: in["traits"]}
	r, err := s.Identity.CreateRole(c.Request().Context(), made)
	if err == nil {
		return s.done(c, flash{Text: "The role " + r.Label + " is made."}, views.RolePath(r.Name))
	}
	f := fault.Of(err)
	if !isForm(f) && !isRefusal(f) {
		return err
	}
	v := s.visit(c.Request())
	asked := v.newRoleForm(in)
	asked.Errors = corrections(onField(f, "role.exists", "/name"), pointers(asked.Fields)...)
	return answer(c, v, http.StatusUnprocessableEntity, roleFrame("New role", ""), asked, views.FormPage, views.FormBody)
}

// nameFrom makes a role's name of its label: Ward clerk becomes ward-clerk.
func nameFrom(label string) string {
	words := strings.FieldsFunc(strings.ToLower(label), func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') })
	return strings.Join(words, "-")
}

// editRoleForm asks what a role is to be, and says whom that touches.
func (v *visit) editRoleForm(r identity.Role, use identity.RoleUse, in url.Values) views.Form {
	return views.Form{
		Title: "Edit " + roleLabel(r), Text: "A change of its traits is in force at once for everybody who has it: their sessions end, and they sign in again.",
		Reach:  []views.KV{{Label: "People", Value: count(use.People, "person has it", "people have it")}, {Label: "Groups", Value: count(use.Groups, "group carries it", "groups carry it")}},
		Fields: v.roleFields(in), Post: views.RolePath(r.Name, "edit"), Submit: "Save", Back: views.RolePath(r.Name),
	}
}

// editRolePage handles GET /console/roles/roles/:role/edit.
func (s *Server) editRolePage(c echo.Context) error {
	r, err := s.Identity.Role(c.Request().Context(), c.Param("role"))
	if err != nil {
		return err
	}
	return s.answerEditRole(c, http.StatusOK, r, url.Values{"label": {roleLabel(r)}, "description": {r.Description}, "traits": r.Traits}, nil)
}

// answerEditRole sends the form; refused is what was wrong with the last attempt.
func (s *Server) answerEditRole(c echo.Context, status int, r identity.Role, in url.Values, refused *fault.Fault) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	if r.Builtin {
		return fault.New(fault.Conflict, "role.builtin", "%s", v.whyNotRole(ctx, r).Text)
	}
	uses, err := s.Identity.RoleUses(ctx)
	if err != nil {
		return err
	}
	asked := v.editRoleForm(r, uses[r.Name], in)
	if refused != nil {
		asked.Errors = corrections(refused, pointers(asked.Fields)...)
	}
	return answer(c, v, status, roleFrame(roleLabel(r), views.RolePath(r.Name), "Edit", ""), asked, views.FormPage, views.FormBody)
}

// saveRole handles POST /console/roles/roles/:role/edit.
func (s *Server) saveRole(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	r, err := s.Identity.Role(c.Request().Context(), c.Param("role"))
	if err != nil {
		return err
	}
	after, err := s.Identity.ChangeRole(c.Request().Context(), identity.Role{Name: r.Name, Label: in.Get("label"), Description: strings.TrimSpace(in.Get("description")), Traits: in["traits"]})
	if err == nil {
		return s.done(c, flash{Text: "The role " + after.Label + " is saved."}, views.RolePath(r.Name))
	}
	f := fault.Of(err)
	if !isForm(f) && !isRefusal(f) {
		return err
	}
	return s.answerEditRole(c, http.StatusUnprocessableEntity, r, in, f)
}

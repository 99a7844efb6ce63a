package handlers

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/sso"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// groupsShown is how many groups the page of a role names.
const groupsShown = 20

// roleFrame is where a role's pages stand.
func roleFrame(name, href string, more ...string) frame {
	return at(views.PathRoles, append([]string{"People", "", "Roles & traits", views.PathRoles, name, href}, more...)...)
}

func roleLabel(r identity.Role) string { return orElse(r.Label, r.Name) }

// rolePage handles GET /console/roles/roles/:role: what it gives, and who has it.
func (s *Server) rolePage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	r, err := s.Identity.Role(ctx, c.Param("role"))
	if err != nil {
		return err
	}
	uses, err := s.Identity.RoleUses(ctx)
	if err != nil {
		return err
	}
	direct, _ := v.snap.Traits().Parse(r.Traits)
	path, why := views.RolePath(r.Name), v.whyNotRole(ctx, r)
	props := views.RoleDetail{
		Name: r.Name, Label: roleLabel(r), Text: r.Description, Own: !r.Builtin, Direct: v.snap.Traits().Names(direct), Pager: views.Pager{ByName: true},
		Implied: v.snap.Traits().Names(direct.Missing(v.snap.Traits().Effective(direct))),
		Actions: []views.Action{
			{Label: "Copy", Icon: "copy", Get: true, Href: views.PathRoles + "/new?" + url.Values{"like": {r.Name}}.Encode()},
			{Label: "Edit", Icon: "pencil", Get: true, Href: views.RolePath(r.Name, "edit"), Why: why},
			{Label: "Delete", Icon: "trash-2", Danger: true, Ask: true, Href: views.RolePath(r.Name, "delete"), Why: why},
		},
		Facts: []views.KV{{Label: "Name", Value: r.Name, Mono: true, Copy: true}, {Label: "People", Value: count(uses[r.Name].People, "person", "people")}, {Label: "Groups", Value: count(uses[r.Name].Groups, "group", "groups")}},
	}
	from, err := v.mappedBy(ctx, sso.Role, r.Name)
	if err != nil {
		return err
	}
	if len(from) > 0 {
		props.Facts = append(props.Facts, views.KV{Label: "Given by rules of", Value: joined(from)})
	}
	groups, err := s.Identity.Groups(ctx, identity.GroupFilter{Role: r.Name, Limit: groupsShown})
	if err != nil {
		return err
	}
	for _, g := range groups.Groups {
		props.Groups = append(props.Groups, views.KV{Label: count(g.People, "person", "people"), Value: g.Name, Href: groupPath(g)})
	}
	if groups.Next != "" {
		props.Groups = append(props.Groups, views.KV{Label: "More", Value: "All that carry it", Href: views.PathGroups + "?" + url.Values{"role": {r.Name}}.Encode()})
	}
	cursor := c.QueryParam("after")
	holders, next, err := s.Identity.RoleHolders(ctx, r.Name, cursor, views.UsersPerPage)
	if err != nil {
		return err
	}
	props.Holders = v.holderRows(ctx, holders)
	if cursor != "" {
		props.Pager.Newer = path
	}
	if next != "" {
		props.Pager.Older = path + "?" + url.Values{"after": {next}}.Encode()
	}
	return answer(c, v, http.StatusOK, roleFrame(props.Label, ""), props, views.RolePage, views.RoleBody)
}

// holderRows are those who have a trait or role, as tables show them.
func (v *visit) holderRows(ctx context.Context, holders []identity.Holder) []views.HolderRow {
	var rows []views.HolderRow
	for _, h := range holders {
		rows = append(rows, views.HolderRow{
			Name: h.User.Name, Email: h.User.Email, Href: userPath(h.User), From: v.sources(ctx, h.From), Expires: when(h.Expires), State: views.Status(h.User.Status),
		})
	}
	return rows
}

// whyNotRole says why whoever looks may not change a role. It is a courtesy:
// core/identity decides.
func (v *visit) whyNotRole(ctx context.Context, r identity.Role) *views.Why {
	if r.Builtin {
		return &views.Why{Text: "This role is shipped and stays as it is; copy it to make one of your own."}
	}
	set, _ := v.snap.Traits().Parse(r.Traits)
	if names := v.beyond(v.snap.Traits().Effective(set)); len(names) > 0 {
		return &views.Why{Text: "It gives traits above your own.", Trait: names[0], Grantors: v.holders(ctx, trait.Admin)}
	}
	return nil
}

// askDeleteRole handles GET /console/roles/roles/:role/delete.
func (s *Server) askDeleteRole(c echo.Context) error {
	r, err := s.Identity.Role(c.Request().Context(), c.Param("role"))
	if err != nil {
		return err
	}
	return s.confirmDeleteRole(c, http.StatusOK, r, "")
}

// inUse is what the form sends when it said that people or groups have the role.
const inUse = "in_use"

// confirmDeleteRole says who loses what; for a role in use its name must be typed.
func (s *Server) confirmDeleteRole(c echo.Context, status int, r identity.Role, refused string) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	uses, err := s.Identity.RoleUses(ctx)
	if err != nil {
		return err
	}
	from, err := v.mappedBy(ctx, sso.Role, r.Name)
	if err != nil {
		return err
	}
	use := uses[r.Name]
	q := views.Confirm{
		Title: "Delete the role " + roleLabel(r) + "?", Text: "It cannot be taken back.", Error: refused, Back: views.RolePath(r.Name),
		Reach: []views.KV{
			{Label: "People who lose it", Value: count(use.People, "person", "people")}, {Label: "Groups that carry it", Value: count(use.Groups, "group", "groups")},
			{Label: "Traits it gives", Body: views.TraitChips(r.Traits)},
		},
		Action: views.Action{Label: "Delete", Icon: "trash-2", Danger: true, Primary: true, Href: views.RolePath(r.Name, "delete")},
	}
	if use.People+use.Groups > 0 {
		q.Text = "It is taken from all who have it; their sessions end where that changes what they may. It cannot be taken back."
		q.Typed, q.Action.Fields = r.Name, []views.Hidden{{Name: inUse, Value: "take"}}
	}
	if len(from) > 0 {
		q.Reach = append(q.Reach, views.KV{Label: "Rules that give it", Value: "of " + joined(from) + "; they give nothing then"})
	}
	return ask(c, v, status, roleFrame(roleLabel(r), views.RolePath(r.Name)), q)
}

// removeRole handles POST /console/roles/roles/:role/delete.
func (s *Server) removeRole(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	r, err := s.Identity.Role(c.Request().Context(), c.Param("role"))
	if err != nil {
		return err
	}
	take := in.Get(inUse) == "take"
	if take && strings.TrimSpace(in.Get("typed")) != r.Name {
		return s.confirmDeleteRole(c, http.StatusUnprocessableEntity, r, "What was typed is not "+r.Name+"; nothing was changed.")
	}
	if err := s.Identity.DeleteRole(c.Request().Context(), r.Name, take); err != nil {
		if f := fault.Of(err); isRefusal(f) {
			return s.confirmDeleteRole(c, http.StatusUnprocessableEntity, r, f.Sentence)
		}
		return err
	}
	return s.done(c, flash{Text: "The role " + roleLabel(r) + " is deleted."}, views.PathRoles)
}

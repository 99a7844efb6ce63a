package handlers

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/sso"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// consoleGroups are the pages of groups. What changes a person's place in one stands
// below that person.
func (s *Server) consoleGroups() []route {
	people := []trait.ID{trait.UserManager}
	const one, role = views.PathGroups + "/:id", views.PathGroups + "/:id/roles/:role"
	return []route{
		{method: get, path: views.PathGroups, who: users, needs: people, action: "group.view", handler: s.groupsPage},
		{method: post, path: views.PathGroups, who: users, needs: people, action: "group.change", handler: s.makeGroup, body: form, fresh: true},
		{method: get, path: views.PathGroups + "/new", who: users, needs: people, action: "group.change", handler: s.newGroupPage},
		{method: get, path: one, who: users, needs: people, action: "group.view", handler: s.groupPage},
		{method: get, path: one + "/edit", who: users, needs: people, action: "group.change", handler: s.editGroupPage},
		{method: post, path: one + "/edit", who: users, needs: people, action: "group.change", handler: s.saveGroup, body: form, fresh: true},
		{method: get, path: one + "/delete", who: users, needs: people, action: "group.change", handler: s.askDeleteGroup},
		{method: post, path: one + "/delete", who: users, needs: people, action: "group.change", handler: s.removeGroup, body: form, fresh: true},
		{method: get, path: one + "/join", who: users, needs: people, action: "group.change", handler: s.askGroupJoin},
		{method: post, path: one + "/join", who: users, needs: people, action: "group.change", handler: s.groupJoin, body: form, fresh: true},
		{method: get, path: one + "/grant", who: users, needs: people, action: "group.change", handler: s.askGroupGive},
		{method: post, path: one + "/grant", who: users, needs: people, action: "group.change", handler: s.groupGive, body: form, fresh: true},
		{method: get, path: role + "/grant", who: users, needs: people, action: "group.change", handler: s.askGroupGive},
		{method: post, path: role + "/grant", who: users, needs: people, action: "group.change", handler: s.groupGive, body: form, fresh: true},
		{method: get, path: role + "/revoke", who: users, needs: people, action: "group.change", handler: s.askGroupTake},
		{method: post, path: role + "/revoke", who: users, needs: people, action: "group.change", handler: s.groupTake, body: form, fresh: true},
	}
}

// groupFrame is where a group's pages stand.
func groupFrame(name, href string) frame {
	return at(views.PathGroups, "People", "", "Groups", views.PathGroups, name, href)
}

// groupPath is the address of a group's page, or of what is below it.
func groupPath(g identity.Group, below ...string) string {
	return views.GroupPath(g.ID.String(), below...)
}

// groupsPage handles GET /console/groups.
func (s *Server) groupsPage(c echo.Context) error {
	ctx, v, q := c.Request().Context(), s.visit(c.Request()), c.QueryParams()
	roles, err := s.Identity.Roles(ctx)
	if err != nil {
		return err
	}
	carrying := views.FilterField{Name: "role", Label: "Role", Value: q.Get("role")}
	for _, r := range roles {
		carrying.Options = append(carrying.Options, views.Option{Value: r.Name, Label: orElse(r.Label, r.Name)})
	}
	props := views.Groups{
		Filter: views.Filter{Path: views.PathGroups, Search: strings.TrimSpace(q.Get("q")), In: "name", Fields: []views.FilterField{carrying}, Saved: v.saved(ctx, views.PathGroups)},
		New:    views.Action{Label: "New group", Icon: "plus", Primary: true, Get: true, Href: views.PathGroups + "/new"}, Pager: views.Pager{ByName: true},
	}
	cursor := q.Get("after")
	page, err := s.Identity.Groups(ctx, identity.GroupFilter{Text: props.Filter.Search, Role: carrying.Value, Cursor: cursor, Limit: views.GroupsPerPage})
	if err != nil {
		return err
	}
	for _, g := range page.Groups {
		props.Rows = append(props.Rows, views.GroupRow{ID: g.ID.String(), Name: g.Name, Text: g.Description, Roles: groupRoles(g), People: g.People})
	}
	if cursor != "" {
		props.Pager.Newer = props.Filter.Link(views.PathGroups, nil)
	}
	if page.Next != "" {
		props.Pager.Older = props.Filter.Link(views.PathGroups, url.Values{"after": {page.Next}})
	}
	return answer(c, v, http.StatusOK, at(views.PathGroups, "People", "", "Groups", ""), props, views.GroupsPage, views.GroupsBody)
}

// groupPage handles GET /console/groups/:id: what it carries, and who is in it.
func (s *Server) groupPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	g, err := s.groupAt(c, "id")
	if err != nil {
		return err
	}
	why := v.whyNotGroup(ctx, g)
	props := views.GroupDetail{
		ID: g.ID.String(), Name: g.Name, Text: g.Description, Traits: v.snap.Traits().Names(g.Traits), Pager: views.Pager{ByName: true},
		Actions: []views.Action{
			{Label: "Edit", Icon: "pencil", Get: true, Href: groupPath(g, "edit"), Why: why},
			{Label: "Delete", Icon: "trash-2", Danger: true, Ask: true, Href: groupPath(g, "delete"), Why: why},
		},
		Give: views.Action{Label: "Give a role", Icon: "plus", Ask: true, Href: groupPath(g, "grant"), Why: why},
		Join: views.Action{Label: "Add a person", Icon: "user-plus", Ask: true, Href: groupPath(g, "join"), Why: why},
	}
	for _, r := range g.Roles {
		label := orElse(r.Label, r.Name)
		props.Roles = append(props.Roles, views.CarriedRole{Label: label, Href: views.RolePath(r.Name), Expires: when(r.Expires), Actions: []views.Action{
			{Label: "Change", Object: label, Ask: true, Href: groupPath(g, giveRole, r.Name, "grant"), Why: why},
			{Label: "Take away", Object: label, Danger: true, Ask: true, Href: groupPath(g, giveRole, r.Name, "revoke"), Why: why},
		}})
	}
	from, err := v.mappedBy(ctx, sso.Group, g.ID.String())
	if err != nil {
		return err
	}
	props.Facts = []views.KV{
		{Label: "People", Value: count(g.People, "person", "people")}, {Label: "Put in by", Value: orElse(joined(append(from, "user managers")), "user managers")},
		{Label: "Made", Body: views.Zoned(g.CreatedAt, views.Full)}, {Label: "Id", Value: g.ID.String(), Mono: true, Copy: true},
	}
	cursor := c.QueryParam("after")
	page, err := s.Identity.GroupMembers(ctx, g.ID, cursor, views.MembersPerPage)
	if err != nil {
		return err
	}
	for _, m := range page.Members {
		props.Members = append(props.Members, v.memberRow(ctx, m))
	}
	if cursor != "" {
		props.Pager.Newer = groupPath(g) + "#members"
	}
	if page.Next != "" {
		props.Pager.Older = groupPath(g) + "?" + url.Values{"after": {page.Next}}.Encode() + "#members"
	}
	return answer(c, v, http.StatusOK, groupFrame(g.Name, ""), props, views.GroupPage, views.GroupBody)
}

// memberRow is a person in a group. Whom an identity provider puts in, only it takes out.
func (v *visit) memberRow(ctx context.Context, m identity.Member) views.MemberRow {
	in := m.Membership
	row := views.MemberRow{Name: m.Name, Email: m.Email, Href: userPath(m.User), At: in.GrantedAt, Reason: in.Reason, Expires: when(in.Expires), State: views.Status(m.Status)}
	if in.Provider != "" {
		row.By = v.providerName(ctx, in.Provider)
		return row
	}
	row.By = v.nameOf(ctx, in.GrantedBy)
	row.Actions = placeActions(m.User, in.Group.String(), m.Name, v.whyNot(ctx, m.User, ""))
	return row
}

// whyNotGroup says why whoever looks may not change a group. It is a courtesy:
// core/identity decides.
func (v *visit) whyNotGroup(ctx context.Context, g identity.Group) *views.Why {
	if names := v.beyond(g.Traits); len(names) > 0 {
		return &views.Why{Text: g.Name + " carries traits above your own.", Trait: names[0], Grantors: v.holders(ctx, trait.Admin)}
	}
	return nil
}

// mappedBy names the identity providers whose rules give a role or group.
func (v *visit) mappedBy(ctx context.Context, kind sso.Kind, give string) ([]string, error) {
	providers, err := v.SSO.Providers(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, p := range providers {
		if slices.ContainsFunc(p.Rules, func(r sso.Rule) bool { return r.Kind == kind && r.Give == give }) {
			names = append(names, p.Name)
		}
	}
	return names, nil
}

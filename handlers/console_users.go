package handlers

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// local is the source of people who sign in with a password kept here.
const local = "local"

// userStates are the states the list of people can be filtered by.
var userStates = []views.Status{views.Active, views.Invited, views.Suspended}

// usersPage handles GET /console/users.
func (s *Server) usersPage(c echo.Context) error {
	ctx, v, q := c.Request().Context(), s.visit(c.Request()), c.QueryParams()
	roles, err := s.Identity.Roles(ctx)
	if err != nil {
		return err
	}
	asked := identity.UserFilter{Text: q.Get("q"), Source: q.Get("source"), Role: q.Get("role"), Trait: q.Get("trait"), Cursor: q.Get("after"), Limit: views.UsersPerPage}
	if group := q.Get("group"); group != "" {
		if asked.Group, err = uuid.Parse(group); err != nil {
			return fault.New(fault.Invalid, "query.group", "group is the id of a group.")
		}
	}
	if slices.Contains(userStates, views.Status(q.Get("state"))) {
		asked.Status = identity.Status(q.Get("state"))
	}
	page, err := s.Identity.Users(ctx, asked)
	if err != nil {
		return err
	}
	bar, err := v.userFilter(ctx, roles, asked)
	if err != nil {
		return err
	}
	props := views.Users{
		Filter: bar, Pager: views.Pager{ByName: true}, Bulk: bulkChoices(),
		Several: views.Action{Label: "Invite several", Icon: "users", Get: true, Href: views.PathInviteMany},
		Invite:  views.Action{Label: "Invite a person", Icon: "user-plus", Primary: true, Ask: true, Href: views.PathUserInvite},
	}
	if v.has(trait.Admin) {
		props.Emergency = &views.Action{Label: "Emergency account", Ask: true, Href: views.PathBreakGlass + "/new"}
	}
	ids := make([]uuid.UUID, len(page.Users))
	for i, u := range page.Users {
		ids[i] = u.ID
	}
	secured, err := s.Identity.WithFactor(ctx, ids)
	if err != nil {
		return err
	}
	for _, u := range page.Users {
		row := v.userRow(u, roles)
		row.MFA = secured[u.ID]
		row.Actions = v.rowActions(ctx, u)
		props.Rows = append(props.Rows, row)
	}
	if asked.Cursor != "" {
		props.Pager.Newer = props.Filter.Link(views.PathUsers, nil)
	}
	if page.Next != "" {
		props.Pager.Older = props.Filter.Link(views.PathUsers, url.Values{"after": {page.Next}})
	}
	if !bar.On() && asked.Cursor == "" {
		rows, more, err := v.openInvites(ctx, roles)
		if err != nil {
			return err
		}
		if props.Invites = rows; more {
			props.More = views.PathUsers + "?state=" + string(views.Invited)
		}
	}
	return answer(c, v, http.StatusOK, at(views.PathUsers, "People", "", "Users", ""), props, views.UsersPage, views.UsersBody)
}

// groupsOffered is how many groups the list of people offers to filter by.
const groupsOffered = 50

// userFilter is the bar above the list of people.
func (v *visit) userFilter(ctx context.Context, roles []identity.Role, asked identity.UserFilter) (views.Filter, error) {
	var states, names, groups []views.Option
	page, err := v.Identity.Groups(ctx, identity.GroupFilter{Limit: groupsOffered})
	if err != nil {
		return views.Filter{}, err
	}
	in := views.FilterField{Name: "group", Label: "Group"}
	if asked.Group != uuid.Nil {
		in.Value = asked.Group.String()
		g, err := v.Identity.Group(ctx, asked.Group)
		if err != nil {
			return views.Filter{}, err
		}
		in.Shown = g.Name
	}
	for _, g := range page.Groups {
		groups = append(groups, views.Option{Value: g.ID.String(), Label: g.Name})
	}
	if in.Value != "" && !slices.ContainsFunc(groups, func(o views.Option) bool { return o.Value == in.Value }) {
		groups = append(groups, views.Option{Value: in.Value, Label: in.Shown})
	}
	in.Options = groups
	for _, s := range userStates {
		states = append(states, views.Option{Value: string(s), Label: s.Word()})
	}
	for _, r := range roles {
		names = append(names, views.Option{Value: r.Name, Label: r.Label})
	}
	fields := []views.FilterField{
		{Name: "state", Label: "State", Value: string(asked.Status), Options: states},
		{Name: "role", Label: "Role", Value: asked.Role, Options: names},
		{Name: "trait", Label: "Trait", Value: asked.Trait},
		{Name: "source", Label: "Source", Value: asked.Source, Options: []views.Option{{Value: local, Label: "local"}, {Value: "oidc", Label: "single sign-on"}}},
	}
	if len(groups) > 0 {
		fields = append(fields, in)
	}
	return views.Filter{Path: views.PathUsers, Search: asked.Text, In: "name, e-mail", Fields: fields, Saved: v.saved(ctx, views.PathUsers)}, nil
}

// userRow is a person as tables show them.
func (v *visit) userRow(u identity.User, roles []identity.Role) views.UserRow {
	return views.UserRow{
		ID: u.ID.String(), Name: u.Name, Email: u.Email, Roles: labelsOf(roles, u.Roles), Source: sourceOf(u),
		LastSeen: when(u.LastLogin), State: views.Status(u.Status), Self: v.isSelf(u),
	}
}

func (v *visit) isSelf(u identity.User) bool {
	return v.who.Kind == actor.User && v.who.ID == u.ID.String()
}

// sourceOf says where a person is known from.
func sourceOf(u identity.User) string {
	if u.Source == "oidc" {
		return "single sign-on"
	}
	return u.Source
}

// roleLabels returns roles by the names that people know them by.
func (s *Server) roleLabels(ctx context.Context, names []string) ([]string, error) {
	roles, err := s.Identity.Roles(ctx)
	if err != nil {
		return nil, err
	}
	return labelsOf(roles, names), nil
}

func labelsOf(roles []identity.Role, names []string) []string {
	labels := make([]string, len(names))
	for i, name := range names {
		labels[i] = name
		if at := slices.IndexFunc(roles, func(r identity.Role) bool { return r.Name == name }); at >= 0 {
			labels[i] = cmp.Or(roles[at].Label, name)
		}
	}
	return labels
}

// inviteFields ask for a new person.
func (v *visit) inviteFields(roles []identity.Role, in url.Values) views.InviteForm {
	name, email, _ := accountFields(in.Get("name"), in.Get("email"))
	name.Autocomplete, email.Autocomplete, email.Focus = "off", "off", true
	return views.InviteForm{Email: *email, Name: *name, Roles: v.roleField(roles, in["roles"])}
}

// roleField asks for roles: those that whoever looks may give.
func (v *visit) roleField(roles []identity.Role, chosen []string) views.Field {
	f := views.Field{Name: "roles", Label: "Roles", Type: views.Checks, Help: "A role is a named set of traits."}
	for _, r := range roles {
		set, _ := v.snap.Traits().Parse(r.Traits)
		if len(v.beyond(v.snap.Traits().Effective(set))) > 0 {
			f.Help = "A role is a named set of traits. Those with traits above your own are left out."
			continue
		}
		f.Options = append(f.Options, views.Option{Value: r.Name, Label: cmp.Or(r.Label, r.Name), Note: r.Description})
	}
	choices(f.Options, chosen)
	return f
}

// beyond returns the names of the traits that whoever looks may neither give nor
// take: the sensitive ones they lack, unless they administer.
func (v *visit) beyond(traits trait.Set) []string {
	if v.has(trait.Admin) {
		return nil
	}
	var names []string
	for _, id := range v.who.Traits.Missing(traits).IDs() {
		if t := v.snap.Traits().Get(id); t.Sensitive {
			names = append(names, t.Name)
		}
	}
	return names
}

// askInvite handles GET /console/users/invite.
func (s *Server) askInvite(c echo.Context) error {
	roles, err := s.Identity.Roles(c.Request().Context())
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	return answerInvite(c, v, http.StatusOK, v.inviteFields(roles, nil))
}

func answerInvite(c echo.Context, v *visit, status int, f views.InviteForm) error {
	return dialog(c, v, status, at(views.PathUsers, "People", "", "Users", views.PathUsers, "Invite a person", ""), f, views.InviteFormPage, views.InviteDialog)
}

// makeInvite handles POST /console/users/invite. The answer shows the link, this
// once: it leads nowhere else, so that the link stands in no other address.
func (s *Server) makeInvite(c echo.Context) error {
	ctx := c.Request().Context()
	in, err := formOf(c)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	link, err := s.Identity.Invite(ctx, identity.Invitation{Email: in.Get("email"), Name: in.Get("name"), Roles: roleGrants(in["roles"])})
	if err == nil {
		return answerInvite(c, v, http.StatusCreated, s.linkForm(link))
	}
	f := fault.Of(err)
	if !isForm(f) && !isRefusal(f) {
		return err
	}
	roles, err := s.Identity.Roles(ctx)
	if err != nil {
		return err
	}
	asked := v.inviteFields(roles, in)
	if f.Code == "user.email" {
		asked.Email.Error = f.Sentence
		asked.Errors = views.Errors(corrected(1), asked.Email)
	} else {
		asked.Errors = corrections(f, &asked.Email, &asked.Name, &asked.Roles)
	}
	return answerInvite(c, v, http.StatusUnprocessableEntity, asked)
}

// linkForm shows a one-time link.
func (s *Server) linkForm(link identity.Link) views.InviteForm {
	return views.InviteForm{Link: s.inviteURL(link.Secret), For: link.User.Name, Expires: link.Expires}
}

// isRefusal reports whether a change of a person was refused for who does it or
// who it is done to: to be said where it was asked, not on a page of its own.
func isRefusal(f *fault.Fault) bool {
	return f.Kind == fault.Conflict || f.Code == "identity.escalation"
}

package handlers

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"

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
	asked := identity.UserFilter{Text: q.Get("q"), Role: q.Get("role"), Cursor: q.Get("after"), Limit: views.UsersPerPage}
	if slices.Contains(userStates, views.Status(q.Get("state"))) {
		asked.Status = identity.Status(q.Get("state"))
	}
	page, err := s.Identity.Users(ctx, asked)
	if err != nil {
		return err
	}
	props := views.Users{
		Filter: userFilter(roles, asked), Pager: views.Pager{ByName: true},
		Invite: views.Action{Label: "Invite a person", Icon: "user-plus", Primary: true, Ask: true, Href: views.PathUserInvite},
	}
	for _, u := range page.Users {
		row := v.userRow(u, roles)
		row.Actions = v.rowActions(ctx, u)
		props.Rows = append(props.Rows, row)
	}
	if asked.Cursor != "" {
		props.Pager.Newer = props.Filter.Link(views.PathUsers, nil)
	}
	if page.Next != "" {
		props.Pager.Older = props.Filter.Link(views.PathUsers, url.Values{"after": {page.Next}})
	}
	return answer(c, v, http.StatusOK, at(views.PathUsers, "People", "", "Users", ""), props, views.UsersPage, views.UsersBody)
}

// userFilter is the bar above the list of people.
func userFilter(roles []identity.Role, asked identity.UserFilter) views.Filter {
	var states, names []views.Option
	for _, s := range userStates {
		states = append(states, views.Option{Value: string(s), Label: s.Word()})
	}
	for _, r := range roles {
		names = append(names, views.Option{Value: r.Name, Label: r.Label})
	}
	return views.Filter{Path: views.PathUsers, Search: asked.Text, In: "name, e-mail", Fields: []views.FilterField{
		{Name: "state", Label: "State", Value: string(asked.Status), Options: states},
		{Name: "role", Label: "Role", Value: asked.Role, Options: names},
	}}
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

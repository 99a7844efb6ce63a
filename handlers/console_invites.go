package handlers

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// invitesShown is how many open invitations stand below the list of people.
const invitesShown = 10

// openInvites are the latest invitations that nobody took yet, and whether there
// are more.
func (v *visit) openInvites(ctx context.Context, roles []identity.Role) ([]views.InviteRow, bool, error) {
	open, next, err := v.Identity.OpenInvitations(ctx, uuid.Nil, invitesShown)
	if err != nil {
		return nil, false, err
	}
	var rows []views.InviteRow
	for _, o := range open {
		row := views.InviteRow{Email: o.User.Email, Roles: labelsOf(roles, o.User.Roles), By: v.nameOf(ctx, o.InvitedBy), Expires: o.Expires}
		why := v.whyNot(ctx, o.User, "")
		row.Actions = []views.Action{
			{Label: "New link", Object: "for " + o.User.Name, Ask: true, Href: userPath(o.User, "link"), Why: why},
			{Label: "Withdraw", Object: "the invitation of " + o.User.Name, Danger: true, Ask: true, Href: userPath(o.User, "withdraw"), Why: why},
		}
		rows = append(rows, row)
	}
	return rows, next != uuid.Nil, nil
}

// askWithdrawInvite handles GET /console/users/:id/withdraw.
func (s *Server) askWithdrawInvite(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	return s.confirmWithdrawInvite(c, http.StatusOK, u, "")
}

func (s *Server) confirmWithdrawInvite(c echo.Context, status int, u identity.User, refused string) error {
	q := userQuestion(c, u, "Withdraw", "withdraw")
	q.Title = "Withdraw the invitation of " + u.Name + "?"
	q.Text = "The link ends at once, and the address becomes free."
	q.Action.Icon, q.Action.Danger, q.Error = "user-x", true, refused
	return s.askedOf(c, status, u, q)
}

// withdrawInvite handles POST /console/users/:id/withdraw.
func (s *Server) withdrawInvite(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	if err := s.Identity.Withdraw(c.Request().Context(), u.ID); err != nil {
		if f := fault.Of(err); isRefusal(f) {
			return s.confirmWithdrawInvite(c, http.StatusUnprocessableEntity, u, f.Sentence)
		}
		return err
	}
	to := back(c, views.PathUsers)
	if strings.HasPrefix(to, userPath(u)) {
		to = views.PathUsers // their own page is over
	}
	return s.done(c, flash{Text: "The invitation of " + u.Name + " is withdrawn."}, to)
}

// askInviteMany handles GET /console/users/invite/many.
func (s *Server) askInviteMany(c echo.Context) error {
	v := s.visit(c.Request())
	f, err := v.inviteManyForm(c.Request().Context(), nil)
	if err != nil {
		return err
	}
	return answerInviteMany(c, v, http.StatusOK, f)
}

func answerInviteMany(c echo.Context, v *visit, status int, f views.InviteManyForm) error {
	return answer(c, v, status, at(views.PathUsers, "People", "", "Users", views.PathUsers, "Invite several", ""), f, views.InviteManyPage, views.InviteManyBody)
}

// inviteManyForm asks whom to invite, and with which roles and groups.
func (v *visit) inviteManyForm(ctx context.Context, in url.Values) (views.InviteManyForm, error) {
	roles, err := v.Identity.Roles(ctx)
	if err != nil {
		return views.InviteManyForm{}, err
	}
	f := views.InviteManyForm{
		List:  views.Field{Name: "list", Label: "People", Type: views.Area, Required: true, Value: in.Get("list"), Help: "One on each line: an address, or Name <address>. At most a hundred.", Placeholder: "Ines Okafor <ines@example.com>", Focus: true, Autocomplete: "off"},
		Roles: v.roleField(roles, in["roles"]),
	}
	groups, err := v.bulkField(ctx, "group", url.Values{})
	if err != nil {
		return f, err
	}
	if len(groups.Options) > 0 {
		f.Groups = &views.Field{Name: "groups", Label: "Groups", Type: views.Checks, Options: choices(groups.Options, in["groups"])}
	}
	return f, nil
}

// makeInvites handles POST /console/users/invite/many. The answer says what became
// of each line, and shows the links, this once.
func (s *Server) makeInvites(c echo.Context) error {
	ctx := c.Request().Context()
	in, err := formOf(c)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	var groups []uuid.UUID
	for _, text := range in["groups"] {
		id, err := uuid.Parse(text)
		if err != nil {
			return fault.New(fault.NotFound, "group.unknown", "There is no such group.")
		}
		groups = append(groups, id)
	}
	lines, err := s.Identity.InviteMany(ctx, in.Get("list"), roleGrants(in["roles"]), groups)
	if err != nil {
		f := fault.Of(err)
		if !isForm(f) {
			return err
		}
		asked, err := v.inviteManyForm(ctx, in)
		if err != nil {
			return err
		}
		asked.Errors = corrections(f, &asked.List, &asked.Roles)
		return answerInviteMany(c, v, http.StatusUnprocessableEntity, asked)
	}
	report, links := views.Report{Object: "Line", Back: views.PathUsers}, []string{}
	for _, l := range lines {
		row := views.ReportRow{Name: l.Text, Refused: refusal(l.Err)}
		if l.Err == nil {
			row.Href = userPath(l.Link.User)
			links = append(links, l.Link.User.Email+" "+s.inviteURL(l.Link.Secret))
		}
		report.Rows = append(report.Rows, row)
	}
	report.Links = strings.Join(links, "\n")
	return answerReport(c, v, "Invite several", report)
}

package handlers

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// consoleManyPeople is the part of the table that changes or invites several people.
func (s *Server) consoleManyPeople() []route {
	people := []trait.ID{trait.UserManager}
	const withdraw = views.PathUsers + "/:id/withdraw"
	return []route{
		{method: get, path: views.PathUsersBulk, who: users, needs: people, action: "user.change", handler: s.askBulk},
		{method: post, path: views.PathUsersBulk, who: users, needs: people, action: "user.change", handler: s.doBulk, body: form, slow: true, fresh: true},
		{method: get, path: views.PathInviteMany, who: users, needs: people, action: "user.invite", handler: s.askInviteMany},
		{method: post, path: views.PathInviteMany, who: users, needs: people, action: "user.invite", handler: s.makeInvites, body: form, slow: true, fresh: true},
		{method: get, path: withdraw, who: users, needs: people, action: "user.invite", handler: s.askWithdrawInvite},
		{method: post, path: withdraw, who: users, needs: people, action: "user.invite", handler: s.withdrawInvite, body: form},
	}
}

// bulkVerb is a change of several people as the console asks for it.
type bulkVerb struct {
	do, label, text string
	icon            views.IconName
	danger          bool
	asks            []string // names of fields
}

// bulkVerbs are the changes there are, in the order offered.
var bulkVerbs = []bulkVerb{
	{"suspend", "Suspend", "They are signed out everywhere at once and cannot sign in until somebody restores them.", "user-x", true, []string{"reason"}},
	{"reactivate", "Restore", "Those who are suspended may sign in again.", "user-check", false, nil},
	{"sign_out", "End sessions", "They are signed out everywhere at once; their API keys stay.", "log-out", true, nil},
	{"give_role", "Give a role", "Whoever gains traits is signed out and signs in again.", "user-check", false, []string{"role", "reason", "ends"}},
	{"take_role", "Take a role", "Only the role given by hand is taken; what groups or a provider give stays.", "user-x", true, []string{"role"}},
	{"join_group", "Add to a group", "They carry the roles of the group from then on.", "users", false, []string{"group", "reason", "ends"}},
	{"leave_group", "Remove from a group", "They carry the roles of the group no more.", "users", true, []string{"group"}},
}

// bulkEnds are after how many days what is given to several may end.
var bulkEnds = []int{1, 7, 30, 90, 365}

// bulkChoices are the changes as options of a list.
func bulkChoices() []views.Option {
	var options []views.Option
	for _, b := range bulkVerbs {
		options = append(options, views.Option{Value: b.do, Label: b.label})
	}
	return options
}

// askBulk handles GET /console/users/bulk: it names the people and what happens.
func (s *Server) askBulk(c echo.Context) error {
	return s.confirmBulk(c, http.StatusOK, c.QueryParams(), "")
}

func (s *Server) confirmBulk(c echo.Context, status int, in url.Values, refused string) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	verb, ids, err := bulkOf(in)
	if err != nil {
		return err
	}
	var names []string
	from := back(c, views.PathUsers)
	action := views.Action{Label: verb.label, Icon: verb.icon, Danger: verb.danger, Primary: true, Href: views.PathUsersBulk, Fields: []views.Hidden{{Name: "do", Value: verb.do}, {Name: "back", Value: from}}}
	for _, id := range ids {
		u, err := s.Identity.User(ctx, id)
		if err != nil {
			return err
		}
		names = append(names, u.Name)
		action.Fields = append(action.Fields, views.Hidden{Name: "people", Value: id.String()})
	}
	q := views.Confirm{
		Title: verb.label + ": " + count(len(ids), "person", "people") + "?", Text: verb.text + " Each is changed by itself; where one is refused the others are changed.",
		Reach: []views.KV{{Label: "People", Value: strings.Join(names, ", ")}}, Action: action, Back: from, Error: refused,
	}
	for _, name := range verb.asks {
		field, err := v.bulkField(ctx, name, in)
		if err != nil {
			return err
		}
		q.Fields = append(q.Fields, field)
	}
	return ask(c, v, status, at(views.PathUsers, "People", "", "Users", views.PathUsers), q)
}

// bulkOf reads which change is asked for, and of whom.
func bulkOf(in url.Values) (bulkVerb, []uuid.UUID, error) {
	i := slices.IndexFunc(bulkVerbs, func(b bulkVerb) bool { return b.do == in.Get("do") })
	if i < 0 {
		return bulkVerb{}, nil, fault.New(fault.Unprocessable, "bulk.action", "This is nothing that can be done to several people; choose from the list.")
	}
	var ids []uuid.UUID
	for _, text := range in["people"] {
		if id, err := uuid.Parse(text); err == nil && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 || len(ids) > views.UsersPerPage {
		return bulkVerb{}, nil, fault.New(fault.Unprocessable, "bulk.people", "Mark one to %d people in the list first.", views.UsersPerPage)
	}
	return bulkVerbs[i], ids, nil
}

// bulkField asks for what a change needs besides.
func (v *visit) bulkField(ctx context.Context, name string, in url.Values) (views.Field, error) {
	f := views.Field{Name: name, Type: views.Select, Required: true}
	switch name {
	case "reason":
		return views.Field{Name: name, Label: "Reason", Help: "Kept in the audit.", MaxLength: 500, Value: in.Get(name), Autocomplete: "off"}, nil
	case "role":
		roles, err := v.Identity.Roles(ctx)
		if err != nil {
			return f, err
		}
		f.Label, f.Options = "Role", v.roleField(roles, nil).Options
	case "group":
		groups, err := v.Identity.Groups(ctx, identity.GroupFilter{Limit: 200})
		if err != nil {
			return f, err
		}
		f.Label = "Group"
		for _, g := range groups.Groups {
			if len(v.beyond(g.Traits)) == 0 {
				f.Options = append(f.Options, views.Option{Value: g.ID.String(), Label: g.Name})
			}
		}
	case "ends":
		f.Label, f.Required, f.Options = "Ends", false, []views.Option{{Value: "", Label: "Not by itself"}}
		for _, days := range bulkEnds {
			f.Options = append(f.Options, views.Option{Value: strconv.Itoa(days), Label: "In " + count(days, "day", "days")})
		}
	}
	choices(f.Options, in[name])
	return f, nil
}

// doBulk handles POST /console/users/bulk. The answer says of each person what
// became of them.
func (s *Server) doBulk(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	verb, ids, err := bulkOf(in)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	b := identity.Bulk{Do: verb.do, Role: in.Get("role"), Reason: strings.TrimSpace(in.Get("reason"))}
	if slices.Contains(verb.asks, "group") {
		if b.Group, err = uuid.Parse(in.Get("group")); err != nil {
			return s.confirmBulk(c, http.StatusUnprocessableEntity, in, "Choose a group.")
		}
	}
	if in.Get("ends") != "" && slices.Contains(verb.asks, "ends") {
		days, err := strconv.Atoi(in.Get("ends"))
		if err != nil || !slices.Contains(bulkEnds, days) {
			return s.confirmBulk(c, http.StatusUnprocessableEntity, in, "Choose an end from the list.")
		}
		end := v.reader.Now.AddDate(0, 0, days)
		b.Expires = &end
	}
	results, err := s.Identity.ChangeMany(c.Request().Context(), ids, b)
	if err != nil {
		if f := fault.Of(err); isForm(f) {
			return s.confirmBulk(c, http.StatusUnprocessableEntity, in, f.Sentence)
		}
		return err
	}
	report := views.Report{Object: "Person", Back: back(c, views.PathUsers)}
	for _, r := range results {
		report.Rows = append(report.Rows, views.ReportRow{Name: orElse(r.Name, r.ID.String()), Href: views.UserPath(r.ID.String()), Refused: refusal(r.Err)})
	}
	return answerReport(c, v, verb.label, report)
}

// refusal is why one of several was refused; "" when it was done.
func refusal(err error) string {
	if err == nil {
		return ""
	}
	f := fault.Of(err)
	if len(f.Violations) > 0 {
		return f.Violations[0].Message
	}
	return f.Sentence
}

// answerReport sends what became of several people.
func answerReport(c echo.Context, v *visit, title string, r views.Report) error {
	r.Title = title
	return answer(c, v, http.StatusOK, at(views.PathUsers, "People", "", "Users", views.PathUsers, title, ""), r, views.ReportPage, views.ReportBody)
}

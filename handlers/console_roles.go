package handlers

import (
	"context"
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

// traitCategories are the parts of the matrix.
var traitCategories = []struct{ name, label string }{
	{trait.CategoryRole, "Role"}, {trait.CategoryCapability, "Capability"}, {trait.CategoryData, "Data access"},
	{trait.CategorySecurity, "Security"}, {trait.CategoryCompliance, "Compliance"}, {trait.CategoryCustom, "Custom"},
}

// rolesAcross is how many roles the matrix shows beside each other.
const rolesAcross = 10

// rolesPage handles GET /console/roles: the matrix of roles and traits.
func (s *Server) rolesPage(c echo.Context) error {
	ctx, v, q := c.Request().Context(), s.visit(c.Request()), c.QueryParams()
	roles, err := s.Identity.Roles(ctx)
	if err != nil {
		return err
	}
	reach, err := s.Identity.RoleUses(ctx)
	if err != nil {
		return err
	}
	people, err := s.Identity.TraitUses(ctx)
	if err != nil {
		return err
	}
	m := views.Matrix{
		Tabs:   rolesTabs(views.PathRoles),
		Filter: views.Filter{Path: views.PathRoles, Search: strings.TrimSpace(q.Get("q")), In: "traits"}, Older: views.Pager{ByName: true},
		New:   views.Action{Label: "New role", Icon: "plus", Get: true, Href: views.PathRoles + "/new"},
		Grant: views.Action{Label: "Grant a trait", Icon: "user-plus", Primary: true, Ask: true, Href: views.PathRoles + "/grant"},
	}
	if from := q.Get("from"); from != "" { // the name of the first role shown
		first := slices.IndexFunc(roles, func(r identity.Role) bool { return r.Name == from })
		roles, m.Older.Newer = roles[max(first, 0):], m.Filter.Link(views.PathRoles, nil)
	}
	if len(roles) > rolesAcross {
		m.Older.Older = m.Filter.Link(views.PathRoles, url.Values{"from": {roles[rolesAcross].Name}})
		roles = roles[:rolesAcross]
	}
	for _, r := range roles {
		use := reach[r.Name]
		m.Roles = append(m.Roles, views.MatrixRole{Name: r.Name, Label: orElse(r.Label, r.Name), People: use.People, Groups: use.Groups, Builtin: r.Builtin})
	}
	for _, category := range traitCategories {
		g := views.MatrixGroup{Label: category.label}
		for _, t := range v.snap.Traits().All() {
			if t.Category == category.name && t.Assignable.Has(trait.ToUser) && strings.Contains(t.Name, strings.ToLower(m.Filter.Search)) {
				g.Rows = append(g.Rows, v.matrixRow(t, roles, people[t.ID]))
			}
		}
		if len(g.Rows) > 0 {
			m.Groups = append(m.Groups, g)
		}
	}
	return answer(c, v, http.StatusOK, at(views.PathRoles, "People", "", "Roles & traits", ""), m, views.MatrixPage, views.MatrixBody)
}

// matrixRow says how each role gives a trait.
func (v *visit) matrixRow(t trait.Trait, roles []identity.Role, people int) views.MatrixRow {
	registry := v.snap.Traits()
	row := views.MatrixRow{Trait: t.Name, Href: views.TraitPath(t.Name), People: people, ImpliedBy: v.impliers(t)}
	for _, r := range roles {
		set, _ := registry.Parse(r.Traits)
		cell := views.MatrixCell{Direct: set.Has(t.ID)}
		if !cell.Direct {
			for _, by := range registry.ImpliedBy(t.ID) {
				if set.Has(by) {
					cell.By = registry.Get(by).Name
					break
				}
			}
		}
		row.Cells = append(row.Cells, cell)
	}
	return row
}

// impliers names the traits that bring a trait along.
func (v *visit) impliers(t trait.Trait) []string {
	var names []string
	for _, id := range v.snap.Traits().ImpliedBy(t.ID) {
		if by := v.snap.Traits().Get(id); by.Assignable.Has(trait.ToUser) {
			names = append(names, by.Name)
		}
	}
	return names
}

// traitAt returns the trait of people that the address names.
func (v *visit) traitAt(c echo.Context) (trait.Trait, error) {
	t, _, ok := v.snap.Traits().Lookup(c.Param("trait"))
	if !ok || !t.Assignable.Has(trait.ToUser) {
		return t, fault.New(fault.NotFound, "trait.unknown", "There is no such trait for people.")
	}
	return t, nil
}

// traitPage handles GET /console/roles/traits/:trait: who has it, and until when.
func (s *Server) traitPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	t, err := v.traitAt(c)
	if err != nil {
		return err
	}
	roles, err := s.Identity.Roles(ctx)
	if err != nil {
		return err
	}
	var carrying []string
	for _, r := range roles {
		if slices.Contains(r.Traits, t.Name) {
			carrying = append(carrying, orElse(r.Label, r.Name))
		}
	}
	path := views.TraitPath(t.Name)
	props := views.TraitDetail{
		Name: t.Name, Text: t.Description, Pager: views.Pager{ByName: true},
		Facts: []views.KV{
			{Label: "Roles", Value: orElse(joined(carrying), "none carry it by name")},
			{Label: "Implied by", Value: orElse(joined(v.impliers(t)), "no other trait")},
			{Label: "Brings along", Value: orElse(joined(v.snap.Traits().Names(v.snap.Traits().Effective(trait.SetOf(t.ID)).Without(t.ID))), "nothing")},
		},
		Actions: []views.Action{{Label: "Grant", Icon: "user-plus", Primary: true, Ask: true, Href: views.TraitPath(t.Name, "grant"), Why: v.whyNotGive(ctx, t)}},
	}
	cursor := c.QueryParam("after")
	holders, next, err := s.Identity.TraitHolders(ctx, t.Name, cursor, views.UsersPerPage)
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
	return answer(c, v, http.StatusOK, traitFrame(t.Name), props, views.TraitPage, views.TraitBody)
}

// traitFrame is where a trait's pages stand.
func traitFrame(name string) frame {
	return at(views.PathRoles, "People", "", "Roles & traits", views.PathRoles, orElse(name, "Grant a trait"), "")
}

// whyNotGive says why whoever looks may not give a trait.
func (v *visit) whyNotGive(ctx context.Context, t trait.Trait) *views.Why {
	if len(v.beyond(v.snap.Traits().Effective(trait.SetOf(t.ID)))) == 0 {
		return nil
	}
	return &views.Why{Text: "It is above your own traits.", Trait: "admin", Grantors: v.holders(ctx, trait.Admin)}
}

// askGrantTo handles GET /console/roles/grant and /console/roles/traits/:trait/grant.
func (s *Server) askGrantTo(c echo.Context) error {
	return s.confirmGrantTo(c, http.StatusOK, s.visit(c.Request()).giveFields(nil), "")
}

// confirmGrantTo asks whom to give what, for how long and why.
func (s *Server) confirmGrantTo(c echo.Context, status int, fields []*views.Field, refused string) error {
	v, name := s.visit(c.Request()), c.Param("trait")
	q := views.Confirm{
		Title: "Grant a trait?", Text: "In force at once: their sessions end, and they sign in again. It ends by itself, and so do their sessions then.", Error: refused, Back: views.PathRoles,
		Action: views.Action{Label: "Grant", Icon: "user-plus", Primary: true, Href: views.PathRoles + "/grant"},
		Fields: []views.Field{{Name: "email", Label: "E-mail of the person", Type: views.Email, Value: c.FormValue("email"), Required: true, Autocomplete: "off"}},
	}
	if name == "" {
		what, err := v.whatField(c.Request().Context(), c.FormValue("what"))
		if err != nil {
			return err
		}
		q.Fields = append(q.Fields, what)
	} else {
		t, err := v.traitAt(c)
		if err != nil {
			return err
		}
		name = t.Name
		q.Title, q.Action.Href, q.Back = "Grant "+t.Name+"?", views.TraitPath(t.Name, "grant"), views.TraitPath(t.Name)
	}
	for _, f := range fields {
		q.Fields = append(q.Fields, *f)
	}
	return ask(c, v, status, traitFrame(name), q)
}

// grantTo handles POST to the same.
func (s *Server) grantTo(c echo.Context) error {
	ctx := c.Request().Context()
	in, err := formOf(c)
	if err != nil {
		return err
	}
	v, g, to := s.visit(c.Request()), giftOf(c), views.PathRoles
	if g.kind == "" {
		g.kind, g.name, _ = strings.Cut(in.Get("what"), ":")
	} else {
		to = views.TraitPath(g.name)
	}
	fields := v.giveFields(in)
	days, ok := readDays(in, fields)
	if !ok {
		return s.confirmGrantTo(c, http.StatusUnprocessableEntity, fields, "The number of days needs a correction; nothing was done.")
	}
	u, err := s.userByEmail(ctx, in.Get("email"))
	if err != nil {
		return err
	}
	if u == nil {
		return s.confirmGrantTo(c, http.StatusUnprocessableEntity, fields, "Nobody here has this address.")
	}
	after, err := s.give(ctx, u.ID, g, in.Get("reason"), endIn(v.reader.Now, days))
	if refused, ok := saidInForm(err); ok {
		return s.confirmGrantTo(c, http.StatusUnprocessableEntity, fields, refused)
	}
	if err != nil {
		return err
	}
	return s.rightsChanged(c, v, *u, after, u.Name+" has "+g.word()+forDays(days)+".", to)
}

// userByEmail returns the person of an address; nil when nobody has it.
func (s *Server) userByEmail(ctx context.Context, email string) (*identity.User, error) {
	email = strings.ToLower(strings.TrimSpace(email))
	page, err := s.Identity.Users(ctx, identity.UserFilter{Text: email, Limit: 200})
	if err != nil {
		return nil, err
	}
	for i := range page.Users {
		if email != "" && page.Users[i].Email == email {
			return &page.Users[i], nil
		}
	}
	return nil, nil
}

// consoleRoles are the pages of roles and traits.
func (s *Server) consoleRoles() []route {
	people := []trait.ID{trait.UserManager}
	const one, role = views.PathRoles + "/traits/:trait", views.PathRoles + "/roles/:role"
	return []route{
		{method: get, path: views.PathRoles, who: users, needs: people, action: "user.list", handler: s.rolesPage},
		{method: get, path: views.PathRoles + "/grant", who: users, needs: people, action: "user.grant", handler: s.askGrantTo},
		{method: post, path: views.PathRoles + "/grant", who: users, needs: people, action: "user.grant", handler: s.grantTo, body: form, fresh: true},
		{method: get, path: one, who: users, needs: people, action: "user.list", handler: s.traitPage},
		{method: get, path: one + "/grant", who: users, needs: people, action: "user.grant", handler: s.askGrantTo},
		{method: post, path: one + "/grant", who: users, needs: people, action: "user.grant", handler: s.grantTo, body: form, fresh: true},
		{method: get, path: views.PathExpiring, who: users, needs: people, action: "user.list", handler: s.expiringPage},
		{method: get, path: views.PathRoles + "/new", who: users, needs: people, action: "role.change", handler: s.newRolePage},
		{method: post, path: views.PathRoles, who: users, needs: people, action: "role.change", handler: s.makeRole, body: form, fresh: true},
		{method: get, path: role, who: users, needs: people, action: "user.list", handler: s.rolePage},
		{method: get, path: role + "/edit", who: users, needs: people, action: "role.change", handler: s.editRolePage},
		{method: post, path: role + "/edit", who: users, needs: people, action: "role.change", handler: s.saveRole, body: form, fresh: true},
		{method: get, path: role + "/delete", who: users, needs: people, action: "role.change", handler: s.askDeleteRole},
		{method: post, path: role + "/delete", who: users, needs: people, action: "role.change", handler: s.removeRole, body: form, fresh: true},
	}
}

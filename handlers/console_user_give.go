package handlers

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/views"
)

// What can be given to a person, as addresses and forms call it.
const (
	giveRole  = "roles"
	giveTrait = "traits"
)

// gift is what a form gives a person, or takes from them: a role or a trait.
type gift struct{ kind, name string }

// giftOf returns what the address names; none when the form asks for it.
func giftOf(c echo.Context) gift {
	if name := c.Param("role"); name != "" {
		return gift{giveRole, name}
	}
	if name := c.Param("trait"); name != "" {
		return gift{giveTrait, name}
	}
	return gift{}
}

// word is what is given, in a sentence.
func (g gift) word() string {
	if g.kind == giveRole {
		return "the role " + g.name
	}
	return "the trait " + g.name
}

// askGive handles GET /console/users/:id/grant, and below a role or trait, which
// then gets another end.
func (s *Server) askGive(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	return s.confirmGive(c, http.StatusOK, u, s.visit(c.Request()).giveFields(nil), "")
}

// giveFields ask for how long and why.
func (v *visit) giveFields(in url.Values) []*views.Field {
	reason := reasonField(in)
	reason.Required = false
	return append(daysFields(in, 7, true), reason)
}

// confirmGive asks what to give a person, for how long and why.
func (s *Server) confirmGive(c echo.Context, status int, u identity.User, fields []*views.Field, refused string) error {
	v, g := s.visit(c.Request()), giftOf(c)
	q := userQuestion(c, u, "Give", "grant")
	q.Action.Icon, q.Error, q.Text = "key-round", refused, "In force at once: their sessions end, and they sign in again. It ends by itself, and so do their sessions then."
	if g.kind == "" {
		what, err := v.whatField(c.Request().Context(), c.FormValue("what"))
		if err != nil {
			return err
		}
		q.Title, q.Fields = "Give "+u.Name+" a role or trait?", []views.Field{what}
	} else {
		q.Title = "Give " + u.Name + " " + g.word() + " for how long?"
		q.Text = "The time runs from now. Their sessions go on where nothing else changes."
		q.Action.Href = userPath(u, g.kind, g.name, "grant")
	}
	for _, f := range fields {
		q.Fields = append(q.Fields, *f)
	}
	return s.askedOf(c, status, u, q)
}

// whatField asks for a role or a trait: those that whoever looks may give.
func (v *visit) whatField(ctx context.Context, chosen string) (views.Field, error) {
	f := views.Field{Name: "what", Label: "Role or trait", Type: views.Select, Value: chosen, Required: true, Options: []views.Option{{Label: "Choose one"}}, Help: "Those above your own are left out."}
	roles, err := v.Identity.Roles(ctx)
	if err != nil {
		return f, err
	}
	for _, o := range v.roleField(roles, nil).Options {
		f.Options = append(f.Options, views.Option{Value: giveRole + ":" + o.Value, Label: "Role " + o.Label})
	}
	for _, o := range v.traitOptions() {
		f.Options = append(f.Options, views.Option{Value: giveTrait + ":" + o.Value, Label: "Trait " + o.Label})
	}
	return f, nil
}

// doGive handles POST to the same.
func (s *Server) doGive(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	v, g := s.visit(c.Request()), giftOf(c)
	if g.kind == "" {
		g.kind, g.name, _ = strings.Cut(in.Get("what"), ":")
	}
	fields := v.giveFields(in)
	days, ok := readDays(in, fields)
	if !ok {
		return s.confirmGive(c, http.StatusUnprocessableEntity, u, fields, "The number of days needs a correction; nothing was done.")
	}
	after, err := s.give(c.Request().Context(), u.ID, g, in.Get("reason"), endIn(v.reader.Now, days))
	if refused, ok := saidInForm(err); ok {
		return s.confirmGive(c, http.StatusUnprocessableEntity, u, fields, refused)
	}
	if err != nil {
		return err
	}
	return s.rightsChanged(c, v, u, after, u.Name+" has "+g.word()+forDays(days)+".", userPath(u))
}

func (s *Server) give(ctx context.Context, id uuid.UUID, g gift, reason string, end *time.Time) (identity.User, error) {
	switch g.kind {
	case giveRole:
		return s.Identity.GiveRole(ctx, id, identity.RoleGrant{Role: g.name, Reason: reason, Expires: end})
	case giveTrait:
		return s.Identity.GrantTrait(ctx, id, identity.TraitGrant{Trait: g.name, Reason: reason, Expires: end})
	}
	return identity.User{}, fault.New(fault.NotFound, "role.unknown", "Choose a role or a trait.")
}

// askTake handles GET /console/users/:id/roles/:role/revoke, and the same of a trait.
func (s *Server) askTake(c echo.Context) error {
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	return s.confirmTake(c, http.StatusOK, u, "")
}

// confirmTake says what a person loses with a role or trait.
func (s *Server) confirmTake(c echo.Context, status int, u identity.User, refused string) error {
	g := giftOf(c)
	q := userQuestion(c, u, "Take away", "")
	q.Title, q.Text = "Take "+g.word()+" from "+u.Name+"?", "Their sessions end at once where that changes what they may."
	q.Action.Danger, q.Action.Href, q.Error = true, userPath(u, g.kind, g.name, "revoke"), refused
	held, err := s.Identity.Effective(c.Request().Context(), u.ID)
	if err != nil {
		return err
	}
	q.Reach = []views.KV{{Label: "Loses", Value: orElse(joined(lostWith(held, g)), "nothing: other ways give the same")}}
	return s.askedOf(c, status, u, q)
}

// lostWith names the traits a person would no longer have without a gift.
func lostWith(held []identity.Held, g gift) []string {
	gone := map[string]bool{}
	for _, h := range held {
		left := slices.ContainsFunc(h.From, func(s identity.Source) bool {
			return s.From != identity.ImpliedBy && !(g.kind == giveRole && s.From == identity.FromRole && s.Name == g.name) && !(g.kind == giveTrait && s.From == identity.Direct && h.Trait.Name == g.name)
		})
		gone[h.Trait.Name] = !left
	}
	var lost []string
	for _, h := range held { // what is implied stays while one that implies it does
		implied := slices.ContainsFunc(h.From, func(s identity.Source) bool { return s.From == identity.ImpliedBy && !gone[s.Name] })
		if gone[h.Trait.Name] && !implied {
			lost = append(lost, h.Trait.Name)
		}
	}
	return lost
}

// doTake handles POST to the same.
func (s *Server) doTake(c echo.Context) error {
	if _, err := formOf(c); err != nil {
		return err
	}
	u, err := s.userOf(c)
	if err != nil {
		return err
	}
	ctx, g := c.Request().Context(), giftOf(c)
	take := s.Identity.RevokeTrait
	if g.kind == giveRole {
		take = s.Identity.TakeRole
	}
	after, err := take(ctx, u.ID, g.name)
	if refused, ok := saidInForm(err); ok {
		return s.confirmTake(c, http.StatusUnprocessableEntity, u, refused)
	}
	if err != nil {
		return err
	}
	return s.rightsChanged(c, s.visit(c.Request()), u, after, u.Name+" no longer has "+g.word()+" by hand.", userPath(u))
}

// rightsChanged tells of a change of what a person may do. Whose own rights changed
// is signed out by that.
func (s *Server) rightsChanged(c echo.Context, v *visit, before, after identity.User, told, fallback string) error {
	changed := before.Traits != after.Traits || !slices.Equal(before.Carried, after.Carried)
	switch {
	case changed && v.isSelf(before):
		return signedOut(c, "ended")
	case changed:
		told += " Their sessions have ended."
	}
	return s.done(c, flash{Text: told}, back(c, fallback))
}

// saidInForm returns the sentence of a refusal that belongs to the form it was
// asked in: what was typed, who asks, or whom it concerns.
func saidInForm(err error) (string, bool) {
	if err == nil {
		return "", false
	}
	f := fault.Of(err)
	said := isForm(f) || isRefusal(f) || f.Kind == fault.NotFound
	text := f.Sentence
	if said && len(f.Violations) == 1 {
		text = cmp.Or(strings.TrimSpace(f.Violations[0].Message+" "+f.Violations[0].Fix), text)
	}
	return text, said
}

// endIn is the end of so many days from now; nil without.
func endIn(now time.Time, days int) *time.Time {
	if days == 0 {
		return nil
	}
	end := now.Add(time.Duration(days) * 24 * time.Hour)
	return &end
}

// forDays says for how long, in a sentence.
func forDays(days int) string {
	if days == 0 {
		return ""
	}
	return " for " + count(days, "day", "days")
}

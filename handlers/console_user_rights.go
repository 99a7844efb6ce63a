package handlers

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// traitsOf lists what a person may do in the end, and where each trait comes from.
func (v *visit) traitsOf(ctx context.Context, id uuid.UUID) ([]views.TraitFrom, error) {
	held, err := v.Identity.Effective(ctx, id)
	if err != nil {
		return nil, err
	}
	return v.traitsFrom(ctx, held), nil
}

func (v *visit) traitsFrom(ctx context.Context, held []identity.Held) []views.TraitFrom {
	var out []views.TraitFrom
	for _, h := range held {
		out = append(out, views.TraitFrom{Name: h.Trait.Name, From: v.sources(ctx, h.From), Expires: when(h.Expires)})
	}
	return out
}

// sources writes the reasons why a person has a trait, each once.
func (v *visit) sources(ctx context.Context, from []identity.Source) string {
	var texts []string
	for _, s := range from {
		if text := v.source(ctx, s); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "; ")
}

// source writes one reason why a person has a trait.
func (v *visit) source(ctx context.Context, s identity.Source) string {
	role := "role " + orElse(s.Label, s.Name)
	switch s.From {
	case identity.FromRole:
		return role
	case identity.FromGroup:
		text := "group " + s.Group + " → " + role
		if s.Provider != "" {
			text += ", by " + v.providerName(ctx, s.Provider)
		}
		return text
	case identity.FromProvider:
		return role + ", by " + v.providerName(ctx, s.Provider)
	case identity.ImpliedBy:
		return "implied by " + s.Name
	}
	text := "granted by " + v.nameOf(ctx, s.GrantedBy)
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	return text
}

// providerName is an identity provider as people know it: its id when it is gone.
func (v *visit) providerName(ctx context.Context, id string) string {
	key := "provider " + id // no id of a person
	if _, ok := v.names[key]; !ok {
		v.names[key] = id
		if p, err := v.SSO.Provider(ctx, id); err == nil {
			v.names[key] = p.Name
		}
	}
	return v.names[key]
}

// given lists the roles and traits that somebody gave a person by hand: roles
// first, each once, however many traits it carries.
func (v *visit) given(ctx context.Context, u identity.User, held []identity.Held, why *views.Why) []views.GivenRow {
	var roles, traits []views.GivenRow
	seen := map[string]bool{}
	for _, h := range held {
		for _, s := range h.From {
			row := views.GivenRow{By: v.nameOf(ctx, s.GrantedBy), At: s.GrantedAt, Reason: s.Reason, Expires: when(s.Expires)}
			switch {
			case s.From == identity.FromRole && !seen[s.Name]:
				seen[s.Name] = true
				row.Name, row.Actions = orElse(s.Label, s.Name), givenActions(u, giveRole, s.Name, orElse(s.Label, s.Name), why)
				roles = append(roles, row)
			case s.From == identity.Direct:
				row.Trait, row.Name, row.Actions = true, h.Trait.Name, givenActions(u, giveTrait, h.Trait.Name, h.Trait.Name, why)
				traits = append(traits, row)
			}
		}
	}
	return append(roles, traits...)
}

// givenActions change and end what was given by hand.
func givenActions(u identity.User, kind, name, shown string, why *views.Why) []views.Action {
	return []views.Action{
		{Label: "Change", Object: shown, Ask: true, Href: userPath(u, kind, name, "grant"), Why: why},
		{Label: "Take away", Object: shown, Danger: true, Ask: true, Href: userPath(u, kind, name, "revoke"), Why: why},
	}
}

// places lists the groups a person is in. What an identity provider does ends
// there, so that only places given by hand can be left here.
func (v *visit) places(ctx context.Context, u identity.User, why *views.Why) []views.PlaceRow {
	var rows []views.PlaceRow
	for _, m := range u.Groups {
		row := views.PlaceRow{Group: m.Name, Href: views.GroupPath(m.Group.String()), At: m.GrantedAt, Reason: m.Reason, Expires: when(m.Expires)}
		if m.Provider != "" {
			row.Provider = v.providerName(ctx, m.Provider)
		} else {
			row.By = v.nameOf(ctx, m.GrantedBy)
			row.Actions = placeActions(u, m.Group.String(), m.Name, why)
		}
		rows = append(rows, row)
	}
	return rows
}

// placeActions change and end a person's place in a group.
func placeActions(u identity.User, group, name string, why *views.Why) []views.Action {
	return []views.Action{
		{Label: "Change", Object: name, Ask: true, Href: userPath(u, "groups", group, "join"), Why: why},
		{Label: "Take out", Object: name, Danger: true, Ask: true, Href: userPath(u, "groups", group, "leave"), Why: why},
	}
}

// traitOptions are the traits that whoever looks may give to people.
func (v *visit) traitOptions() []views.Option {
	var options []views.Option
	for _, t := range v.snap.Traits().All() {
		if t.Assignable.Has(trait.ToUser) && len(v.beyond(v.snap.Traits().Effective(trait.SetOf(t.ID)))) == 0 {
			options = append(options, views.Option{Value: t.Name, Label: t.Name, Note: t.Description})
		}
	}
	return options
}

package identity

import (
	"time"

	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// From says by what way a person has a trait.
type From string

// The ways.
const (
	FromRole     From = "role"     // a role carries it
	FromGroup    From = "group"    // a role of a group they are in carries it
	FromProvider From = "external" // a role that an identity provider's mapping gives carries it
	Direct       From = "direct"   // it was given by itself
	ImpliedBy    From = "implied"  // another trait brings it along
)

// Source is one reason why a person has a trait.
type Source struct {
	From      From       `json:"from"`
	Name      string     `json:"name,omitempty"`  // the role, or the trait that implies it; "" when direct
	Label     string     `json:"label,omitempty"` // Name for people
	Group     string     `json:"group,omitempty"` // the group that carries the role
	GroupID   string     `json:"group_id,omitempty"`
	Provider  string     `json:"provider,omitempty"` // the identity provider that gave the role, or put the person into the group
	Reason    string     `json:"reason,omitempty"`   // given with a direct trait
	GrantedBy string     `json:"granted_by"`         // id of who gave it
	GrantedAt time.Time  `json:"granted_at"`
	Expires   *time.Time `json:"expires_at,omitempty"` // nil: no end
}

// Held is a trait a person has now, with every reason for it.
type Held struct {
	Trait   trait.Trait
	From    []Source   // at least one
	Expires *time.Time // when the last reason ends; nil: no end
}

// holdings is the one place where effective traits are computed: what roles and
// direct grants give, and all that those imply. Names the registry does not know
// and traits that are not for people give nothing. The result is sorted by trait.
func holdings(registry *trait.Registry, grants []db.UserGrantsRow) []Held {
	sources := make([][]Source, registry.Len())
	for _, g := range grants {
		given := sourceOf(g)
		for _, name := range g.Traits {
			t, _, ok := registry.Lookup(name)
			if !ok || !t.Assignable.Has(trait.ToUser) {
				continue
			}
			sources[t.ID] = append(sources[t.ID], given)
			implied := Source{From: ImpliedBy, Name: t.Name, Label: t.Label, GrantedBy: g.GrantedBy, GrantedAt: g.GrantedAt, Expires: g.ExpiresAt}
			for _, id := range registry.Effective(trait.SetOf(t.ID)).Without(t.ID).IDs() {
				if registry.Get(id).Assignable.Has(trait.ToUser) {
					sources[id] = append(sources[id], implied)
				}
			}
		}
	}
	var held []Held
	for id, from := range sources {
		if len(from) > 0 {
			held = append(held, Held{Trait: registry.Get(trait.ID(id)), From: from, Expires: lastEnd(from)})
		}
	}
	return held
}

// sourceOf returns what was given as the reason for whatever it carries.
func sourceOf(g db.UserGrantsRow) Source {
	given := Source{
		From: From(g.Kind), Group: g.GroupName, GroupID: g.GroupID, Provider: g.Source,
		Reason: g.Reason, GrantedBy: g.GrantedBy, GrantedAt: g.GrantedAt, Expires: g.ExpiresAt,
	}
	if given.From != Direct {
		given.Name, given.Label = g.Name, g.Label
	}
	return given
}

// lastEnd returns when the last of the sources ends; nil when one never does.
func lastEnd(from []Source) *time.Time {
	last := from[0].Expires
	for _, s := range from {
		if s.Expires == nil {
			return nil
		}
		if s.Expires.After(*last) {
			last = s.Expires
		}
	}
	return last
}

// setOf returns the traits that are held.
func setOf(held []Held) trait.Set {
	var s trait.Set
	for _, h := range held {
		s = s.With(h.Trait.ID)
	}
	return s
}

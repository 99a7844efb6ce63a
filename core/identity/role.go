package identity

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// Role is a named set of traits.
type Role struct {
	Name        string // as programs write it
	Label       string
	Description string
	Traits      []string
	Builtin     bool // shipped: it can be given and taken, not changed
}

func roleOf(r db.Role) Role {
	return Role{Name: r.Name, Label: r.Label, Description: r.Description, Traits: r.Traits, Builtin: r.Builtin}
}

// Roles returns every role, shipped ones first.
func (s *Service) Roles(ctx context.Context) ([]Role, error) {
	rows, err := db.New(s.Pool).RoleList(ctx)
	if err != nil {
		return nil, db.Fault(err)
	}
	roles := make([]Role, len(rows))
	for i, r := range rows {
		roles[i] = roleOf(r)
	}
	return roles, nil
}

// Role returns one role, or a NotFound fault.
func (s *Service) Role(ctx context.Context, name string) (Role, error) {
	row, err := db.New(s.Pool).RoleGet(ctx, printable(name, 100))
	if errors.Is(err, pgx.ErrNoRows) {
		return Role{}, fault.New(fault.NotFound, "role.unknown", "There is no such role.")
	}
	return roleOf(row), db.Fault(err)
}

// RoleUse says how far a role reaches.
type RoleUse struct {
	People int // who were not deleted and have it now, by any way
	Groups int // that carry it now
}

// RoleUses returns how far every role reaches, by name.
func (s *Service) RoleUses(ctx context.Context) (map[string]RoleUse, error) {
	return s.roleUses(ctx, db.New(s.Pool))
}

func (s *Service) roleUses(ctx context.Context, q *db.Queries) (map[string]RoleUse, error) {
	rows, err := q.RoleCounts(ctx, actor.From(ctx).Tenant, s.now())
	if err != nil {
		return nil, db.Fault(err)
	}
	uses := make(map[string]RoleUse, len(rows))
	for _, r := range rows {
		uses[r.Name] = RoleUse{People: int(r.People), Groups: int(r.Groups)}
	}
	return uses, nil
}

// TraitUses returns how many active people have each trait now, by any way, also
// because another brings it along.
func (s *Service) TraitUses(ctx context.Context) (map[trait.ID]int, error) {
	rows, err := db.New(s.Pool).UserTraitSets(ctx, s.now(), actor.From(ctx).Tenant)
	if err != nil {
		return nil, db.Fault(err)
	}
	uses := map[trait.ID]int{}
	for _, row := range rows {
		for _, id := range forPeople(s.Traits(), row.Traits).IDs() {
			uses[id] += int(row.People)
		}
	}
	return uses, nil
}

// forPeople returns what traits of those names give a person.
func forPeople(r *trait.Registry, names []string) trait.Set {
	var set trait.Set
	for _, name := range names {
		if t, _, ok := r.Lookup(name); ok && t.Assignable.Has(trait.ToUser) {
			set = set.With(t.ID)
		}
	}
	for _, id := range r.Effective(set).IDs() {
		if r.Get(id).Assignable.Has(trait.ToUser) {
			set = set.With(id)
		}
	}
	return set
}

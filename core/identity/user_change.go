package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// SetName renames a person.
func (s *Service) SetName(ctx context.Context, id uuid.UUID, name string) (User, error) {
	name, err := cleanName(name)
	if err != nil {
		return User{}, err
	}
	return s.change(ctx, id, "user.rename", nil, func(q *db.Queries, u User) error {
		return q.UserSetName(ctx, db.UserSetNameParams{ID: id, Name: name, At: s.now()})
	})
}

// RoleGrant is a role to be given, until a time or without an end.
type RoleGrant struct {
	Role    string
	Reason  string     // shown to whoever wonders later; may be empty
	Expires *time.Time // nil: no end
}

// SetRoles gives a person exactly these roles, beside those that a group or an
// identity provider gives. It ends their sessions when that changes anything.
func (s *Service) SetRoles(ctx context.Context, id uuid.UUID, roles []RoleGrant) (User, error) {
	if err := s.checkRoles(ctx, roles); err != nil {
		return User{}, err
	}
	if err := notToOneself(ctx, id); err != nil {
		return User{}, err
	}
	return s.change(ctx, id, "user.roles", nil, func(q *db.Queries, u User) error { return s.putRoles(ctx, q, id, roles) })
}

// GiveRole gives a person one more role, or changes its end and reason. It ends
// their sessions when that changes what they have.
func (s *Service) GiveRole(ctx context.Context, id uuid.UUID, g RoleGrant) (User, error) {
	if err := s.checkRoles(ctx, []RoleGrant{g}); err != nil {
		return User{}, err
	}
	if err := notToOneself(ctx, id); err != nil {
		return User{}, err
	}
	return s.change(ctx, id, "user.roles", nil, func(q *db.Queries, u User) error { return s.putRole(ctx, q, id, "", g) })
}

// TakeRole takes a role from a person, or returns a NotFound fault when they have
// it by other ways only. It ends their sessions.
func (s *Service) TakeRole(ctx context.Context, id uuid.UUID, role string) (User, error) {
	return s.change(ctx, id, "user.roles", nil, func(q *db.Queries, u User) error {
		if !slices.Contains(u.Roles, role) {
			return fault.New(fault.NotFound, "role.not_given", "%s was not given that role by itself; see where it comes from.", u.Name)
		}
		keep := slices.DeleteFunc(slices.Clone(u.Roles), func(r string) bool { return r == role })
		return q.UserRolesDrop(ctx, db.UserRolesDropParams{UserID: id, Keep: keep})
	})
}

// putRoles gives a person exactly these roles by hand.
func (s *Service) putRoles(ctx context.Context, q *db.Queries, id uuid.UUID, roles []RoleGrant) error {
	if err := q.UserRolesDrop(ctx, db.UserRolesDropParams{UserID: id, Keep: roleNames(roles)}); err != nil {
		return err
	}
	for _, r := range roles {
		if err := s.putRole(ctx, q, id, "", r); err != nil {
			return err
		}
	}
	return nil
}

// putRole gives a person a role by hand, or by the identity provider that source names.
func (s *Service) putRole(ctx context.Context, q *db.Queries, id uuid.UUID, source string, r RoleGrant) error {
	return q.UserRolePut(ctx, db.UserRolePutParams{
		UserID: id, Role: r.Role, Source: source, Reason: printable(r.Reason, maxReason), GrantedBy: granter(ctx), At: s.now(), ExpiresAt: r.Expires,
	})
}

func roleNames(roles []RoleGrant) []string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = r.Role
	}
	return names
}

// checkRoles returns an Unprocessable fault for roles that do not exist, are
// named twice, or would have ended already.
func (s *Service) checkRoles(ctx context.Context, roles []RoleGrant) error {
	known, err := s.Roles(ctx)
	if err != nil {
		return err
	}
	for i, r := range roles {
		if !slices.ContainsFunc(known, func(k Role) bool { return k.Name == r.Role }) {
			return violation("role.unknown", "/roles", "A role that was named does not exist.", "Choose from the list of roles.")
		}
		if slices.ContainsFunc(roles[:i], func(o RoleGrant) bool { return o.Role == r.Role }) {
			return violation("role.duplicate", "/roles", "A role is named twice.", "Name it once.")
		}
		if err := checkEnd(r.Expires, s.now()); err != nil {
			return err
		}
	}
	return nil
}

// TraitGrant is a trait to be given to a person directly.
type TraitGrant struct {
	Trait   string // its name, or a legacy one
	Reason  string // shown to whoever wonders later; may be empty
	Expires *time.Time
}

// GrantTrait gives a person a direct trait, or changes its reason and end. It
// ends their sessions.
func (s *Service) GrantTrait(ctx context.Context, id uuid.UUID, g TraitGrant) (User, error) {
	var after User
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) (err error) {
		after, err = s.grantTrait(ctx, q, id, g, false)
		return err
	})
	if err != nil {
		return User{}, err
	}
	s.changed(ctx)
	return after, nil
}

// GrantTraitIn does what GrantTrait does in the transaction of q, for whoever was
// asked for it by another; call Announce once that is committed.
func (s *Service) GrantTraitIn(ctx context.Context, q *db.Queries, id uuid.UUID, g TraitGrant) (User, error) {
	return s.grantTrait(ctx, q, id, g, true)
}

func (s *Service) grantTrait(ctx context.Context, q *db.Queries, id uuid.UUID, g TraitGrant, agreed bool) (User, error) {
	t, _, ok := s.Traits().Lookup(g.Trait)
	if !ok || !t.Assignable.Has(trait.ToUser) {
		return User{}, violation("trait.not_assignable", "/trait", "This trait does not exist or is not for people.", "Choose from the list of traits.")
	}
	if err := checkEnd(g.Expires, s.now()); err != nil {
		return User{}, err
	}
	if err := notToOneself(ctx, id); err != nil {
		return User{}, err
	}
	reason := printable(g.Reason, maxReason)
	return s.changeIn(ctx, q, id, agreed, "user.grant", map[string]any{"trait": t.Name, "reason": reason}, func(q *db.Queries, u User) error {
		return q.UserTraitPut(ctx, db.UserTraitPutParams{
			UserID: id, Trait: t.Name, Reason: reason, GrantedBy: granter(ctx), At: s.now(), ExpiresAt: g.Expires,
		})
	})
}

// Announce makes count, here and on every replica, what was committed through a
// method that takes a transaction.
func (s *Service) Announce(ctx context.Context) { s.changed(ctx) }

// RevokeTrait takes a direct trait from a person, or returns a NotFound fault when
// they have it by other ways only. It ends their sessions.
func (s *Service) RevokeTrait(ctx context.Context, id uuid.UUID, name string) (User, error) {
	if t, _, ok := s.Traits().Lookup(name); ok {
		name = t.Name
	}
	return s.change(ctx, id, "user.revoke", map[string]any{"trait": printable(name, 64)}, func(q *db.Queries, u User) error {
		n, err := q.UserTraitDrop(ctx, id, printable(name, 64))
		if err == nil && n == 0 {
			err = fault.New(fault.NotFound, "trait.not_granted", "This person was not given that trait by itself; see where it comes from.")
		}
		return err
	})
}

// change makes one change of a person as govern makes it. Nothing changed: nothing
// is recorded.
func (s *Service) change(ctx context.Context, id uuid.UUID, action string, detail map[string]any, fn func(*db.Queries, User) error) (User, error) {
	var after User
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) (err error) {
		after, err = s.changeIn(ctx, q, id, false, action, detail, fn)
		return err
	})
	if err != nil {
		return User{}, err
	}
	s.changed(ctx)
	return after, nil
}

// changeIn is change in the transaction of q; agreed says that two people want it.
func (s *Service) changeIn(ctx context.Context, q *db.Queries, id uuid.UUID, agreed bool, action string, detail map[string]any, fn func(*db.Queries, User) error) (User, error) {
	var after User
	var was, is json.RawMessage
	err := s.governIn(ctx, q, reform{
		agreed:  agreed,
		touches: only(id),
		make: func(q *db.Queries) error {
			before, now, err := s.present(ctx, q, id)
			if err != nil {
				return err
			}
			if err := s.reaches(ctx, before.Traits); err != nil {
				return err
			}
			if err := fn(q, before); err != nil {
				return err
			}
			was = now
			after, is, err = s.snapshot(ctx, q, before.Tenant, id)
			return err
		},
		record: func(q *db.Queries, _ []uuid.UUID) error {
			if bytes.Equal(was, is) {
				return nil
			}
			e := audit.Entry{Action: action, Object: id.String(), Outcome: audit.OK, Before: was, After: is}
			if detail != nil {
				e.Detail = detail
			}
			return audit.Append(ctx, q, e)
		},
	})
	return after, err
}

// only names one person as whom a reform touches.
func only(id uuid.UUID) func(*db.Queries) ([]uuid.UUID, error) {
	return func(*db.Queries) ([]uuid.UUID, error) { return []uuid.UUID{id}, nil }
}

// lockUser returns a person and how they are now, and keeps every other change of
// people waiting until the transaction ends.
func (s *Service) lockUser(ctx context.Context, q *db.Queries, id uuid.UUID) (User, json.RawMessage, error) {
	if err := q.UserChangesLock(ctx); err != nil {
		return User{}, nil, err
	}
	return s.present(ctx, q, id)
}

// present returns a person who was not deleted and how they are now, locked until
// the transaction ends.
func (s *Service) present(ctx context.Context, q *db.Queries, id uuid.UUID) (User, json.RawMessage, error) {
	u, now, err := s.snapshot(ctx, q, actor.From(ctx).Tenant, id)
	if err == nil && u.Status == Deleted {
		err = fault.New(fault.NotFound, "user.unknown", "There is no such person.")
	}
	return u, now, err
}

// snapshot returns a person, and what an audit row shows of them.
func (s *Service) snapshot(ctx context.Context, q *db.Queries, tenant string, id uuid.UUID) (User, json.RawMessage, error) {
	row, err := q.UserLock(ctx, tenant, id)
	if err != nil {
		return User{}, nil, noUser(err)
	}
	u, err := s.whole(ctx, q, row)
	if err != nil {
		return User{}, nil, err
	}
	grants, err := q.UserGrants(ctx, []uuid.UUID{id}, s.now())
	if err != nil {
		return User{}, nil, err
	}
	type given struct {
		Name    string     `json:"name"`
		Source  string     `json:"source,omitempty"`
		Reason  string     `json:"reason,omitempty"`
		Expires *time.Time `json:"expires_at,omitempty"`
	}
	shown := struct {
		Name        string     `json:"name"`
		Status      Status     `json:"status"`
		PasswordSet *time.Time `json:"password_set_at,omitempty"`
		Roles       []given    `json:"roles"`
		Groups      []given    `json:"groups,omitempty"`
		Traits      []given    `json:"traits"`
	}{u.Name, u.Status, u.PasswordSet, []given{}, nil, []given{}}
	for _, m := range u.Groups {
		shown.Groups = append(shown.Groups, given{m.Name, m.Provider, m.Reason, m.Expires})
	}
	for _, g := range grants {
		switch one := (given{g.Name, g.Source, g.Reason, g.ExpiresAt}); From(g.Kind) {
		case FromRole, FromProvider:
			shown.Roles = append(shown.Roles, one)
		case Direct:
			shown.Traits = append(shown.Traits, one)
		}
	}
	is, err := json.Marshal(shown)
	return u, is, err
}

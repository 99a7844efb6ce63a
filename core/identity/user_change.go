package identity

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
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
	Expires *time.Time // nil: no end
}

// SetRoles gives a person exactly these roles. It ends their sessions when that
// changes anything.
func (s *Service) SetRoles(ctx context.Context, id uuid.UUID, roles []RoleGrant) (User, error) {
	if err := s.checkRoles(ctx, roles); err != nil {
		return User{}, err
	}
	return s.change(ctx, id, "user.roles", nil, func(q *db.Queries, u User) error { return s.putRoles(ctx, q, id, roles) })
}

func (s *Service) putRoles(ctx context.Context, q *db.Queries, id uuid.UUID, roles []RoleGrant) error {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = r.Role
	}
	if err := q.UserRolesDrop(ctx, id, names); err != nil {
		return err
	}
	for _, r := range roles {
		err := q.UserRolePut(ctx, db.UserRolePutParams{UserID: id, Role: r.Role, GrantedBy: granter(ctx), At: s.now(), ExpiresAt: r.Expires})
		if err != nil {
			return err
		}
	}
	return nil
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
		after, err = s.GrantTraitIn(ctx, q, id, g)
		return err
	})
	if err != nil {
		return User{}, err
	}
	s.changed(ctx)
	return after, nil
}

// GrantTraitIn does what GrantTrait does in the transaction of q; call Announce
// once that is committed.
func (s *Service) GrantTraitIn(ctx context.Context, q *db.Queries, id uuid.UUID, g TraitGrant) (User, error) {
	t, _, ok := s.Traits().Lookup(g.Trait)
	if !ok || !t.Assignable.Has(trait.ToUser) {
		return User{}, violation("trait.not_assignable", "/trait", "This trait does not exist or is not for people.", "Choose from the list of traits.")
	}
	if err := checkEnd(g.Expires, s.now()); err != nil {
		return User{}, err
	}
	reason := printable(g.Reason, maxReason)
	return s.changeIn(ctx, q, id, "user.grant", map[string]any{"trait": t.Name, "reason": reason}, func(q *db.Queries, u User) error {
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

// change makes one change of a person, one at a time on all replicas. Whoever acts
// must reach what the person had before and has after; the last administrator
// stays; the change and its record share a transaction. A change of traits or
// status ends the person's sessions. Nothing changed: nothing is recorded.
func (s *Service) change(ctx context.Context, id uuid.UUID, action string, detail map[string]any, fn func(*db.Queries, User) error) (User, error) {
	var after User
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) (err error) {
		after, err = s.changeIn(ctx, q, id, action, detail, fn)
		return err
	})
	if err != nil {
		return User{}, err
	}
	s.changed(ctx)
	return after, nil
}

// changeIn is change in the transaction of q.
func (s *Service) changeIn(ctx context.Context, q *db.Queries, id uuid.UUID, action string, detail map[string]any, fn func(*db.Queries, User) error) (User, error) {
	before, was, err := s.lockUser(ctx, q, id)
	if err != nil {
		return User{}, err
	}
	if err := s.reaches(ctx, before.Traits); err != nil {
		return User{}, err
	}
	if err := fn(q, before); err != nil {
		return User{}, err
	}
	after, is, err := s.snapshot(ctx, q, before.Tenant, id)
	if err != nil {
		return User{}, err
	}
	if bytes.Equal(was, is) {
		return after, nil
	}
	if err := s.reaches(ctx, after.Traits); err != nil {
		return User{}, err
	}
	if err := keepAdmin(ctx, q, before); err != nil {
		return User{}, err
	}
	if before.Traits != after.Traits || before.Status != after.Status || !slices.Equal(before.Roles, after.Roles) {
		if _, err := q.SessionRevokeAll(ctx, db.SessionRevokeAllParams{UserID: id, At: s.now()}); err != nil {
			return User{}, err
		}
	}
	e := audit.Entry{Action: action, Object: id.String(), Outcome: audit.OK, Before: was, After: is}
	if detail != nil {
		e.Detail = detail
	}
	return after, audit.Append(ctx, q, e)
}

// lockUser returns a person and how they are now, and keeps every other change of
// people waiting until the transaction ends.
func (s *Service) lockUser(ctx context.Context, q *db.Queries, id uuid.UUID) (User, json.RawMessage, error) {
	if err := q.UserChangesLock(ctx); err != nil {
		return User{}, nil, err
	}
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
	u, err := s.user(ctx, q, row)
	if err != nil {
		return User{}, nil, err
	}
	grants, err := q.UserGrants(ctx, []uuid.UUID{id}, s.now())
	if err != nil {
		return User{}, nil, err
	}
	type given struct {
		Name    string     `json:"name"`
		Reason  string     `json:"reason,omitempty"`
		Expires *time.Time `json:"expires_at,omitempty"`
	}
	shown := struct {
		Name        string     `json:"name"`
		Status      Status     `json:"status"`
		PasswordSet *time.Time `json:"password_set_at,omitempty"`
		Roles       []given    `json:"roles"`
		Traits      []given    `json:"traits"`
	}{u.Name, u.Status, u.PasswordSet, []given{}, []given{}}
	for _, g := range grants {
		one := given{g.Name, g.Reason, g.ExpiresAt}
		if From(g.Kind) == FromRole {
			shown.Roles = append(shown.Roles, one)
		} else {
			shown.Traits = append(shown.Traits, one)
		}
	}
	is, err := json.Marshal(shown)
	return u, is, err
}

// granter names who gives something: a person's or plugin's id, or a part of the core.
func granter(ctx context.Context) string {
	if who := actor.From(ctx); who.ID != "" {
		return who.ID
	}
	return "setup"
}

// isSelf reports whether the person of that id acts, themselves.
func isSelf(ctx context.Context, id uuid.UUID) bool {
	who := actor.From(ctx)
	return who.Kind == actor.User && who.ID == id.String()
}

// reaches returns a Denied fault when somebody with those traits stands above
// whoever acts: nobody gives or takes a sensitive trait, or changes a person who
// has one, without having it or being an administrator. Whether the caller may
// manage people at all is for the gate to say.
func (s *Service) reaches(ctx context.Context, traits trait.Set) error {
	who := actor.From(ctx)
	switch {
	case who.Kind == actor.System, who.Kind == actor.User && who.Has(trait.Admin):
		return nil
	case who.Kind != actor.User:
		return fault.New(fault.Denied, "identity.person", "Only people change people; sign in.")
	}
	var above []string
	for _, id := range who.Traits.Missing(traits).IDs() {
		if t := s.Traits().Get(id); t.Sensitive {
			above = append(above, t.Name)
		}
	}
	if above != nil {
		return fault.New(fault.Denied, "identity.escalation", "This touches traits above your own (%s); ask an administrator.", strings.Join(above, ", "))
	}
	return nil
}

// keepAdmin returns a Conflict fault when the change leaves nobody who
// administers; was is the person who was changed.
func keepAdmin(ctx context.Context, q *db.Queries, was User) error {
	if !was.Traits.Has(trait.Admin) {
		return nil
	}
	n, err := q.UserAdmins(ctx, was.Tenant)
	if err != nil {
		return err
	}
	if n == 0 {
		return fault.New(fault.Conflict, "identity.last_admin", "This is the last active administrator; make somebody else one first, without an end.")
	}
	return nil
}

package identity

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// roleName is the form of a custom role's name.
var roleName = regexp.MustCompile(`^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$`)

// maxRoleName is how long a role's name may be, in bytes.
const maxRoleName = 64

// CreateRole adds a role of one's own, or returns a Conflict fault when the name is
// taken, or an Unprocessable fault for traits that are not for people.
func (s *Service) CreateRole(ctx context.Context, r Role) (Role, error) {
	if len(r.Name) > maxRoleName || !roleName.MatchString(r.Name) {
		return Role{}, violation("role.name", "/name", "The name is not one of a role.", "Use up to 64 lower-case letters, digits and single hyphens.")
	}
	return s.reformRole(ctx, "role.create", r, func(q *db.Queries, r Role) error {
		err := q.RoleInsert(ctx, db.RoleInsertParams{Name: r.Name, Label: r.Label, Description: r.Description, Traits: r.Traits, At: s.now()})
		if db.Violates(err, "roles_pkey") {
			return fault.New(fault.Conflict, "role.exists", "There is a role of that name already.")
		}
		return err
	})
}

// ChangeRole gives a role of one's own another label, description and exactly these
// traits: at once for everybody who has it, whose sessions end where that changes
// what they may. A shipped role is a Conflict fault.
func (s *Service) ChangeRole(ctx context.Context, r Role) (Role, error) {
	return s.reformRole(ctx, "role.change", r, func(q *db.Queries, r Role) error {
		_, err := q.RoleUpdate(ctx, db.RoleUpdateParams{Name: r.Name, Label: r.Label, Description: r.Description, Traits: r.Traits})
		return err
	})
}

func (s *Service) reformRole(ctx context.Context, action string, r Role, put func(*db.Queries, Role) error) (Role, error) {
	r, err := s.cleanRole(r)
	if err != nil {
		return Role{}, err
	}
	var before Role
	err = s.govern(ctx, reform{
		touches: s.holdersOf(ctx, r.Name),
		make: func(q *db.Queries) error {
			if action != "role.create" {
				if before, err = s.ownRole(ctx, q, r.Name); err != nil {
					return err
				}
			}
			for _, one := range []Role{before, r} {
				if err := s.reaches(ctx, forPeople(s.Traits(), one.Traits)); err != nil {
					return err
				}
			}
			return put(q, r)
		},
		record: func(q *db.Queries, changed []uuid.UUID) error {
			e := audit.Entry{Action: action, Object: r.Name, Outcome: audit.OK, After: roleShown(r), Detail: peopleTouched(changed)}
			if action != "role.create" {
				e.Before = roleShown(before)
			}
			return audit.Append(ctx, q, e)
		},
	})
	if err != nil {
		return Role{}, err
	}
	return r, nil
}

// DeleteRole removes a role of one's own. One that people have or groups carry is
// a Conflict fault, unless inUse says that it is to be taken from them all.
func (s *Service) DeleteRole(ctx context.Context, name string, inUse bool) error {
	var before Role
	return s.govern(ctx, reform{
		touches: s.holdersOf(ctx, name),
		make: func(q *db.Queries) (err error) {
			if before, err = s.ownRole(ctx, q, name); err != nil {
				return err
			}
			if err := s.reaches(ctx, forPeople(s.Traits(), before.Traits)); err != nil {
				return err
			}
			if !inUse {
				uses, err := s.roleUses(ctx, q)
				if err != nil {
					return err
				}
				if use := uses[name]; use.People+use.Groups > 0 {
					return fault.New(fault.Conflict, "role.in_use", "%d people have this role and %d groups carry it; say that it is to be taken from them.", use.People, use.Groups)
				}
			}
			_, err = q.RoleDelete(ctx, name)
			return err
		},
		record: func(q *db.Queries, changed []uuid.UUID) error {
			return audit.Append(ctx, q, audit.Entry{Action: "role.delete", Object: name, Outcome: audit.OK, Before: roleShown(before), Detail: peopleTouched(changed)})
		},
	})
}

// ownRole returns a role that is not shipped, or a NotFound or Conflict fault.
func (s *Service) ownRole(ctx context.Context, q *db.Queries, name string) (Role, error) {
	row, err := q.RoleGet(ctx, printable(name, 100))
	if errors.Is(err, pgx.ErrNoRows) {
		return Role{}, fault.New(fault.NotFound, "role.unknown", "There is no such role.")
	}
	if err == nil && row.Builtin {
		err = fault.New(fault.Conflict, "role.builtin", "This role is shipped and stays as it is; make one of your own.")
	}
	return roleOf(row), err
}

// cleanRole returns a role as it is stored, or an Unprocessable fault that says of
// which trait and why.
func (s *Service) cleanRole(r Role) (Role, error) {
	label, err := cleanName(r.Label)
	if err != nil {
		return Role{}, violation("role.label", "/label", "The role needs a label of at most 100 characters.", "Write how people are to know it.")
	}
	var set trait.Set
	for _, name := range r.Traits {
		t, _, ok := s.Traits().Lookup(name)
		switch {
		case !ok:
			return Role{}, violation("trait.not_assignable", "/traits", "There is no trait "+printable(name, 64)+".", "Choose from the list of traits.")
		case !t.Assignable.Has(trait.ToUser):
			return Role{}, violation("trait.not_assignable", "/traits", "The trait "+t.Name+" is not for people.", "Choose from the list of traits.")
		}
		set = set.With(t.ID)
	}
	if set.Empty() {
		return Role{}, violation("role.empty", "/traits", "The role carries no trait.", "Choose at least one.")
	}
	if a, b, ok := s.conflict(s.Traits().Effective(set)); ok {
		return Role{}, violation("trait.conflict", "/traits", "The traits "+a.Name+" and "+b.Name+" exclude each other.", "Leave one out.")
	}
	return Role{Name: r.Name, Label: label, Description: printable(r.Description, maxReason), Traits: s.Traits().Names(set)}, nil
}

// holdersOf names the people who have a role, by any way, as whom a reform touches.
func (s *Service) holdersOf(ctx context.Context, role string) func(*db.Queries) ([]uuid.UUID, error) {
	return func(q *db.Queries) ([]uuid.UUID, error) { return q.RoleHolders(ctx, printable(role, 100), s.now()) }
}

// roleShown is what an audit row shows of a role.
func roleShown(r Role) json.RawMessage {
	b, _ := json.Marshal(struct { // of text only
		Label       string   `json:"label"`
		Description string   `json:"description,omitempty"`
		Traits      []string `json:"traits"`
	}{r.Label, r.Description, r.Traits})
	return b
}

package identity

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// Status is a person's place in their life here.
type Status string

// The statuses. A deleted person's row stays, so that the audit keeps a name.
const (
	Invited   Status = "invited"
	Active    Status = "active"
	Suspended Status = "suspended"
	Deleted   Status = "deleted"
)

// User is a person.
type User struct {
	ID          uuid.UUID
	Tenant      string
	Email       string // lower case
	Name        string
	Source      string // local or oidc
	Status      Status
	Roles       []string     // names of those given by hand, without those that ran out
	Carried     []string     // names of those held by any way, sorted
	Groups      []Membership // by name; not set where only rights are asked for
	Traits      trait.Set    // effective
	RightsEnd   *time.Time   // when the first of what they were given ends; nil: nothing does
	CreatedAt   time.Time
	LastLogin   *time.Time
	PasswordSet *time.Time
	FactorDue   *time.Time // when the second factor required of them is due; nil: none was required yet
}

// Actor returns the person as an actor who proved themselves by c.
func (u User) Actor(c actor.Credential) actor.Actor {
	return actor.Actor{Kind: actor.User, ID: u.ID.String(), Name: u.Name, Tenant: u.Tenant, Traits: u.Traits, Credential: c}
}

// User returns one person, deleted ones too, or a NotFound fault.
func (s *Service) User(ctx context.Context, id uuid.UUID) (User, error) {
	q := db.New(s.Pool)
	row, err := q.UserGet(ctx, actor.From(ctx).Tenant, id)
	if err != nil {
		return User{}, noUser(err)
	}
	return s.whole(ctx, q, row)
}

// whole completes a row with what the person was given and the groups they are in.
func (s *Service) whole(ctx context.Context, q *db.Queries, row db.User) (User, error) {
	us, err := s.wholes(ctx, q, []db.User{row})
	if err != nil {
		return User{}, err
	}
	return us[0], nil
}

func (s *Service) wholes(ctx context.Context, q *db.Queries, rows []db.User) ([]User, error) {
	us, err := s.users(ctx, q, rows)
	if err != nil {
		return nil, err
	}
	of, err := s.memberships(ctx, q, rows)
	for i := range us {
		us[i].Groups = of[us[i].ID]
	}
	return us, err
}

// user completes a row with what the person was given.
func (s *Service) user(ctx context.Context, q *db.Queries, row db.User) (User, error) {
	us, err := s.users(ctx, q, []db.User{row})
	if err != nil {
		return User{}, err
	}
	return us[0], nil
}

func (s *Service) users(ctx context.Context, q *db.Queries, rows []db.User) ([]User, error) {
	ids := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	grants, err := q.UserGrants(ctx, ids, s.now())
	if err != nil {
		return nil, db.Fault(err)
	}
	of := map[uuid.UUID][]db.UserGrantsRow{}
	for _, g := range grants {
		of[g.UserID] = append(of[g.UserID], g)
	}
	registry, us := s.Traits(), make([]User, len(rows))
	for i, row := range rows {
		us[i] = User{
			ID: row.ID, Tenant: row.TenantID, Email: row.Email, Name: row.Name, Source: row.Source, Status: Status(row.Status), Roles: []string{}, Carried: []string{},
			CreatedAt: row.CreatedAt, LastLogin: row.LastLoginAt, PasswordSet: row.PasswordSetAt, FactorDue: row.FactorDueAt,
		}
		for _, g := range of[row.ID] {
			if From(g.Kind) == FromRole {
				us[i].Roles = append(us[i].Roles, g.Name)
			}
			if From(g.Kind) != Direct {
				us[i].Carried = append(us[i].Carried, g.Name)
			}
			us[i].RightsEnd = sooner(us[i].RightsEnd, g.ExpiresAt)
		}
		slices.Sort(us[i].Roles)
		slices.Sort(us[i].Carried)
		us[i].Carried = slices.Compact(us[i].Carried)
		us[i].Traits = setOf(holdings(registry, of[row.ID]))
	}
	return us, nil
}

// sooner returns the earlier of two ends; nil is none.
func sooner(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.Before(*a) {
		return b
	}
	return a
}

// Effective returns every trait a person has now and where from, by trait, or a
// NotFound fault.
func (s *Service) Effective(ctx context.Context, id uuid.UUID) ([]Held, error) {
	q := db.New(s.Pool)
	if _, err := q.UserGet(ctx, actor.From(ctx).Tenant, id); err != nil {
		return nil, noUser(err)
	}
	grants, err := q.UserGrants(ctx, []uuid.UUID{id}, s.now())
	if err != nil {
		return nil, db.Fault(err)
	}
	return holdings(s.Traits(), grants), nil
}

// noUser translates a row that is not there.
func noUser(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return fault.New(fault.NotFound, "user.unknown", "There is no such person.")
	}
	return db.Fault(err)
}

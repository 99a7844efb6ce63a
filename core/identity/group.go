package identity

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// Group is a set of people who share roles.
type Group struct {
	ID          uuid.UUID
	Name        string
	Description string
	Roles       []GroupRole // by name, without those that ran out
	Traits      trait.Set   // effective, of somebody who has these roles alone
	People      int         // who are in it now
	CreatedAt   time.Time
}

// GroupRole is a role a group carries.
type GroupRole struct {
	Name, Label string
	Expires     *time.Time // nil: no end
}

// Membership is a group a person is in.
type Membership struct {
	Group     uuid.UUID
	Name      string // of the group
	Provider  string // the identity provider that put them in; "": somebody did
	Reason    string
	GrantedBy string
	GrantedAt time.Time
	Expires   *time.Time // nil: no end
}

// Member is a person in a group.
type Member struct {
	User
	Membership Membership
}

// memberships returns the groups that people are in now.
func (s *Service) memberships(ctx context.Context, q *db.Queries, users []db.User) (map[uuid.UUID][]Membership, error) {
	ids := make([]uuid.UUID, len(users))
	for i, u := range users {
		ids[i] = u.ID
	}
	rows, err := q.GroupsOf(ctx, ids, s.now())
	if err != nil {
		return nil, db.Fault(err)
	}
	of := map[uuid.UUID][]Membership{}
	for _, m := range rows {
		of[m.UserID] = append(of[m.UserID], Membership{
			Group: m.GroupID, Name: m.Name, Provider: m.Source, Reason: m.Reason, GrantedBy: m.GrantedBy, GrantedAt: m.GrantedAt, Expires: m.ExpiresAt,
		})
	}
	return of, nil
}

// Group returns one group, or a NotFound fault.
func (s *Service) Group(ctx context.Context, id uuid.UUID) (Group, error) {
	return s.group(ctx, db.New(s.Pool), id)
}

func (s *Service) group(ctx context.Context, q *db.Queries, id uuid.UUID) (Group, error) {
	row, err := q.GroupGet(ctx, actor.From(ctx).Tenant, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Group{}, fault.New(fault.NotFound, "group.unknown", "There is no such group.")
	}
	if err != nil {
		return Group{}, db.Fault(err)
	}
	members, err := q.GroupMemberIDs(ctx, id, s.now())
	if err != nil {
		return Group{}, db.Fault(err)
	}
	gs, err := s.groups(ctx, q, []db.GroupListRow{{Group: row, People: int64(len(members))}})
	if err != nil {
		return Group{}, err
	}
	return gs[0], nil
}

// groups completes rows with the roles the groups carry.
func (s *Service) groups(ctx context.Context, q *db.Queries, rows []db.GroupListRow) ([]Group, error) {
	ids := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		ids[i] = row.Group.ID
	}
	carried, err := q.GroupRoles(ctx, ids, s.now())
	if err != nil {
		return nil, db.Fault(err)
	}
	of := map[uuid.UUID][]db.GroupRolesRow{}
	for _, r := range carried {
		of[r.GroupID] = append(of[r.GroupID], r)
	}
	gs := make([]Group, len(rows))
	for i, row := range rows {
		g := Group{
			ID: row.Group.ID, Name: row.Group.Name, Description: row.Group.Description, Roles: []GroupRole{}, People: int(row.People), CreatedAt: row.Group.CreatedAt,
		}
		for _, r := range of[g.ID] {
			g.Roles = append(g.Roles, GroupRole{Name: r.Name, Label: r.Label, Expires: r.ExpiresAt})
			set, _ := s.Traits().Parse(r.Traits)
			g.Traits = g.Traits.Union(s.Traits().Effective(set))
		}
		gs[i] = g
	}
	return gs, nil
}

package identity

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// GroupEdit is what a group is to be.
type GroupEdit struct {
	Name        string // at most 100 characters, unique
	Description string
	Roles       []RoleGrant // exactly these; a reason is not kept here
}

// CreateGroup makes an empty group, or returns a Conflict fault when the name is taken.
func (s *Service) CreateGroup(ctx context.Context, in GroupEdit) (Group, error) {
	id := uuid.Must(uuid.NewV7())
	return s.reformGroup(ctx, id, "group.create", in, func(q *db.Queries, name string) error {
		_, err := q.GroupInsert(ctx, db.GroupInsertParams{
			ID: id, TenantID: actor.From(ctx).Tenant, Name: name, Description: printable(in.Description, maxReason), CreatedBy: granter(ctx), At: s.now(),
		})
		return err
	})
}

// ChangeGroup names and describes a group and gives it exactly these roles: at once
// for everybody who is in it, whose sessions end where that changes what they may.
func (s *Service) ChangeGroup(ctx context.Context, id uuid.UUID, in GroupEdit) (Group, error) {
	return s.reformGroup(ctx, id, "group.change", in, func(q *db.Queries, name string) error {
		return q.GroupUpdate(ctx, db.GroupUpdateParams{ID: id, Name: name, Description: printable(in.Description, maxReason), At: s.now()})
	})
}

// reformGroup makes or changes a group by put, gives it its roles, and records it.
func (s *Service) reformGroup(ctx context.Context, id uuid.UUID, action string, in GroupEdit, put func(*db.Queries, string) error) (Group, error) {
	name, err := cleanName(in.Name)
	if err != nil {
		return Group{}, err
	}
	if err := s.checkRoles(ctx, in.Roles); err != nil {
		return Group{}, err
	}
	var before, after Group
	err = s.govern(ctx, reform{
		touches: s.membersOf(ctx, id),
		make: func(q *db.Queries) error {
			if action != "group.create" {
				if before, err = s.group(ctx, q, id); err != nil {
					return err
				}
			}
			err := put(q, name)
			if db.Violates(err, "groups_name") {
				return fault.New(fault.Conflict, "group.name", "There is a group of that name already.")
			}
			if err != nil {
				return err
			}
			if err := s.putGroupRoles(ctx, q, id, in.Roles); err != nil {
				return err
			}
			if after, err = s.group(ctx, q, id); err != nil {
				return err
			}
			return s.groupAllowed(ctx, before, after)
		},
		record: func(q *db.Queries, changed []uuid.UUID) error {
			e := audit.Entry{Action: action, Object: id.String(), Outcome: audit.OK, After: groupShown(after), Detail: peopleTouched(changed)}
			if action != "group.create" {
				e.Before = groupShown(before)
			}
			return audit.Append(ctx, q, e)
		},
	})
	return after, err
}

// groupAllowed returns a fault when whoever acts may not make of one group the
// other, whether anybody is in it or not.
func (s *Service) groupAllowed(ctx context.Context, before, after Group) error {
	if err := s.reaches(ctx, before.Traits); err != nil {
		return err
	}
	if err := s.reaches(ctx, after.Traits); err != nil {
		return err
	}
	if a, b, ok := s.conflict(after.Traits); ok {
		return fault.New(fault.Conflict, "trait.conflict", "The group would carry %s and %s, which exclude each other; take one away first.", a.Name, b.Name)
	}
	return nil
}

func (s *Service) putGroupRoles(ctx context.Context, q *db.Queries, id uuid.UUID, roles []RoleGrant) error {
	if err := q.GroupRolesDrop(ctx, id, roleNames(roles)); err != nil {
		return err
	}
	for _, r := range roles {
		err := q.GroupRolePut(ctx, db.GroupRolePutParams{GroupID: id, Role: r.Role, GrantedBy: granter(ctx), At: s.now(), ExpiresAt: r.Expires})
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteGroup removes a group. Who was in it stays, without its roles.
func (s *Service) DeleteGroup(ctx context.Context, id uuid.UUID) error {
	var before Group
	return s.govern(ctx, reform{
		touches: s.membersOf(ctx, id),
		make: func(q *db.Queries) (err error) {
			if before, err = s.group(ctx, q, id); err != nil {
				return err
			}
			if err := s.reaches(ctx, before.Traits); err != nil {
				return err
			}
			return q.GroupDelete(ctx, id)
		},
		record: func(q *db.Queries, changed []uuid.UUID) error {
			return audit.Append(ctx, q, audit.Entry{Action: "group.delete", Object: id.String(), Outcome: audit.OK, Before: groupShown(before), Detail: peopleTouched(changed)})
		},
	})
}

// MemberGrant says for how long and why somebody is put into a group.
type MemberGrant struct {
	Reason  string
	Expires *time.Time // nil: no end
}

// JoinGroup puts a person into a group, or changes their end and reason there. It
// ends their sessions when that changes what they may.
func (s *Service) JoinGroup(ctx context.Context, group, id uuid.UUID, g MemberGrant) (User, error) {
	if err := checkEnd(g.Expires, s.now()); err != nil {
		return User{}, err
	}
	if err := notToOneself(ctx, id); err != nil {
		return User{}, err
	}
	return s.change(ctx, id, "user.groups", map[string]any{"group": group, "reason": printable(g.Reason, maxReason)}, func(q *db.Queries, u User) error {
		return s.putMember(ctx, q, group, id, "", g)
	})
}

// LeaveGroup takes a person out of a group, or returns a NotFound fault when nobody
// put them in: whom an identity provider puts in, only it takes out.
func (s *Service) LeaveGroup(ctx context.Context, group, id uuid.UUID) (User, error) {
	return s.change(ctx, id, "user.groups", map[string]any{"group": group}, func(q *db.Queries, u User) error {
		n, err := q.GroupMemberDrop(ctx, group, id)
		if err == nil && n == 0 {
			err = fault.New(fault.NotFound, "group.not_member", "Nobody put %s into that group here; what an identity provider gives ends there.", u.Name)
		}
		return err
	})
}

// putMember puts a person into a group that they would reach; source names the
// identity provider that does, "" is by hand.
func (s *Service) putMember(ctx context.Context, q *db.Queries, group, id uuid.UUID, source string, g MemberGrant) error {
	if _, err := s.group(ctx, q, group); err != nil {
		return err
	}
	return q.GroupMemberPut(ctx, db.GroupMemberPutParams{
		GroupID: group, UserID: id, Source: source, Reason: printable(g.Reason, maxReason), GrantedBy: granter(ctx), At: s.now(), ExpiresAt: g.Expires,
	})
}

// membersOf names the people in a group as whom a reform touches.
func (s *Service) membersOf(ctx context.Context, id uuid.UUID) func(*db.Queries) ([]uuid.UUID, error) {
	return func(q *db.Queries) ([]uuid.UUID, error) { return q.GroupMemberIDs(ctx, id, s.now()) }
}

// groupShown is what an audit row shows of a group.
func groupShown(g Group) json.RawMessage {
	type given struct {
		Name    string     `json:"name"`
		Expires *time.Time `json:"expires_at,omitempty"`
	}
	shown := struct {
		Name        string  `json:"name"`
		Description string  `json:"description,omitempty"`
		Roles       []given `json:"roles"`
	}{g.Name, g.Description, []given{}}
	for _, r := range g.Roles {
		shown.Roles = append(shown.Roles, given{r.Name, r.Expires})
	}
	b, _ := json.Marshal(shown) // of text and times only
	return b
}

// peopleTouched is what an audit row says of whose rights a reform changed: how
// many, and the first hundred.
func peopleTouched(changed []uuid.UUID) map[string]any {
	return map[string]any{"people": len(changed), "ids": changed[:min(len(changed), 100)]}
}

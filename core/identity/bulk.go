package identity

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/fault"
)

// maxBulk is how many people are changed at once.
const maxBulk = 200

// Bulk is one change to be made of several people, each by itself: where one is
// refused the others are made.
type Bulk struct {
	Do      string     // a key of bulks
	Role    string     // for give_role and take_role
	Group   uuid.UUID  // for join_group and leave_group
	Reason  string     // for suspend, give_role and join_group
	Expires *time.Time // for give_role and join_group; nil: no end
}

// BulkResult is what became of one person.
type BulkResult struct {
	ID   uuid.UUID
	Name string // "" when there is no such person
	Err  error  // nil: done
}

// bulks are the changes that can be made of several people.
var bulks = map[string]func(*Service, context.Context, uuid.UUID, Bulk) error{
	"suspend": func(s *Service, ctx context.Context, id uuid.UUID, b Bulk) error {
		if isSelf(ctx, id) {
			return fault.New(fault.Conflict, "user.self", "Nobody suspends or deletes themselves; ask another user manager.")
		}
		_, err := s.Suspend(ctx, id, b.Reason)
		return err
	},
	"reactivate": func(s *Service, ctx context.Context, id uuid.UUID, _ Bulk) error {
		_, err := s.Reactivate(ctx, id)
		return err
	},
	"sign_out": func(s *Service, ctx context.Context, id uuid.UUID, _ Bulk) error {
		return s.RevokeSessions(ctx, id, isSelf(ctx, id))
	},
	"give_role": func(s *Service, ctx context.Context, id uuid.UUID, b Bulk) error {
		_, err := s.GiveRole(ctx, id, RoleGrant{Role: b.Role, Reason: b.Reason, Expires: b.Expires})
		return err
	},
	"take_role": func(s *Service, ctx context.Context, id uuid.UUID, b Bulk) error {
		_, err := s.TakeRole(ctx, id, b.Role)
		return err
	},
	"join_group": func(s *Service, ctx context.Context, id uuid.UUID, b Bulk) error {
		_, err := s.JoinGroup(ctx, b.Group, id, MemberGrant{Reason: b.Reason, Expires: b.Expires})
		return err
	},
	"leave_group": func(s *Service, ctx context.Context, id uuid.UUID, b Bulk) error {
		_, err := s.LeaveGroup(ctx, b.Group, id)
		return err
	},
}

// ChangeMany makes a change of several people, one after the other, and says of
// each what became of it. It returns an Unprocessable fault, and changes nobody,
// for a change that is none, or of nobody, or of more than two hundred.
func (s *Service) ChangeMany(ctx context.Context, ids []uuid.UUID, b Bulk) ([]BulkResult, error) {
	do, ok := bulks[b.Do]
	if !ok {
		return nil, violation("bulk.action", "/do", "This is nothing that can be done to several people.", "Choose from the list.")
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	ids = slices.Compact(ids)
	if len(ids) == 0 || len(ids) > maxBulk {
		return nil, violation("bulk.people", "/people", "One to two hundred people can be changed at once.", "Choose them first.")
	}
	results := make([]BulkResult, len(ids))
	for i, id := range ids {
		if err := ctx.Err(); err != nil {
			return results[:i], err
		}
		r := BulkResult{ID: id}
		u, err := s.User(ctx, id)
		if r.Err = err; err == nil {
			r.Name = u.Name
			r.Err = do(s, ctx, id, b)
		}
		results[i] = r
	}
	slices.SortStableFunc(results, func(a, b BulkResult) int { return slices.Compare([]byte(a.Name), []byte(b.Name)) })
	return results, nil
}

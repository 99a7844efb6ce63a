package identity

import (
	"context"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Suspend keeps a person out until Reactivate: their sessions, API keys and
// unspent links end now.
func (s *Service) Suspend(ctx context.Context, id uuid.UUID, reason string) (User, error) {
	return s.change(ctx, id, "user.suspend", map[string]any{"reason": printable(reason, maxReason)}, func(q *db.Queries, u User) error {
		if u.Status == Suspended {
			return nil
		}
		return s.shutOut(ctx, q, u, Suspended)
	})
}

// Reactivate lets a suspended person in again. What ended stays ended; somebody
// who never set a password is invited again instead.
func (s *Service) Reactivate(ctx context.Context, id uuid.UUID) (User, error) {
	return s.change(ctx, id, "user.reactivate", nil, func(q *db.Queries, u User) error {
		to := Active
		if u.PasswordSet == nil && u.Source == "local" {
			to = Invited
		}
		return s.setStatus(ctx, q, u, Suspended, to)
	})
}

// Delete removes a person for good. The row stays, so that the audit keeps their
// name; the address becomes free.
func (s *Service) Delete(ctx context.Context, id uuid.UUID) error {
	_, err := s.change(ctx, id, "user.delete", nil, func(q *db.Queries, u User) error {
		if err := s.shutOut(ctx, q, u, Deleted); err != nil {
			return err
		}
		if err := q.UserIdentityDropAll(ctx, u.ID); err != nil {
			return err
		}
		if err := s.dropFactors(ctx, q, id); err != nil {
			return err
		}
		return q.UserSetPassword(ctx, db.UserSetPasswordParams{ID: id, At: s.now()})
	})
	return err
}

// shutOut moves a person to a status that has no credentials, and ends them all.
// Sessions end with the change itself.
func (s *Service) shutOut(ctx context.Context, q *db.Queries, u User, to Status) error {
	if _, err := q.APIKeyRevokeAll(ctx, s.now(), u.ID); err != nil {
		return err
	}
	if err := q.InvitationDrop(ctx, u.ID); err != nil {
		return err
	}
	return s.setStatus(ctx, q, u, u.Status, to)
}

func (s *Service) setStatus(ctx context.Context, q *db.Queries, u User, from, to Status) error {
	n, err := q.UserSetStatus(ctx, db.UserSetStatusParams{ID: u.ID, FromStatus: string(from), ToStatus: string(to), At: s.now()})
	if err == nil && n == 0 {
		err = fault.New(fault.Conflict, "user.status", "%s is %s; this cannot be done now.", u.Name, u.Status)
	}
	return err
}

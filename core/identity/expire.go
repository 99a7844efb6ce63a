package identity

import (
	"context"
	"time"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/db"
)

// Expire takes roles and direct traits away whose time is over, and records each
// end. They stopped counting at their expiry, whether or not anybody came by.
func (s *Service) Expire(ctx context.Context, at time.Time) error {
	return db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		traits, err := q.UserTraitExpire(ctx, at)
		if err != nil {
			return err
		}
		roles, err := q.UserRoleExpire(ctx, at)
		if err != nil {
			return err
		}
		for _, t := range traits {
			if err := audit.Append(ctx, q, audit.Entry{Action: "grant.expired", Object: t.UserID.String(), Outcome: audit.OK, Detail: map[string]any{
				"trait": t.Trait, "reason": t.Reason, "granted_by": t.GrantedBy, "granted_at": t.GrantedAt.UTC(), "expires_at": t.ExpiresAt,
			}}); err != nil {
				return err
			}
		}
		for _, r := range roles {
			if err := audit.Append(ctx, q, audit.Entry{Action: "grant.expired", Object: r.UserID.String(), Outcome: audit.OK, Detail: map[string]any{
				"role": r.Role, "granted_by": r.GrantedBy, "granted_at": r.GrantedAt.UTC(), "expires_at": r.ExpiresAt,
			}}); err != nil {
				return err
			}
		}
		return nil
	})
}

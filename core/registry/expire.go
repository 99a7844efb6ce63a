package registry

import (
	"context"
	"time"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/db"
)

// Expire ends the grants and approvals whose time is over, and records each end.
// They stopped counting at their expiry, whether or not anybody came by.
func (r *Registry) Expire(ctx context.Context, at time.Time) error {
	ended := 0
	err := db.InTx(ctx, r.pool, func(q *db.Queries) error {
		grants, err := q.GrantExpire(ctx, at)
		if err != nil {
			return err
		}
		approvals, err := q.EgressExpire(ctx, at)
		if err != nil {
			return err
		}
		for _, g := range grants {
			if err := audit.Append(ctx, q, audit.Entry{
				Plugin: g.Caller, Target: g.Target, Action: "grant.expired", Object: g.Caller + "/" + g.Target, Outcome: audit.OK,
				Detail: map[string]any{"operations": g.Operations, "granted_by": g.GrantedBy, "granted_at": g.GrantedAt.UTC(), "expires_at": g.ExpiresAt},
			}); err != nil {
				return err
			}
		}
		for _, a := range approvals {
			if err := audit.Append(ctx, q, audit.Entry{
				Plugin: a.PluginID, Action: "grant.expired", Object: a.PluginID + "/" + a.Domain, Outcome: audit.OK, Rule: "proxy.approved",
				Detail: map[string]any{"approved_by": a.ApprovedBy, "approved_at": a.ApprovedAt.UTC(), "expires_at": a.ExpiresAt},
			}); err != nil {
				return err
			}
		}
		ended = len(grants) + len(approvals)
		return nil
	})
	if err == nil && ended > 0 {
		r.publish(ctx)
	}
	return err
}

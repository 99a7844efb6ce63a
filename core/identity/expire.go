package identity

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/db"
)

// expired is what ran out, as the audit tells it.
type expired struct {
	Role      string    `json:"role,omitempty"`
	Trait     string    `json:"trait,omitempty"`
	Group     string    `json:"group,omitempty"` // by name
	Provider  string    `json:"provider,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	GrantedBy string    `json:"granted_by"`
	GrantedAt time.Time `json:"granted_at"`
	Expires   time.Time `json:"expires_at"`
}

// Expire takes away what ran out: roles, traits and places in groups, and roles of
// groups. What ran out counts no more from its end on, whether or not this ran; it
// keeps the record, one row each, once among all replicas.
func (s *Service) Expire(ctx context.Context, at time.Time) error {
	return db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		due, err := takeExpired(ctx, q, at)
		if err != nil {
			return err
		}
		for _, d := range due {
			core := actor.Core("identity")
			core.Tenant = d.tenant
			e := audit.Entry{Action: "grant.expired", Object: d.of.String(), Outcome: audit.OK, Detail: d.what}
			if err := audit.Append(actor.With(ctx, core), q, e); err != nil {
				return err
			}
		}
		return nil
	})
}

// due is something that ran out, of a person or a group.
type due struct {
	tenant string
	of     uuid.UUID
	what   expired
}

// takeExpired removes what ran out and returns it.
func takeExpired(ctx context.Context, q *db.Queries, at time.Time) (all []due, err error) {
	roles, err := q.UserRolesExpire(ctx, at)
	if err != nil {
		return nil, err
	}
	for _, r := range roles {
		all = append(all, due{r.TenantID, r.UserID, expired{Role: r.Role, Provider: r.Source, Reason: r.Reason, GrantedBy: r.GrantedBy, GrantedAt: r.GrantedAt, Expires: *r.ExpiresAt}})
	}
	traits, err := q.UserTraitsExpire(ctx, at)
	if err != nil {
		return nil, err
	}
	for _, t := range traits {
		all = append(all, due{t.TenantID, t.UserID, expired{Trait: t.Trait, Reason: t.Reason, GrantedBy: t.GrantedBy, GrantedAt: t.GrantedAt, Expires: *t.ExpiresAt}})
	}
	members, err := q.GroupMembersExpire(ctx, at)
	if err != nil {
		return nil, err
	}
	for _, m := range members {
		all = append(all, due{m.TenantID, m.UserID, expired{Group: m.Name, Provider: m.Source, Reason: m.Reason, GrantedBy: m.GrantedBy, GrantedAt: m.GrantedAt, Expires: *m.ExpiresAt}})
	}
	carried, err := q.GroupRolesExpire(ctx, at)
	if err != nil {
		return nil, err
	}
	for _, r := range carried {
		all = append(all, due{r.TenantID, r.GroupID, expired{Role: r.Role, Group: r.Name, GrantedBy: r.GrantedBy, GrantedAt: r.GrantedAt, Expires: *r.ExpiresAt}})
	}
	return all, nil
}

package identity

import (
	"context"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// IsLastAdministrator reports whether whoever acts is the only active person who
// administers without an end.
func (s *Service) IsLastAdministrator(ctx context.Context) (bool, error) {
	who := actor.From(ctx)
	id, err := uuid.Parse(who.ID)
	if who.Kind != actor.User || err != nil || !who.Has(trait.Admin) {
		return false, nil
	}
	n, err := db.New(s.Pool).UserAdmins(ctx, who.Tenant)
	if err != nil {
		return false, db.Fault(err)
	}
	if n > 1 {
		return false, nil
	}
	held, err := s.Effective(ctx, id)
	if err != nil {
		return false, err
	}
	for _, h := range held {
		if h.Trait.ID == trait.Admin {
			return h.Expires == nil, nil
		}
	}
	return false, nil
}

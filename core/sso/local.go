package sso

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// proofLife is how recently an administrator must have signed in by a provider
// before passwords may be switched off.
const proofLife = 24 * time.Hour

// MayCloseLocal returns nil when passwords may be switched off without locking
// everybody out, or a Conflict fault that says what is to be done first.
func (s *Service) MayCloseLocal(ctx context.Context) error {
	admins, err := s.administrators(ctx)
	if err != nil {
		return err
	}
	at, err := db.New(s.Pool).SSOAdminLogin(ctx, actor.From(ctx).Tenant, admins)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return db.Fault(err)
	}
	if at == nil || s.now().Sub(*at) > proofLife {
		return fault.New(fault.Conflict, "sso.local_login",
			"No administrator has signed in by an identity provider within a day. Link one with yours under Account, sign in by it, then switch passwords off.")
	}
	if s.BreakGlass == nil {
		return nil
	}
	ok, err := s.BreakGlass(ctx)
	if err != nil {
		return err
	}
	if !ok {
		return fault.New(fault.Conflict, "sso.break_glass", "There is no break-glass account to get in by when the identity provider is away. Make one first.")
	}
	return nil
}

// administrators returns the people who administer now.
func (s *Service) administrators(ctx context.Context) ([]uuid.UUID, error) {
	admins := []uuid.UUID{}
	f := identity.UserFilter{Status: identity.Active, Limit: 200}
	for {
		page, err := s.People.Users(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, u := range page.Users {
			if u.Traits.Has(trait.Admin) {
				admins = append(admins, u.ID)
			}
		}
		if f.Cursor = page.Next; f.Cursor == "" {
			return admins, nil
		}
	}
}

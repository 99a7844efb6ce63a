package identity

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Factors are the second factors of a person.
type Factors struct {
	TOTP          *time.Time // since when an authenticator app is set up; nil: none
	Passkeys      []Passkey  // oldest first
	RecoveryCodes int        // unspent
	Required      bool       // one is required of them now
	Due           *time.Time // when it is; nil: none was required yet
}

// None reports whether there is no second factor.
func (f Factors) None() bool { return f.TOTP == nil && len(f.Passkeys) == 0 }

// Factors returns the second factors of a person: one's own, or those of somebody
// the caller may manage.
func (s *Service) Factors(ctx context.Context, user uuid.UUID) (Factors, error) {
	u, err := s.User(ctx, user)
	if err != nil {
		return Factors{}, err
	}
	q := db.New(s.Pool)
	f := Factors{Required: s.FactorRequired(u), Due: u.FactorDue}
	app, err := q.TOTPGet(ctx, user)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return Factors{}, db.Fault(err)
	}
	f.TOTP = app.ConfirmedAt
	if f.Passkeys, err = s.passkeys(ctx, q, user); err != nil {
		return Factors{}, db.Fault(err)
	}
	counts, err := q.FactorsOf(ctx, []uuid.UUID{user})
	if err == nil && len(counts) == 1 {
		f.RecoveryCodes = int(counts[0].RecoveryCodes)
	}
	return f, db.Fault(err)
}

// WithFactor returns which of some people have a second factor.
func (s *Service) WithFactor(ctx context.Context, people []uuid.UUID) (map[uuid.UUID]bool, error) {
	rows, err := db.New(s.Pool).FactorsOf(ctx, people)
	have := make(map[uuid.UUID]bool, len(rows))
	for _, row := range rows {
		have[row.ID] = true
	}
	return have, db.Fault(err)
}

// ResetFactors removes every second factor of a person who lost theirs, and ends
// their sessions. It needs at least their sensitive traits. Who must have one can
// do nothing at the next sign-in but set one up. Nobody resets their own, which
// would go round what removing one asks for.
func (s *Service) ResetFactors(ctx context.Context, user uuid.UUID) error {
	if isSelf(ctx, user) {
		return fault.New(fault.Conflict, "user.self", "Your own second factors are changed on your account page.")
	}
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		u, _, err := s.lockUser(ctx, q, user)
		if err != nil {
			return err
		}
		if err := s.reaches(ctx, u.Traits); err != nil {
			return err
		}
		if err := s.dropFactors(ctx, q, user); err != nil {
			return err
		}
		if _, err := q.SessionRevokeAll(ctx, db.SessionRevokeAllParams{UserID: user, At: s.now()}); err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Action: "factor.reset", Object: user.String(), Outcome: audit.OK})
	})
	if err == nil {
		s.changed(ctx)
	}
	return err
}

// dropFactors removes every second factor of a person.
func (s *Service) dropFactors(ctx context.Context, q *db.Queries, user uuid.UUID) error {
	if _, err := q.TOTPDrop(ctx, user); err != nil {
		return err
	}
	if _, err := q.PasskeyDropAll(ctx, user); err != nil {
		return err
	}
	return q.RecoveryCodeDrop(ctx, user)
}

// dropFactor removes a factor of whoever acts by drop. With the last one go the
// recovery codes; while one is required, the last one stays. Every other session
// of theirs ends.
func (s *Service) dropFactor(ctx context.Context, detail map[string]any, drop func(*db.Queries, uuid.UUID) error) error {
	id, session, err := s.ownCredentials(ctx)
	if err != nil {
		return err
	}
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		row, err := q.UserLock(ctx, actor.From(ctx).Tenant, id)
		if err != nil {
			return noUser(err)
		}
		if err := drop(q, id); err != nil {
			return err
		}
		left, err := q.FactorsOf(ctx, []uuid.UUID{id})
		if err != nil {
			return err
		}
		if len(left) == 0 {
			u, err := s.user(ctx, q, row)
			if err != nil {
				return err
			}
			if s.FactorRequired(u) {
				return fault.New(fault.Conflict, "factor.last", "A second factor is required of you and this is the only one; set up another first.")
			}
			if err := q.RecoveryCodeDrop(ctx, id); err != nil {
				return err
			}
		}
		if _, err := q.SessionRevokeAll(ctx, db.SessionRevokeAllParams{UserID: id, Spared: session, At: s.now()}); err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Action: "factor.remove", Object: id.String(), Outcome: audit.OK, Detail: detail})
	})
	if err == nil {
		s.changed(ctx)
	}
	return err
}

// ownCredentials returns who acts and by which session, as inPerson does, for what
// changes the ways in which they sign in or are proved.
func (s *Service) ownCredentials(ctx context.Context) (user, session uuid.UUID, err error) {
	if user, session, err = inPerson(ctx); err != nil {
		return uuid.Nil, uuid.Nil, err
	}
	return user, session, notSealed(ctx, db.New(s.Pool), user)
}

package identity

import (
	"cmp"
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

// StepUp takes the proof that whoever acts is still the owner of their session,
// and returns until when dangerous actions are let through. It returns a Denied
// fault for a proof that is not good, TooMany after several.
func (s *Service) StepUp(ctx context.Context, shown Evidence) (until time.Time, err error) {
	user, session, err := inPerson(ctx)
	if err != nil {
		return time.Time{}, err
	}
	row, err := db.New(s.Pool).UserGet(ctx, actor.From(ctx).Tenant, user)
	if err != nil {
		return time.Time{}, noUser(err)
	}
	tried, from := s.try(byProof, user.String()), s.from(ctx)
	if _, err := s.count(ctx, tried, from); err != nil {
		return time.Time{}, err
	}
	at := s.now()
	proof, err := s.judge(ctx, row, shown, stepFor(passkeyStepUp, session.String()))
	if err == nil {
		err = s.proved(ctx, user, session, proof, at, tried, from)
	}
	switch {
	case err == nil:
		s.changed(ctx)
		return at.Add(s.Demands().Fresh), nil
	case fault.Is(err, fault.Denied):
		return time.Time{}, s.refuseProof(ctx, user, err)
	}
	return time.Time{}, s.undo(ctx, err, tried, from)
}

// StepUpExternal takes a provider's word that whoever acts is still the owner of
// their session, as of in.ProvedAt. It returns a Denied fault for an identity that
// is not theirs.
func (s *Service) StepUpExternal(ctx context.Context, in Vouched) error {
	user, session, err := inPerson(ctx)
	if err != nil {
		return err
	}
	factor := ""
	if in.Factor {
		factor = FactorProvider
	}
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		linked, err := q.UserIdentityGet(ctx, in.Issuer, in.Subject)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && linked.UserID != user {
			return fault.New(fault.Denied, "identity.another", "You signed in at the provider as somebody else than here.")
		}
		if err != nil {
			return err
		}
		return markProved(ctx, q, user, session, factor, in.ProvedAt, MethodOIDC)
	})
	if err == nil {
		s.changed(ctx)
	}
	return err
}

// proved notes a good proof on a session.
func (s *Service) proved(ctx context.Context, user, session uuid.UUID, proof good, at time.Time, tried, from attempt) error {
	return db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		if err := s.forgive(ctx, q, tried, true); err != nil {
			return err
		}
		if err := s.forgive(ctx, q, from, false); err != nil {
			return err
		}
		if err := proof.spend(ctx, q); err != nil {
			return err
		}
		return markProved(ctx, q, user, session, proof.factor, at, MethodPassword)
	})
}

// markProved keeps on a session, with its record, that its owner proved themselves
// by a factor, or else by a method.
func markProved(ctx context.Context, q *db.Queries, user, session uuid.UUID, factor string, at time.Time, method string) error {
	n, err := q.SessionProved(ctx, db.SessionProvedParams{ID: session, UserID: user, Factor: factor, At: at})
	if err != nil {
		return err
	}
	if n == 0 {
		return refused(&denial{Credential: CredentialSession, Reason: "ended meanwhile"})
	}
	return audit.Append(ctx, q, audit.Entry{Action: "auth.step_up", Object: user.String(), Outcome: audit.OK, Detail: map[string]any{"session": session, "by": cmp.Or(factor, method)}})
}

// refuseProof records a proof that was not good, and returns the refusal with it.
func (s *Service) refuseProof(ctx context.Context, user uuid.UUID, why error) error {
	f, id := *fault.Of(why), uuid.Must(uuid.NewV7())
	e := audit.Entry{ID: id, Action: "auth.step_up", Object: user.String(), Outcome: audit.Deny, Rule: f.Code}
	if err := s.Record.Decide(ctx, e); err != nil {
		return err
	}
	f.Decision = id.String()
	return &f
}

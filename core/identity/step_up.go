package identity

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Evidence is what somebody signed in shows to prove that it is still them. One
// of it is enough.
type Evidence struct {
	Password string
	Code     string // of the authenticator app, or a recovery code
	Passkey  []byte // the browser's answer to StepUpChallenge
}

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
	factor, err := s.judge(ctx, row, session, shown)
	if err != nil {
		if fault.Is(err, fault.Denied) {
			return time.Time{}, s.refuseProof(ctx, user, err)
		}
		return time.Time{}, s.undo(ctx, err, tried, from)
	}
	at := s.now()
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		if err := s.forgive(ctx, q, tried, true); err != nil {
			return err
		}
		if err := s.forgive(ctx, q, from, false); err != nil {
			return err
		}
		n, err := q.SessionProved(ctx, db.SessionProvedParams{ID: session, UserID: user, Factor: factor, At: at})
		if err != nil {
			return err
		}
		if n == 0 {
			return refused(&denial{Credential: CredentialSession, Reason: "ended meanwhile"})
		}
		return audit.Append(ctx, q, audit.Entry{Action: "auth.step_up", Object: user.String(), Outcome: audit.OK, Detail: map[string]any{"session": session, "by": provedBy(factor)}})
	})
	if err != nil {
		return time.Time{}, err
	}
	s.changed(ctx)
	return at.Add(s.Demands().Fresh), nil
}

// judge returns the second factor that was shown, "" for the password, or a
// Denied fault when what was shown proves nothing.
func (s *Service) judge(ctx context.Context, row db.User, session uuid.UUID, shown Evidence) (factor string, err error) {
	ok, _, err := s.hasher.match(ctx, shown.Password, row.PasswordHash)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", notProved()
	}
	return "", nil
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

// provedBy names a proof in the record.
func provedBy(factor string) string {
	if factor == "" {
		return MethodPassword
	}
	return factor
}

// notProved is the one answer to a proof that is not good.
func notProved() *fault.Fault {
	return fault.New(fault.Denied, "auth.proof", "That was not accepted; try again, or prove it another way.")
}

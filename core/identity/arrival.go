package identity

import (
	"context"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/db"
)

// arrival is somebody who proved themselves and is to be given a session.
type arrival struct {
	row      db.User // as it was judged
	client   Client
	method   string
	shown    good // the second factor; zero: none
	tries    tries
	clear    []attempt // besides tries.name: what is forgiven altogether
	stronger string    // a better hash of the password; "": none
	life     time.Duration
	also     func(context.Context, *db.Queries, Session) error // what else belongs to it; may be nil
}

// begin starts a session, in one transaction with all that proving it used up. It
// returns the fault of a failed sign-in when the person changed since they were judged.
func (s *Service) begin(ctx context.Context, a arrival) (Grant, error) {
	var g Grant
	if a.client.Kind != KindCookie {
		a.client.Kind = KindToken
	}
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		if err := s.forgiveAll(ctx, q, a); err != nil {
			return err
		}
		now, err := q.UserLock(ctx, a.row.TenantID, a.row.ID)
		if err != nil {
			return noUser(err)
		}
		if Status(now.Status) != Active || now.PasswordHash != a.row.PasswordHash {
			return notSignedIn() // changed between the comparison and here
		}
		if a.shown.spend != nil {
			if err := a.shown.spend(ctx, q); err != nil {
				return err
			}
		}
		if a.stronger != "" {
			if err := q.UserUpgradeHash(ctx, db.UserUpgradeHashParams{ID: a.row.ID, OldHash: a.row.PasswordHash, NewHash: a.stronger}); err != nil {
				return err
			}
		}
		if err := q.UserSignedIn(ctx, s.now(), a.row.ID); err != nil {
			return err
		}
		u, err := s.user(ctx, q, now)
		if err != nil {
			return err
		}
		detail := map[string]any{}
		if isSecret(sessionPrefix, a.client.Previous) {
			ended, err := q.SessionRevokeByHash(ctx, s.now(), hashOf(a.client.Previous))
			if err != nil {
				return err
			}
			if len(ended) == 1 {
				detail["ended"] = ended[0].ID
			}
		}
		g, err = s.startSession(ctx, q, u, start{Kind: a.client.Kind, UserAgent: a.client.UserAgent, Method: a.method, Factor: a.shown.factor, Life: a.life})
		if err != nil {
			return err
		}
		detail["session"], detail["kind"], detail["method"] = g.Session.ID, a.client.Kind, a.method
		if a.shown.factor != "" {
			detail["factor"] = a.shown.factor
		}
		ctx := actor.With(ctx, u.Actor(actor.Credential{Kind: CredentialSession, ID: g.Session.ID.String()}))
		if a.also != nil {
			if err := a.also(ctx, q, g.Session); err != nil {
				return err
			}
		}
		return audit.Append(ctx, q, audit.Entry{Action: "auth.login", Object: u.ID.String(), Outcome: audit.OK, Detail: detail})
	})
	if err == nil && a.client.Previous != "" {
		s.changed(ctx)
	}
	return g, err
}

// forgiveAll takes back what a sign-in was counted as, now that it succeeded: all
// failures of the account, this one attempt of the address. From now on the
// address is one that the account is used from.
func (s *Service) forgiveAll(ctx context.Context, q *db.Queries, a arrival) error {
	clear := a.clear
	if a.tries.name.digest != "" {
		clear = append(clear, a.tries.name)
		if err := q.SignInOriginPut(ctx, a.tries.here.key(), s.now()); err != nil {
			return err
		}
	}
	for _, one := range clear {
		if err := s.forgive(ctx, q, one, true); err != nil {
			return err
		}
	}
	if a.tries.from.digest == "" {
		return nil
	}
	return s.forgive(ctx, q, a.tries.from, false)
}

// undo takes back attempts that could not be judged, and returns why.
func (s *Service) undo(ctx context.Context, why error, attempts ...attempt) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		for _, a := range attempts {
			if err := s.forgive(ctx, q, a, false); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.Log.WarnContext(ctx, "an attempt that was not judged stays counted", "error", err)
	}
	return why
}

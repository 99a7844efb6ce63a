package identity

import (
	"context"
	"crypto/subtle"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// SetupNeeded reports whether the first administrator is still to be made.
func (s *Service) SetupNeeded(ctx context.Context) (bool, error) {
	row, err := db.New(s.Pool).SetupGet(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return true, nil
	}
	return err == nil && row.UsedAt == nil, db.Fault(err)
}

// NewSetupToken returns the one-time token of the first run: the configured one,
// or a random one in place of any before. It returns a Gone fault once setup is
// done.
func (s *Service) NewSetupToken(ctx context.Context) (string, error) {
	token, hash := s.SetupToken, hashOf(s.SetupToken)
	if token == "" {
		token, hash = newSecret(setupPrefix)
	}
	n, err := db.New(s.Pool).SetupPut(ctx, hash, s.now())
	if err != nil {
		return "", db.Fault(err)
	}
	if n == 0 {
		return "", setupDone()
	}
	return token, nil
}

// CompleteSetup makes the first administrator and spends the token. It returns a
// Gone fault once setup is done, whatever the token; an Unauthenticated fault for
// a wrong token; TooMany after many of one address; or the rules that address, name and
// password break.
func (s *Service) CompleteSetup(ctx context.Context, token, email, name, password string) (User, error) {
	row, err := db.New(s.Pool).SetupGet(ctx)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return User{}, db.Fault(err)
	}
	if row.UsedAt != nil {
		return User{}, setupDone()
	}
	from := s.from(ctx)
	if _, err := s.count(ctx, from); err != nil {
		return User{}, err
	}
	if subtle.ConstantTimeCompare(hashOf(token), row.TokenHash) != 1 {
		e := audit.Entry{Action: "setup.complete", Outcome: audit.Failed, Rule: "setup.token", Detail: map[string]any{"reason": "wrong token"}}
		if err := s.Record.Decide(ctx, e); err != nil {
			return User{}, err
		}
		return User{}, fault.New(fault.Unauthenticated, "setup.token", "This setup token is not the one that was printed last; open the link of the latest start.")
	}
	u, err := s.makeFirst(ctx, row.TokenHash, email, name, password)
	return u, s.undo(ctx, err, from)
}

// makeFirst makes the first administrator for whoever holds the token.
func (s *Service) makeFirst(ctx context.Context, tokenHash []byte, email, name, password string) (User, error) {
	email, err := cleanEmail(email)
	if err != nil {
		return User{}, err
	}
	if name, err = cleanName(name); err != nil {
		return User{}, err
	}
	if err := checkPassword(password, email, name); err != nil {
		return User{}, err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return User{}, err
	}
	var u User
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		if n, err := q.SetupUse(ctx, s.now(), tokenHash); err != nil {
			return err
		} else if n == 0 {
			return setupDone()
		}
		if n, err := q.UserAdmins(ctx, actor.From(ctx).Tenant); err != nil {
			return err
		} else if n > 0 {
			return setupDone() // whatever became of the record of the first setup
		}
		at := s.now()
		first, is, err := s.addUser(ctx, q, db.UserInsertParams{
			Email: email, Name: name, PasswordHash: hash, Status: string(Active), PasswordSetAt: &at,
		}, []RoleGrant{{Role: "admin"}}, nil)
		if err != nil {
			return err
		}
		u = first
		ctx := actor.With(ctx, u.Actor(actor.Credential{Kind: CredentialLink}))
		return audit.Append(ctx, q, audit.Entry{Action: "setup.complete", Object: u.ID.String(), Outcome: audit.OK, After: is})
	})
	return u, err
}

// setupDone is the answer once there is an administrator.
func setupDone() *fault.Fault {
	return fault.New(fault.Gone, "setup.done", "Setup is done; sign in instead.")
}

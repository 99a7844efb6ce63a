package identity

import (
	"context"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// ChangePassword sets a new password for whoever acts, who must be signed in by a
// session and knows the current one. Every session ends; the one returned takes
// the place of the caller's. It returns a Denied fault for a wrong current
// password, TooMany after several, or the rules the new one breaks.
func (s *Service) ChangePassword(ctx context.Context, current, password string) (Grant, error) {
	id, own, err := s.ownCredentials(ctx)
	if err != nil {
		return Grant{}, err
	}
	row, err := db.New(s.Pool).UserGet(ctx, actor.From(ctx).Tenant, id)
	if err != nil {
		return Grant{}, noUser(err)
	}
	tried := s.try(byPassword, id.String())
	if _, err := s.count(ctx, tried); err != nil {
		return Grant{}, err
	}
	ok, _, err := s.hasher.match(ctx, current, row.PasswordHash)
	if err != nil {
		return Grant{}, s.undo(ctx, err, tried)
	}
	if !ok {
		f := fault.New(fault.Denied, "password.current", "The current password is another one.")
		e := audit.Entry{ID: uuid.Must(uuid.NewV7()), Action: "user.password", Object: id.String(), Outcome: audit.Deny, Rule: f.Code}
		if err := s.Record.Decide(ctx, e); err != nil {
			return Grant{}, err
		}
		f.Decision = e.ID.String()
		return Grant{}, f
	}
	if err := checkPassword(password, row.Email, row.Name); err != nil {
		return Grant{}, s.undo(ctx, err, tried)
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return Grant{}, s.undo(ctx, err, tried)
	}
	var g Grant
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		if err := s.forgive(ctx, q, tried, true); err != nil {
			return err
		}
		now, err := q.UserLock(ctx, row.TenantID, id)
		if err != nil {
			return noUser(err)
		}
		before, err := q.SessionByID(ctx, own)
		if err != nil || now.PasswordHash != row.PasswordHash {
			return fault.New(fault.Conflict, "user.changed", "Your account changed meanwhile; sign in again.").Because(err)
		}
		if err := s.setPassword(ctx, q, id, hash); err != nil {
			return err
		}
		u, err := s.user(ctx, q, now)
		if err != nil {
			return err
		}
		if g, err = s.startSession(ctx, q, u, start{
			Kind: before.Session.Kind, UserAgent: before.Session.UserAgent, Method: before.Session.Method, Factor: before.Session.Factor,
		}); err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Action: "user.password", Object: id.String(), Outcome: audit.OK, Detail: map[string]any{"session": g.Session.ID}})
	})
	if err == nil {
		s.changed(ctx)
	}
	return g, err
}

// inPerson returns who acts and by which session, or a Denied fault when they are
// not a person signed in: an API key changes no password and makes no keys.
func inPerson(ctx context.Context) (user, session uuid.UUID, err error) {
	who := actor.From(ctx)
	user, err = uuid.Parse(who.ID)
	if err == nil {
		session, err = uuid.Parse(who.Credential.ID)
	}
	if err != nil || who.Kind != actor.User || who.Credential.Kind != CredentialSession || who.OnBehalf != nil {
		return uuid.Nil, uuid.Nil, fault.New(fault.Denied, "identity.session", "Sign in with your password to do this; a key or plugin cannot.")
	}
	return user, session, nil
}

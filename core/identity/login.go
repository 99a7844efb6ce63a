package identity

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// SignIn is what somebody presents to sign in. The address they come from is
// read from the context.
type SignIn struct {
	Account   string // e-mail address; or a name nobody else has
	Password  string
	Kind      string // KindCookie, or else KindToken
	UserAgent string // to recognise the session by
	Previous  string // the session cookie the browser sent; that session ends
}

// Login starts a session. It returns an Unauthenticated fault that is the same
// for an unknown account, a wrong password and a suspended person, and takes the
// same work for each; or a TooMany fault with RetryAfter, after too many failures
// of the account, whether it exists or not, or of the address.
func (s *Service) Login(ctx context.Context, in SignIn) (Grant, error) {
	if !s.LocalLogin() {
		return Grant{}, fault.New(fault.Denied, "auth.local_off", "Signing in with a password is switched off here; use your organisation's sign-in.")
	}
	if in.Kind != KindCookie {
		in.Kind = KindToken
	}
	account := strings.TrimSpace(in.Account)
	if len(account) > maxEmail || !utf8.ValidString(account) || strings.ContainsRune(account, 0) {
		account = "" // nobody's; looked up all the same
	}
	byName, byFrom := s.try(byAccount, strings.ToLower(account)), s.from(ctx)
	failed := audit.Entry{Action: "auth.login", Outcome: audit.Failed, Rule: "auth.login"}
	if first, err := s.count(ctx, byName, byFrom); err != nil {
		if first {
			failed.Rule = "auth.throttled"
			failed.Detail = map[string]any{"account": byName.digest, "reason": "too many attempts"}
			if err := s.Record.Decide(ctx, failed); err != nil {
				return Grant{}, err
			}
		}
		return Grant{}, err
	}
	rows, err := db.New(s.Pool).UserByAccount(ctx, actor.DefaultTenant, account)
	if err != nil {
		return Grant{}, s.undo(ctx, db.Fault(err), byName, byFrom)
	}
	row, reason := whoSignsIn(account, rows)
	ok, stronger, err := s.hasher.match(ctx, in.Password, row.PasswordHash)
	if err != nil {
		return Grant{}, s.undo(ctx, err, byName, byFrom)
	}
	if !ok {
		if row.ID != uuid.Nil {
			failed.Object = row.ID.String()
		}
		failed.Detail = map[string]any{"account": byName.digest, "reason": reason}
		if err := s.Record.Decide(ctx, failed); err != nil {
			return Grant{}, err
		}
		return Grant{}, notSignedIn()
	}
	return s.signIn(ctx, in, row, stronger, byName, byFrom)
}

// whoSignsIn returns the row whose password is to be compared, and why a sign-in
// would fail. Without a row, or with one that may not sign in, its hash is empty.
func whoSignsIn(account string, rows []db.User) (row db.User, reason string) {
	if len(rows) != 1 || account == "" {
		return db.User{}, "no such account"
	}
	row = rows[0]
	switch {
	case Status(row.Status) != Active:
		row.PasswordHash, reason = "", row.Status
	case row.PasswordHash == "":
		reason = "has no password"
	default:
		reason = "wrong password"
	}
	return row, reason
}

// signIn starts the session of somebody whose password matched.
func (s *Service) signIn(ctx context.Context, in SignIn, row db.User, stronger string, byName, byFrom attempt) (Grant, error) {
	var g Grant
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		if err := s.forgive(ctx, q, byName, true); err != nil {
			return err
		}
		if err := s.forgive(ctx, q, byFrom, false); err != nil {
			return err
		}
		now, err := q.UserLock(ctx, row.TenantID, row.ID)
		if err != nil {
			return noUser(err)
		}
		if Status(now.Status) != Active || now.PasswordHash != row.PasswordHash {
			return notSignedIn() // changed between the comparison and here
		}
		if stronger != "" {
			if err := q.UserUpgradeHash(ctx, db.UserUpgradeHashParams{ID: row.ID, OldHash: row.PasswordHash, NewHash: stronger}); err != nil {
				return err
			}
		}
		if err := q.UserSignedIn(ctx, s.now(), row.ID); err != nil {
			return err
		}
		u, err := s.user(ctx, q, now)
		if err != nil {
			return err
		}
		detail := map[string]any{}
		if isSecret(sessionPrefix, in.Previous) {
			ended, err := q.SessionRevokeByHash(ctx, s.now(), hashOf(in.Previous))
			if err != nil {
				return err
			}
			if len(ended) == 1 {
				detail["ended"] = ended[0].ID
			}
		}
		if g, err = s.startSession(ctx, q, u, start{Kind: in.Kind, UserAgent: in.UserAgent, Method: MethodPassword}); err != nil {
			return err
		}
		detail["session"], detail["kind"] = g.Session.ID, in.Kind
		ctx := actor.With(ctx, u.Actor(actor.Credential{Kind: CredentialSession, ID: g.Session.ID.String()}))
		return audit.Append(ctx, q, audit.Entry{Action: "auth.login", Object: u.ID.String(), Outcome: audit.OK, Detail: detail})
	})
	if err == nil && in.Previous != "" {
		s.changed(ctx)
	}
	return g, err
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

// notSignedIn is the one answer to every failed sign-in.
func notSignedIn() *fault.Fault {
	return fault.New(fault.Unauthenticated, "auth.login", "Name and password do not match, or this account cannot sign in.")
}

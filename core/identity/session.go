package identity

import (
	"cmp"
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// The ways a session was started. Its secret works as cookie and as bearer token
// alike; the kind is shown to its owner.
const (
	KindCookie = "cookie" // by the console
	KindToken  = "token"  // by a program
)

// The ways to prove oneself at a sign-in.
const (
	MethodPassword   = "password"
	MethodPasskey    = "passkey" // without a password: it is had and unlocked, which is two factors
	MethodOIDC       = "oidc"
	MethodBreakGlass = "break_glass"
)

// The second factors a session may have been shown.
const (
	FactorTOTP     = "totp"
	FactorPasskey  = "passkey"
	FactorRecovery = "recovery_code"
	FactorProvider = "provider" // the identity provider vouches for one
)

// Session is one sign-in of a person.
type Session struct {
	ID        uuid.UUID
	User      uuid.UUID
	Kind      string
	Method    string // one of the Methods
	Factor    string // one of the Factors; "": none
	ProvedAt  time.Time
	Address   string // where it was started
	UserAgent string
	CreatedAt time.Time
	SeenAt    time.Time // exact to a minute
	ExpiresAt time.Time // the absolute end; a pause ends it earlier
	Current   bool      // the caller's own
}

// Grant is a session just started. Secret is shown this once: the value of the
// cookie, or the bearer token.
type Grant struct {
	Session Session
	Secret  string
	User    User

	// Pending is the secret of a sign-in that waits for its second factor; then all
	// else is empty, and no session began.
	Pending string
}

// start is how a session begins.
type start struct {
	Kind      string // KindCookie or KindToken
	UserAgent string
	Method    string        // how the person proved themselves
	Factor    string        // the second factor they showed; "": none
	Proved    time.Time     // when; zero: now
	Life      time.Duration // its longest life; 0: Absolute
}

// startSession begins a session in the transaction of q. Of somebody who should
// have a second factor and showed none it starts the grace.
func (s *Service) startSession(ctx context.Context, q *db.Queries, u User, how start) (Grant, error) {
	secret, hash := newSecret(sessionPrefix)
	now := s.now()
	row, err := q.SessionInsert(ctx, db.SessionInsertParams{
		ID: uuid.Must(uuid.NewV7()), Hash: hash, UserID: u.ID, Kind: how.Kind, Method: how.Method, Factor: how.Factor,
		Address: actor.Address(ctx), UserAgent: printable(how.UserAgent, 256), At: now, ProvedAt: cmp.Or(how.Proved, now), ExpiresAt: now.Add(cmp.Or(how.Life, s.Absolute)),
	})
	if err != nil {
		return Grant{}, err
	}
	if how.Factor == "" && how.Method != MethodBreakGlass && s.FactorRequired(u) {
		due := now.Add(s.Demands().Grace)
		if has, err := q.FactorsOf(ctx, []uuid.UUID{u.ID}); err != nil {
			return Grant{}, err
		} else if len(has) > 0 {
			due = now // they have one to show: there is nothing to wait for
		}
		if due, err = q.UserFactorDue(ctx, due, u.ID); err != nil {
			return Grant{}, err
		}
		u.FactorDue = &due
	}
	return Grant{Session: sessionOf(row), Secret: secret, User: u}, nil
}

func sessionOf(row db.Session) Session {
	return Session{
		ID: row.ID, User: row.UserID, Kind: row.Kind, Method: row.Method, Factor: row.Factor, ProvedAt: row.ProvedAt, Address: row.Address, UserAgent: row.UserAgent,
		CreatedAt: row.CreatedAt, SeenAt: row.SeenAt, ExpiresAt: row.ExpiresAt,
	}
}

// Sessions returns the live sessions of a person, last used first: one's own, or
// those of somebody the caller may manage.
func (s *Service) Sessions(ctx context.Context, user uuid.UUID) ([]Session, error) {
	u, err := s.User(ctx, user)
	if err != nil {
		return nil, err
	}
	rows, err := db.New(s.Pool).SessionList(ctx, user, s.now())
	if err != nil {
		return nil, db.Fault(err)
	}
	idle, current := s.idle(u.Traits), actor.From(ctx).Credential
	sessions := []Session{}
	for _, row := range rows {
		if s.now().Sub(row.SeenAt) >= idle {
			continue
		}
		one := sessionOf(row)
		one.Current = current.Kind == CredentialSession && current.ID == row.ID.String()
		sessions = append(sessions, one)
	}
	return sessions, nil
}

// RevokeSession ends one session of a person, or returns a NotFound fault. Ending
// another's needs at least their sensitive traits.
func (s *Service) RevokeSession(ctx context.Context, user, session uuid.UUID) error {
	return s.endSessions(ctx, user, func(q *db.Queries) (int64, error) {
		return q.SessionRevoke(ctx, db.SessionRevokeParams{ID: session, UserID: user, At: s.now()})
	}, audit.Entry{Action: "session.revoke", Object: user.String(), Outcome: audit.OK, Detail: map[string]any{"session": session}})
}

// RevokeSessions ends every session of a person; with others, all but the
// caller's own.
func (s *Service) RevokeSessions(ctx context.Context, user uuid.UUID, others bool) error {
	spared := uuid.Nil
	if c := actor.From(ctx).Credential; others && c.Kind == CredentialSession {
		spared, _ = uuid.Parse(c.ID)
	}
	return s.endSessions(ctx, user, func(q *db.Queries) (int64, error) {
		_, err := q.SessionRevokeAll(ctx, db.SessionRevokeAllParams{UserID: user, Spared: spared, At: s.now()})
		return 1, err
	}, audit.Entry{Action: "session.revoke", Object: user.String(), Outcome: audit.OK, Detail: map[string]any{"session": "all", "but_own": others}})
}

func (s *Service) endSessions(ctx context.Context, user uuid.UUID, end func(*db.Queries) (int64, error), e audit.Entry) error {
	err := db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		row, err := q.UserGet(ctx, actor.From(ctx).Tenant, user)
		if err != nil {
			return noUser(err)
		}
		if !isSelf(ctx, user) {
			u, err := s.user(ctx, q, row)
			if err != nil {
				return err
			}
			if err := s.reaches(ctx, u.Traits); err != nil {
				return err
			}
		}
		n, err := end(q)
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.NotFound, "session.unknown", "There is no such session; it may have ended by itself.")
		}
		return audit.Append(ctx, q, e)
	})
	if err == nil {
		s.changed(ctx)
	}
	return err
}

// Logout ends the caller's session. Whoever has none is left as they are.
func (s *Service) Logout(ctx context.Context) error {
	who := actor.From(ctx)
	id, err := uuid.Parse(who.Credential.ID)
	if who.Credential.Kind != CredentialSession || err != nil {
		return nil
	}
	user, err := uuid.Parse(who.ID)
	if err != nil {
		return nil
	}
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		if n, err := q.SessionRevoke(ctx, db.SessionRevokeParams{ID: id, UserID: user, At: s.now()}); err != nil || n == 0 {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Action: "auth.logout", Object: who.ID, Outcome: audit.OK})
	})
	if err == nil {
		s.changed(ctx)
	}
	return err
}

// printable returns s without what cannot be shown on one line, at most n bytes.
func printable(s string, n int) string {
	s = strings.Map(func(c rune) rune {
		if c == utf8.RuneError || !unicode.IsPrint(c) {
			return -1
		}
		return c
	}, s)
	for len(s) > n {
		_, size := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-size]
	}
	return s
}

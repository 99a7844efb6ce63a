package identity

import (
	"context"
	"strings"
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
	Account  string // e-mail address; or a name nobody else has
	Password string
	Code     string // of the second factor, by those who give it at once
	Client
}

// Client is what a session is started for.
type Client struct {
	Kind      string // KindCookie, or else KindToken
	UserAgent string // to recognise the session by
	Previous  string // the session cookie the browser sent; that session ends
}

// Login starts a session. It returns an Unauthenticated fault that is the same
// for an unknown account, a wrong password, a suspended person and one who signs
// in otherwise, and takes the same work for each; or a TooMany fault with
// RetryAfter, after too many failures of the account, whether it exists or not, or
// of the address.
//
// Of somebody with a second factor a password alone starts nothing: a browser gets
// a Grant that waits for SecondStep, a program an Unauthenticated fault with the
// code auth.mfa_required.
func (s *Service) Login(ctx context.Context, in SignIn) (Grant, error) {
	if !s.LocalLogin() {
		return Grant{}, fault.New(fault.Denied, "auth.local_off", "Signing in with a password is switched off here; use your organisation's sign-in.")
	}
	account := strings.TrimSpace(in.Account)
	if len(account) > maxEmail || !utf8.ValidString(account) || strings.ContainsRune(account, 0) {
		account = "" // nobody's; looked up all the same
	}
	t, err := s.tries(ctx, account)
	if err != nil {
		return Grant{}, err
	}
	if err := s.countSignIn(ctx, t); err != nil {
		return Grant{}, err
	}
	row, reason, err := s.whoSignsIn(ctx, account)
	if err != nil {
		return Grant{}, s.undo(ctx, err, t.name, t.from)
	}
	ok, stronger, err := s.hasher.match(ctx, in.Password, row.PasswordHash)
	if err != nil {
		return Grant{}, s.undo(ctx, err, t.name, t.from)
	}
	if !ok {
		return Grant{}, s.failed(ctx, t, row.ID, "auth.login", reason, notSignedIn())
	}
	has, err := db.New(s.Pool).FactorsOf(ctx, []uuid.UUID{row.ID})
	if err != nil {
		return Grant{}, s.undo(ctx, db.Fault(err), t.name, t.from)
	}
	a := arrival{row: row, client: in.Client, method: MethodPassword, tries: t, stronger: stronger}
	switch {
	case len(has) == 0:
		return s.begin(ctx, a)
	case in.Code != "":
		return s.withFactor(ctx, a, Evidence{Code: in.Code}, step{})
	case in.Kind == KindCookie:
		return s.waitForFactor(ctx, a)
	}
	return Grant{}, s.undo(ctx, fault.New(fault.Unauthenticated, "auth.mfa_required", "A second factor is required; send a code of your authenticator app, or a recovery code, as otp."), t.name, t.from)
}

// tries are the attempts that one sign-in counts as.
type tries struct {
	name, from attempt
	here       attempt // the account at this very address
}

// tries returns what a sign-in to an account counts as. Who signed in to it from
// this address before is counted apart from everybody else, so that a stranger who
// guesses on and on keeps nobody out who comes from where they always come from.
func (s *Service) tries(ctx context.Context, account string) (tries, error) {
	account = strings.ToLower(account)
	t := tries{from: s.from(ctx)}
	t.name, t.here = s.try(byAccount, account), s.try(byAccountHere, account+"\x00"+t.from.digest)
	known, err := db.New(s.Pool).SignInOriginKnown(ctx, t.here.key(), s.now().Add(-knownFor))
	if err != nil {
		return tries{}, db.Fault(err)
	}
	if known {
		t.name = t.here
	}
	return t, nil
}

// countSignIn counts a sign-in as failed, until it is forgiven. The first that is
// refused unseen is recorded.
func (s *Service) countSignIn(ctx context.Context, t tries) error {
	first, err := s.count(ctx, t.name, t.from)
	if err == nil || !first {
		return err
	}
	if err := s.Record.Decide(ctx, audit.Entry{
		Action: "auth.login", Outcome: audit.Failed, Rule: "auth.throttled", Detail: map[string]any{"account": t.name.digest, "reason": "too many attempts"},
	}); err != nil {
		return err
	}
	return err
}

// failed records a sign-in that did not succeed, and returns what is told of it.
func (s *Service) failed(ctx context.Context, t tries, user uuid.UUID, rule, reason string, told error) error {
	e := audit.Entry{Action: "auth.login", Outcome: audit.Failed, Rule: rule, Detail: map[string]any{"account": t.name.digest, "reason": reason}}
	if user != uuid.Nil {
		e.Object = user.String()
	}
	if err := s.Record.Decide(ctx, e); err != nil {
		return err
	}
	return told
}

// whoSignsIn returns the row whose password is to be compared, and why a sign-in
// would fail. Without a row, or with one that may not sign in by a password, its
// hash is empty.
func (s *Service) whoSignsIn(ctx context.Context, account string) (row db.User, reason string, err error) {
	rows, err := db.New(s.Pool).UserByAccount(ctx, actor.DefaultTenant, account)
	if err != nil {
		return db.User{}, "", db.Fault(err)
	}
	reason = "no such account"
	if len(rows) == 1 && account != "" {
		row = rows[0]
		switch {
		case Status(row.Status) != Active:
			row.PasswordHash, reason = "", row.Status
		case row.PasswordHash == "":
			reason = "has no password"
		default:
			reason = "wrong password"
		}
	}
	sealed, err := s.isBreakGlass(ctx, row.ID) // asked of nobody too: the same work
	if sealed {
		row.PasswordHash, reason = "", "is for emergencies and gave no reason"
	}
	return row, reason, err
}

// notSignedIn is the one answer to every failed sign-in.
func notSignedIn() *fault.Fault {
	return fault.New(fault.Unauthenticated, "auth.login", "Name and password do not match, or this account cannot sign in.")
}

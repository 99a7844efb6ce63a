package identity

import (
	"context"
	"errors"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// pendingPrefix begins the secret of a sign-in that waits for its second factor.
const pendingPrefix = "vvt_"

// pendingSignIn is what is kept of a sign-in that waits for its second factor.
type pendingSignIn struct {
	Method   string
	Name     string // digests of what was counted, to be forgiven
	Here     string
	Password *time.Time // when the password was set that matched
}

// SecondStep is what a browser sends after a password that matched.
type SecondStep struct {
	Pending string // Grant.Pending
	Evidence
	Client
}

// waitForFactor makes a sign-in wait for its second factor.
func (s *Service) waitForFactor(ctx context.Context, a arrival) (Grant, error) {
	secret, _ := newSecret(pendingPrefix)
	t := a.tries
	kept := pendingSignIn{Method: a.method, Name: t.name.digest, Here: t.here.digest, Password: a.row.PasswordSetAt}
	err := s.put(ctx, stepFor(secondFactor, secret), a.row.ID, kept)
	// What was counted is taken back, and earlier failures stay: only the second
	// factor wipes them out.
	if err := s.undo(ctx, err, t.name, t.from); err != nil {
		return Grant{}, err
	}
	return Grant{Pending: secret}, nil
}

// Pending returns whose sign-in waits for its second factor and what they have
// for one; or a Gone fault.
func (s *Service) Pending(ctx context.Context, secret string) (User, Factors, error) {
	var kept pendingSignIn
	id, err := s.peek(ctx, stepFor(secondFactor, secret), &kept)
	if err != nil {
		return User{}, Factors{}, err
	}
	u, err := s.User(ctx, id)
	if err != nil {
		return User{}, Factors{}, err
	}
	f, err := s.Factors(ctx, id)
	return u, f, err
}

// PendingChallenge returns what the browser is to ask a passkey of whose sign-in
// waits; nil when they have none.
func (s *Service) PendingChallenge(ctx context.Context, secret string) ([]byte, error) {
	var kept pendingSignIn
	id, err := s.peek(ctx, stepFor(secondFactor, secret), &kept)
	if err != nil {
		return nil, err
	}
	return s.challengeOf(ctx, id, stepFor(passkeySecond, secret))
}

// SecondStep completes a sign-in that waits for its second factor. It returns an
// Unauthenticated fault for one that is not good, a Gone fault when nothing waits
// any more, TooMany after several.
func (s *Service) SecondStep(ctx context.Context, in SecondStep) (Grant, error) {
	var kept pendingSignIn
	waits := stepFor(secondFactor, in.Pending)
	id, err := s.peek(ctx, waits, &kept)
	if err != nil {
		return Grant{}, err
	}
	row, err := db.New(s.Pool).UserByID(ctx, id)
	if err != nil {
		return Grant{}, noUser(err)
	}
	if Status(row.Status) != Active || !sameTime(row.PasswordSetAt, kept.Password) {
		return Grant{}, stepGone()
	}
	a := arrival{row: row, client: in.Client, method: kept.Method, tries: tries{
		name: attempt{digest: kept.Name}, here: attempt{digest: kept.Here}, from: s.from(ctx),
	}}
	a.also = func(ctx context.Context, q *db.Queries, _ Session) error {
		_, err := s.take(ctx, q, waits, &kept)
		return err
	}
	if _, err := s.count(ctx, a.tries.from); err != nil {
		return Grant{}, err
	}
	return s.withFactor(ctx, a, in.Evidence, stepFor(passkeySecond, in.Pending))
}

// withFactor completes the sign-in of somebody by their second factor. What the
// sign-in was counted as stays counted until the factor is good.
func (s *Service) withFactor(ctx context.Context, a arrival, shown Evidence, challenge step) (Grant, error) {
	tried := s.try(byProof, a.row.ID.String())
	if _, err := s.count(ctx, tried); err != nil {
		return Grant{}, err
	}
	a.clear = append(a.clear, tried)
	var err error
	if a.shown, err = s.judgeFactor(ctx, a.row, shown, challenge); err == nil {
		var g Grant
		if g, err = s.begin(ctx, a); err == nil {
			return g, nil
		}
	}
	if !fault.Is(err, fault.Denied) {
		return Grant{}, s.undo(ctx, err, tried, a.tries.from)
	}
	told := fault.New(fault.Unauthenticated, "auth.factor", "The code or passkey was not accepted.").Because(err)
	reason := "wrong second factor"
	if cause := errors.Unwrap(err); cause != nil {
		reason += ": " + cause.Error()
	}
	return Grant{}, s.failed(ctx, a.tries, a.row.ID, "auth.factor", printable(reason, maxReason), told)
}

func sameTime(a, b *time.Time) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Equal(*b)
}

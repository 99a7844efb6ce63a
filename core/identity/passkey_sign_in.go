package identity

import (
	"context"
	"errors"

	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// PasskeyChallenge returns what the browser is to ask any passkey, and the secret
// that PasskeySignIn wants back with the answer.
func (s *Service) PasskeyChallenge(ctx context.Context) (options []byte, secret string, err error) {
	if s.party == nil {
		return nil, "", noPasskeysHere()
	}
	asked, expected, err := s.party.BeginDiscoverableLogin()
	if err != nil {
		return nil, "", err
	}
	secret, _ = newSecret(pendingPrefix)
	options, err = s.challenge(ctx, stepFor(passkeySignIn, secret), uuid.Nil, asked.Response, expected)
	return options, secret, err
}

// PasskeySignIn starts a session for whoever's passkey answers the challenge of a
// secret. It was unlocked by them, so that it stands for two factors. It returns
// an Unauthenticated fault that is the same for whatever is wrong, a Gone fault
// for a challenge that is over, TooMany after many failures of the address.
func (s *Service) PasskeySignIn(ctx context.Context, secret string, answer []byte, client Client) (Grant, error) {
	if !s.LocalLogin() {
		return Grant{}, fault.New(fault.Denied, "auth.local_off", "Signing in with a passkey is switched off here; use your organisation's sign-in.")
	}
	t := tries{from: s.from(ctx)}
	if _, err := s.count(ctx, t.from); err != nil {
		return Grant{}, err
	}
	row, shown, err := s.whosePasskey(ctx, secret, answer)
	if err == nil {
		var g Grant
		g, err = s.begin(ctx, arrival{row: row, client: client, method: MethodPasskey, shown: shown, tries: t})
		if err == nil {
			return g, nil
		}
	}
	if !fault.Is(err, fault.Denied) {
		return Grant{}, s.undo(ctx, err, t.from)
	}
	reason := "passkey not accepted"
	if cause := errors.Unwrap(err); cause != nil {
		reason += ": " + cause.Error()
	}
	return Grant{}, s.failed(ctx, t, row.ID, "auth.passkey", printable(reason, maxReason), passkeyRefused())
}

// whosePasskey returns who answers a challenge, or a Denied fault.
func (s *Service) whosePasskey(ctx context.Context, secret string, answer []byte) (db.User, good, error) {
	parsed, err := parseAnswer(answer)
	if err == nil && s.party == nil {
		err = notProved()
	}
	if err != nil {
		return db.User{}, good{}, err
	}
	q := db.New(s.Pool)
	var expected webauthn.SessionData
	if _, err := s.take(ctx, q, stepFor(passkeySignIn, secret), &expected); err != nil {
		return db.User{}, good{}, err
	}
	var who holder
	var broken error
	_, key, err := s.party.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		id, err := uuid.FromBytes(handle)
		if err != nil {
			return nil, err
		}
		row, err := q.UserByID(ctx, id)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && (Status(row.Status) != Active || row.Source != "local") {
			return nil, errors.New("nobody who may sign in without their provider")
		}
		if err == nil {
			who, err = s.holder(ctx, q, row)
		}
		broken = db.Fault(err)
		return who, err
	}, expected, parsed)
	if broken != nil {
		return db.User{}, good{}, broken
	}
	if err != nil {
		return who.user, good{}, notProved().Because(err)
	}
	shown, err := s.spendPasskey(who, key)
	return who.user, shown, err
}

// passkeyRefused is the one answer to a passkey that does not let in.
func passkeyRefused() *fault.Fault {
	return fault.New(fault.Unauthenticated, "auth.passkey", "This passkey was not accepted, or its account cannot sign in.")
}

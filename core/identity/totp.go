package identity

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Codes are of RFC 6238 as every app knows them: SHA-1, six digits, steps of 30 s,
// of which one more on either side is taken (section 5.2).
const (
	totpStep   = 30 // seconds
	totpDigits = 6
	totpSkew   = 1  // steps
	totpSecret = 20 // bytes; RFC 4226 section 4
	totpShown  = 15 * time.Minute
)

// Enrolment is the secret of an authenticator app that is being set up.
type Enrolment struct {
	Secret string // base32, to be typed
	URI    string // otpauth, to be shown as a QR code
}

// BeginTOTP makes the secret of an authenticator app for whoever acts. Until
// ConfirmTOTP it counts for nothing; one in force stays.
func (s *Service) BeginTOTP(ctx context.Context) error {
	id, _, err := s.ownCredentials(ctx)
	if err != nil {
		return err
	}
	secret := make([]byte, totpSecret)
	rand.Read(secret) // never fails: crypto/rand ends the program instead
	sealed, err := s.Sealer.Seal(secret, totpBinding(id))
	if err != nil {
		return err
	}
	return db.Fault(db.New(s.Pool).TOTPBegin(ctx, db.TOTPBeginParams{UserID: id, Pending: sealed, At: s.now()}))
}

// PendingTOTP returns the secret whoever acts began with at most a quarter of an
// hour ago, to show it again, or a NotFound fault. issuer is what the app shows
// the account under.
func (s *Service) PendingTOTP(ctx context.Context, issuer string) (Enrolment, error) {
	id, _, err := s.ownCredentials(ctx)
	if err != nil {
		return Enrolment{}, err
	}
	secret, _, err := s.pendingTOTP(ctx, id)
	if err != nil {
		return Enrolment{}, err
	}
	u, err := s.User(ctx, id)
	if err != nil {
		return Enrolment{}, err
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: u.Email, Secret: secret, SecretSize: totpSecret, Digits: otp.DigitsSix, Period: totpStep})
	if err != nil {
		return Enrolment{}, fmt.Errorf("describe an authenticator: %w", err)
	}
	return Enrolment{Secret: key.Secret(), URI: key.URL()}, nil
}

func (s *Service) pendingTOTP(ctx context.Context, id uuid.UUID) (secret, sealed []byte, err error) {
	row, err := db.New(s.Pool).TOTPGet(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && (row.PendingAt == nil || s.now().Sub(*row.PendingAt) > totpShown) {
		return nil, nil, fault.New(fault.NotFound, "factor.not_begun", "No authenticator app is being set up; begin again.")
	}
	if err != nil {
		return nil, nil, db.Fault(err)
	}
	secret, err = s.Sealer.Open(row.Pending, totpBinding(id))
	return secret, row.Pending, err
}

// ConfirmTOTP puts the authenticator app in force by a code it shows, and returns
// the recovery codes that come with a first factor. Every other session of the
// person ends. It returns an Unprocessable fault for a wrong code, TooMany after
// several.
func (s *Service) ConfirmTOTP(ctx context.Context, code string) (recovery []string, err error) {
	id, session, err := s.ownCredentials(ctx)
	if err != nil {
		return nil, err
	}
	secret, sealed, err := s.pendingTOTP(ctx, id)
	if err != nil {
		return nil, err
	}
	tried := s.try(byProof, id.String())
	if _, err := s.count(ctx, tried); err != nil {
		return nil, err
	}
	step, err := s.stepOf(secret, plainCode(code))
	if err != nil {
		return nil, s.undo(ctx, err, tried)
	}
	if step == 0 {
		return nil, violation("factor.code", "/code", "The code does not match.", "Type the six digits the app shows now; if they never match, set its clock.")
	}
	return s.addFactor(ctx, id, session, FactorTOTP, map[string]any{"factor": FactorTOTP}, func(q *db.Queries) error {
		if err := s.forgive(ctx, q, tried, true); err != nil {
			return err
		}
		n, err := q.TOTPConfirm(ctx, db.TOTPConfirmParams{UserID: id, Pending: sealed, Step: step, At: s.now()})
		if err == nil && n == 0 {
			err = fault.New(fault.Conflict, "factor.changed", "Another secret was made meanwhile; scan the one shown now.")
		}
		return err
	})
}

// RemoveTOTP takes the authenticator app of whoever acts out of force.
func (s *Service) RemoveTOTP(ctx context.Context) error {
	return s.dropFactor(ctx, map[string]any{"factor": FactorTOTP}, func(q *db.Queries, id uuid.UUID) error {
		n, err := q.TOTPDrop(ctx, id)
		if err == nil && n == 0 {
			err = fault.New(fault.NotFound, "factor.unknown", "No authenticator app is set up.")
		}
		return err
	})
}

// judgeTOTP judges a code. It is spent by its step: neither it nor an older one is
// taken again (RFC 6238 section 5.2).
func (s *Service) judgeTOTP(ctx context.Context, user uuid.UUID, code string) (good, error) {
	row, err := db.New(s.Pool).TOTPGet(ctx, user)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && row.ConfirmedAt == nil {
		return good{}, notProved()
	}
	if err != nil {
		return good{}, db.Fault(err)
	}
	secret, err := s.Sealer.Open(row.Sealed, totpBinding(user))
	if err != nil {
		return good{}, fmt.Errorf("open the secret of an authenticator: %w", err)
	}
	step, err := s.stepOf(secret, code)
	if err != nil {
		return good{}, err
	}
	if step <= row.LastStep {
		return good{}, notProved()
	}
	return good{FactorTOTP, func(ctx context.Context, q *db.Queries) error {
		n, err := q.TOTPUse(ctx, step, user)
		if err == nil && n == 0 {
			err = notProved()
		}
		return err
	}}, nil
}

// stepOf returns the step of a secret that a code is of, 0 for none near now.
func (s *Service) stepOf(secret []byte, code string) (int64, error) {
	var found int64
	now := s.now().Unix() / totpStep
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
	for step := now - totpSkew; step <= now+totpSkew; step++ {
		want, err := hotp.GenerateCodeCustom(text, uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return 0, fmt.Errorf("compute a code: %w", err)
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			found = step
		}
	}
	return found, nil
}

// isTOTP reports whether a code has the form of one of an authenticator app.
func isTOTP(code string) bool {
	for i := range len(code) {
		if code[i] < '0' || code[i] > '9' {
			return false
		}
	}
	return len(code) == totpDigits
}

// totpBinding ties a sealed secret to its owner.
func totpBinding(user uuid.UUID) []byte { return []byte("identity/totp/" + user.String()) }

// addFactor puts a factor in force by add: it is one of whoever acts, and their
// session has shown it. A first one brings recovery codes along.
func (s *Service) addFactor(ctx context.Context, id, session uuid.UUID, factor string, detail map[string]any, add func(*db.Queries) error) (recovery []string, err error) {
	at := s.now()
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		if _, err := q.UserLock(ctx, actor.From(ctx).Tenant, id); err != nil {
			return noUser(err)
		}
		before, err := q.FactorsOf(ctx, []uuid.UUID{id})
		if err != nil {
			return err
		}
		if err := add(q); err != nil {
			return err
		}
		if len(before) == 0 {
			if recovery, err = s.putRecoveryCodes(ctx, q, id); err != nil {
				return err
			}
		}
		if _, err := q.SessionRevokeAll(ctx, db.SessionRevokeAllParams{UserID: id, Spared: session, At: at}); err != nil {
			return err
		}
		if _, err := q.SessionProved(ctx, db.SessionProvedParams{ID: session, UserID: id, Factor: factor, At: at}); err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Action: "factor.add", Object: id.String(), Outcome: audit.OK, Detail: detail})
	})
	if err != nil {
		return nil, err
	}
	s.changed(ctx)
	return recovery, nil
}

package identity

import (
	"context"
	"crypto/rand"
	"strings"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Recovery codes: each stands for the second factor once. Twelve letters of 32 are
// 60 bits; what is stored is a keyed digest, so that the database alone is nothing
// to guess against.
const (
	recoveryCodes   = 10
	recoveryLetters = 12
	recoveryGroup   = 4
	recoveryABC     = "abcdefghjkmnpqrstuvwxyz023456789" // without i, l, o and 1, which look alike
)

// RenewRecoveryCodes makes new recovery codes for whoever acts, in place of all
// before, and returns them this once. It returns a Conflict fault for somebody
// without a second factor.
func (s *Service) RenewRecoveryCodes(ctx context.Context) ([]string, error) {
	id, _, err := s.ownCredentials(ctx)
	if err != nil {
		return nil, err
	}
	var codes []string
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		if _, err := q.UserLock(ctx, actor.From(ctx).Tenant, id); err != nil {
			return noUser(err)
		}
		has, err := q.FactorsOf(ctx, []uuid.UUID{id})
		if err != nil {
			return err
		}
		if len(has) == 0 {
			return fault.New(fault.Conflict, "factor.none", "Recovery codes stand in for a second factor; set one up first.")
		}
		if codes, err = s.putRecoveryCodes(ctx, q, id); err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Action: "factor.recovery_codes", Object: id.String(), Outcome: audit.OK})
	})
	return codes, err
}

// putRecoveryCodes voids a person's recovery codes and makes new ones.
func (s *Service) putRecoveryCodes(ctx context.Context, q *db.Queries, user uuid.UUID) ([]string, error) {
	codes, digests := make([]string, recoveryCodes), make([]string, recoveryCodes)
	for i := range codes {
		code := newRecoveryCode()
		codes[i], digests[i] = grouped(code, recoveryGroup), s.recoveryDigest(user, code)
	}
	if err := q.RecoveryCodeDrop(ctx, user); err != nil {
		return nil, err
	}
	return codes, q.RecoveryCodePut(ctx, db.RecoveryCodePutParams{UserID: user, Digests: digests, At: s.now()})
}

// judgeRecoveryCode takes any code of the right form: whether it is one is seen
// when it is spent.
func (s *Service) judgeRecoveryCode(user uuid.UUID, code string) good {
	return good{FactorRecovery, func(ctx context.Context, q *db.Queries) error {
		n, err := q.RecoveryCodeUse(ctx, db.RecoveryCodeUseParams{UserID: user, Digest: s.recoveryDigest(user, code), At: s.now()})
		if err == nil && n == 0 {
			err = notProved()
		}
		return err
	}}
}

func (s *Service) recoveryDigest(user uuid.UUID, code string) string {
	return s.Sealer.Digest("identity/recovery", []byte(user.String()+code))
}

// newRecoveryCode returns random letters: 256 is a multiple of 32, so that each is
// as likely.
func newRecoveryCode() string {
	var random [recoveryLetters]byte
	rand.Read(random[:]) // never fails: crypto/rand ends the program instead
	for i, b := range random {
		random[i] = recoveryABC[int(b)%len(recoveryABC)]
	}
	return string(random[:])
}

// isRecoveryCode reports whether a code has the form of a recovery code.
func isRecoveryCode(code string) bool {
	return len(code) == recoveryLetters && strings.Trim(code, recoveryABC) == ""
}

// grouped writes a code in groups of n letters.
func grouped(code string, n int) string {
	var parts []string
	for ; len(code) > n; code = code[n:] {
		parts = append(parts, code[:n])
	}
	return strings.Join(append(parts, code), "-")
}

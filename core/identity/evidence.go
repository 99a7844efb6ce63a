package identity

import (
	"context"
	"strings"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Evidence is what somebody shows to prove that it is them. One of it is enough.
type Evidence struct {
	Password string // counts for a step-up only, not as a second factor
	Code     string // of the authenticator app, or a recovery code
	Passkey  []byte // the browser's answer to the challenge it was given
}

// good is evidence that was judged good.
type good struct {
	factor string // one of the Factors; "": the password
	spend  func(context.Context, *db.Queries) error
}

// judgeFactor returns what evidence of a second factor is worth: a Denied fault
// when it is worth nothing. It counts once spent, in the transaction of what it
// is shown for: that fails when it was spent before. challenge is where the
// challenge waits that a passkey answers.
func (s *Service) judgeFactor(ctx context.Context, user db.User, shown Evidence, challenge step) (good, error) {
	code := plainCode(shown.Code)
	switch {
	case len(shown.Passkey) > 0:
		return s.judgePasskey(ctx, user, shown.Passkey, challenge)
	case isTOTP(code):
		return s.judgeTOTP(ctx, user.ID, code)
	case isRecoveryCode(code):
		return s.judgeRecoveryCode(user.ID, code), nil
	}
	return good{}, notProved()
}

// judge is judgeFactor, with the password taken as well.
func (s *Service) judge(ctx context.Context, user db.User, shown Evidence, challenge step) (good, error) {
	if shown.Password == "" || shown.Code != "" || len(shown.Passkey) > 0 {
		return s.judgeFactor(ctx, user, shown, challenge)
	}
	sealed, err := s.isBreakGlass(ctx, user.ID)
	if err != nil {
		return good{}, err
	}
	if sealed {
		shown.Password = plainCode(shown.Password) // as it was written down
	}
	ok, _, err := s.hasher.match(ctx, shown.Password, user.PasswordHash)
	if err != nil {
		return good{}, err
	}
	if !ok {
		return good{}, notProved()
	}
	return good{spend: func(context.Context, *db.Queries) error { return nil }}, nil
}

// plainCode is a code as it was made, whatever grouping it was typed with.
func plainCode(code string) string {
	if len(code) > 64 {
		return ""
	}
	return strings.ToLower(strings.NewReplacer(" ", "", "-", "", "\t", "").Replace(code))
}

// notProved is the one answer to evidence that is not good.
func notProved() *fault.Fault {
	return fault.New(fault.Denied, "auth.proof", "That was not accepted; try again, or prove it another way.")
}

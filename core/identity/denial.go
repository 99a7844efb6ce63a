package identity

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
)

// denial is why a credential was refused: for the audit and the log, never for
// whoever presented it. Identifiers that were merely claimed stand as digests.
type denial struct {
	Credential   string `json:"credential,omitempty"` // kind; "" when it was of none
	Reason       string `json:"reason"`
	Plugin       string `json:"plugin,omitempty"` // proved, though not let in
	User         string `json:"user,omitempty"`   // proved, though not let in
	CredentialID string `json:"credential_id,omitempty"`
	KeyID        string `json:"kid_sha256,omitempty"`
	TokenID      string `json:"jti_sha256,omitempty"`
}

func (d *denial) Error() string { return d.Credential + " refused: " + d.Reason }

// refused is the one answer to a credential that is not good, whatever is wrong.
func refused(d *denial) *fault.Fault {
	return fault.New(fault.Unauthenticated, "auth.invalid", "This credential is not valid; sign in again or fetch a new token.").Because(d)
}

// standsBack is the answer to a plugin whose state lets it do nothing.
func standsBack(state policy.State) *fault.Fault {
	if state == policy.Disabled {
		return fault.New(fault.Unauthenticated, "plugin.disabled", "This plugin is disabled; its token works again once it is enabled.")
	}
	return fault.New(fault.Unauthenticated, "plugin.quarantined", "This plugin is quarantined; its operator has to release it.")
}

// deny records a refused credential before it is answered, and returns err. While
// that cannot be recorded the answer is that of the recorder. Few are recorded at
// a time: a flood of bad credentials must not fill the queue of good ones.
func (s *Service) deny(ctx context.Context, err error) error {
	d, ok := errors.AsType[*denial](err)
	if !ok {
		return err
	}
	select {
	case s.denials <- struct{}{}:
		defer func() { <-s.denials }()
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
	f, id := *fault.Of(err), uuid.Must(uuid.NewV7())
	e := audit.Entry{ID: id, Plugin: d.Plugin, Action: "auth.denied", Object: d.Credential, Outcome: audit.Deny, Rule: f.Code, Detail: d}
	if err := s.Record.Decide(ctx, e); err != nil {
		return err
	}
	if f.Kind == fault.Denied {
		f.Decision = id.String() // a stranger is told nothing to ask on with
	}
	return &f
}

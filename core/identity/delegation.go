package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
)

// delegationLife is how long a plugin may act for a user after it was called for them.
const delegationLife = 5 * time.Minute

// delegation is what a delegation token holds, sealed under the master key: any
// replica can open it, and nobody else can read or make one.
type delegation struct {
	Plugin     string           `json:"p"`
	Trace      string           `json:"t"`
	User       string           `json:"u"`
	Credential actor.Credential `json:"c"` // what the user acted by: it must still be good
	Expires    int64            `json:"e"` // Unix seconds
}

// sealedFor binds the sealed text to its use.
const sealedFor = "identity/delegation"

// Delegation returns the token by which a plugin may act for user, within a trace,
// for five minutes. It carries no more rights than the credential the user is
// acting by now.
func (s *Service) Delegation(plugin string, user actor.Actor, trace string) (string, error) {
	if user.Viewing() {
		return "", fault.New(fault.Denied, "view_as.read_only", "You look as %s; no plugin acts for you meanwhile.", user.OnBehalf.Name)
	}
	if user.Kind != actor.User || plugin == "" || trace == "" {
		return "", fault.New(fault.Internal, "internal", "Only a user's request can be delegated, to a plugin, within a trace.")
	}
	plain, err := json.Marshal(delegation{plugin, trace, user.ID, user.Credential, s.now().Add(delegationLife).Unix()})
	if err != nil {
		return "", err
	}
	sealed, err := s.Sealer.Seal(plain, []byte(sealedFor))
	if err != nil {
		return "", err
	}
	return delegationPrefix + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// Delegated returns the user a plugin acts for within a trace, with the traits
// they have now; or an Unauthenticated fault when the token is of another plugin
// or trace, ran out, or the credential behind it ended. User tokens are refused.
func (s *Service) Delegated(ctx context.Context, plugin, trace, token string) (actor.Actor, error) {
	user, err := s.delegated(ctx, plugin, trace, token)
	if err != nil {
		return actor.Actor{}, s.deny(ctx, err)
	}
	return user, nil
}

func (s *Service) delegated(ctx context.Context, plugin, trace, token string) (actor.Actor, error) {
	d := &denial{Credential: CredentialDelegation, Plugin: plugin}
	text, ok := strings.CutPrefix(token, delegationPrefix)
	if !ok || len(text) > maxToken || !isBase64URL(text) {
		d.Reason = "form"
		return actor.Actor{}, refused(d)
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		d.Reason = "form"
		return actor.Actor{}, refused(d)
	}
	plain, err := s.Sealer.Open(sealed, []byte(sealedFor))
	if err != nil {
		d.Reason = "not sealed by us"
		return actor.Actor{}, refused(d)
	}
	var in delegation
	if err := json.Unmarshal(plain, &in); err != nil {
		d.Reason = "content"
		return actor.Actor{}, refused(d)
	}
	switch {
	case in.Plugin != plugin:
		d.Reason = "of another plugin"
	case in.Trace != trace:
		d.Reason = "of another trace"
	case s.now().Unix() >= in.Expires:
		d.Reason = "expired"
	}
	if d.Reason != "" {
		return actor.Actor{}, refused(d)
	}
	p, reason, err := s.stillGood(ctx, in.Credential)
	if err != nil {
		return actor.Actor{}, unavailable(err)
	}
	if reason == "" && p.user.ID.String() != in.User {
		reason = "of another user"
	}
	if d.Reason = reason; reason != "" {
		return actor.Actor{}, refused(d)
	}
	return p.actor(), nil
}

package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Passkey is a passkey of a person.
type Passkey struct {
	ID       string // base64url, as the browser writes it
	Name     string
	Added    time.Time
	LastUsed *time.Time // nil: never
}

// Limits of passkeys.
const (
	maxPasskeys    = 20
	maxPasskeyName = 60 // bytes
)

// PasskeyOrigin is the address passkeys work at: browsers bind them to a host name
// (Web Authentication, section 5.1.3), which an address in numbers is not. A core
// on loopback is localhost to them; one at any other such address has none: "".
func (s *Service) PasskeyOrigin() string {
	if s.party == nil {
		return ""
	}
	return s.party.Config.RPOrigins[0]
}

// relyingParty is this installation as passkeys know it; nil when it has no name
// that browsers could bind them to.
func relyingParty(public string) (*webauthn.WebAuthn, error) {
	u, err := url.Parse(public)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("identity: %q is no address to sign in at", public)
	}
	if protocol.ValidateRPID(u.Hostname()) != nil {
		a, err := netip.ParseAddr(u.Hostname())
		if err != nil || !a.IsLoopback() {
			return nil, nil
		}
		host := "localhost"
		if port := u.Port(); port != "" {
			host = net.JoinHostPort(host, port)
		}
		u.Host = host
	}
	pace := webauthn.TimeoutConfig{Enforce: true, Timeout: stepLife, TimeoutUVD: stepLife}
	return webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: "Vivified", RPOrigins: []string{u.Scheme + "://" + u.Host},
		AttestationPreference:  protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired},
		Timeouts:               webauthn.TimeoutsConfig{Login: pace, Registration: pace},
	})
}

// holder is a person as passkeys know them: by the bytes of their id, which say
// nothing of them.
type holder struct {
	user db.User
	keys []webauthn.Credential
}

var _ webauthn.User = holder{}

func (h holder) WebAuthnID() []byte                         { return h.user.ID[:] }
func (h holder) WebAuthnName() string                       { return h.user.Email }
func (h holder) WebAuthnDisplayName() string                { return h.user.Name }
func (h holder) WebAuthnCredentials() []webauthn.Credential { return h.keys }

// holder returns a person with their passkeys.
func (s *Service) holder(ctx context.Context, q *db.Queries, user db.User) (holder, error) {
	rows, err := q.PasskeyList(ctx, user.ID)
	if err != nil {
		return holder{}, db.Fault(err)
	}
	h := holder{user: user}
	for _, row := range rows {
		plain, err := s.Sealer.Open(row.Sealed, passkeyBinding(user.ID))
		if err != nil {
			return holder{}, fmt.Errorf("open a passkey: %w", err)
		}
		var key webauthn.Credential
		if err := json.Unmarshal(plain, &key); err != nil {
			return holder{}, fmt.Errorf("read a passkey: %w", err)
		}
		h.keys = append(h.keys, key)
	}
	return h, nil
}

func (s *Service) passkeys(ctx context.Context, q *db.Queries, user uuid.UUID) ([]Passkey, error) {
	rows, err := q.PasskeyList(ctx, user)
	keys := make([]Passkey, len(rows))
	for i, row := range rows {
		keys[i] = Passkey{ID: base64.RawURLEncoding.EncodeToString(row.ID), Name: row.Name, Added: row.CreatedAt, LastUsed: row.LastUsedAt}
	}
	return keys, err
}

// sealPasskey returns what is stored of a passkey.
func (s *Service) sealPasskey(user uuid.UUID, key *webauthn.Credential) ([]byte, error) {
	plain, err := json.Marshal(key)
	if err != nil {
		return nil, err
	}
	return s.Sealer.Seal(plain, passkeyBinding(user))
}

// passkeyBinding ties a sealed passkey to its owner.
func passkeyBinding(user uuid.UUID) []byte { return []byte("identity/passkey/" + user.String()) }

// challenge keeps what answers to options must fit, and returns the options for
// the browser, as JSON.
func (s *Service) challenge(ctx context.Context, w step, user uuid.UUID, options any, expected *webauthn.SessionData) ([]byte, error) {
	if err := s.put(ctx, w, user, expected); err != nil {
		return nil, err
	}
	return json.Marshal(options)
}

// StepUpChallenge returns what the browser is to ask a passkey of whoever acts, for
// a step-up; nil when they have none.
func (s *Service) StepUpChallenge(ctx context.Context) ([]byte, error) {
	id, session, err := inPerson(ctx)
	if err != nil {
		return nil, err
	}
	return s.challengeOf(ctx, id, stepFor(passkeyStepUp, session.String()))
}

// challengeOf returns what the browser is to ask a passkey of one person; nil when
// they have none.
func (s *Service) challengeOf(ctx context.Context, user uuid.UUID, w step) ([]byte, error) {
	if s.party == nil {
		return nil, nil
	}
	q := db.New(s.Pool)
	row, err := q.UserByID(ctx, user)
	if err != nil {
		return nil, noUser(err)
	}
	h, err := s.holder(ctx, q, row)
	if err != nil || len(h.keys) == 0 {
		return nil, err
	}
	options, expected, err := s.party.BeginLogin(h)
	if err != nil {
		return nil, fmt.Errorf("challenge a passkey: %w", err)
	}
	return s.challenge(ctx, w, user, options.Response, expected)
}

// judgePasskey judges the answer of a passkey of one person to what waits.
func (s *Service) judgePasskey(ctx context.Context, user db.User, answer []byte, w step) (good, error) {
	parsed, err := parseAnswer(answer)
	if err == nil && s.party == nil {
		err = notProved()
	}
	if err != nil {
		return good{}, err
	}
	q := db.New(s.Pool)
	var expected webauthn.SessionData
	if of, err := s.take(ctx, q, w, &expected); err != nil {
		return good{}, err
	} else if of != user.ID {
		return good{}, notProved()
	}
	h, err := s.holder(ctx, q, user)
	if err != nil {
		return good{}, err
	}
	key, err := s.party.ValidateLogin(h, expected, parsed)
	if err != nil {
		return good{}, notProved().Because(err)
	}
	return s.spendPasskey(h, key)
}

// spendPasskey notes a good answer. An authenticator that counts must have counted
// on: one that did not was copied, or somebody plays back what it said
// (Web Authentication, section 6.1.1).
func (s *Service) spendPasskey(h holder, key *webauthn.Credential) (good, error) {
	if key.Authenticator.CloneWarning {
		return good{}, notProved().Because(errors.New("the counter of the passkey did not rise"))
	}
	var before int64
	for _, k := range h.keys {
		if string(k.ID) == string(key.ID) {
			before = int64(k.Authenticator.SignCount)
		}
	}
	sealed, err := s.sealPasskey(h.user.ID, key)
	if err != nil {
		return good{}, err
	}
	return good{FactorPasskey, func(ctx context.Context, q *db.Queries) error {
		n, err := q.PasskeyUse(ctx, db.PasskeyUseParams{ID: key.ID, Sealed: sealed, SignCount: int64(key.Authenticator.SignCount), Before: before, At: s.now()})
		if err == nil && n == 0 {
			err = notProved()
		}
		return err
	}}, nil
}

// parseAnswer reads what a browser answers for a passkey.
func parseAnswer(answer []byte) (*protocol.ParsedCredentialAssertionData, error) {
	if len(answer) > passkeyMaxText {
		return nil, notProved()
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return nil, notProved().Because(err)
	}
	return parsed, nil
}

// noPasskeysHere is the answer where passkeys cannot work.
func noPasskeysHere() *fault.Fault {
	return fault.New(fault.Conflict, "passkey.address", "Passkeys are bound to a name, and this core is reached by an address in numbers; set public_url to a name first.")
}

package identity

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// RegistrationChallenge returns what the browser is to ask a new authenticator of
// whoever acts, as JSON. Those they have are left out.
func (s *Service) RegistrationChallenge(ctx context.Context) ([]byte, error) {
	id, session, err := s.ownCredentials(ctx)
	if err == nil && s.party == nil {
		err = noPasskeysHere()
	}
	if err != nil {
		return nil, err
	}
	q := db.New(s.Pool)
	row, err := q.UserByID(ctx, id)
	if err != nil {
		return nil, noUser(err)
	}
	h, err := s.holder(ctx, q, row)
	if err != nil {
		return nil, err
	}
	if len(h.keys) >= maxPasskeys {
		return nil, fault.New(fault.Conflict, "passkey.many", "You have %d passkeys; remove one first.", len(h.keys))
	}
	have := make([]protocol.CredentialDescriptor, len(h.keys))
	for i := range h.keys {
		have[i] = h.keys[i].Descriptor()
	}
	options, expected, err := s.party.BeginRegistration(h, webauthn.WithExclusions(have))
	if err != nil {
		return nil, fmt.Errorf("challenge a new passkey: %w", err)
	}
	return s.challenge(ctx, stepFor(passkeyEnrols, session.String()), id, options.Response, expected)
}

// RegisterPasskey adds the passkey a browser answers RegistrationChallenge with,
// under a name, and returns the recovery codes that come with a first factor.
// Every other session of the person ends. It returns an Unprocessable fault for an
// answer that is not good, a Gone fault for one that comes too late or again.
func (s *Service) RegisterPasskey(ctx context.Context, name string, answer []byte) (recovery []string, err error) {
	id, session, err := s.ownCredentials(ctx)
	if err == nil && s.party == nil {
		err = noPasskeysHere()
	}
	if err != nil {
		return nil, err
	}
	if name, err = passkeyName(name); err != nil {
		return nil, err
	}
	if len(answer) > passkeyMaxText {
		return nil, notRegistered(errors.New("too long"))
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return nil, notRegistered(err)
	}
	q := db.New(s.Pool)
	var expected webauthn.SessionData
	if of, err := s.take(ctx, q, stepFor(passkeyEnrols, session.String()), &expected); err != nil {
		return nil, err
	} else if of != id {
		return nil, stepGone()
	}
	row, err := q.UserByID(ctx, id)
	if err != nil {
		return nil, noUser(err)
	}
	key, err := s.party.CreateCredential(holder{user: row}, expected, parsed)
	if err != nil {
		return nil, notRegistered(err)
	}
	sealed, err := s.sealPasskey(id, key)
	if err != nil {
		return nil, err
	}
	detail := map[string]any{"factor": FactorPasskey, "name": name}
	return s.addFactor(ctx, id, session, FactorPasskey, detail, func(q *db.Queries) error {
		err := q.PasskeyInsert(ctx, db.PasskeyInsertParams{ID: key.ID, UserID: id, Name: name, Sealed: sealed, SignCount: int64(key.Authenticator.SignCount), At: s.now()})
		if db.Violates(err, "passkeys_pkey") {
			return fault.New(fault.Conflict, "passkey.known", "That passkey is registered already.")
		}
		return err
	})
}

// RenamePasskey names a passkey of whoever acts.
func (s *Service) RenamePasskey(ctx context.Context, passkey, name string) error {
	id, _, err := s.ownCredentials(ctx)
	if err != nil {
		return err
	}
	if name, err = passkeyName(name); err != nil {
		return err
	}
	key, err := passkeyID(passkey)
	if err != nil {
		return err
	}
	return db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		n, err := q.PasskeyRename(ctx, db.PasskeyRenameParams{ID: key, UserID: id, Name: name})
		if err != nil {
			return err
		}
		if n == 0 {
			return noPasskey()
		}
		return audit.Append(ctx, q, audit.Entry{Action: "factor.rename", Object: id.String(), Outcome: audit.OK, Detail: map[string]any{"factor": FactorPasskey, "name": name}})
	})
}

// RemovePasskey removes a passkey of whoever acts.
func (s *Service) RemovePasskey(ctx context.Context, passkey string) error {
	key, err := passkeyID(passkey)
	if err != nil {
		return err
	}
	detail := map[string]any{"factor": FactorPasskey}
	return s.dropFactor(ctx, detail, func(q *db.Queries, id uuid.UUID) error {
		names, err := q.PasskeyDrop(ctx, key, id)
		if err == nil && len(names) == 0 {
			return noPasskey()
		}
		if err == nil {
			detail["name"] = names[0]
		}
		return err
	})
}

func passkeyName(name string) (string, error) {
	name = cmp.Or(strings.TrimSpace(printable(name, maxPasskeyName+1)), "Passkey")
	if len(name) > maxPasskeyName {
		return "", violation("passkey.name", "/name", "The name is longer than 60 bytes.", "Shorten it.")
	}
	return name, nil
}

func passkeyID(text string) ([]byte, error) {
	id, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(id) == 0 || len(text) > 2048 {
		return nil, noPasskey()
	}
	return id, nil
}

func noPasskey() *fault.Fault {
	return fault.New(fault.NotFound, "passkey.unknown", "You have no such passkey.")
}

// notRegistered is the answer to a new passkey that is not good.
func notRegistered(cause error) *fault.Fault {
	return violation("passkey.refused", "/credential", "The passkey could not be registered.", "Try again; the device must ask for your finger, face or PIN.").Because(cause)
}

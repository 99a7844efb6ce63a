package bundle

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"

	"github.com/secure-systems-lab/go-securesystemslib/dsse"

	"github.com/vivified/vivified/core/fault"
)

// What a signature says: an in-toto Statement v1 about the bundle's digest.
const (
	payloadType   = "application/vnd.in-toto+json"
	statementType = "https://in-toto.io/Statement/v1"
	predicateType = "urn:vivified:release:v1"
)

type statement struct {
	Type          string    `json:"_type"`
	Subject       []subject `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     Release   `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// Release is what a signer vouches for beside the digest.
type Release struct {
	ID      string `json:"id"`
	Version string `json:"version"`
}

// PublicKey is an ed25519 key that may sign bundles.
type PublicKey struct{ key ed25519.PublicKey }

// ID returns the key's fingerprint: the SHA-256 of its SubjectPublicKeyInfo, in hexadecimal.
func (k PublicKey) ID() string {
	der, _ := x509.MarshalPKIXPublicKey(k.key) // cannot fail for an ed25519 key
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// PEM returns the key as other tools write it (RFC 7468, PUBLIC KEY).
func (k PublicKey) PEM() string {
	der, _ := x509.MarshalPKIXPublicKey(k.key)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// ParsePublicKey reads a PEM block PUBLIC KEY with an ed25519 key.
func ParsePublicKey(text string) (PublicKey, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "PUBLIC KEY" || strings.TrimSpace(string(rest)) != "" {
		return PublicKey{}, badKey("one PEM block PUBLIC KEY", nil)
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, ok := parsed.(ed25519.PublicKey)
	if err != nil || !ok {
		return PublicKey{}, badKey("an ed25519 key", err)
	}
	return PublicKey{key}, nil
}

func badKey(want string, cause error) error {
	return fault.New(fault.Invalid, "signature.key", "This is not %s.", want).Because(cause)
}

// PrivateKey signs bundles.
type PrivateKey struct{ key ed25519.PrivateKey }

// NewKey returns a key made of fresh randomness.
func NewKey() (PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return PrivateKey{key}, err
}

// Public returns the key others check signatures with.
func (k PrivateKey) Public() PublicKey { return PublicKey{k.key.Public().(ed25519.PublicKey)} }

// PEM returns the key as PKCS #8 (RFC 7468, PRIVATE KEY), not encrypted.
func (k PrivateKey) PEM() string {
	der, _ := x509.MarshalPKCS8PrivateKey(k.key) // cannot fail for an ed25519 key
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// ParsePrivateKey reads a PEM block PRIVATE KEY (PKCS #8) with an ed25519 key.
func ParsePrivateKey(text []byte) (PrivateKey, error) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "PRIVATE KEY" {
		return PrivateKey{}, badKey("a PEM block PRIVATE KEY", nil)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return PrivateKey{}, badKey("an ed25519 key", err)
	}
	return PrivateKey{key}, nil
}

// Sign returns a DSSE envelope over the bundle's digest, id and version.
func Sign(ctx context.Context, k PrivateKey, digest string, r Release) ([]byte, error) {
	hexa, ok := strings.CutPrefix(digest, "sha256:")
	if !ok || !ValidDigest(digest) {
		return nil, malformed("%q is no SHA-256 digest", clip(digest))
	}
	payload, err := json.Marshal(statement{
		Type: statementType, Subject: []subject{{Name: r.ID + "@" + r.Version, Digest: map[string]string{"sha256": hexa}}},
		PredicateType: predicateType, Predicate: r,
	})
	if err != nil {
		return nil, err
	}
	signer, err := dsse.NewEnvelopeSigner(pair{k.Public(), k.key})
	if err != nil {
		return nil, err
	}
	envelope, err := signer.SignPayload(ctx, payloadType, payload)
	if err != nil {
		return nil, err
	}
	return json.Marshal(envelope)
}

// Signers returns which of the keys signed the bundle, each once, in the order of
// the keys. Envelopes that say something else, or that no key made, count for nothing.
func Signers(ctx context.Context, keys []PublicKey, digest string, r Release, envelopes [][]byte) ([]PublicKey, error) {
	var signed []PublicKey
	for _, k := range keys {
		verifier, err := dsse.NewEnvelopeVerifier(pair{public: k})
		if err != nil {
			return nil, err
		}
		for _, data := range envelopes {
			if vouches(ctx, verifier, data, digest, r) {
				signed = append(signed, k)
				break
			}
		}
	}
	return signed, nil
}

// vouches reports whether an envelope was made by the verifier's key and speaks of this bundle.
func vouches(ctx context.Context, v *dsse.EnvelopeVerifier, data []byte, digest string, r Release) bool {
	var envelope dsse.Envelope
	if json.Unmarshal(data, &envelope) != nil || envelope.PayloadType != payloadType {
		return false
	}
	if _, err := v.Verify(ctx, &envelope); err != nil {
		return false
	}
	payload, err := base64.StdEncoding.DecodeString(envelope.Payload)
	if err != nil {
		return false
	}
	var said statement
	if json.Unmarshal(payload, &said) != nil || said.Type != statementType || said.PredicateType != predicateType || len(said.Subject) != 1 {
		return false
	}
	return "sha256:"+said.Subject[0].Digest["sha256"] == digest && said.Predicate == r
}

// pair is a key as the DSSE library asks for it.
type pair struct {
	public  PublicKey
	private ed25519.PrivateKey
}

// KeyID implements dsse.Verifier.
func (p pair) KeyID() (string, error) { return p.public.ID(), nil }

// Public implements dsse.Verifier.
func (p pair) Public() crypto.PublicKey { return p.public.key }

// Sign implements dsse.Signer.
func (p pair) Sign(_ context.Context, data []byte) ([]byte, error) {
	if p.private == nil {
		return nil, errors.New("a public key signs nothing")
	}
	return ed25519.Sign(p.private, data), nil
}

// Verify implements dsse.Verifier.
func (p pair) Verify(_ context.Context, data, sig []byte) error {
	if !ed25519.Verify(p.public.key, data, sig) {
		return errors.New("the signature does not match")
	}
	return nil
}

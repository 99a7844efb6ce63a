package identity

import (
	"context"
	"encoding/base64"
)

// JWK is a public signing key (RFC 7517, RFC 8037).
type JWK struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	ID        string `json:"kid"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
}

// JWKS is the set of the core's public signing keys: those in force, those that
// will be soon, and retired ones whose signatures still hold.
type JWKS struct {
	Keys []JWK `json:"keys"`
}

// JWKS returns the key set that plugins verify the core's calls with. It may be
// kept for five minutes: a new key is in it ten minutes before it signs.
func (s *Service) JWKS(ctx context.Context) (JWKS, error) {
	ring, err := s.ring(ctx)
	if err != nil {
		return JWKS{}, err
	}
	set := JWKS{Keys: []JWK{}}
	for _, k := range ring.keys {
		if s.now().Before(k.expires) {
			set.Keys = append(set.Keys, JWK{
				KeyType: "OKP", Curve: "Ed25519", X: base64.RawURLEncoding.EncodeToString(k.public), ID: k.id, Use: "sig", Algorithm: "EdDSA",
			})
		}
	}
	return set, nil
}

package identity

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
)

// callLife is how long the core's token on a call to a plugin is good.
const callLife = 30 * time.Second

// callClaims are the claims of the token on a call. htm and htp tie it to one
// request, as RFC 9449 does with htm and htu.
type callClaims struct {
	Issuer    string `json:"iss"`
	Audience  string `json:"aud"`
	Subject   string `json:"sub"`
	User      string `json:"act,omitempty"`
	Type      string `json:"type"`
	Trace     string `json:"trace"`
	Method    string `json:"htm"`
	PathHash  string `json:"htp"` // SHA-256 of the path, base64url without padding
	IssuedAt  int64  `json:"iat"`
	NotBefore int64  `json:"nbf"`
	Expires   int64  `json:"exp"`
	ID        string `json:"jti"`
}

// CallToken returns the token by which the plugin audience knows that a request
// came through the core: of the same keys as plugin tokens, for this request alone,
// 30 s long. caller is the id of the plugin that asks, or core; user the id of whom
// it is for, or ""; path is as sent, escaped and without the query.
func (s *Service) CallToken(audience, caller, user, trace, method, path string) (string, error) {
	ring, err := s.ring(context.Background())
	if err != nil {
		return "", err
	}
	now := s.now()
	k, err := ring.signer(now)
	if err != nil {
		return "", err
	}
	hash := sha256.Sum256([]byte(path))
	at := now.Unix()
	return k.sign(callClaims{
		Issuer: s.Issuer, Audience: audience, Subject: caller, User: user, Type: "call", Trace: trace, Method: method, PathHash: encode(hash[:]),
		IssuedAt: at, NotBefore: at, Expires: at + int64(callLife/time.Second), ID: uuid.NewString(),
	})
}

package identity

import (
	"context"
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
)

// callLife is how long the core's token on a call to a plugin is good.
const callLife = 30 * time.Second

// Call is one request the core makes to a plugin.
type Call struct {
	Target string // plugin id of the receiver
	Caller string // plugin id, or user id, of who asked for it
	User   string // user id the call is made for; "" for none
	Trace  string // W3C trace id
	Method string // HTTP method as sent
	Path   string // path as sent, escaped, without the query
}

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

// CallToken returns the token by which a plugin knows that a request came through
// the core: of the same keys as plugin tokens, for this request alone, 30 s long.
func (s *Service) CallToken(ctx context.Context, c Call) (string, error) {
	ring, err := s.ring(ctx)
	if err != nil {
		return "", err
	}
	now := s.now()
	k, err := ring.signer(now)
	if err != nil {
		return "", err
	}
	path := sha256.Sum256([]byte(c.Path))
	at := now.Unix()
	return k.sign(callClaims{
		Issuer: s.Issuer, Audience: c.Target, Subject: c.Caller, User: c.User, Type: "call", Trace: c.Trace, Method: c.Method, PathHash: encode(path[:]),
		IssuedAt: at, NotBefore: at, Expires: at + int64(callLife/time.Second), ID: uuid.NewString(),
	})
}

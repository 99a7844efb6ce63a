package vivified

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
)

// Limits on a token the core signs for one call.
const (
	callLife = 30 * time.Second // longest life accepted
	callSkew = 30 * time.Second // how far the two clocks may differ
	callSize = 4 << 10          // bytes of the whole token
)

// Caller is who is behind an incoming call, as the core vouches for it.
type Caller struct {
	Plugin string // the calling plugin; "core" when a user or the core itself calls
	User   string // the user it acts for; empty when for none
}

type callerKey struct{}

// CallerOf returns who is behind the call that ctx belongs to. It reports false
// outside a verified call.
func CallerOf(ctx context.Context) (Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(Caller)
	return c, ok
}

// errNotFromCore is every reason to refuse a call. Callers are not told which.
var errNotFromCore = errors.New("the call does not carry the core's signature for this plugin, method and path")

// Verified admits only calls that the core signed for this plugin, this method
// and this path, and hands them on under the call's trace, caller and user. All
// others are answered 401, or 503 while the core's keys cannot be read.
func (p *Plugin) Verified(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := p.verify(r, time.Now())
		if errors.Is(err, errNoKeys) {
			p.log.WarnContext(r.Context(), "call refused: the core's keys cannot be read", "error", err)
			WriteProblem(w, http.StatusServiceUnavailable, "keys.unavailable", "The core's keys cannot be read at the moment.")
			return
		}
		if err != nil {
			p.log.WarnContext(r.Context(), "call refused", "method", r.Method, "reason", err)
			w.Header().Set("WWW-Authenticate", "Bearer")
			WriteProblem(w, http.StatusUnauthorized, "call.unverified", "This plugin answers only calls that come through the core.")
			return
		}
		ctx := context.WithValue(r.Context(), callerKey{}, caller)
		ctx = WithTraceparent(ctx, r.Header.Get("Traceparent"))
		ctx = withDelegation(ctx, r.Header.Get("X-Vivified-Delegation"))
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// verify checks the core's token on r: a JWT (RFC 7519) signed with EdDSA (RFC
// 8037) by a key of the core's JWKS.
func (p *Plugin) verify(r *http.Request, now time.Time) (Caller, error) {
	credentials := r.Header.Values("Authorization")
	if len(credentials) != 1 {
		return Caller{}, errors.New("there is not exactly one Authorization header")
	}
	scheme, token, _ := strings.Cut(credentials[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || len(token) > callSize {
		return Caller{}, errors.New("the Authorization header is not a bearer token")
	}
	claims, err := p.signed(r.Context(), token)
	if err != nil {
		return Caller{}, err
	}
	return claims.admit(p.manifest.ID, r.Method, r.URL.EscapedPath(), now)
}

// signed returns the claims of a token whose signature holds.
func (p *Plugin) signed(ctx context.Context, token string) (callClaims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errNotFromCore
	}
	header, err := members(parts[0])
	if err != nil {
		return nil, errNotFromCore
	}
	// One algorithm, whatever the token says; no critical extension is known (RFC 7515, 4.1.11).
	if _, critical := header["crit"]; critical || header.text("alg") != "EdDSA" || header.text("kid") == "" {
		return nil, errNotFromCore
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return nil, errNotFromCore
	}
	key, err := p.keys.key(ctx, header.text("kid"))
	if err != nil {
		return nil, err
	}
	if !ed25519.Verify(key, []byte(parts[0]+"."+parts[1]), signature) {
		return nil, errNotFromCore
	}
	claims, err := members(parts[1])
	if err != nil {
		return nil, errNotFromCore
	}
	return claims, nil
}

// callClaims are the members of a token's header or payload. Names are compared
// exactly: decoding into a struct would take "AUD" for "aud".
type callClaims map[string]json.RawMessage

// members decodes one base64url part of a token.
func members(part string) (callClaims, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, err
	}
	var m callClaims
	return m, json.Unmarshal(text, &m)
}

// text returns a string member, or "" when it is absent or no string.
func (c callClaims) text(name string) string {
	var s string
	if json.Unmarshal(c[name], &s) != nil {
		return ""
	}
	return s
}

// time returns a NumericDate member, or the zero time when it is absent or no number.
func (c callClaims) time(name string) time.Time {
	var seconds float64
	if c[name] == nil || json.Unmarshal(c[name], &seconds) != nil || seconds <= 0 || seconds > 1<<40 {
		return time.Time{}
	}
	return time.UnixMilli(int64(seconds * 1000))
}

// admit checks what the core signed against the call that came.
func (c callClaims) admit(plugin, method, path string, now time.Time) (Caller, error) {
	issued, expires := c.time("iat"), c.time("exp")
	switch {
	case c.text("type") != "call":
		return Caller{}, errors.New("the token is not for a call")
	case c.text("aud") != plugin:
		return Caller{}, errors.New("the token is for another plugin")
	case issued.IsZero() || expires.IsZero() || expires.Sub(issued) > callLife:
		return Caller{}, errors.New("the token's life is missing or too long")
	case now.After(expires.Add(callSkew)) || issued.After(now.Add(callSkew)):
		return Caller{}, errors.New("the token is not of this moment")
	case c.text("htm") != method:
		return Caller{}, errors.New("the token is for another method")
	case !samePath(c.text("htp"), path):
		return Caller{}, errors.New("the token is for another path")
	}
	return Caller{Plugin: c.text("sub"), User: c.text("act")}, nil
}

// samePath reports whether hash is the base64url SHA-256 of the escaped path.
func samePath(hash, path string) bool {
	sum := sha256.Sum256([]byte(path))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(hash), []byte(want)) == 1
}

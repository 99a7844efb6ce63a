package sso

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// maxToken is how long a token may be, in bytes.
const maxToken = 64 << 10

// refusal is why a token was not accepted, and what puts it right.
type refusal struct{ why, fix string }

func (r *refusal) Error() string { return r.why }

func refuse(fix, format string, args ...any) error {
	return &refusal{fmt.Sprintf(format, args...), fix}
}

// signed verifies who signed a token for whom, and returns its claims (OpenID
// Connect Core section 3.1.3.7, points 2, 3, 6 and 7).
func (s *Service) signed(ctx context.Context, p Provider, c *connection, raw string) (*oidc.IDToken, Document, error) {
	if len(raw) > maxToken {
		return nil, nil, refuse("Let the provider send fewer claims.", "The token is longer than %d bytes.", maxToken)
	}
	verifier := oidc.NewVerifier(p.Issuer, c.keys, &oidc.Config{ClientID: p.ClientID, SupportedSigningAlgs: c.algs, SkipExpiryCheck: true, Now: s.Now})
	token, err := verifier.Verify(oidc.ClientContext(ctx, c.client), raw)
	if err != nil {
		return nil, nil, refuse("Check issuer and client id against the provider; if it changed its keys just now, try again in a minute.", "The token is not one of this provider for this client: %s.", clip(err.Error()))
	}
	var payload json.RawMessage
	if err := token.Claims(&payload); err != nil {
		return nil, nil, refuse("", "The token's claims cannot be read.")
	}
	doc, err := ParseDocument(payload)
	if err != nil {
		return nil, nil, refuse("Let the provider send fewer claims.", "The token's %s.", err)
	}
	// By their exact names: the reader above folds capital letters.
	if iss, _ := doc["iss"].(string); iss != p.Issuer {
		return nil, nil, refuse("Set the issuer exactly as the provider writes it.", "The token is of the issuer %q.", clip(iss))
	}
	if err := audience(doc, p.ClientID); err != nil {
		return nil, nil, err
	}
	return token, doc, nil
}

// audience refuses a token that is for somebody else, or for others too without
// saying that this client asked for it (points 3 to 5).
func audience(doc Document, client string) error {
	const fix = "Check the client id; the provider must make tokens for this client alone."
	many := false
	switch aud := doc["aud"].(type) {
	case string:
		if aud != client {
			return refuse(fix, "The token is for another client.")
		}
	case []any:
		found := false
		for _, a := range aud {
			found = found || a == any(client)
		}
		if !found {
			return refuse(fix, "The token is for another client.")
		}
		many = len(aud) > 1
	default:
		return refuse(fix, "The token does not say whom it is for.")
	}
	azp, says := doc["azp"]
	if many && !says || says && azp != any(client) {
		return refuse(fix, "The token was made for several clients and not asked for by this one.")
	}
	return nil
}

// timely refuses a token that is not of now, as far as clocks agree.
func (s *Service) timely(doc Document, fresh bool) error {
	const fix = "Set the clocks of the provider and of this machine; they may be two minutes apart."
	now := s.Now()
	exp, ok := instant(doc, "exp")
	if !ok {
		return refuse(fix, "The token does not say when it ends.")
	}
	if !now.Before(exp.Add(Skew)) {
		return refuse(fix, "The token ended %s ago.", now.Sub(exp).Round(time.Second))
	}
	iat, ok := instant(doc, "iat")
	if !ok {
		return refuse(fix, "The token does not say when it was made.")
	}
	if ahead := iat.Sub(now); ahead > Skew {
		return refuse(fix, "The token was made %s in the future.", ahead.Round(time.Second))
	}
	if age := now.Sub(iat); fresh && age > Skew {
		return refuse(fix, "The token was made %s ago, and was asked for just now.", age.Round(time.Second))
	}
	if nbf, ok := instant(doc, "nbf"); ok && nbf.Sub(now) > Skew {
		return refuse(fix, "The token is not valid yet.")
	}
	return nil
}

// instant returns the time that a claim states in seconds since 1970, and whether
// it states one.
func instant(doc Document, claim string) (time.Time, bool) {
	n, ok := doc[claim].(json.Number)
	if !ok {
		return time.Time{}, false
	}
	f, err := n.Float64()
	if err != nil || f < 0 || f > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(f), 0), true
}

// idToken verifies the ID token of a sign-in.
func (s *Service) idToken(ctx context.Context, p Provider, c *connection, raw, access, nonce string) (Document, error) {
	token, doc, err := s.signed(ctx, p, c, raw)
	if err != nil {
		return nil, err
	}
	if err := s.timely(doc, true); err != nil {
		return doc, err
	}
	if got, _ := doc["nonce"].(string); got == "" || subtle.ConstantTimeCompare([]byte(got), []byte(nonce)) != 1 {
		return doc, refuse("Start the sign-in again.", "The token does not answer this sign-in: its nonce is another one.")
	}
	if sub, _ := doc["sub"].(string); sub == "" || !oneLine(sub, 255) {
		return doc, refuse("Let the provider send a subject (sub).", "The token does not say who it is about.")
	}
	if token.AccessTokenHash != "" && token.VerifyAccessToken(access) != nil {
		return doc, refuse("Start the sign-in again.", "The token does not belong to the access token it came with.")
	}
	return doc, nil
}

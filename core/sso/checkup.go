package sso

import (
	"context"

	"github.com/vivified/vivified/core/fault"
)

// Found is what a provider says of itself.
type Found struct {
	OK            bool     `json:"ok"`
	Problem       string   `json:"problem,omitempty"` // what went wrong
	Fix           string   `json:"fix,omitempty"`     // what puts it right
	Authorization string   `json:"authorization_endpoint,omitempty"`
	Token         string   `json:"token_endpoint,omitempty"`
	Keys          string   `json:"jwks_uri,omitempty"`
	UserInfo      string   `json:"userinfo_endpoint,omitempty"`
	EndSession    string   `json:"end_session_endpoint,omitempty"`
	Algorithms    []string `json:"algorithms,omitempty"` // that it signs by and that are accepted
	Backchannel   bool     `json:"backchannel_logout_supported"`
	SigningKeys   int      `json:"signing_keys"`
}

// Check asks a provider now what it is, and for its keys. A provider that does not
// answer as it should is what was found, and no error.
func (s *Service) Check(ctx context.Context, id string) (Found, error) {
	p, err := s.Provider(ctx, id)
	if err != nil {
		return Found{}, err
	}
	c, err := s.discover(ctx, p)
	if err != nil {
		f := fault.Of(err)
		return Found{Problem: causeOf(f), Fix: discoveryFix(f)}, nil
	}
	e := c.provider.Endpoint()
	found := Found{
		Authorization: e.AuthURL, Token: e.TokenURL, Keys: c.meta.JWKS, UserInfo: c.provider.UserInfoEndpoint(), EndSession: c.meta.EndSession,
		Algorithms: c.algs, Backchannel: c.meta.Backchannel,
	}
	keys, err := c.keys.read(ctx)
	if found.SigningKeys = len(keys); err != nil || len(keys) == 0 {
		found.Problem, found.Fix = "The provider's signing keys cannot be read, or none is usable.", "Look whether this machine reaches "+c.meta.JWKS+"."
		return found, nil
	}
	found.OK = true
	return found, nil
}

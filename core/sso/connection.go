package sso

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/vivified/vivified/core/fault"
)

// How long what a provider says of itself is believed, and how long a failure is.
const (
	metadataLife = time.Hour
	failureLife  = 3 * time.Second
)

// algorithms are those a provider may sign by: asymmetric ones, so that no client
// secret is a signing key, and never none.
var algorithms = []string{oidc.RS256, oidc.RS384, oidc.RS512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.EdDSA}

// metadata is what a discovery document says beside what go-oidc reads (OpenID
// Connect Discovery 1.0 section 3, RP-Initiated Logout 1.0, RFC 9207).
type metadata struct {
	JWKS        string   `json:"jwks_uri"`
	EndSession  string   `json:"end_session_endpoint"`
	Algorithms  []string `json:"id_token_signing_alg_values_supported"`
	Auth        []string `json:"token_endpoint_auth_methods_supported"`
	Challenges  []string `json:"code_challenge_methods_supported"`
	IssInAnswer bool     `json:"authorization_response_iss_parameter_supported"`
	Backchannel bool     `json:"backchannel_logout_supported"`
}

// connection is what is known of a provider: where it answers and by which keys it
// signs.
type connection struct {
	mu      sync.Mutex
	version int64
	until   time.Time
	failed  error

	client   *http.Client
	provider *oidc.Provider
	meta     metadata
	algs     []string
	keys     *keySet
	auth     oauth2.AuthStyle
}

// connections are those in use, by the provider's id.
type connections struct {
	mu sync.Mutex
	of map[string]*connection
}

func (c *connections) get(id string) *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	one, ok := c.of[id]
	if !ok {
		one = &connection{}
		c.of[id] = one
	}
	return one
}

// connect returns what is known of a provider, after asking it when that is old.
func (s *Service) connect(ctx context.Context, p Provider) (*connection, error) {
	shared := s.links.get(p.ID)
	shared.mu.Lock()
	defer shared.mu.Unlock()
	now := s.Now()
	if shared.version != p.Version || !now.Before(shared.until) {
		fresh, err := s.discover(ctx, p)
		life := metadataLife
		if err != nil {
			life = failureLife
			if shared.provider != nil && shared.version == p.Version {
				err = nil // what it said before still holds while it cannot be asked
			}
			fresh = &connection{client: shared.client, provider: shared.provider, meta: shared.meta, algs: shared.algs, keys: shared.keys, auth: shared.auth}
		} else if shared.keys != nil && shared.version == p.Version && shared.keys.url == fresh.keys.url {
			fresh.keys = shared.keys
		}
		shared.client, shared.provider, shared.meta, shared.algs, shared.keys, shared.auth = fresh.client, fresh.provider, fresh.meta, fresh.algs, fresh.keys, fresh.auth
		shared.version, shared.until, shared.failed = p.Version, now.Add(life), err
	}
	if shared.failed != nil {
		return nil, shared.failed
	}
	return &connection{client: shared.client, provider: shared.provider, meta: shared.meta, algs: shared.algs, keys: shared.keys, auth: shared.auth}, nil
}

// discover asks a provider what it is. Its errors are faults of code sso.discovery
// whose cause is for administrators.
func (s *Service) discover(ctx context.Context, p Provider) (*connection, error) {
	c := &connection{}
	var err error
	if c.client, err = s.client(p.Issuer); err != nil {
		return nil, undiscovered(err)
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, c.client), patience)
	defer cancel()
	if c.provider, err = oidc.NewProvider(ctx, p.Issuer); err != nil {
		return nil, undiscovered(err)
	}
	if err := c.provider.Claims(&c.meta); err != nil {
		return nil, undiscovered(err)
	}
	e := c.provider.Endpoint()
	for what, address := range map[string]string{"authorization_endpoint": e.AuthURL, "token_endpoint": e.TokenURL, "jwks_uri": c.meta.JWKS} {
		if err := endpoint(p.Issuer, address); err != nil {
			return nil, undiscovered(fmt.Errorf("%s: %w", what, err))
		}
	}
	if c.meta.EndSession != "" && endpoint(p.Issuer, c.meta.EndSession) != nil {
		c.meta.EndSession = ""
	}
	for _, alg := range c.meta.Algorithms {
		if slices.Contains(algorithms, alg) {
			c.algs = append(c.algs, alg)
		}
	}
	if len(c.meta.Algorithms) == 0 {
		c.algs = []string{oidc.RS256} // OpenID Connect Core section 15.1
	}
	if len(c.algs) == 0 {
		return nil, undiscovered(fmt.Errorf("it signs by %s only, none of which is accepted", clip(strings.Join(c.meta.Algorithms, ", "))))
	}
	c.auth = oauth2.AuthStyleInHeader
	if len(c.meta.Auth) > 0 && !slices.Contains(c.meta.Auth, "client_secret_basic") {
		c.auth = oauth2.AuthStyleInParams
	}
	if len(p.sealed) == 0 {
		c.auth = oauth2.AuthStyleInParams // a public client says who it is and proves nothing
	}
	c.keys = newKeySet(c.meta.JWKS, c.client, s.Now)
	return c, nil
}

// endpoint refuses an address that a browser or the core must not be sent to.
func endpoint(issuer, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%q is not an address", clip(address))
	}
	i, err := url.Parse(issuer)
	if err != nil {
		return err
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && i.Scheme == "http" && u.Hostname() == i.Hostname()) {
		return fmt.Errorf("%q is not reached by https", clip(address))
	}
	return nil
}

// undiscovered is the answer while a provider does not say what it is.
func undiscovered(cause error) *fault.Fault {
	f := fault.New(fault.Unavailable, "sso.discovery", "The identity provider cannot be asked just now; try again shortly.").Because(cause)
	f.RetryAfter = failureLife
	return f
}

// oauth returns the client of a provider, for the core's own requests.
func (s *Service) oauth(p Provider, c *connection) (*oauth2.Config, error) {
	secret, err := s.secret(p)
	if err != nil {
		return nil, err
	}
	e := c.provider.Endpoint()
	e.AuthStyle = c.auth
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: secret, Endpoint: e, RedirectURL: p.RedirectURI, Scopes: p.Scopes}, nil
}

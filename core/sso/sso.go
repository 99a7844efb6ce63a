// Package sso signs people in by identity providers (OpenID Connect): it keeps the
// providers, leads a browser there and back, maps what their claims say to roles
// and traits, and ends what they end.
//
// It refuses every answer that is not exactly one it asked for: another browser's
// state, a used one, a token of another issuer, audience, nonce, time or algorithm.
// Issuer and subject are an identity; an e-mail address is none, so that nobody
// takes an account over by owning its address somewhere. Every attempt keeps its
// steps, with a sentence that says what to put right; no step keeps a secret.
package sso

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/db"
)

// Skew is how far the clocks of a provider and of the core may be apart.
const Skew = 2 * time.Minute

// Limits of what is kept.
const (
	flowLife     = 10 * time.Minute    // from the start here to the return from the provider
	mostFlows    = 20_000              // sign-ins on their way
	keepAttempts = 30 * 24 * time.Hour // and of each provider
	mostAttempts = 500
)

// Sealer works with the master key. settings.Sealer is one.
type Sealer interface {
	// Seal encrypts plain, bound to aad, which Open must be given again.
	Seal(plain, aad []byte) (sealed []byte, err error)
	// Open fails for a text that was altered or belongs to another aad or key.
	Open(sealed, aad []byte) (plain []byte, err error)
	// Digest is a keyed hash of data for one purpose.
	Digest(purpose string, data []byte) string
}

// Recorder makes audit records durable that accompany no change. audit.Writer is one.
type Recorder interface {
	// Decide returns once the record is committed, or a fault of kind Unavailable.
	Decide(ctx context.Context, e audit.Entry) error
}

// Config is what a Service needs. Fields without a default must be set.
type Config struct {
	Pool   *pgxpool.Pool
	People *identity.Service
	Sealer Sealer
	Record Recorder
	Public string // address of this console, without a slash at its end

	// Judge accepts at as a place where host may be asked. named says that an
	// administrator configured exactly this host as an issuer: then it may be private.
	Judge func(host string, named bool, at netip.AddrPort) error

	// BreakGlass says whether an account stands ready to get in by when no provider
	// answers; nil: not asked.
	BreakGlass func(context.Context) (bool, error)

	Roots *x509.CertPool   // certificate authorities; default the system's
	Now   func() time.Time // default time.Now
	Log   *slog.Logger     // default slog.Default
}

// Service is single sign-on of one replica. It is safe for concurrent use.
type Service struct {
	Config
	links connections
}

// Open returns a Service.
func Open(c Config) (*Service, error) {
	if c.Pool == nil || c.People == nil || c.Sealer == nil || c.Record == nil || c.Public == "" || c.Judge == nil {
		return nil, errors.New("sso: Pool, People, Sealer, Record, Public and Judge must be set")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Log = cmp.Or(c.Log, slog.Default())
	return &Service{Config: c, links: connections{of: map[string]*connection{}}}, nil
}

// Run forgets what ended a while ago, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := s.Trim(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "single sign-on upkeep failed and will be tried again", "error", err)
		}
	}
}

// Trim forgets sign-ins nobody came back from, used logout tokens and old attempts.
func (s *Service) Trim(ctx context.Context) error {
	q, now := db.New(s.Pool), s.now()
	if _, err := q.SSOFlowTrim(ctx, now.Add(-flowLife)); err != nil {
		return fmt.Errorf("trim sign-ins on their way: %w", err)
	}
	if _, err := q.SSOLogoutTokenTrim(ctx, now); err != nil {
		return fmt.Errorf("trim logout tokens: %w", err)
	}
	if _, err := q.SSOAttemptTrim(ctx, now.Add(-keepAttempts), mostAttempts); err != nil {
		return fmt.Errorf("trim attempts: %w", err)
	}
	return nil
}

// now is the time in UTC, as exact as the database keeps it.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// Addresses of this console that a provider is told of, to be registered there
// letter by letter.

// RedirectURI is where the provider sends people back to.
func (s *Service) RedirectURI(id string) string { return s.Public + "/auth/oidc/" + id + "/callback" }

// BackchannelURI is where the provider tells that a session ended.
func (s *Service) BackchannelURI(id string) string {
	return s.Public + "/auth/oidc/" + id + "/backchannel"
}

// SignedOutURI is where the provider sends people who signed out there too.
func (s *Service) SignedOutURI() string { return s.Public + "/sign-in" }

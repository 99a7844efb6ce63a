// Package identity proves who acts: people by password, session and API key,
// plugins by signed tokens; and it keeps the people, their roles and traits.
//
// It signs the tokens of plugins and the core's own calls, and seals the private
// keys it signs with. It never decides what a proved actor may do, with two
// exceptions that no policy may lift: nobody hands out or takes away a sensitive
// trait above their own, and the last administrator stays. It refuses every
// credential that is not exactly of a form it issued, and says to nobody why.
package identity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// Plugins answers what a plugin's token depends on. registry.Registry is one.
type Plugins interface {
	// PluginStanding returns the state of a registered plugin and the generation
	// its tokens must be of; a token of another generation is void.
	PluginStanding(id string) (state policy.State, generation int64, ok bool)
}

// Sealer works with the master key. settings.Sealer is one.
type Sealer interface {
	// Seal encrypts plain, bound to aad, which Open must be given again.
	Seal(plain, aad []byte) (sealed []byte, err error)
	// Open fails for a text that was altered or belongs to another aad or key.
	Open(sealed, aad []byte) (plain []byte, err error)
	// Digest is a keyed hash of data for one purpose.
	Digest(purpose string, data []byte) string
}

// Recorder makes audit records durable that accompany no change: refused
// credentials and failed sign-ins. audit.Writer is one.
type Recorder interface {
	// Decide returns once the record is committed, or a fault of kind Unavailable.
	Decide(ctx context.Context, e audit.Entry) error
}

// Waker tells the other replicas that something changed, and hears of it.
type Waker interface {
	Wake(topic string) error
	OnWake(ctx context.Context, topic string, f func()) error
}

// Config is what a Service needs. Fields without a default must be set.
type Config struct {
	Pool    *pgxpool.Pool
	Plugins Plugins
	Sealer  Sealer
	Record  Recorder
	Issuer  string                 // the core's public URL: iss of everything it signs
	Traits  func() *trait.Registry // the registry in force; default trait.Builtin
	Waker   Waker                  // nil: no other replica
	Plain   bool                   // plain http on loopback: the cookie is vv_session and not Secure

	FourEyes func() bool // whether two people give sensitive traits; default: one does

	LocalLogin func() bool // whether passwords kept here sign people in; default: they do

	SetupToken string // fixes the one-time token of the first run; default: a random one

	IdlePHI  time.Duration // longest pause in a session of somebody who handles PHI; default 15 min
	Idle     time.Duration // the same for everybody else; default 60 min
	Absolute time.Duration // longest life of a session; default 12 h

	KeyLife func() time.Duration // how far ahead an API key may expire now; default: a year

	Demands func() Demands // what a sign-in must show now; default: DefaultDemands

	Hashing *argon2id.Params // default: see hashing
	Now     func() time.Time // default time.Now
	Log     *slog.Logger     // default slog.Default
}

// Service is the identity of one replica. It is safe for concurrent use.
type Service struct {
	Config
	hasher  *hasher
	party   *webauthn.WebAuthn
	keys    atomic.Pointer[keyring]
	reads   atomic.Int64 // how often the keyring was read
	stale   atomic.Bool  // it must be read again
	missed  atomic.Int64 // when an unknown kid last made us read it, Unix ns
	people  *recent[[32]byte, *principal]
	plugins *recent[[32]byte, *PluginClaims]
	ended   endedFamilies
	denials chan struct{} // a place for every refusal being recorded
}

// topic is what identity services wake each other by.
const topic = "identity"

// Open returns a Service: its keys are read, or made on the very first start. It
// fails when sealed keys cannot be opened, that is without their master key.
func Open(ctx context.Context, c Config) (*Service, error) {
	if c.Pool == nil || c.Plugins == nil || c.Sealer == nil || c.Record == nil || c.Issuer == "" {
		return nil, errors.New("identity: Pool, Plugins, Sealer, Record and Issuer must be set")
	}
	if c.Traits == nil {
		c.Traits = trait.Builtin
	}
	c.IdlePHI = cmp.Or(c.IdlePHI, 15*time.Minute)
	c.Idle = cmp.Or(c.Idle, time.Hour)
	c.Absolute = cmp.Or(c.Absolute, 12*time.Hour)
	if c.KeyLife == nil {
		c.KeyLife = func() time.Duration { return usualKeyLife }
	}
	if c.Demands == nil {
		c.Demands = DefaultDemands
	}
	c.Hashing = cmp.Or(c.Hashing, &hashing)
	if c.FourEyes == nil {
		c.FourEyes = func() bool { return false }
	}
	if c.LocalLogin == nil {
		c.LocalLogin = func() bool { return true }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Log = cmp.Or(c.Log, slog.Default())
	s := &Service{
		Config: c, denials: make(chan struct{}, 64),
		people: newRecent[[32]byte, *principal](8192), plugins: newRecent[[32]byte, *PluginClaims](8192),
	}
	var err error
	if s.hasher, err = newHasher(c.Hashing); err != nil {
		return nil, err
	}
	if s.party, err = relyingParty(c.Issuer); err != nil {
		return nil, err
	}
	if err = s.rotateWhenDue(ctx); err != nil {
		return nil, fmt.Errorf("identity: signing keys: %w", err)
	}
	return s, nil
}

// Run keeps the keys current and forgets what ended long ago, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	if s.Waker != nil {
		if err := s.Waker.OnWake(ctx, topic, s.Invalidate); err != nil {
			return err
		}
	}
	read, trim := time.NewTicker(5*time.Second), time.NewTicker(time.Hour)
	defer read.Stop()
	defer trim.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-read.C:
			err = s.Tend(ctx)
		case <-trim.C:
			err = s.Trim(ctx)
		}
		if err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "identity upkeep failed and will be tried again", "error", err)
		}
	}
}

// Tend does once what Run does every few seconds: it keeps the signing keys
// current, and closes the looks that are over.
func (s *Service) Tend(ctx context.Context) error {
	return errors.Join(s.rotateWhenDue(ctx), s.closeViewings(ctx))
}

// Invalidate makes every credential be looked up again at its next use. Without
// it a revocation made elsewhere takes effect within a second.
func (s *Service) Invalidate() {
	s.people.clear()
	s.ended.forget()
	s.stale.Store(true)
}

// changed makes a committed change of credentials count here at once and on the
// other replicas as soon as they hear of it.
func (s *Service) changed(ctx context.Context) {
	s.Invalidate()
	if s.Waker == nil {
		return
	}
	if err := s.Waker.Wake(topic); err != nil {
		s.Log.WarnContext(ctx, "other replicas not woken; they follow within a second", "error", err)
	}
}

// Trim forgets sessions, links, tokens, private keys and counts that ended a while ago.
func (s *Service) Trim(ctx context.Context) error {
	q, now := db.New(s.Pool), s.now()
	for _, t := range []struct {
		what string
		trim func(context.Context, time.Time) (int64, error)
		keep time.Duration
	}{
		{"sessions", q.SessionTrim, 30 * 24 * time.Hour},
		{"invitations", q.InvitationTrim, 30 * 24 * time.Hour},
		{"refresh tokens", q.RefreshTokenTrim, 24 * time.Hour},
		{"signing keys", q.SigningKeyBurn, time.Hour},
		{"sign-in counts", q.ThrottleTrim, 24 * time.Hour},
		{"steps of sign-ins", q.SignInStepTrim, 0},
		{"unconfirmed authenticators", q.TOTPForget, 24 * time.Hour},
		{"places of sign-ins", q.SignInOriginTrim, knownFor},
	} {
		if _, err := t.trim(ctx, now.Add(-t.keep)); err != nil {
			return fmt.Errorf("trim %s: %w", t.what, err)
		}
	}
	return nil
}

// now is the time in UTC, as exact as the database keeps it.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// unavailable is the fault for a credential that cannot be looked up now.
func unavailable(cause error) *fault.Fault {
	f := fault.New(fault.Unavailable, "identity.unavailable", "Who you are cannot be checked just now; try again shortly.").Because(cause)
	f.RetryAfter = 2 * time.Second
	return f
}

package evidence

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/rulebook"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/siem"
	"github.com/vivified/vivified/core/sso"
)

// Plugged knows the plugins. registry.Registry is one.
type Plugged interface {
	// Snapshot returns the plugins as they are now.
	Snapshot() *registry.Snapshot
}

// Config is what a Service reads. All but Now must be set.
type Config struct {
	Pool     *pgxpool.Pool
	Audit    *audit.Store
	Settings *settings.Settings
	People   *identity.Service
	SSO      *sso.Service
	Rules    *rulebook.Rulebook
	Plugins  Plugged
	SIEM     *siem.Service
	Signer   audit.Signer // of packs

	Heads      string              // the file of signed heads
	Copies     []*audit.HeadCopier // to other places
	Address    string              // people reach the core by
	Version    string              // of the core
	Secure     bool                // served over TLS, here or by a trusted proxy
	KeyOutside bool                // the master key does not lie in the data directory

	Now func() time.Time // default: time.Now
}

// Service says what evidence there is. It is safe for concurrent use.
type Service struct{ Config }

// New returns a Service.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Service{c}
}

// Periods are the lengths of time that can be looked at, in days.
func Periods() []int { return []int{30, 90, 365} }

// Show returns the evidence of the last days, or an Invalid fault where they are
// none of Periods. Whoever acts in ctx sees the records of their tenant.
func (s *Service) Show(ctx context.Context, days int) (Evidence, error) {
	if !slices.Contains(Periods(), days) {
		return Evidence{}, fault.New(fault.Invalid, "evidence.period", "The evidence is of the last 30, 90 or 365 days.")
	}
	at := s.Now().UTC().Truncate(time.Microsecond)
	since := at.AddDate(0, 0, -days)
	facts, err := s.gather(ctx, since, at)
	if err != nil {
		return Evidence{}, err
	}
	return Evidence{
		At: at, Days: days, Since: since, Organisation: s.Settings.String(settings.Organisation), Address: s.Address, Version: s.Version, Controls: Judge(facts),
	}, nil
}

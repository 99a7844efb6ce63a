package alert

import (
	"context"
	"crypto/x509"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/siem"
)

// Ways says how people are told. It is asked for each message, so that a change
// holds from the next one on.
type Ways struct {
	WebhookURL    string // "": none
	WebhookSecret string // whsec_…, which the signature is made with

	To   []string // addresses that e-mail goes to; none: no e-mail
	From string   // address it comes from
	SMTP SMTP     // used where no plugin sends messages

	Roots *x509.CertPool // certificate authorities to believe; nil: those of the machine
}

// Messenger sends a message through a plugin. ok is false when no plugin does
// that now; an error is the plugin's.
type Messenger interface {
	Send(ctx context.Context, to []string, subject, body string) (ok bool, err error)
}

// Config is what a Service needs. Fields without a default must be set.
type Config struct {
	Pool      *pgxpool.Pool
	Store     *audit.Store
	Plugins   *registry.Registry
	SIEM      *siem.Service
	Admins    func(context.Context) (int, error) // how many active administrators there are
	Ways      func() Ways
	Messenger Messenger        // default: none
	Public    string           // address of the console, for links
	Replica   string           // holder of the lease
	Keep      time.Duration    // how long resolved alerts are kept; default 400 days
	Poll      time.Duration    // how often new records are looked for; default one second
	Now       func() time.Time // default: time.Now
	Log       *slog.Logger
}

// Service holds rules against the audit. It is safe for concurrent use.
type Service struct {
	Config
	tenant string
}

// New returns a Service. Run watches and tells.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Poll <= 0 {
		c.Poll = time.Second
	}
	if c.Keep <= 0 {
		c.Keep = 400 * 24 * time.Hour
	}
	return &Service{Config: c, tenant: actor.DefaultTenant}
}

// now is the present in the precision of the database.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

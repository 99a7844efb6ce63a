package siem

import (
	"crypto/x509"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/audit"
)

// Sealer works with the master key. settings.Sealer is one.
type Sealer interface {
	// Seal encrypts plain, bound to aad, which Open must be given again.
	Seal(plain, aad []byte) (sealed []byte, err error)
	// Open fails for a text that was altered or belongs to another aad or key.
	Open(sealed, aad []byte) (plain []byte, err error)
}

// Config is what a Service needs. Fields without a default must be set.
type Config struct {
	Pool    *pgxpool.Pool
	Store   *audit.Store
	Sealer  Sealer
	Replica string           // holder of the leases
	Roots   *x509.CertPool   // default: those of the system
	Now     func() time.Time // default: time.Now
	Poll    time.Duration    // how often new records are looked for; default one second
	Log     *slog.Logger
}

// Service keeps the sinks and sends to them. It is safe for concurrent use.
type Service struct {
	Config
}

// New returns a Service. Run sends.
func New(c Config) *Service {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Poll <= 0 {
		c.Poll = time.Second
	}
	return &Service{Config: c}
}

// Kind is the protocol of a sink.
type Kind string

// The kinds.
const (
	// Syslog is RFC 5424 over TLS as RFC 5425 has it: one message a record, whose
	// text is the record as the audit exports it.
	Syslog Kind = "syslog"

	// Webhook is a POST of JSON, signed as the Standard Webhooks specification
	// has it: HMAC-SHA-256 of id, time and body.
	Webhook Kind = "webhook"

	// OTLP is OpenTelemetry's log records over HTTP, as JSON (OTLP 1.0).
	OTLP Kind = "otlp"
)

// Kinds are all kinds, in the order in which people are offered them.
func Kinds() []Kind { return []Kind{Syslog, Webhook, OTLP} }

// Spec is what people say of a sink.
type Spec struct {
	Name    string
	Kind    Kind   // cannot be changed later
	Address string // host:port of a syslog server, else a URL

	// CA is one or more certificates in PEM that the other side's must lead to; "":
	// those of the system.
	CA string

	// Certificate is the core's own, in PEM, for a syslog server that asks for one;
	// its key is the secret.
	Certificate string

	// Secret is the key of a webhook's signature (whsec_ and base64 of 24 to 64
	// bytes), the bearer token of a collector, or the private key in PEM of the
	// certificate. It is kept sealed and never told. When a sink is changed nil
	// keeps the one there is, and "" removes it.
	Secret *string

	Enabled bool

	// FromStart sends a new sink everything there is; otherwise it begins now.
	FromStart bool
}

// Sink is a sink and how it fares.
type Sink struct {
	ID          uuid.UUID
	Name        string
	Kind        Kind
	Address     string
	CA          string
	Certificate string
	SecretSet   *time.Time // nil: it has none
	Enabled     bool
	Version     int64
	CreatedBy   string
	CreatedAt   time.Time

	Sent      int64      // records confirmed
	Rejected  int64      // records the other side refused for good
	Missed    int64      // records that were gone before they could be sent
	SentAt    *time.Time // of the last confirmation
	Failing   *time.Time // since when; nil: it is not
	LastError string

	Behind int64     // records that wait
	Oldest time.Time // when the oldest of them was written; zero: none waits
}

// Lag is how long the oldest waiting record has waited.
func (s *Sink) Lag(now time.Time) time.Duration {
	if s.Oldest.IsZero() {
		return 0
	}
	return max(now.Sub(s.Oldest), 0)
}

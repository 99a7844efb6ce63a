package approval

import (
	"cmp"
	"context"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/registry"
)

// Manifests checks a manifest before it is accepted. pluginmgr.Manager is one.
type Manifests interface {
	// Acceptance checks what of a plugin waits and has that digest, and returns it
	// to be put in force; a Conflict fault when something else waits.
	Acceptance(ctx context.Context, plugin, digest string) (registry.Acceptance, error)
	// Widens says in words what of a plugin waits beyond what is in force.
	Widens(plugin string) []string
}

// Config is what a Service needs. Fields without a default must be set.
type Config struct {
	Pool      *pgxpool.Pool
	Registry  *registry.Registry
	People    *identity.Service
	Manifests Manifests
	Rules     Rules    // nil: no rules are published by two people
	Settings  Settings // nil: no setting is changed by two
	Replica   string   // this replica's name, under which it holds its lease

	Life    func() time.Duration // how long a request waits; default 14 days
	OwnWord func() bool          // whether the last administrator may decide what they asked for; default yes

	// FourEyes says whether two people give: what was not asked for by another person
	// becomes a request. Default no.
	FourEyes func() bool

	Now func() time.Time // default time.Now
	Log *slog.Logger     // default slog.Default
}

// Service keeps the requests of an installation. It is safe for concurrent use.
type Service struct{ Config }

// New returns a Service.
func New(c Config) *Service {
	if c.Life == nil {
		c.Life = func() time.Duration { return 14 * day }
	}
	if c.OwnWord == nil {
		c.OwnWord = func() bool { return true }
	}
	if c.FourEyes == nil {
		c.FourEyes = func() bool { return false }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Log = cmp.Or(c.Log, slog.Default())
	return &Service{c}
}

// now is the time in UTC, as exact as the database keeps it.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// longest is how many bytes a reason may have.
const longest = 500

// because returns a reason as it is kept, or an Unprocessable fault: whoever asks
// and whoever decides says why.
func because(reason string) (string, error) {
	reason = strings.TrimSpace(reason)
	switch {
	case reason == "":
		return "", violation("approval.reason", "/reason", "The reason is missing.", "Say why, for those who decide and for those who wonder later.")
	case len(reason) > longest || !utf8.ValidString(reason):
		return "", violation("approval.reason", "/reason", "The reason is longer than 500 bytes.", "Shorten it.")
	case strings.ContainsFunc(reason, func(c rune) bool { return c != '\n' && !unicode.IsGraphic(c) }):
		return "", violation("approval.reason", "/reason", "The reason has characters that cannot be seen.", "Leave out control and direction marks.")
	}
	return reason, nil
}

// violation is an Unprocessable fault of a single broken rule.
func violation(rule, path, message, fix string) *fault.Fault {
	f := fault.New(fault.Unprocessable, rule, "%s", message)
	f.Violations = []fault.Violation{{Rule: rule, Path: path, Message: message, Fix: fix}}
	return f
}

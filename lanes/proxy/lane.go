package proxy

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/registry"
)

// Plugins knows who may reach what. *registry.Registry is one.
type Plugins interface {
	Snapshot() *registry.Snapshot
	Changed() <-chan struct{} // closed at the next snapshot
}

// Observer remembers domains that were asked for and refused, as a proposal to
// administrators. *registry.Registry is one.
type Observer interface {
	Observe(ctx context.Context, plugin, domain, rule string) error
}

// Config is what the lane needs.
type Config struct {
	Plugins  Plugins
	Gate     *gate.Gate
	Observer Observer
	Resolver Resolver       // see NewResolver
	Judge    Judge          // which addresses may be dialled
	Roots    *x509.CertPool // whose certificates are believed; see Roots
	HashKey  []byte         // for the hashes of queries in the audit; default: random, so hashes compare within one run only
	Pool     *pgxpool.Pool  // where credentials are kept; nil: there are none
	Sealer   Sealer         // of credentials
	Limits   Limits
	Now      func() time.Time // default time.Now
	Log      *slog.Logger
}

// Limits bound what a request may cost. An approval may set lower ones.
type Limits struct {
	Body      int64         // bytes of a body each way, after decompression; default 10 MiB
	Timeout   time.Duration // for an answer; between two pieces of a streamed one; default 30 s
	Redirects int           // followed in one request; default 5
	Rate      int           // requests a second and plugin; default 1,000
	InFlight  int           // requests at a time and plugin; default 64
}

func (l Limits) withDefaults() Limits {
	if l.Body <= 0 {
		l.Body = 10 << 20
	}
	if l.Timeout <= 0 {
		l.Timeout = 30 * time.Second
	}
	if l.Redirects <= 0 {
		l.Redirects = 5
	}
	if l.Rate <= 0 {
		l.Rate = 1000
	}
	if l.InFlight <= 0 {
		l.InFlight = 64
	}
	return l
}

// Lane carries requests to the outside. Safe for concurrent use.
type Lane struct {
	plugins  Plugins
	gate     *gate.Gate
	dialer   *Dialer
	roots    *x509.CertPool
	hashKey  []byte
	limits   Limits
	now      func() time.Time
	log      *slog.Logger
	learned  *learning
	outlets  outlets
	approved windows
	usage    usages

	credentials    credentials
	tokenTransport *transport
}

// New returns the lane. It works before Run is called, but learns nothing then.
func New(c Config) *Lane {
	if c.Now == nil {
		c.Now = time.Now
	}
	if len(c.HashKey) == 0 {
		c.HashKey = make([]byte, 32)
		rand.Read(c.HashKey) // never fails (crypto/rand)
	}
	l := &Lane{
		plugins: c.Plugins, gate: c.Gate, dialer: NewDialer(c.Resolver, c.Judge, c.Now), roots: c.Roots,
		hashKey: c.HashKey, limits: c.Limits.withDefaults(), now: c.Now, log: c.Log, learned: newLearning(c.Observer, c.Log, c.Now),
	}
	l.credentials.pool, l.credentials.sealer = c.Pool, c.Sealer
	l.tokenTransport = newTransport(l.dialer, l.roots)
	l.outlets.open = func() *outlet { return newOutlet(newTransport(l.dialer, l.roots), l.limits) }
	return l
}

// Run closes the connections of plugins that stop being active, ends their
// requests, keeps the credentials current, and stores what was learned, until ctx
// ends.
func (l *Lane) Run(ctx context.Context) error {
	var learning sync.WaitGroup
	learning.Go(func() { l.learned.run(ctx) })
	defer learning.Wait()
	for {
		changed := l.plugins.Changed()
		l.outlets.closeInactive(l.plugins.Snapshot())
		if err := l.credentials.load(ctx); err != nil && ctx.Err() == nil {
			l.log.WarnContext(ctx, "credentials not read anew", "error", err)
		}
		select {
		case <-ctx.Done():
			l.outlets.closeAll()
			l.tokenTransport.CloseIdleConnections()
			return nil
		case <-changed:
		}
	}
}

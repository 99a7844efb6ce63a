// Package registry knows which plugins exist: their manifest, state, address,
// grants and approvals.
//
// Everything the lanes ask on their way is answered from a snapshot in memory.
// Changes go to the database, compare-and-set, together with their audit row;
// then every replica is woken to read anew. It refuses moves that the table of
// states does not list, and it starts and stops nothing itself.
package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/db"
)

// Waker tells all replicas that something changed, and hears of it.
type Waker interface {
	Wake(topic string) error
	OnWake(ctx context.Context, topic string, f func()) error
}

// topic is what registries wake each other by.
const topic = "registry"

// Config is what a Registry needs.
type Config struct {
	Pool    *pgxpool.Pool
	Waker   Waker
	Refresh time.Duration   // how often to read anew even if nobody woke us; default 5 s
	Blocked func() []string // domains the operator blocks, beside the built-in ones
	Log     *slog.Logger
}

// Registry keeps the snapshot current and makes changes. Safe for concurrent use.
type Registry struct {
	pool    *pgxpool.Pool
	waker   Waker
	refresh time.Duration
	blocked func() []string
	log     *slog.Logger

	snapshot atomic.Pointer[Snapshot]
	loading  sync.Mutex // one reader at a time, so that a slower, older read never wins
	changed  chan struct{}
	watchers watchers
}

// Open reads the first snapshot.
func Open(ctx context.Context, c Config) (*Registry, error) {
	if c.Refresh <= 0 {
		c.Refresh = 5 * time.Second
	}
	if c.Blocked == nil {
		c.Blocked = func() []string { return nil }
	}
	r := &Registry{pool: c.Pool, waker: c.Waker, refresh: c.Refresh, blocked: c.Blocked, log: c.Log, changed: make(chan struct{}, 1)}
	if err := r.Load(ctx); err != nil {
		return nil, err
	}
	return r, nil
}

// behind reports whether a change was recorded since the snapshot was read.
func (r *Registry) behind(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, look)
	defer cancel()
	now, err := db.New(r.pool).RegistryRevision(ctx)
	return err == nil && now != r.Snapshot().revision
}

// look is how often a replica that nobody woke looks whether something changed:
// what is revoked counts nowhere a second later, with or without a bus.
const look = 800 * time.Millisecond

// Run follows wake-ups until ctx ends.
func (r *Registry) Run(ctx context.Context) error {
	notify := func() {
		select {
		case r.changed <- struct{}{}:
		default:
		}
	}
	if err := r.waker.OnWake(ctx, topic, notify); err != nil {
		return err
	}
	tick, glance := time.NewTicker(r.refresh), time.NewTicker(look)
	defer tick.Stop()
	defer glance.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.changed:
		case <-tick.C:
		case <-glance.C:
			if !r.behind(ctx) {
				continue
			}
		}
		if err := r.Load(ctx); err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "registry not read; the last snapshot stays in force", "error", err)
		}
	}
}

// Snapshot returns the state of all plugins as last read. It never blocks.
func (r *Registry) Snapshot() *Snapshot { return r.snapshot.Load() }

// Policy returns the policy in force.
func (r *Registry) Policy() *policy.Policy { return r.Snapshot().policy }

// ReadOptions returns how manifests are to be read here: with the traits known
// and the domains blocked now.
func (r *Registry) ReadOptions() manifest.Options {
	return manifest.Options{Traits: r.Snapshot().traits, Blocked: r.blocked()}
}

// loadTimeout bounds one reading of the tables, so that a silent database does
// not keep whoever waits for it.
const loadTimeout = 5 * time.Second

// Load reads the tables, all as they were at one moment, and replaces the snapshot.
func (r *Registry) Load(ctx context.Context) error {
	r.loading.Lock()
	defer r.loading.Unlock()
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	var next *Snapshot
	err := pgx.BeginTxFunc(ctx, r.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
		next, err = read(ctx, db.New(tx), r.snapshot.Load(), r.blocked())
		return err
	})
	if err != nil {
		return fmt.Errorf("read the registry: %w", db.Fault(err))
	}
	r.snapshot.Store(next)
	r.watchers.tell()
	return nil
}

// publish makes a committed change seen here at once, and on every replica soon.
// The change itself is done: a failure to read it back is logged, not returned.
func (r *Registry) publish(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	if err := r.Load(ctx); err != nil {
		r.log.ErrorContext(ctx, "change made, but not read back yet", "error", err)
	}
	if err := r.waker.Wake(topic); err != nil {
		r.log.WarnContext(ctx, "other replicas not woken; they follow within their refresh", "error", err)
	}
}

// PluginStanding answers what identity asks of a plugin's token.
func (r *Registry) PluginStanding(id string) (state policy.State, generation int64, ok bool) {
	p, ok := r.Snapshot().Plugin(id)
	if !ok {
		return "", 0, false
	}
	return p.State, p.Generation, true
}

// Changed returns a channel that is closed at the next new snapshot.
func (r *Registry) Changed() <-chan struct{} { return r.watchers.next() }

// watchers hands out a channel that closes when the snapshot changes.
type watchers struct {
	mu sync.Mutex
	ch chan struct{}
}

func (w *watchers) next() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ch == nil {
		w.ch = make(chan struct{})
	}
	return w.ch
}

func (w *watchers) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ch != nil {
		close(w.ch)
		w.ch = nil
	}
}

// errMoved says that a compare-and-set found another state than its caller saw.
var errMoved = errors.New("moved meanwhile")

// unknown is the fault for a plugin nobody registered.
func unknown(id string) *fault.Fault {
	return fault.New(fault.NotFound, "plugin.unknown", "No plugin is registered under the id %q.", id)
}

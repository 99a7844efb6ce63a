// Package rulebook keeps the administrators' rules: one draft, numbered versions
// that never change, examples that hold them to their word, and which of them is
// in force on this replica.
//
// It refuses to keep a draft that does not compile, to publish one that fails
// its own tests, and to overwrite an edit it was not shown. A published text
// that no longer compiles never opens anything: the last version that did stays
// in force, and a core that knows none does not start.
package rulebook

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// Waker tells all replicas that something changed, and hears of it.
type Waker interface {
	Wake(topic string) error
	OnWake(ctx context.Context, topic string, f func()) error
}

// topic is what rulebooks wake each other by.
const topic = "rulebook"

// look is how often a replica that nobody woke looks whether something was
// published: a rule counts everywhere a second later, with or without a bus.
const look = 800 * time.Millisecond

// Config is what a Rulebook needs.
type Config struct {
	Pool     *pgxpool.Pool
	Audit    *audit.Store
	Traits   func() *trait.Registry // the traits there are now
	FourEyes func() bool            // whether a second person has to publish; default: never
	Waker    Waker
	Replica  string
	Log      *slog.Logger
}

// Inbox shows publications that wait beside what else waits for somebody's word.
// Both are told in the transaction that keeps what they tell. approval.Service is one.
type Inbox interface {
	// Asked tells that a publication waits for a second person.
	Asked(ctx context.Context, q *db.Queries, w Waiting) error
	// Decided tells that one waits no more: approved, denied or withdrawn, and why.
	Decided(ctx context.Context, q *db.Queries, id uuid.UUID, state, reason string) error
}

// Show has an inbox told of what waits. Call it before anything is served: the inbox
// decides by the rulebook, so that neither can be made with the other.
func (b *Rulebook) Show(i Inbox) { b.inbox = i }

// nowhere is the inbox of a rulebook that was shown none.
type nowhere struct{}

func (nowhere) Asked(context.Context, *db.Queries, Waiting) error                     { return nil }
func (nowhere) Decided(context.Context, *db.Queries, uuid.UUID, string, string) error { return nil }

// Rulebook keeps the policy in force current and makes changes. Safe for
// concurrent use.
type Rulebook struct {
	Config
	inbox   Inbox
	force   atomic.Pointer[inForce]
	loading sync.Mutex    // one reader at a time, so that a slower, older read never wins
	changed chan struct{} // somebody woke us
	replays chan replay   // begun here, to be run by Run
}

// Open puts the newest published version in force. It returns a fault when that
// does not compile: a core that does not know its rules must not decide.
func Open(ctx context.Context, c Config) (*Rulebook, error) {
	if c.FourEyes == nil {
		c.FourEyes = func() bool { return false }
	}
	c.Log = cmp.Or(c.Log, slog.Default())
	b := &Rulebook{Config: c, inbox: nowhere{}, changed: make(chan struct{}, 1), replays: make(chan replay, 1)}
	if err := b.Load(ctx); err != nil {
		return nil, err
	}
	return b, nil
}

// Policy returns the policy in force: the built-in rules and the published ones.
// It never asks the database.
func (b *Rulebook) Policy() *policy.Policy {
	now := b.force.Load()
	if traits := b.Traits(); now.traits != traits {
		now = b.retrait(traits)
	}
	return now.policy
}

// InForce says which version is in force on this replica.
func (b *Rulebook) InForce() Standing {
	now := b.force.Load()
	return Standing{Version: now.number, Published: now.published, Broken: now.broken}
}

// Standing is which version is in force, and why it is not the newest one.
type Standing struct {
	Version   int64  `json:"version"`          // 0: none was published
	Published int64  `json:"published"`        // the newest one
	Broken    string `json:"broken,omitempty"` // why the newest one is not in force
}

// Run follows what is published, runs the replays begun here, and buries those
// whose replica died, until ctx ends.
func (b *Rulebook) Run(ctx context.Context) error {
	notify := func() {
		select {
		case b.changed <- struct{}{}:
		default:
		}
	}
	if err := b.Waker.OnWake(ctx, topic, notify); err != nil {
		return err
	}
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { b.runReplays(ctx) })
	glance, bury := time.NewTicker(look), time.NewTicker(shadowLease/2)
	defer glance.Stop()
	defer bury.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-bury.C:
			b.bury(ctx)
			continue
		case <-b.changed:
		case <-glance.C:
		}
		if err := b.Load(ctx); err != nil && ctx.Err() == nil {
			b.Log.WarnContext(ctx, "published rules not read; those in force stay so", "error", err)
		}
	}
}

// loadTimeout bounds one reading, so that a silent database keeps nobody.
const loadTimeout = 5 * time.Second

// Load puts the newest published version in force, if it is not already.
func (b *Rulebook) Load(ctx context.Context) error {
	b.loading.Lock()
	defer b.loading.Unlock()
	ctx, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	q, last := db.New(b.Pool), b.force.Load()
	newest, err := q.PolicyVersionNewest(ctx)
	if err != nil {
		return fmt.Errorf("read the published rules: %w", db.Fault(err))
	}
	if last != nil && last.published == newest {
		return nil
	}
	var text string
	if newest > 0 {
		row, err := q.PolicyVersionGet(ctx, newest)
		if err != nil {
			return fmt.Errorf("read the published rules: %w", db.Fault(err))
		}
		text = row.Text
	}
	next, err := b.enforce(newest, text, last)
	if err != nil {
		return err
	}
	b.force.Store(next)
	return nil
}

// publish makes a committed change seen here at once, and on every replica soon.
// The change itself is done: a failure to read it back is logged, not returned.
func (b *Rulebook) publish(ctx context.Context) {
	ctx = context.WithoutCancel(ctx)
	if err := b.Load(ctx); err != nil {
		b.Log.ErrorContext(ctx, "rules published, but not read back yet", "error", err)
	}
	if err := b.Waker.Wake(topic); err != nil {
		b.Log.WarnContext(ctx, "other replicas not woken; they follow within a second", "error", err)
	}
}

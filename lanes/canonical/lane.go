package canonical

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/canon"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/registry"
)

// Caller delivers one request to a running plugin, whatever it runs in. The
// request's URL carries path and query only. The answer's body is the caller's to close.
type Caller interface {
	Call(ctx context.Context, to *registry.Plugin, r *http.Request) (*http.Response, error)
}

// Tokens signs what the core says to plugins.
type Tokens interface {
	CallToken(audience, caller, user, trace, method, path string) (string, error)
}

// Config is what the lane needs.
type Config struct {
	Bus     *Bus
	Pool    *pgxpool.Pool // of the outbox and the dead letters
	Sealer  Sealer        // of what lies in the outbox
	Plugins *registry.Registry
	Gate    *gate.Gate
	Record  gate.Recorder // for the outcomes of deliveries
	Caller  Caller
	Tokens  Tokens
	IDs     IDs            // nil: every plugin calls a thing the same
	Guests  Guests         // nil: no plugin connects to the bus itself
	Callout *CalloutConfig // of an external bus that asks who connects; nil: it does not
	Replica string         // this replica's name, under which it holds leases
	Limits  Limits
	Now     func() time.Time // default time.Now
	Log     *slog.Logger
}

// Limits bound what the lane keeps and how often it tries.
type Limits struct {
	Keep       time.Duration            // how long events are kept; default 30 days
	KeepTypes  map[string]time.Duration // the same for a type, or all that begin so: user.*
	Tidy       time.Duration            // how often what has passed is removed; default 1 min
	Duplicates time.Duration            // how long a publisher's id is remembered; default 24 h
	MaxDeliver int                      // attempts for one receiver; default 20
	MaxAge     time.Duration            // how long one receiver is tried; default 24 h
	Timeout    time.Duration            // of one webhook; default 10 s
	AckWait    time.Duration            // how long the bus waits for a sign of life of a delivery before it hands the event out again; default 30 s
	Data       int64                    // bytes of an event's data; default 1 MiB
	Transform  time.Duration            // how long a plugin's transformer may take; default 50 ms
	Rate       int                      // events a second and publisher; default 1,000
	InFlight   int                      // publishes at a time and publisher; default 64
	Outbox     int64                    // events that may wait while the bus is down; default 100,000
}

func (l Limits) withDefaults() Limits {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&l.Keep, 30*24*time.Hour)
	set(&l.Tidy, time.Minute)
	l.KeepTypes = normalKeeps(l.KeepTypes)
	set(&l.Duplicates, 24*time.Hour)
	set(&l.MaxAge, 24*time.Hour)
	set(&l.Timeout, 10*time.Second)
	set(&l.AckWait, 30*time.Second)
	set(&l.Transform, 50*time.Millisecond)
	if l.MaxDeliver <= 0 {
		l.MaxDeliver = 20
	}
	if l.Data <= 0 {
		l.Data = 1 << 20
	}
	if l.Rate <= 0 {
		l.Rate = 1000
	}
	if l.InFlight <= 0 {
		l.InFlight = 64
	}
	if l.Outbox <= 0 {
		l.Outbox = 100_000
	}
	return l
}

// The stream. Each event is stored once, as its publisher sent it; what a
// receiver may not see is removed on the way to that receiver. What one receiver is
// to get once more lies there too, where only that receiver's consumer looks.
const eventStream = "EVENTS"

// Lane carries events. Safe for concurrent use.
type Lane struct {
	Config
	js       jetstream.JetStream
	events   jetstream.Stream
	store    *gathering
	inlets   *gate.Throttle
	rounds   rounds
	compiled sync.Map // *manifest.Manifest → *publications
	held     held     // deliveries that wait for an explicit acknowledgement
	outbox   *outbox
	placing  sync.Mutex // one consumer at a time is made, or changed
}

// Open makes the stream, or changes it to the limits of today.
func Open(ctx context.Context, c Config) (*Lane, error) {
	c.Limits = c.Limits.withDefaults()
	if c.Now == nil {
		c.Now = time.Now
	}
	js, err := jetstream.New(c.Bus.Conn)
	if err != nil {
		return nil, fmt.Errorf("open JetStream: %w", err)
	}
	l := &Lane{Config: c, js: js, inlets: gate.NewThrottle(c.Limits.Rate, c.Limits.InFlight), held: held{by: map[heldKey]map[string]holding{}, sent: map[sentKey]int{}, open: map[string]*window{}}}
	l.events, err = js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name: eventStream, Description: "Events, as published.", Subjects: []string{"ev.>", "again.>"}, Storage: jetstream.FileStorage,
		MaxAge: c.Limits.longest(), Duplicates: min(c.Limits.Duplicates, c.Limits.longest()), MaxMsgSize: int32(c.Limits.Data) + 64<<10, Discard: jetstream.DiscardNew,
		DenyDelete: true, AllowDirect: true, AllowMsgTTL: true, AllowAtomicPublish: true,
	})
	if err != nil {
		return nil, fmt.Errorf("make the event stream: %w", err)
	}
	l.store = &gathering{js: js, conn: c.Bus.Conn, able: l.events.CachedInfo().Config.AllowAtomicPublish} // servers before 2.12 know of none
	glance := defaultGlance
	if !c.Bus.Shared() {
		glance = 0
	}
	l.outbox = newOutbox(c.Pool, c.Sealer, c.Limits.Outbox, glance)
	l.rounds = rounds{lane: l, open: map[string]*round{}, runs: map[uuid.UUID]*run{}}
	return l, nil
}

// declaration returns what m declares about an event type.
func (l *Lane) declaration(m *manifest.Manifest, typ string) (publication, bool) {
	declared, ok := m.Events.MayPublish(typ)
	if !ok {
		return publication{}, false
	}
	p, ok := l.compiledOf(m).by[declared.Type]
	return p, ok
}

// compiledOf returns what m declares, compiled at its first use.
func (l *Lane) compiledOf(m *manifest.Manifest) *publications {
	ps, ok := l.compiled.Load(m)
	if !ok {
		ps, _ = l.compiled.LoadOrStore(m, compile(m))
	}
	return ps.(*publications)
}

// forget drops what was compiled for manifests that are no longer in force.
func (l *Lane) forget(snap *registry.Snapshot) {
	live := map[*manifest.Manifest]bool{}
	for _, p := range snap.Plugins() {
		live[p.Manifest] = true
	}
	l.compiled.Range(func(k, _ any) bool {
		if !live[k.(*manifest.Manifest)] {
			l.compiled.Delete(k)
		}
		return true
	})
}

// noMarks are those of an event whose publisher declared no schema.
var noMarks canon.Marks

func busDown(cause error) *fault.Fault {
	f := fault.New(fault.Unavailable, "bus.unavailable", "The event bus does not answer; nothing was published. Try again shortly.").Because(cause)
	f.RetryAfter = 2 * time.Second
	return f
}

// carrier is who acts when the lane delivers.
func carrier(ctx context.Context, trace string) context.Context {
	return actor.WithTrace(actor.With(ctx, actor.Core("canonical lane")), trace)
}

package audit

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// WriterConfig says whose chain a Writer keeps. Replica has no default.
type WriterConfig struct {
	// Replica names this core among those that share the database. Its chain is
	// lane/<Replica>; no two running cores may have the same name.
	Replica string

	// Queue bounds the records that wait to be written. Default: 8,192.
	Queue int

	// QueueBytes bounds their size. Default: 64 MiB.
	QueueBytes int

	// Batch bounds the rows of one commit. Default: 1,024.
	Batch int

	// LookBack is how many of the chain's last rows are searched, at start, for
	// allowed actions whose outcome a crash swallowed. Default: 250,000.
	LookBack int64

	// Now is the clock. Default: time.Now.
	Now func() time.Time

	// Log hears of losses and recoveries. Default: slog.Default.
	Log *slog.Logger
}

// The time a decision has: so long it waits for its batch to begin, so long the
// commit may take, and by the end all is settled or refused.
const (
	waitForBatch  = 2 * time.Second
	commitTimeout = 2500 * time.Millisecond
)

// Writer makes decisions durable in one chain: callers queue, one goroutine
// takes all that wait, copies them in one commit and lets their callers go.
// It is safe for concurrent use; Run must be running.
type Writer struct {
	pool    *pgxpool.Pool
	cfg     WriterConfig
	replica string
	chain   string
	log     *slog.Logger
	mu      sync.Mutex // guards queue, bytes and state
	queue   []*pending
	bytes   int
	state   state
	room    chan struct{} // closed and renewed when the queue has been emptied
	wake    chan struct{} // holds one token while there may be something to write
	metrics counters
	trouble atomic.Bool // nothing could be recorded, and the log has said so
}

// state is whether a Writer takes decisions.
type state uint8

const (
	opening state = iota // Run has not reached the database yet: decisions wait
	open
	down // the last commit failed: decisions are refused until one may succeed
	closed
)

// counters count for the metrics page.
type counters struct{ rows, commits, refused, lost atomic.Int64 }

// Stats are what a Writer has done since it was made.
type Stats struct {
	Rows    int64 // committed
	Commits int64
	Refused int64 // decisions answered with audit.unavailable
	Lost    int64 // outcomes that found no room: their calls end as unknown
	Waiting int   // in the queue now
	Up      bool  // decisions are taken
}

// NewWriter returns a Writer over pool, which must allow one connection more
// than the pool needs itself.
func NewWriter(pool *pgxpool.Pool, c WriterConfig) *Writer {
	c.Queue = cmp.Or(c.Queue, 8192)
	c.QueueBytes = cmp.Or(c.QueueBytes, 64<<20)
	c.Batch = cmp.Or(c.Batch, 1024)
	c.LookBack = cmp.Or(c.LookBack, 250_000)
	c.Log = cmp.Or(c.Log, slog.Default())
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Writer{
		pool: pool, cfg: c, replica: clip(c.Replica, maxName), chain: LaneChain(clip(c.Replica, maxName)), log: c.Log.With("chain", LaneChain(c.Replica)),
		wake: make(chan struct{}, 1), room: make(chan struct{}),
	}
}

// The ways of a pending record. A decision's caller and the writer race for
// each step, so each is a compare-and-swap.
const (
	waiting   int32 = iota // queued
	abandoned              // its caller gave up first: it is never written
	taken                  // in a batch: its caller waits for the result
	disowned               // its caller gave up while the batch was in doubt
	settled
)

// pending is a record on its way.
type pending struct {
	record Record
	size   int
	step   atomic.Int32
	done   chan error // nil for outcomes: nobody waits
}

// pending returns e on its way through w.
func (w *Writer) pending(ctx context.Context, e Entry) *pending {
	r := record(ctx, e)
	r.Replica = w.replica
	return newPending(r)
}

func newPending(r Record) *pending {
	return &pending{record: r, size: 1024 + len(r.Detail) + len(r.Before) + len(r.After)}
}

var (
	errFull   = errors.New("too many records wait")
	errDown   = errors.New("the last commit failed")
	errClosed = errors.New("the writer has stopped")
	errLate   = errors.New("no commit in time")
)

// Decide records e and returns when the row is committed; only then may what it
// decides be acted upon. An error is a fault of kind Unavailable and code
// audit.unavailable, within 5 s, and means that the row is not in the audit,
// with one exception: when the database went away in the middle of the commit
// and stayed away, the row may prove to be there. Then an outcome row "failed"
// that says so follows it.
//
// A caller that gives up (ctx) before its row is on its way is refused at once.
// After that the answer of the database is waited for, whatever ctx says.
func (w *Writer) Decide(ctx context.Context, e Entry) error {
	p := w.pending(ctx, e)
	p.done = make(chan error, 1)
	if err := w.push(p); err != nil {
		return w.refuse(err)
	}
	start := time.Now()
	timer := time.NewTimer(waitForBatch)
	defer timer.Stop()
	var why error
	select {
	case err := <-p.done:
		return w.answer(err)
	case <-ctx.Done():
		why = context.Cause(ctx)
	case <-timer.C:
		why = errLate
	}
	if p.step.CompareAndSwap(waiting, abandoned) {
		return w.refuse(why)
	}
	timer.Reset(deadline - 100*time.Millisecond - time.Since(start))
	select {
	case err := <-p.done:
		return w.answer(err)
	case <-timer.C:
		if p.step.CompareAndSwap(taken, disowned) {
			return w.refuse(errLate)
		}
		return w.answer(<-p.done)
	}
}

// Later records e with one of the next commits and does not wait for it. While
// the database is away outcomes are kept; when more of them wait than fit, the
// caller waits for room, at most 5 s, and then the outcome is logged instead.
func (w *Writer) Later(ctx context.Context, e Entry) {
	p := w.pending(ctx, e)
	var late <-chan time.Time
	for {
		room, err := w.pushLater(p)
		if err == nil {
			return
		}
		if late == nil {
			timer := time.NewTimer(deadline)
			defer timer.Stop()
			late = timer.C
		}
		if !errors.Is(err, errClosed) {
			select {
			case <-room:
				continue
			case <-late:
			}
		}
		w.metrics.lost.Add(1)
		w.log.ErrorContext(ctx, "outcome not recorded", "error", err, "record", p.record)
		return
	}
}

// Stats returns what the writer has done.
func (w *Writer) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Stats{
		Rows: w.metrics.rows.Load(), Commits: w.metrics.commits.Load(),
		Refused: w.metrics.refused.Load(), Lost: w.metrics.lost.Load(),
		Waiting: len(w.queue), Up: w.state == open,
	}
}

func (w *Writer) answer(err error) error {
	if err != nil {
		return w.refuse(err)
	}
	return nil
}

func (w *Writer) refuse(why error) error {
	w.metrics.refused.Add(1)
	return unavailable(why)
}

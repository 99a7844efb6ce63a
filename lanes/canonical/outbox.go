package canonical

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivified/vivified/db"
)

// Sealer keeps what waits in the database unreadable there.
type Sealer interface {
	Seal(plain, aad []byte) ([]byte, error)
	Open(sealed, aad []byte) ([]byte, error)
}

// outbox holds events that were accepted while the bus did not answer, durably,
// until the bus has them. A publisher with events here adds to them, so that its
// events stay in their order; nobody else is held up.
//
// Every replica looks here, without a query for each event: what it saw counts
// for one glance. In return, the first of a publisher's events to come here is
// acknowledged a glance later, when every replica knows: so what the publisher
// sends next, wherever it sends it, goes behind.
type outbox struct {
	pool   *pgxpool.Pool
	sealer Sealer
	most   int64         // how many events may wait
	glance time.Duration // how long a look counts; 0: no other replica shares the bus
	put    chan struct{} // told when an event came

	looking sync.Mutex // one look at a time
	mu      sync.Mutex
	looked  time.Time        // when the last look began
	puts    uint64           // rises with every event put here, so that a look which began earlier is not believed
	waiting map[string]int64 // events by publisher
	since   map[string]time.Time
	total   int64
}

func newOutbox(pool *pgxpool.Pool, sealer Sealer, most int64, glance time.Duration) *outbox {
	return &outbox{pool: pool, sealer: sealer, most: most, glance: glance, put: make(chan struct{}, 1), since: map[string]time.Time{}}
}

// defaultGlance is how long a replica believes what it saw in the outbox.
const defaultGlance = 250 * time.Millisecond

// holds reports whether events of the publisher wait, which this one must not overtake.
func (o *outbox) holds(ctx context.Context, publisher string) (bool, error) {
	if held, known := o.known(publisher); known {
		return held, nil
	}
	o.looking.Lock()
	defer o.looking.Unlock()
	if held, known := o.known(publisher); known {
		return held, nil
	}
	if err := o.look(ctx); err != nil {
		return false, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.waiting[publisher] > 0, nil
}

// known answers from the last look, if that still counts. What this replica put
// here itself counts until a look shows that it is gone.
func (o *outbox) known(publisher string) (held, known bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	fresh := !o.looked.IsZero() && (o.glance == 0 || time.Since(o.looked) < o.glance)
	return o.waiting[publisher] > 0, fresh || o.waiting[publisher] > 0
}

// look counts what waits.
func (o *outbox) look(ctx context.Context) error {
	o.mu.Lock()
	began, puts := time.Now(), o.puts
	o.mu.Unlock()
	rows, err := db.New(o.pool).OutboxPublishers(ctx)
	if err != nil {
		return fmt.Errorf("look into the outbox: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.puts != puts {
		return nil // something came meanwhile, which this look may have missed
	}
	o.looked, o.waiting, o.total = began, make(map[string]int64, len(rows)), 0
	for _, r := range rows {
		o.waiting[r.Publisher] = r.Events
		o.total += r.Events
	}
	maps.DeleteFunc(o.since, func(publisher string, _ time.Time) bool { return o.waiting[publisher] == 0 })
	return nil
}

// size is how many events wait, as far as this replica knows.
func (o *outbox) size() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.total
}

// add keeps an event and returns once it is durable and every replica knows that
// its publisher's events wait here.
func (o *outbox) add(ctx context.Context, m meta, msg *nats.Msg, unsure bool) (duplicate bool, err error) {
	if o.size() >= o.most {
		return false, errors.New("the outbox is full")
	}
	header, err := json.Marshal(msg.Header)
	if err != nil {
		return false, err
	}
	sealed, err := o.sealer.Seal(msg.Data, outboxSeal(m.Publisher, m.ID))
	if err != nil {
		return false, err
	}
	n, err := db.New(o.pool).OutboxPut(ctx, db.OutboxPutParams{
		Publisher: m.Publisher, EventID: m.ID, Unsure: unsure, Subject: msg.Subject, Header: header, Sealed: sealed,
	})
	if err != nil {
		return false, fmt.Errorf("put into the outbox: %w", err)
	}
	return n == 0, o.noted(ctx, m.Publisher)
}

func (o *outbox) noted(ctx context.Context, publisher string) error {
	o.mu.Lock()
	if o.waiting == nil {
		o.waiting = map[string]int64{}
	}
	o.waiting[publisher]++
	o.total++
	o.puts++
	since, ok := o.since[publisher]
	if !ok {
		since = time.Now()
		o.since[publisher] = since
	}
	o.mu.Unlock()
	select {
	case o.put <- struct{}{}:
	default:
	}
	left := o.glance - time.Since(since)
	if left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// outboxSeal binds sealed data to its event.
func outboxSeal(publisher, event string) []byte {
	return []byte("event_outbox/" + publisher + "/" + event)
}

// drainMost is how many events are brought to the bus in one transaction.
const drainMost = 100

// drain brings what waits to the bus, the oldest first, and returns when nothing
// waits any more, or why it could not go on.
func (o *outbox) drain(ctx context.Context, deliver func(context.Context, db.EventOutbox, []byte) error) error {
	for {
		var failed error
		taken, locked := 0, false
		err := db.InTx(ctx, o.pool, func(q *db.Queries) (err error) {
			if locked, err = q.OutboxLock(ctx); err != nil || !locked {
				return err
			}
			rows, err := q.OutboxNext(ctx, drainMost)
			if err != nil {
				return err
			}
			for _, row := range rows {
				data, err := o.sealer.Open(row.Sealed, outboxSeal(row.Publisher, row.EventID))
				if err != nil {
					return err
				}
				if failed = deliver(ctx, row, data); failed != nil {
					return nil // those before it are on the bus, and leave
				}
				if err := q.OutboxTaken(ctx, row.Seq); err != nil {
					return err
				}
				taken++
			}
			return nil
		})
		if err = errors.Join(err, failed); err != nil {
			return err
		}
		if err := o.look(ctx); err != nil || taken == 0 {
			return err
		}
	}
}

// empty brings the outbox to the bus whenever something waits in it, also what
// another replica put there and did not live to deliver.
func (l *Lane) empty(ctx context.Context) {
	const often, seldom = 500 * time.Millisecond, 5 * time.Second
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.outbox.put:
		case <-timer.C:
		}
		err := l.outbox.drain(ctx, l.fromOutbox)
		if err != nil && ctx.Err() == nil {
			l.Log.WarnContext(ctx, "accepted events wait for the bus", "error", err)
			timer.Reset(often)
			continue
		}
		if l.outbox.size() > 0 {
			timer.Reset(often) // another replica is at it
		} else {
			timer.Reset(seldom)
		}
	}
}

// fromOutbox brings one event of the outbox to the bus. It is safe to repeat.
func (l *Lane) fromOutbox(ctx context.Context, row db.EventOutbox, data []byte) error {
	msg := &nats.Msg{Subject: row.Subject, Data: data}
	if err := json.Unmarshal(row.Header, &msg.Header); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	if msg.Header.Get(jetstream.MsgIDHeader) == "" {
		if row.Unsure {
			if there, err := l.stored(ctx, row.Subject, readMeta(msg.Header)); err != nil || there {
				return err
			}
		}
		msg.Header.Set(jetstream.MsgIDHeader, "outbox:"+row.Publisher+":"+row.EventID)
	}
	_, err := l.js.PublishMsg(ctx, msg)
	return err
}

// stored looks whether the bus has an event already.
func (l *Lane) stored(ctx context.Context, subject string, m meta) (bool, error) {
	seq, err := l.search(ctx, []string{subject}, m.Time, func(h nats.Header) bool {
		return h.Get(headID) == m.ID && h.Get(headPublisher) == m.Publisher
	})
	return seq > 0, err
}

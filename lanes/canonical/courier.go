package canonical

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
)

const (
	// inHand is how many events one courier keeps, and inHandBytes how much of their
	// data; beyond that they stay on the bus.
	inHand      = 4096
	inHandBytes = 32 << 20
	// abreast is how many webhooks of one plugin are under way at a time.
	abreast = 16
	// lastWord is how long a webhook that is under way may take once the core stops.
	lastWord = 1500 * time.Millisecond
)

// courier delivers events to one plugin's webhook: several at a time, those of
// one key one after the other. One that fails is tried again in its place, so
// that none of its key overtakes it.
type courier struct {
	lane     *Lane
	plugin   string
	consumer jetstream.Consumer
	name     string
	turns    chan struct{}   // one for each webhook that may be under way
	quit     context.Context // ends when the core stops, a moment after the courier does
	running  sync.WaitGroup

	mu    sync.Mutex
	keys  map[string]*line
	has   map[uint64]*item // by sequence
	bytes int64
	freed chan struct{} // told when something left the hand
}

// line are the events of one key that are in hand, in their order.
type line struct {
	items  []*item
	broken bool // the first one failed: the rest needs no data meanwhile
	single int  // so many of the first go one by one, because they failed together
}

// item is one event in hand.
type item struct {
	m     meta
	mu    sync.Mutex
	t     ticket
	data  []byte // nil while it waits behind one that failed
	held  int64  // bytes counted for it
	tries int
	first time.Time // of its first try
}

// ticket is what settles the event now: it changes when the bus hands it out again.
func (it *item) ticket() ticket {
	it.mu.Lock()
	defer it.mu.Unlock()
	return it.t
}

func (it *item) retake(t ticket) {
	it.mu.Lock()
	defer it.mu.Unlock()
	it.t = t
}

// push delivers events to one plugin's webhook until ctx ends; quit ends what is
// under way then.
func (l *Lane) push(ctx, quit context.Context, plugin string, consumer jetstream.Consumer) {
	c := &courier{
		lane: l, plugin: plugin, consumer: consumer, name: consumerName(plugin, ""), turns: make(chan struct{}, abreast), quit: quit,
		keys: map[string]*line{}, has: map[uint64]*item{}, freed: make(chan struct{}, 1),
	}
	in := &intake{lane: l, consumer: consumer, has: c.holds, count: c.count, take: func(it *item) { c.take(ctx, it) }}
	c.running.Go(func() { c.keep(ctx) })
	broken := true
	for ctx.Err() == nil {
		var err error
		if broken {
			err = in.recount(ctx)
		}
		if err == nil {
			broken = false
			if room := c.room(ctx); room > 0 {
				err = in.fetch(ctx, room)
			}
		}
		if err != nil && ctx.Err() == nil {
			broken = true
			if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
				l.pause(ctx, plugin, err)
			}
		}
	}
	c.running.Wait()
	c.giveBack()
	in.giveBack()
}

// room waits until events may be taken in hand, and returns how many.
func (c *courier) room(ctx context.Context) int {
	each := c.lane.Limits.Data + 4<<10
	for {
		c.mu.Lock()
		n := min(fetchMost, inHand-len(c.has), int((inHandBytes-c.bytes)/each))
		if len(c.has) == 0 {
			n = max(n, 1)
		}
		c.mu.Unlock()
		if n > 0 {
			return n
		}
		select {
		case <-ctx.Done():
			return 0
		case <-c.freed:
		}
	}
}

func (c *courier) holds(sequence uint64) (*item, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	it, ok := c.has[sequence]
	return it, ok
}

func (c *courier) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.has)
}

// take puts an event at the end of the line of its key.
func (c *courier) take(ctx context.Context, it *item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.has[it.t.sequence] = it
	key := it.m.order()
	at, ok := c.keys[key]
	if !ok {
		at = &line{}
		c.keys[key] = at
	}
	if at.broken {
		it.data, it.held = nil, 0
	}
	c.bytes += it.held
	at.items = append(at.items, it)
	if !ok {
		c.running.Go(func() { c.serve(ctx, key, at) })
	}
}

// serve delivers the events of one key, one after the other, until none is left
// or the courier stops.
func (c *courier) serve(ctx context.Context, key string, at *line) {
	for {
		c.mu.Lock()
		if len(at.items) == 0 {
			delete(c.keys, key)
			c.mu.Unlock()
			return
		}
		it := at.items[0]
		c.mu.Unlock()
		settled := c.together(ctx, at)
		if settled == 0 {
			if !c.settle(ctx, at, it) {
				return // it stops: what is in hand is given back
			}
			settled = 1
		}
		c.mu.Lock()
		for _, it := range at.items[:settled] {
			delete(c.has, it.t.sequence)
			c.bytes -= it.held
		}
		at.items, at.single = at.items[settled:], max(0, at.single-settled)
		c.mu.Unlock()
		select {
		case c.freed <- struct{}{}:
		default:
		}
	}
}

// settle tries one event until it has arrived, may not, or is given up. It
// reports false when the courier stops first.
func (c *courier) settle(ctx context.Context, at *line, it *item) bool {
	for {
		wait, over := c.try(ctx, it)
		if over {
			c.broken(at, false)
			return true
		}
		if wait > time.Second {
			c.broken(at, true)
		}
		if !sleep(ctx, wait) {
			return false
		}
	}
}

// broken notes whether the first of a line failed, and lets go of the data of
// those that wait behind it.
func (c *courier) broken(at *line, failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at.broken = failed
	if !failed {
		return
	}
	for _, it := range at.items {
		c.bytes -= it.held
		it.data, it.held = nil, 0
	}
}

// try makes one attempt. over tells that the event is settled; else it is to be
// tried again after the wait.
func (c *courier) try(ctx context.Context, it *item) (wait time.Duration, over bool) {
	select {
	case c.turns <- struct{}{}:
		defer func() { <-c.turns }()
	case <-ctx.Done():
		return 0, false
	}
	if ctx.Err() != nil {
		return 0, false
	}
	l := c.lane
	data, err := c.load(ctx, it)
	switch {
	case err != nil:
		return time.Second, false
	case data == nil: // it is not kept any more
		_ = l.drop(it.ticket(), "not kept any more")
		return 0, true
	}
	to, w, call, err := c.decide(it.m, data)
	switch {
	case err != nil:
		return time.Second, false // nothing is delivered that is not recorded; this is no attempt
	case to == nil:
		return time.Second, false // kept for when it is active again
	case !w.decision.Allow:
		l.doneSoon(it.ticket())
		return 0, true
	}
	began := l.Now()
	if it.tries++; it.tries == 1 {
		it.first = began
	}
	if err = w.unmapped; err == nil {
		// What is under way when the plugin is disabled or the core stops may finish.
		err = l.post(carrier(c.quit, it.m.Trace), to, []deed{{it: it, w: w}})
	}
	if err == nil {
		c.arrived(ctx, deed{it, w, call}, began)
		return 0, true
	}
	l.ended(it.m, w, call, began, it.tries, err.Error())
	if w.unmapped == nil && it.tries < l.Limits.MaxDeliver && l.Now().Sub(it.first) < l.Limits.MaxAge {
		return backoff(it.tries), false
	}
	if l.bury(ctx, c.plugin, c.name, it.m, it.ticket(), it.tries, err.Error()) != nil {
		return backoff(it.tries), false
	}
	return 0, true
}

// arrived notes that an event was delivered, and tells the bus.
func (c *courier) arrived(ctx context.Context, d deed, began time.Time) {
	c.lane.ended(d.it.m, d.w, d.call, began, d.it.tries, "")
	if c.lane.done(context.WithoutCancel(ctx), d.it.ticket()) != nil {
		c.lane.doneSoon(d.it.ticket())
	}
}

// load returns the data of an event, nil when the bus does not keep it any more.
func (c *courier) load(ctx context.Context, it *item) ([]byte, error) {
	c.mu.Lock()
	data := it.data
	c.mu.Unlock()
	if data != nil {
		return data, nil
	}
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	return c.lane.dataAt(ctx, it.t.sequence)
}

// decide asks the gate and has the answer recorded. No receiver is returned while
// the plugin is not active.
func (c *courier) decide(m meta, data []byte) (*registry.Plugin, word, uuid.UUID, error) {
	l, snap := c.lane, c.lane.Plugins.Snapshot()
	to, ok := snap.Plugin(c.plugin)
	if !ok || to.State != policy.Active {
		return nil, word{}, uuid.Nil, nil
	}
	ctx, cancel := context.WithTimeout(carrier(c.quit, m.Trace), publishTimeout)
	defer cancel()
	w, err := l.judge(ctx, snap, m, data, to)
	if err != nil {
		return nil, word{}, uuid.Nil, err
	}
	call, err := l.rounds.join(m, w, receivers(snap, m))
	return to, w, call, err
}

// keep tells the bus every so often that what is in hand is still worked on.
func (c *courier) keep(ctx context.Context) {
	tick := time.NewTicker(c.lane.Limits.AckWait / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, it := range c.all() {
			c.lane.working(it.ticket())
		}
	}
}

// all returns what is in hand, in no order.
func (c *courier) all() []*item {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Values(c.has))
}

// sleep waits, and reports false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// giveBack returns what was not delivered, in the order of the stream.
func (c *courier) giveBack() {
	all := c.all()
	slices.SortFunc(all, func(a, b *item) int { return cmp.Compare(a.t.sequence, b.t.sequence) })
	for _, it := range all {
		_ = c.lane.again(it.ticket(), 0)
	}
}

package canonical

import (
	"context"
	"encoding/json"
	"maps"
	"strconv"
	"sync"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// The headers of an atomic batch (NATS ADR-50): all of it is stored or nothing is.
const (
	headBatch         = "Nats-Batch-Id"
	headBatchSequence = "Nats-Batch-Sequence" // from 1
	headBatchCommit   = "Nats-Batch-Commit"   // on the last
)

const (
	// gatherFew is how many events are better stored each by itself: a batch costs the
	// disk about so many syncs, whatever is in it.
	gatherFew = 16
	// gatherMost and gatherBytes bound a batch; the bus takes 1,000.
	gatherMost  = 500
	gatherBytes = 8 << 20
)

// gathering stores events durably. What comes while the disk is busy is gathered,
// and stored by one sync in place of one each. It is safe for concurrent use.
type gathering struct {
	js   jetstream.JetStream
	conn *nats.Conn
	able bool // the bus takes batches

	mu      sync.Mutex
	waiting []*gathered
	busy    bool // run runs
}

// gathered is an event that waits to be stored.
type gathered struct {
	msg   *nats.Msg
	told  chan stored // one word
	alone *sync.WaitGroup
}

// stored is what came of an event.
type stored struct {
	sequence uint64
	alone    bool // nothing yet: its publisher stores it by itself
	err      error
}

// store returns once the event is on the bus's disk. An error leaves open whether
// it is, unless notSent says so. Events to which publishers gave ids go by
// themselves: one that was stored before would take its batch with it.
func (g *gathering) store(ctx context.Context, msg *nats.Msg) (sequence uint64, duplicate bool, err error) {
	if !g.able || msg.Header.Get(jetstream.MsgIDHeader) != "" {
		return g.alone(ctx, msg)
	}
	w := &gathered{msg: msg, told: make(chan stored, 1)}
	g.mu.Lock()
	g.waiting = append(g.waiting, w)
	first := !g.busy
	g.busy = true
	g.mu.Unlock()
	if first {
		go g.run()
	}
	select {
	case s := <-w.told:
		if s.alone {
			defer w.alone.Done()
			return g.alone(ctx, msg)
		}
		return s.sequence, false, s.err
	case <-ctx.Done():
		// It may be told to go alone still: then somebody has to say that it has not.
		go func() {
			if s := <-w.told; s.alone {
				w.alone.Done()
			}
		}()
		return 0, false, ctx.Err()
	}
}

func (g *gathering) alone(ctx context.Context, msg *nats.Msg) (sequence uint64, duplicate bool, err error) {
	ack, err := g.js.PublishMsg(ctx, msg)
	if err != nil {
		return 0, false, err
	}
	return ack.Sequence, ack.Duplicate, nil
}

// run stores what waits, lot by lot, until nothing does.
func (g *gathering) run() {
	for {
		lot := g.take()
		if len(lot) == 0 {
			return
		}
		if len(lot) < gatherFew || !g.batch(lot) {
			var alone sync.WaitGroup
			alone.Add(len(lot))
			for _, w := range lot {
				w.alone = &alone
				w.told <- stored{alone: true}
			}
			alone.Wait() // meanwhile the next lot gathers
		}
	}
}

// take returns the next lot, oldest first.
func (g *gathering) take() []*gathered {
	g.mu.Lock()
	defer g.mu.Unlock()
	n, bytes := 0, 0
	for n < len(g.waiting) && n < gatherMost && bytes < gatherBytes {
		bytes += len(g.waiting[n].msg.Data)
		n++
	}
	lot := g.waiting[:n:n]
	if g.waiting = g.waiting[n:]; len(g.waiting) == 0 {
		g.waiting = nil
	}
	g.busy = n > 0
	return lot
}

// batch stores a lot as one, and tells everybody; or reports that nothing of it was
// stored, and tells nobody.
func (g *gathering) batch(lot []*gathered) bool {
	ctx, cancel := context.WithTimeout(context.Background(), busTimeout)
	defer cancel()
	id := uuid.NewString()
	var answer *nats.Msg
	for i, w := range lot {
		m := &nats.Msg{Subject: w.msg.Subject, Data: w.msg.Data, Header: maps.Clone(w.msg.Header)} // which may go alone yet
		m.Header[headBatch] = []string{id}
		m.Header[headBatchSequence] = []string{strconv.Itoa(i + 1)}
		var err error
		if i < len(lot)-1 {
			if err = g.conn.PublishMsg(m); err != nil {
				return false // what has no end is never stored
			}
			continue
		}
		m.Header[headBatchCommit] = []string{"1"}
		if answer, err = g.conn.RequestMsgWithContext(ctx, m); err != nil {
			if notSent(err) {
				return false
			}
			tell(lot, func(int) stored { return stored{err: err} })
			return true
		}
	}
	var ack struct {
		Error    json.RawMessage `json:"error"`
		Sequence uint64          `json:"seq"` // of the last
		Batch    string          `json:"batch"`
		Count    int             `json:"count"`
	}
	if json.Unmarshal(answer.Data, &ack) != nil || ack.Batch != id || ack.Count != len(lot) {
		return false // refused as a whole
	}
	tell(lot, func(i int) stored { return stored{sequence: ack.Sequence - uint64(len(lot)-1-i)} })
	return true
}

func tell(lot []*gathered, of func(i int) stored) {
	for i, w := range lot {
		w.told <- of(i)
	}
}

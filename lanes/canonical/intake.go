package canonical

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// intake takes events from a consumer, in the order of the stream, also across
// breaks: what the bus had sent and nobody received, because a connection or a
// process ended in between, comes again only after a while. Until it has come, or
// was given time enough to, what is newer is put aside.
type intake struct {
	lane     *Lane
	consumer jetstream.Consumer
	has      func(sequence uint64) (*item, bool) // what is in hand already
	count    func() int                          // how much is in hand
	take     func(*item)

	top    uint64    // the newest event sent before the break
	missed int       // events up to top that nobody has
	until  time.Time // when they are not waited for any more
	aside  []*item   // newer ones, meanwhile
}

const (
	// fetchWait is how long the bus is asked for events before it is asked anew, and
	// fetchPulse how often it shows meanwhile that it lives.
	fetchWait  = 20 * time.Second
	fetchPulse = 2 * time.Second
	// fetchMost is how many events are asked for at once.
	fetchMost = 64
)

// recount finds out what was sent and never received.
func (in *intake) recount(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	info, err := in.consumer.Info(ctx)
	if err != nil {
		return err
	}
	in.missed = info.NumAckPending - in.count() - len(in.aside)
	in.top, in.until = info.Delivered.Stream, time.Now().Add(in.lane.Limits.AckWait+clockSlack)
	in.release()
	return nil
}

// fetch takes up to most events, those that are put aside apart. An error means
// that something may have been missed: recount before the next fetch.
func (in *intake) fetch(ctx context.Context, most int) error {
	fctx, cancel := context.WithTimeout(ctx, fetchWait)
	defer cancel()
	if wait := time.Until(in.until); len(in.aside) > 0 && wait < fetchWait {
		time.AfterFunc(max(wait, 0), cancel)
	}
	batch, err := in.consumer.Fetch(most, jetstream.FetchContext(fctx), jetstream.FetchHeartbeat(fetchPulse))
	if err != nil {
		return err
	}
	for msg := range batch.Messages() {
		in.sort(&item{m: readMeta(msg.Headers()), t: ticketOf(msg), data: msg.Data(), held: int64(len(msg.Data()))})
	}
	in.release()
	return batch.Error()
}

// sort takes one event in hand, or puts it aside.
func (in *intake) sort(it *item) {
	if known, ok := in.has(it.t.sequence); ok {
		known.retake(it.t)
		return
	}
	if it.t.sequence <= in.top {
		in.missed--
		in.take(it)
		return
	}
	if in.missed > 0 && time.Now().Before(in.until) {
		in.aside = append(in.aside, it)
		return
	}
	in.release()
	in.take(it)
}

// release takes in hand what was put aside, once nothing is waited for any more.
func (in *intake) release() {
	if len(in.aside) == 0 || in.missed > 0 && time.Now().Before(in.until) {
		return
	}
	aside := in.aside
	in.aside, in.missed = nil, 0
	slices.SortFunc(aside, func(a, b *item) int { return cmp.Compare(a.t.sequence, b.t.sequence) })
	for _, it := range aside {
		in.take(it)
	}
}

// giveBack returns what was put aside to the bus.
func (in *intake) giveBack() {
	for _, it := range in.aside {
		_ = in.lane.again(it.ticket(), 0)
	}
	in.aside = nil
}

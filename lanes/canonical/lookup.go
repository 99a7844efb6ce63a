package canonical

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// findMost bounds how far an event is looked for.
const findMost = 200_000

// clockSlack is how far the clocks of two machines of one installation may be apart.
const clockSlack = 2 * time.Second

// sequenceOf returns where the event of an id lies, 0 when it is not kept. An id
// that the core made tells when; of a publisher's own id, the newest event is looked
// for among the newest 200,000.
func (l *Lane) sequenceOf(ctx context.Context, tenant, id string) (uint64, error) {
	named := func(h nats.Header) bool { return h.Get(headID) == id }
	subjects := filters(tenant, []string{"*"})
	if at, ok := timeOf(id); ok {
		if seq, err := l.search(ctx, subjects, at, named); seq > 0 || err != nil {
			return seq, err
		}
	}
	return l.searchAll(ctx, subjects, named)
}

// search looks for an event that came at some time or later.
func (l *Lane) search(ctx context.Context, subjects []string, at time.Time, fits func(nats.Header) bool) (uint64, error) {
	from := at.Add(-clockSlack)
	return l.scan(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: subjects, DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &from, HeadersOnly: true,
	}, true, fits)
}

// searchAll looks for the newest event that fits.
func (l *Lane) searchAll(ctx context.Context, subjects []string, fits func(nats.Header) bool) (uint64, error) {
	info, err := l.events.Info(ctx)
	if err != nil {
		return 0, err
	}
	return l.scan(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: subjects, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, HeadersOnly: true,
		OptStartSeq: max(1, info.State.FirstSeq, info.State.LastSeq-min(info.State.LastSeq, findMost)+1),
	}, false, fits)
}

// scan reads the envelopes of events and returns the sequence of the first that
// fits, or of the last one.
func (l *Lane) scan(ctx context.Context, from jetstream.OrderedConsumerConfig, first bool, fits func(nats.Header) bool) (found uint64, err error) {
	c, err := l.events.OrderedConsumer(ctx, from)
	if err != nil {
		return 0, err
	}
	for seen := 0; seen < findMost && ctx.Err() == nil; {
		batch, err := c.FetchNoWait(1000)
		if err != nil {
			return 0, err
		}
		before := seen
		for msg := range batch.Messages() {
			if seen++; fits(msg.Headers()) {
				found = ticketOf(msg).sequence
				if first {
					return found, nil
				}
			}
		}
		if err := batch.Error(); err != nil {
			return 0, err
		}
		if seen == before {
			break
		}
	}
	return found, ctx.Err()
}

// dataAt returns the data of the event at a sequence, nil when it is not kept any more.
func (l *Lane) dataAt(ctx context.Context, sequence uint64) ([]byte, error) {
	kept, err := l.events.GetMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return kept.Data, nil
}

// timeOf returns the time in a UUIDv7 (RFC 9562, section 5.7).
func timeOf(id string) (time.Time, bool) {
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 7 {
		return time.Time{}, false
	}
	return time.Unix(u.Time().UnixTime()), true
}

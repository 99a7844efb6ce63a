package canonical

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
)

// Query is what events are looked for by. Empty members let everything through.
type Query struct {
	ID      string
	Type    string // a type, or a pattern such as user.*; in either style
	Source  string // the publisher's id
	Subject string // as far as whoever looks may see it
	Trace   string
	Class   string // that the event carries
	Since   time.Time
	Until   time.Time // before this
	Before  uint64    // continue below this sequence
	Most    int       // default 50, at most 200
}

// Found is a page of events, the newest first.
type Found struct {
	Events []Event
	Next   uint64 // to continue with, as Before; 0: there is nothing older
}

// Fits reports whether an event, as somebody sees it, is among those asked for.
func (q Query) Fits(e Event) bool {
	switch {
	case q.ID != "" && e.ID != q.ID, q.Source != "" && e.Publisher != q.Source, q.Subject != "" && e.Subject != q.Subject:
		return false
	case q.Trace != "" && e.Trace != q.Trace, q.Type != "" && !manifest.MatchEventType(q.Type, e.Type):
		return false
	case q.Class != "" && !slices.Contains(e.Classes.Names(), q.Class):
		return false
	}
	return (q.Since.IsZero() || !e.Time.Before(q.Since)) && (q.Until.IsZero() || e.Time.Before(q.Until))
}

// Check returns an Invalid fault for a type that is none.
func (q Query) Check() error {
	if q.Type == "" {
		return nil
	}
	if _, ok := manifest.NormalizeEventPattern(q.Type); !ok {
		return fault.New(fault.Invalid, "event.type", "%.64q is not an event type; write it like user.created, or user.* for all that begin so.", q.Type)
	}
	return nil
}

// envelope is what an event says of itself before anybody looks inside.
func (q Query) envelope(m meta) bool {
	return q.Fits(Event{ID: m.ID, Type: m.Type, Publisher: m.Publisher, Subject: m.Subject, Trace: m.Trace, Time: m.Time, Classes: m.Classes})
}

const (
	// outboxLate is how long after its time an event may have come to the bus and
	// still be found by its time: it may have waited in the outbox.
	outboxLate = time.Hour
	// A search looks at so many sequences at a time, from the newest on, and at more
	// while few of them fit; and it ends a page early rather than take longer.
	lookFirst, lookMost = 1 << 10, 1 << 20
	lookDense           = 1 << 13 // envelopes that came of one look: many enough
	lookLong            = 2 * time.Second
)

// Search looks for events, the newest first, as the person acting in ctx may see
// them. A page may hold fewer than asked for, and Next all the same: the search
// took long. Errors are faults: Invalid, Unavailable.
func (l *Lane) Search(ctx context.Context, q Query) (Found, error) {
	if err := q.Check(); err != nil {
		return Found{}, err
	}
	if q.Most <= 0 {
		q.Most = 50
	}
	q.Most = min(q.Most, 200)
	if q.ID != "" {
		e, err := l.Find(ctx, q.ID)
		if fault.Is(err, fault.NotFound) || err == nil && !q.Fits(e) {
			return Found{}, nil
		}
		return Found{Events: []Event{e}}, err
	}
	found, err := l.searchPage(ctx, q)
	if err != nil {
		return Found{}, busDown(err)
	}
	return found, nil
}

func (l *Lane) searchPage(ctx context.Context, q Query) (Found, error) {
	who, began := actor.From(ctx), time.Now()
	low, high, err := l.bounds(ctx, q)
	if err != nil {
		return Found{}, err
	}
	pattern := "*"
	if q.Type != "" {
		pattern, _ = manifest.NormalizeEventPattern(q.Type)
	}
	subjects := filters(who.Tenant, []string{pattern})
	var found Found
	for look := uint64(lookFirst); low < high; {
		from := max(low, high-min(look, high))
		fitting, seen, err := l.look(ctx, subjects, from, high, q)
		if err != nil {
			return found, err
		}
		for _, sequence := range slices.Backward(fitting) {
			e, ok, err := l.at(ctx, who, sequence)
			if err != nil {
				return found, err
			}
			if !ok || !q.Fits(e) {
				continue
			}
			if len(found.Events) == q.Most {
				found.Next = sequence + 1
				return found, nil
			}
			found.Events = append(found.Events, e)
		}
		if high = from; low < high && time.Since(began) > lookLong {
			found.Next = high
			return found, nil
		}
		if seen < lookDense && look < lookMost {
			look *= 4
		}
	}
	return found, nil
}

// bounds are the sequences between which a search looks: from low on, below high.
func (l *Lane) bounds(ctx context.Context, q Query) (low, high uint64, err error) {
	info, err := l.events.Info(ctx)
	if err != nil {
		return 0, 0, err
	}
	low, high = max(info.State.FirstSeq, 1), info.State.LastSeq+1
	if q.Before > 0 {
		high = min(high, q.Before)
	}
	if !q.Since.IsZero() {
		from, err := l.since(ctx, q.Since.Add(-clockSlack))
		if err != nil {
			return 0, 0, err
		}
		low = max(low, from)
	}
	if until := q.Until.Add(outboxLate); !q.Until.IsZero() && until.Before(time.Now()) {
		to, err := l.since(ctx, until)
		if err != nil {
			return 0, 0, err
		}
		high = min(high, to)
	}
	return low, high, nil
}

// look reads the envelopes between two sequences and returns those that fit, in
// the order of the stream, and how many there were.
func (l *Lane) look(ctx context.Context, subjects []string, from, high uint64, q Query) (fitting []uint64, seen int, err error) {
	c, err := l.events.CreateConsumer(ctx, jetstream.ConsumerConfig{
		FilterSubjects: subjects, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from, HeadersOnly: true,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, InactiveThreshold: 5 * time.Second,
	})
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = l.events.DeleteConsumer(context.WithoutCancel(ctx), c.CachedInfo().Name) }()
	for {
		batch, err := c.FetchNoWait(1000)
		if err != nil {
			return nil, 0, err
		}
		came := 0
		for msg := range batch.Messages() {
			came++
			sequence := ticketOf(msg).sequence
			if sequence >= high {
				return fitting, seen, nil
			}
			if seen++; q.envelope(readMeta(msg.Headers())) {
				fitting = append(fitting, sequence)
			}
		}
		if err := batch.Error(); err != nil || came == 0 {
			return fitting, seen, err
		}
	}
}

// at returns the event at a sequence, as somebody may see it; ok is false when it
// is not kept any more.
func (l *Lane) at(ctx context.Context, who actor.Actor, sequence uint64) (e Event, ok bool, err error) {
	kept, err := l.events.GetMsg(ctx, sequence)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Event{}, false, nil
	}
	if err != nil {
		return Event{}, false, err
	}
	return l.see(who, kept.Header, kept.Data, sequence), true, nil
}

package canonical

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// Event is an event as one person may see it.
type Event struct {
	ID        string
	Type      string
	Publisher string
	Trace     string
	Time      time.Time
	Classes   trait.Classes
	Sequence  uint64
	Data      json.RawMessage // nil when withheld
	Removed   []string        // JSON Pointers of fields this person may not see
	Withheld  string          // why nothing of the data is shown; "" when something is
}

// see applies the gate and the redaction of a first delivery to a person who looks.
func (l *Lane) see(who actor.Actor, h jetstream.Msg) Event {
	m := readMeta(h.Headers())
	e := Event{ID: m.ID, Type: m.Type, Publisher: m.Publisher, Trace: m.Trace, Time: m.Time, Classes: m.Classes}
	if md, err := h.Metadata(); err == nil {
		e.Sequence = md.Sequence.Stream
	}
	party := policy.Party{Kind: who.Kind, ID: who.ID, Name: who.Name, Tenant: who.Tenant, Traits: who.Traits}
	w := l.weigh(l.Plugins.Snapshot(), m, h.Data(), party, audit.None, l.Plugins.Policy().Decide)
	if !w.decision.Allow {
		e.Withheld = w.decision.Reason.Sentence
		return e
	}
	e.Data, e.Removed = w.data, w.removed
	return e
}

// Recent returns the newest events, newest first, as the person acting in ctx
// may see them.
func (l *Lane) Recent(ctx context.Context, most int) ([]Event, error) {
	info, err := l.events.Info(ctx)
	if err != nil {
		return nil, busDown(err)
	}
	last := info.State.LastSeq
	if info.State.Msgs == 0 {
		return nil, nil
	}
	first := max(info.State.FirstSeq, last-min(last, uint64(most))+1)
	c, err := l.events.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: filters(actor.From(ctx).Tenant, []string{"*"}), DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(first, 1),
	})
	if err != nil {
		return nil, busDown(err)
	}
	var events []Event
	batch, err := c.FetchNoWait(most)
	if err != nil {
		return nil, busDown(err)
	}
	for msg := range batch.Messages() {
		events = append(events, l.see(actor.From(ctx), msg))
	}
	for i, j := 0, len(events)-1; i < j; i, j = i+1, j-1 {
		events[i], events[j] = events[j], events[i]
	}
	return events, nil
}

// Tail sends new events to the person acting in ctx, until ctx ends or send fails.
func (l *Lane) Tail(ctx context.Context, send func(Event) error) error {
	who := actor.From(ctx)
	c, err := l.events.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: filters(who.Tenant, []string{"*"}), DeliverPolicy: jetstream.DeliverNewPolicy,
	})
	if err != nil {
		return busDown(err)
	}
	messages, err := c.Messages()
	if err != nil {
		return busDown(err)
	}
	defer messages.Stop()
	context.AfterFunc(ctx, messages.Stop)
	for {
		msg, err := messages.Next()
		if err != nil {
			return nil
		}
		if err := send(l.see(who, msg)); err != nil {
			return nil
		}
	}
}

// findMost bounds how far Find looks for an event whose id tells no time.
const findMost = 5000

// Find returns one event, as the person acting in ctx may see it. The error is a NotFound fault.
func (l *Lane) Find(ctx context.Context, id string) (Event, error) {
	who := actor.From(ctx)
	conf := jetstream.OrderedConsumerConfig{FilterSubjects: filters(who.Tenant, []string{"*"})}
	if at, ok := timeOf(id); ok {
		from := at.Add(-time.Second)
		conf.DeliverPolicy, conf.OptStartTime = jetstream.DeliverByStartTimePolicy, &from
	} else {
		info, err := l.events.Info(ctx)
		if err != nil {
			return Event{}, busDown(err)
		}
		conf.DeliverPolicy = jetstream.DeliverByStartSequencePolicy
		conf.OptStartSeq = max(1, info.State.FirstSeq, info.State.LastSeq-min(info.State.LastSeq, findMost)+1)
	}
	c, err := l.events.OrderedConsumer(ctx, conf)
	if err != nil {
		return Event{}, busDown(err)
	}
	batch, err := c.FetchNoWait(findMost)
	if err != nil {
		return Event{}, busDown(err)
	}
	for msg := range batch.Messages() {
		if msg.Headers().Get(headID) == id {
			return l.see(who, msg), nil
		}
	}
	return Event{}, fault.New(fault.NotFound, "event.unknown", "There is no event with this id; it may be older than events are kept.")
}

// Stats are counts of the bus.
type Stats struct {
	Events      uint64           `json:"events"` // kept now
	Bytes       uint64           `json:"bytes"`
	Last        uint64           `json:"last_sequence"`
	DeadLetters uint64           `json:"dead_letters"`
	Waiting     map[string]int64 `json:"waiting"` // by consumer: not delivered yet, or not acknowledged
}

// Stats counts what is kept and what waits.
func (l *Lane) Stats(ctx context.Context) (Stats, error) {
	info, err := l.events.Info(ctx)
	if err != nil {
		return Stats{}, busDown(err)
	}
	s := Stats{Events: info.State.Msgs, Bytes: info.State.Bytes, Last: info.State.LastSeq, Waiting: map[string]int64{}}
	if dead, err := l.js.Stream(ctx, deadStream); err == nil {
		if di, err := dead.Info(ctx); err == nil {
			s.DeadLetters = di.State.Msgs
		}
	}
	list := l.events.ListConsumers(ctx)
	for c := range list.Info() {
		if c.Config.Durable != "" {
			s.Waiting[c.Config.Durable] = int64(c.NumPending) + int64(c.NumAckPending)
		}
	}
	return s, list.Err()
}

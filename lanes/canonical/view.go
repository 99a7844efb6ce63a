package canonical

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"
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
	Subject   string // "" also while part of the data is hidden: it may name that
	Trace     string
	Time      time.Time
	Classes   trait.Classes
	Sequence  uint64
	Data      json.RawMessage // nil when withheld
	Removed   []string        // JSON Pointers of fields this person may not see
	Withheld  string          // why nothing of the data is shown; "" when something is
}

// see applies the gate and the redaction of a first delivery to a person who looks.
func (l *Lane) see(who actor.Actor, h nats.Header, data []byte, sequence uint64) Event {
	m := readMeta(h)
	e := Event{ID: m.ID, Type: m.Type, Publisher: m.Publisher, Trace: m.Trace, Time: m.Time, Classes: m.Classes, Sequence: sequence}
	party := policy.Party{Kind: who.Kind, ID: who.ID, Name: who.Name, Tenant: who.Tenant, Traits: who.Traits}
	w := l.weigh(l.Plugins.Snapshot(), m, data, party, audit.None, l.Plugins.Policy().Decide)
	if !w.decision.Allow {
		e.Withheld = w.decision.Reason.Sentence
		return e
	}
	if e.Data, e.Removed = w.data, w.removed; len(w.removed) == 0 {
		e.Subject = m.Subject
	}
	return e
}

func (l *Lane) seeMsg(who actor.Actor, msg jetstream.Msg) Event {
	return l.see(who, msg.Headers(), msg.Data(), ticketOf(msg).sequence)
}

// Recent returns the newest events, newest first, as the person acting in ctx
// may see them.
func (l *Lane) Recent(ctx context.Context, most int) ([]Event, error) {
	found, err := l.Search(ctx, Query{Most: most})
	return found.Events, err
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
		if err := send(l.seeMsg(who, msg)); err != nil {
			return nil
		}
	}
}

// Find returns one event, as the person acting in ctx may see it. The error is a NotFound fault.
func (l *Lane) Find(ctx context.Context, id string) (Event, error) {
	who := actor.From(ctx)
	seq, err := l.sequenceOf(ctx, who.Tenant, id)
	if err != nil {
		return Event{}, busDown(err)
	}
	if seq == 0 {
		return Event{}, unknownEvent()
	}
	e, ok, err := l.at(ctx, who, seq)
	if err != nil {
		return Event{}, busDown(err)
	}
	if !ok {
		return Event{}, unknownEvent()
	}
	return e, nil
}

func unknownEvent() *fault.Fault {
	return fault.New(fault.NotFound, "event.unknown", "There is no event with this id; it may be older than events are kept.")
}

// Stats are counts of the bus.
type Stats struct {
	Events      uint64           `json:"events"` // kept now
	Bytes       uint64           `json:"bytes"`
	Last        uint64           `json:"last_sequence"`
	DeadLetters uint64           `json:"dead_letters"` // that nobody settled yet
	Outbox      int64            `json:"outbox"`       // accepted, and waiting for the bus
	Waiting     map[string]int64 `json:"waiting"`      // by consumer: not delivered yet, or not acknowledged
}

// Stats counts what is kept and what waits.
func (l *Lane) Stats(ctx context.Context) (Stats, error) {
	info, err := l.events.Info(ctx)
	if err != nil {
		return Stats{}, busDown(err)
	}
	s := Stats{Events: info.State.Msgs, Bytes: info.State.Bytes, Last: info.State.LastSeq, Waiting: map[string]int64{}}
	letters, err := l.WaitingLetters(ctx)
	if err != nil {
		return Stats{}, err
	}
	for _, n := range letters {
		s.DeadLetters += uint64(n)
	}
	if err := l.outbox.look(ctx); err != nil {
		return Stats{}, err
	}
	s.Outbox = l.outbox.size()
	list := l.events.ListConsumers(ctx)
	for c := range list.Info() {
		if c.Config.Durable != "" {
			s.Waiting[c.Config.Durable] = int64(c.NumPending) + int64(c.NumAckPending)
		}
	}
	return s, list.Err()
}

package canonical

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
)

// Listening is a plugin's request to hear events on a stream.
type Listening struct {
	Consumer string   // a durable name of its own; empty: the plugin's one
	Types    []string // of those its manifest subscribes to; empty: all of them
	Explicit bool     // each event is acknowledged by Ack, not by having been sent
	LastID   string   // the last event the plugin knows it has
}

// Sent is one event on a stream, as its receiver may see it.
type Sent struct {
	ID      string
	Source  string // the publishing plugin's id
	Type    string
	Subject string
	Time    time.Time
	Trace   string
	Tenant  string
	Classes trait.Classes
	Data    json.RawMessage
	Removed []string // JSON Pointers of removed fields
	m       meta
}

// JSON writes the event as a CloudEvent in the JSON format.
func (s *Sent) JSON() ([]byte, error) { return s.m.outside(s.Data, s.Removed) }

// sent is the event as one receiver gets it.
func (m meta) sent(data json.RawMessage, removed []string) *Sent {
	s := &Sent{ID: m.ID, Source: m.Publisher, Type: m.Type, Time: m.Time, Trace: m.Trace, Tenant: m.Tenant, Classes: m.Classes, Data: data, Removed: removed, m: m}
	if len(removed) == 0 {
		s.Subject = m.Subject // it may name what was removed
	}
	return s
}

const (
	// doubt is how long an event that was sent waits for the connection to prove
	// alive before it counts as received, where nobody acknowledges.
	doubt = 3 * time.Second
	// replayMost bounds how many events a Last-Event-ID can bring back.
	replayMost = 10_000
	// silence is how long a stream may be quiet before a comment shows that it lives.
	silence = 15 * time.Second
)

// Listen sends events to the plugin that acts in ctx until ctx ends, send fails,
// or the plugin is not active any more. send with a nil event keeps the
// connection alive. Errors are faults: Denied for types the manifest does not
// subscribe to, Unauthenticated once the plugin was disabled.
func (l *Lane) Listen(ctx context.Context, how Listening, send func(*Sent) error) error {
	id := actor.From(ctx).ID
	place, err := l.attach(ctx, id, how)
	if err != nil {
		return err
	}
	consumer := place.consumer
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var over error
	var once sync.Once
	end := func(err error) { once.Do(func() { over = err; stop() }) }
	go l.untilInactive(ctx, id, end)

	out := &outlet{lane: l, plugin: id, consumer: place.name, how: how, send: send}
	if how.LastID != "" && !how.Explicit {
		if err := l.replay(ctx, out, consumer, place.patterns, how.LastID); err != nil {
			return err
		}
	}
	if err := send(nil); err != nil {
		return nil
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(64))
	if err != nil {
		return busDown(err)
	}
	context.AfterFunc(ctx, messages.Drain) // what waits here unsent is given back below, not left to the bus to miss
	incoming := make(chan jetstream.Msg)
	go func() {
		defer close(incoming)
		for {
			msg, err := messages.Next()
			if err != nil {
				end(nil)
				return
			}
			incoming <- msg // read below until it is closed
		}
	}()
	settle, alive := time.NewTicker(time.Second), time.NewTicker(silence)
	defer settle.Stop()
	defer alive.Stop()
	for {
		select {
		case <-ctx.Done():
			// In the order of the stream: what is given back first comes again first.
			out.giveBack()
			for msg := range incoming {
				_ = msg.Nak()
			}
			return over
		case <-settle.C:
			out.settle(l.Now().Add(-doubt))
		case <-alive.C:
			if err := send(nil); err != nil {
				end(nil)
			}
		case msg, ok := <-incoming:
			if !ok {
				out.giveBack()
				return over
			}
			if err := out.pass(ctx, msg); err != nil {
				end(nil)
			}
		}
	}
}

// place is where a plugin stands among the events it listens to.
type place struct {
	consumer jetstream.Consumer
	name     string // of the durable
	own      bool   // beside the plugin's one
	patterns []string
}

// placeOf returns where a plugin that listens stands, but for its consumer.
func (l *Lane) placeOf(p *registry.Plugin, how Listening) (at place, err error) {
	if at.name, err = durable(p.ID, how.Consumer); err != nil {
		return at, err
	}
	if at.patterns, err = wanted(p.Manifest, how.Types); err != nil {
		return at, err
	}
	if how.Consumer == "" && !slices.Equal(at.patterns, p.Manifest.Events.Subscribes) {
		// Part of what the plugin subscribes to is another stream than all of it: each keeps its own place.
		sum := sha256.Sum256([]byte(strings.Join(slices.Sorted(slices.Values(at.patterns)), " ")))
		at.name, at.own = consumerName(p.ID, typesMark+hex.EncodeToString(sum[:6])), true
	}
	at.own = at.own || how.Consumer != ""
	return at, nil
}

// attach returns the place of a plugin that listens, made where it is the first time.
func (l *Lane) attach(ctx context.Context, id string, how Listening) (place, error) {
	p, err := l.listener(id)
	if err != nil {
		return place{}, err
	}
	at, err := l.placeOf(p, how)
	if err != nil {
		return at, err
	}
	first := l.fromEnabled(p)
	if at.own {
		first = l.fromNow
	}
	if at.consumer, err = l.consumer(ctx, p, at.name, at.patterns, first); err != nil {
		return at, busDown(err)
	}
	return at, nil
}

func (l *Lane) listener(id string) (*registry.Plugin, error) {
	p, ok := l.Plugins.Snapshot().Plugin(id)
	if !ok || p.State != policy.Active {
		return nil, fault.New(fault.Unauthenticated, "plugin.disabled", "The plugin is not active; it hears nothing until it is enabled.")
	}
	return p, nil
}

// untilInactive ends a stream as soon as its plugin leaves the lanes or listens
// to other things than it did.
func (l *Lane) untilInactive(ctx context.Context, id string, end func(error)) {
	began, err := l.listener(id)
	if err != nil {
		end(err)
		return
	}
	for {
		changed := l.Plugins.Changed()
		p, err := l.listener(id)
		if err != nil {
			end(err)
			return
		}
		if p.Manifest != began.Manifest {
			end(nil) // it connects again and gets what it subscribes to now
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
	}
}

// wanted are the patterns to listen to: what is asked for, as far as the manifest subscribes to it.
func wanted(m *manifest.Manifest, types []string) ([]string, error) {
	if len(m.Events.Subscribes) == 0 {
		return nil, fault.New(fault.Denied, "event.subscribe", "The manifest subscribes to no event type.")
	}
	if len(types) == 0 {
		return m.Events.Subscribes, nil
	}
	var patterns []string
	for _, t := range types {
		if !slices.Contains(m.Events.Subscribes, t) {
			typ, ok := manifest.NormalizeEventType(t)
			if !ok || !m.Events.Subscribed(typ) {
				return nil, fault.New(fault.Denied, "event.subscribe", "The manifest does not subscribe to %.64q.", t)
			}
			t = typ
		}
		patterns = append(patterns, t)
	}
	return patterns, nil
}

// outlet sends events down one stream and remembers those whose arrival is in doubt.
type outlet struct {
	lane     *Lane
	plugin   string
	consumer string // its durable name
	how      Listening
	send     func(*Sent) error
	unsure   []unsure
}

type unsure struct {
	ticket
	at time.Time
}

// pass decides on one event and sends what the plugin may see of it. It waits
// while the decision cannot be recorded, telling the connection that it lives.
func (o *outlet) pass(ctx context.Context, msg jetstream.Msg) error {
	l, m, t := o.lane, readMeta(msg.Headers()), ticketOf(msg)
	if o.how.Explicit {
		if tries := l.held.tries(o.consumer, t); tries >= l.Limits.MaxDeliver {
			if err := l.bury(ctx, o.plugin, o.consumer, m, t, tries, "never acknowledged by the receiver"); err != nil {
				return l.again(t, time.Second)
			}
			l.held.forget(o.consumer, t)
			return nil
		}
	}
	call, w, err := o.decide(m, msg.Data())
	for err != nil {
		if !sleep(ctx, time.Second) {
			o.doubt(t)
			return nil
		}
		l.working(t)
		if err := o.send(nil); err != nil {
			o.doubt(t)
			return err
		}
		call, w, err = o.decide(m, msg.Data())
	}
	if !w.decision.Allow {
		l.doneSoon(t)
		return nil
	}
	began := l.Now()
	if w.unmapped != nil { // another try would give no more
		l.ended(m, w, call, began, 1, w.unmapped.Error())
		if l.bury(ctx, o.plugin, o.consumer, m, t, 1, w.unmapped.Error()) != nil {
			return l.again(t, time.Second)
		}
		return nil
	}
	o.doubt(t)
	if ctx.Err() != nil {
		l.ended(m, w, call, began, 1, "the stream ended before it was sent")
		return nil
	}
	tries := 1
	if o.how.Explicit {
		tries = l.held.put(o.plugin, o.consumer, m, t, began.Add(l.Limits.AckWait))
	}
	if err := o.send(m.sent(w.data, w.removed)); err != nil {
		l.ended(m, w, call, began, tries, "the connection closed")
		return err
	}
	l.ended(m, w, call, began, tries, "")
	if o.how.Explicit {
		o.unsure = o.unsure[:len(o.unsure)-1] // its receiver says when it has it
	}
	return nil
}

// doubt notes an event that may not arrive.
func (o *outlet) doubt(t ticket) { o.unsure = append(o.unsure, unsure{t, o.lane.Now()}) }

// decide asks the gate about the plugin as it is now, and has the answer recorded.
func (o *outlet) decide(m meta, data []byte) (uuid.UUID, word, error) {
	l := o.lane
	p, err := l.listener(o.plugin)
	if err != nil {
		return uuid.Nil, word{}, err
	}
	snap := l.Plugins.Snapshot()
	ctx, cancel := context.WithTimeout(carrier(context.Background(), m.Trace), publishTimeout)
	defer cancel()
	w, err := l.judge(ctx, snap, m, data, p)
	if err != nil {
		return uuid.Nil, word{}, err
	}
	call, err := l.rounds.join(m, w, receivers(snap, m))
	return call, w, err
}

// settle acknowledges what was sent before a time on a connection that still stands.
func (o *outlet) settle(before time.Time) {
	n := 0
	for n < len(o.unsure) && o.unsure[n].at.Before(before) {
		o.lane.doneSoon(o.unsure[n].ticket)
		n++
	}
	o.unsure = slices.Delete(o.unsure, 0, n)
}

// giveBack returns what may not have arrived: it comes again on the next connection.
func (o *outlet) giveBack() {
	for _, u := range o.unsure {
		_ = o.lane.again(u.ticket, 0)
	}
	o.unsure = nil
}

// replay sends again what the consumer counts as delivered and the plugin does
// not know it has: everything after its last id. Each is decided anew.
func (l *Lane) replay(ctx context.Context, out *outlet, consumer jetstream.Consumer, patterns []string, lastID string) error {
	info, err := consumer.Info(ctx)
	if err != nil {
		return busDown(err)
	}
	p, err := l.listener(out.plugin)
	if err != nil {
		return err
	}
	last, err := l.sequenceOf(ctx, p.Tenant, lastID)
	if err != nil {
		return busDown(err)
	}
	if last == 0 || last >= info.AckFloor.Stream {
		return nil // not kept any more, or what follows it comes anyway
	}
	past, err := l.events.OrderedConsumer(ctx, jetstream.OrderedConsumerConfig{
		FilterSubjects: filters(p.Tenant, patterns), DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: last + 1,
	})
	if err != nil {
		return busDown(err)
	}
	for n := 0; n < replayMost; n++ {
		msg, err := past.Next(jetstream.FetchMaxWait(500 * time.Millisecond))
		if err != nil {
			return nil // nothing more in the past
		}
		md, err := msg.Metadata()
		if err != nil || md.Sequence.Stream > info.AckFloor.Stream {
			return nil
		}
		m := readMeta(msg.Headers())
		call, w, err := out.decide(m, msg.Data())
		if err != nil {
			return err
		}
		if !w.decision.Allow {
			continue
		}
		began := l.Now()
		if w.unmapped != nil {
			l.ended(m, w, call, began, 1, w.unmapped.Error())
			continue
		}
		if err := out.send(m.sent(w.data, w.removed)); err != nil {
			l.ended(m, w, call, began, 1, "the connection closed")
			return nil
		}
		l.ended(m, w, call, began, 1, "")
	}
	return nil
}

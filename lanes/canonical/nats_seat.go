package canonical

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
)

const (
	// leaseTime is how long a plugin that asked gets events without asking again.
	leaseTime = 30 * time.Second
	// usualWindow and mostWindow bound what a plugin is sent and has not settled.
	usualWindow, mostWindow = 64, 1024
)

// wish is what a plugin on the bus asks for.
type wish struct {
	Consumer string   `json:"consumer"`
	Types    []string `json:"types"`
	Window   int      `json:"window"` // events it has not settled, at most
}

// granted is what it is told.
type granted struct {
	Subject string `json:"subject"` // where its events come
	Seconds int    `json:"lease_seconds"`
	Window  int    `json:"window"`
}

// seats are the places of plugins on the bus that get their events from this replica.
type seats struct {
	inlet *inlet
	mu    sync.Mutex
	by    map[string]*seat // by the name of the durable
}

type seat struct {
	until time.Time // when the plugin must have asked again
	stop  context.CancelFunc
}

// asked begins to send events to a plugin, or goes on. Every replica hears it, and
// the one that holds the place, or takes it, answers.
func (in *inlet) asked(ctx context.Context, m *nats.Msg) {
	actx, _, ok := in.speaker(ctx, m)
	if !ok {
		return
	}
	who := actor.From(actx).ID
	answer, err := in.seat(actx, who, m.Data)
	switch {
	case err != nil:
		in.reply(who, m, refusalOf(err))
	case answer != nil:
		in.reply(who, m, answer)
	}
}

// seat returns nil when another replica holds the place.
func (in *inlet) seat(ctx context.Context, id string, body []byte) (*granted, error) {
	l, w := in.lane, wish{Window: usualWindow}
	if len(body) > 0 && json.Unmarshal(body, &w) != nil || w.Window < 1 || w.Window > mostWindow {
		return nil, malformed("Ask for events with {} or {\"consumer\": …, \"types\": […], \"window\": 1 to 1024}.")
	}
	p, err := l.listener(id)
	if err != nil {
		return nil, err
	}
	how := Listening{Consumer: w.Consumer, Types: w.Types, Explicit: true}
	at, err := l.placeOf(p, how)
	if err != nil {
		return nil, l.Gate.Refuse(ctx, "event.listen", id, fault.Of(err))
	}
	yes := &granted{Subject: outward(id) + "." + eventPart + ">", Seconds: int(leaseTime / time.Second), Window: w.Window}
	if in.seats.stay(at.name) {
		return yes, nil
	}
	if held, err := l.hold(ctx, at.name); err != nil || !held {
		return nil, err
	}
	if at, err = l.attach(ctx, id, how); err != nil {
		l.letGo(ctx, at.name)
		return nil, err
	}
	in.seats.take(ctx, at.name, func(sctx context.Context, s *seat) {
		in.serve(sctx, id, at, how, w.Window, s)
	})
	return yes, nil
}

// stay prolongs a place that is taken here.
func (ss *seats) stay(name string) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	s, ok := ss.by[name]
	if ok {
		s.until = time.Now().Add(leaseTime)
	}
	return ok
}

// take gives a place to its plugin and serves it, unless that was done meanwhile.
func (ss *seats) take(ctx context.Context, name string, serve func(context.Context, *seat)) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if _, ok := ss.by[name]; ok {
		return
	}
	ctx, stop := context.WithCancel(ctx)
	s := &seat{until: time.Now().Add(leaseTime), stop: stop}
	ss.by[name] = s
	go func() {
		defer stop()
		ss.inlet.lane.underLease(ctx, name, func(ctx context.Context) { serve(ctx, s) })
		ss.mu.Lock()
		defer ss.mu.Unlock()
		delete(ss.by, name)
	}()
}

// leave ends a place: nobody listens.
func (ss *seats) leave(name string) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	if s, ok := ss.by[name]; ok {
		s.stop()
	}
}

func (ss *seats) over(s *seat) bool {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	return time.Now().After(s.until)
}

// serve sends a plugin its events until ctx ends, the plugin does not ask any more,
// or it leaves the lanes.
func (in *inlet) serve(ctx context.Context, id string, at place, how Listening, window int, s *seat) {
	l := in.lane
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go l.untilInactive(ctx, id, func(error) { stop() })
	w, shut := l.held.watch(at.name)
	defer shut()
	out := &outlet{lane: l, plugin: id, consumer: at.name, how: how, send: func(e *Sent) error {
		if e == nil {
			return nil
		}
		return in.send(id, at.name, e)
	}}
	defer out.giveBack()
	for ctx.Err() == nil && !in.seats.over(s) {
		room := window - l.held.unsettled(w, l.Now())
		if room <= 0 {
			select {
			case <-ctx.Done():
			case <-w.left:
			case <-time.After(time.Second): // the bus may hand some out again
			}
			continue
		}
		if err := in.fetch(ctx, at.consumer, room, out); err != nil && ctx.Err() == nil {
			l.pause(ctx, id, err)
		}
	}
}

// fetch sends what comes within a second, at most so many.
func (in *inlet) fetch(ctx context.Context, c jetstream.Consumer, most int, out *outlet) error {
	fctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	batch, err := c.Fetch(most, jetstream.FetchContext(fctx))
	if err != nil {
		return err
	}
	for msg := range batch.Messages() {
		if err := out.pass(ctx, msg); err != nil {
			return err
		}
	}
	if err := batch.Error(); err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// send publishes one event to its receiver: attributes as headers, data as the
// message, and what settles it as the reply.
func (in *inlet) send(id, name string, e *Sent) error {
	h := nats.Header{"Content-Type": {"application/json"}}
	for attribute, values := range e.Header() {
		if strings.HasPrefix(attribute, "Ce-") {
			h[strings.ToLower(attribute)] = values
		}
	}
	if parent := actor.Traceparent(e.Trace); parent != "" {
		h["traceparent"] = []string{parent}
	}
	return in.lane.Bus.Conn.PublishMsg(&nats.Msg{
		Subject: outward(id) + "." + eventPart + e.Type, Header: h, Data: e.Data,
		Reply: inward(id) + "." + ackPart + in.token + "." + name + "." + base64.RawURLEncoding.EncodeToString([]byte(e.ID)),
	})
}

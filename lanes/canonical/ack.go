package canonical

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
)

// held are events sent with explicit acknowledgement, until it comes or the bus
// hands them out again. It also counts how often each was sent.
type held struct {
	mu   sync.Mutex
	by   map[heldKey]map[string]holding // by consumer
	sent map[sentKey]int
	open map[string]*window // by consumer, of those that are told when something leaves
}

// window is what one consumer has sent and nobody settled.
type window struct {
	until map[string]time.Time // event → when the bus hands it out again
	left  chan struct{}        // told when one is settled
}

type heldKey struct{ plugin, event string }

// sentKey names one event at one consumer.
type sentKey struct {
	consumer string
	sequence uint64
}

// holding is one event that waits for its receiver's word.
type holding struct {
	m     meta
	t     ticket
	until time.Time // when the bus hands it out again
}

// put notes that an event was sent, and returns how often it has been by now.
func (h *held) put(plugin, consumer string, m meta, t ticket, until time.Time) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := heldKey{plugin, m.ID}
	if h.by[key] == nil {
		h.by[key] = map[string]holding{}
	}
	h.by[key][consumer] = holding{m, t, until}
	if w := h.open[consumer]; w != nil {
		w.until[m.ID] = until
	}
	at := sentKey{consumer, t.sequence}
	h.sent[at]++
	return h.sent[at]
}

// tries returns how often an event was sent without having been acknowledged.
func (h *held) tries(consumer string, t ticket) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sent[sentKey{consumer, t.sequence}]
}

// uncount takes one sending back.
func (h *held) uncount(consumer string, t ticket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := sentKey{consumer, t.sequence}
	if h.sent[at]--; h.sent[at] <= 0 {
		delete(h.sent, at)
	}
}

// forget ends the counting of an event that is settled.
func (h *held) forget(consumer string, t ticket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sent, sentKey{consumer, t.sequence})
}

// take returns what waits for a plugin's word on an event, at one consumer or at all of them.
func (h *held) take(plugin, event, consumer string) map[string]holding {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := heldKey{plugin, event}
	all := h.by[key]
	if consumer == "" {
		delete(h.by, key)
		for name := range all {
			h.free(name, event)
		}
		return all
	}
	one, ok := all[consumer]
	if !ok {
		return nil
	}
	h.free(consumer, event)
	if delete(all, consumer); len(all) == 0 {
		delete(h.by, key)
	}
	return map[string]holding{consumer: one}
}

// free tells a consumer's window that an event left it.
func (h *held) free(consumer, event string) {
	w := h.open[consumer]
	if w == nil {
		return
	}
	delete(w.until, event)
	select {
	case w.left <- struct{}{}:
	default:
	}
}

// watch opens a consumer's window until shut is called.
func (h *held) watch(consumer string) (w *window, shut func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w = &window{until: map[string]time.Time{}, left: make(chan struct{}, 1)}
	h.open[consumer] = w
	return w, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.open[consumer] == w {
			delete(h.open, consumer)
		}
	}
}

// unsettled counts the events in a window that the bus does not hand out again yet.
func (h *held) unsettled(w *window, now time.Time) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(w.until, func(_ string, until time.Time) bool { return now.After(until) })
	return len(w.until)
}

// extend gives the receiver of an event more time, and returns what tells the bus so.
func (h *held) extend(plugin, event, consumer string, until time.Time) (ticket, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one, ok := h.by[heldKey{plugin, event}][consumer]
	if !ok {
		return ticket{}, false
	}
	one.until = until
	h.by[heldKey{plugin, event}][consumer] = one
	if w := h.open[consumer]; w != nil {
		w.until[event] = until
	}
	return one.t, true
}

// leave forgets everything of a consumer that is no more.
func (h *held) leave(consumer string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.sent, func(at sentKey, _ int) bool { return at.consumer == consumer })
}

// expire forgets what the bus hands out again by itself.
func (h *held) expire(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, all := range h.by {
		for consumer, one := range all {
			if now.After(one.until) {
				delete(all, consumer)
			}
		}
		if len(all) == 0 {
			delete(h.by, key)
		}
	}
}

// Verdict is a plugin's word on an event it received with explicit acknowledgement.
type Verdict struct {
	Plugin   string `json:"plugin"`
	Event    string `json:"event"`
	Consumer string `json:"consumer,omitempty"` // durable name; "": at every stream of the plugin
	Done     bool   `json:"done"`
	Reason   string `json:"reason,omitempty"` // of a refusal
	Final    bool   `json:"final,omitempty"`  // a refusal that no other try would change
}

// settleTopic is where replicas ask each other who holds an event, and
// settleWait how long they wait for the one that does.
const (
	settleTopic = "vv.settle"
	settleWait  = time.Second
)

// Ack settles an event that the acting plugin received with explicit
// acknowledgement, whichever replica sent it: done, or to be sent again. consumer
// is the stream's own name, where it has one. The error is a fault: NotFound when
// no such event waits, Unavailable.
func (l *Lane) Ack(ctx context.Context, event, consumer string, done bool, reason string) error {
	v := Verdict{Plugin: actor.From(ctx).ID, Event: event, Done: done, Reason: reason}
	if consumer != "" {
		name, err := durable(v.Plugin, consumer)
		if err != nil {
			return err
		}
		v.Consumer = name
	}
	if found, err := l.settle(ctx, v); found || err != nil {
		return err
	}
	if !l.Bus.Shared() {
		return notHeld()
	}
	question, err := json.Marshal(v)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, settleWait)
	defer cancel()
	answer, err := l.Bus.Conn.RequestWithContext(ctx, settleTopic, question)
	if err != nil {
		return notHeld() // nobody said that they hold it
	}
	if len(answer.Data) > 0 {
		return busDown(nil)
	}
	return nil
}

func notHeld() *fault.Fault {
	return fault.New(fault.NotFound, "event.unknown", "No event with this id waits for an acknowledgement of this plugin.")
}

// answerOthers settles what other replicas were told about events of this one. Who
// holds nothing of the kind says nothing.
func (l *Lane) answerOthers(ctx context.Context) error {
	sub, err := l.Bus.Conn.Subscribe(settleTopic, func(q *nats.Msg) {
		var v Verdict
		if json.Unmarshal(q.Data, &v) != nil {
			return
		}
		found, err := l.settle(ctx, v)
		switch {
		case err != nil:
			_ = q.Respond([]byte(err.Error()))
		case found:
			_ = q.Respond(nil)
		}
	})
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { _ = sub.Unsubscribe() })
	return nil
}

// settle acts on a verdict about an event that this replica sent.
func (l *Lane) settle(ctx context.Context, v Verdict) (found bool, err error) {
	for consumer, h := range l.held.take(v.Plugin, v.Event, v.Consumer) {
		found = true
		switch tries := l.held.tries(consumer, h.t); {
		case v.Done:
			if err := l.done(ctx, h.t); err != nil {
				return true, busDown(err)
			}
			l.held.forget(consumer, h.t)
		case v.Final, tries >= l.Limits.MaxDeliver:
			if err := l.bury(ctx, v.Plugin, consumer, h.m, h.t, tries, cmp.Or(v.Reason, "refused by the receiver")); err != nil {
				return true, err
			}
			l.held.forget(consumer, h.t)
		default:
			if err := l.again(h.t, backoff(tries)); err != nil {
				return true, busDown(err)
			}
		}
	}
	return found, nil
}

// goOn notes that a receiver still works on an event, so that it does not come again yet.
func (l *Lane) goOn(v Verdict) {
	if t, ok := l.held.extend(v.Plugin, v.Event, v.Consumer, l.Now().Add(l.Limits.AckWait)); ok {
		l.working(t)
	}
}

// unsent gives back an event that reached nobody; that was no attempt.
func (l *Lane) unsent(v Verdict) {
	for consumer, one := range l.held.take(v.Plugin, v.Event, v.Consumer) {
		l.held.uncount(consumer, one.t)
		_ = l.again(one.t, 0)
	}
}

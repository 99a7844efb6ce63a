package canonical

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
)

// The subjects of a plugin on the bus: below in.<id> it publishes events as
// ev.<type>, asks for events by listen, and settles them by answering to what they
// name; below out.<id> it hears events as ev.<type>, and answers wherever else it likes.
const (
	eventPart  = "ev."
	listenPart = "listen"
	ackPart    = "ack."
)

// inlet hears what plugins say on the bus.
type inlet struct {
	lane  *Lane
	lines lines
	token string // of this replica: what is settled goes to the one that holds it
	seats seats
}

// openInlet begins to hear.
func (l *Lane) openInlet(ctx context.Context) (*inlet, error) {
	in := &inlet{lane: l, token: replicaToken(), lines: lines{most: 16 * l.Limits.InFlight, by: map[string]*talk{}}}
	in.seats = seats{inlet: in, by: map[string]*seat{}}
	for _, s := range []struct {
		subject, queue string
		hear           nats.MsgHandler
	}{
		{"in.*." + eventPart + ">", "vivified", func(m *nats.Msg) { in.published(ctx, m) }},
		{"in.*." + listenPart, "", func(m *nats.Msg) { go in.asked(ctx, m) }},
		{"in.*." + ackPart + in.token + ".>", "", func(m *nats.Msg) { in.settled(ctx, m) }},
	} {
		subscribe := l.Bus.Conn.Subscribe
		if s.queue != "" { // one replica hears it
			subscribe = func(subject string, hear nats.MsgHandler) (*nats.Subscription, error) {
				return l.Bus.Conn.QueueSubscribe(subject, s.queue, hear)
			}
		}
		sub, err := subscribe(s.subject, s.hear)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, func() { _ = sub.Unsubscribe() })
	}
	return in, nil
}

// speaker returns the plugin that a message came from, acting in a context, and the
// rest of its subject. Its server let nobody else publish there.
func (in *inlet) speaker(ctx context.Context, m *nats.Msg) (_ context.Context, rest string, ok bool) {
	token, rest, _ := strings.Cut(strings.TrimPrefix(m.Subject, "in."), ".")
	p, ok := insider(in.lane.Plugins.Snapshot(), token)
	if !ok {
		return ctx, "", false
	}
	ctx = actor.WithTrace(ctx, actor.TraceOf(m.Header["traceparent"]))
	return actor.With(ctx, actor.Actor{Kind: actor.Plugin, ID: p.ID, Name: p.ID, Tenant: actor.DefaultTenant}), rest, true
}

// reply answers where the message asks for it, if that is the plugin's own place:
// nobody has the core speak elsewhere.
func (in *inlet) reply(plugin string, m *nats.Msg, body any) {
	if !strings.HasPrefix(m.Reply, outward(plugin)+".") || strings.ContainsAny(m.Reply, "*> \t\r\n") {
		return
	}
	data, err := json.Marshal(body)
	if err == nil {
		err = in.lane.Bus.Conn.Publish(m.Reply, data)
	}
	if err != nil {
		in.lane.Log.Warn("a plugin on the bus got no answer", "plugin", plugin, "error", err)
	}
}

// refusal is what a plugin on the bus is told of a fault.
type refusal struct {
	Error struct {
		Code     string            `json:"code"`
		Detail   string            `json:"detail"`
		Decision string            `json:"decision_id,omitempty"`
		Errors   []fault.Violation `json:"errors,omitempty"`
	} `json:"error"`
}

func refusalOf(err error) refusal {
	var r refusal
	f := fault.Of(err)
	r.Error.Code, r.Error.Detail, r.Error.Decision, r.Error.Errors = f.Code, f.Sentence, f.Decision, f.Violations
	return r
}

// taken is what a publisher on the bus is told.
type taken struct {
	EventID   string `json:"event_id"`
	Status    string `json:"status"`
	Trace     string `json:"trace_id"`
	Duplicate bool   `json:"duplicate,omitempty"`
	Waiting   bool   `json:"waiting,omitempty"`
}

// published takes one event. Those of one plugin and subject follow each other.
func (in *inlet) published(ctx context.Context, m *nats.Msg) {
	ctx, rest, ok := in.speaker(ctx, m)
	if !ok {
		return
	}
	who := actor.From(ctx).ID
	p, err := readMessage(strings.TrimPrefix(rest, eventPart), m)
	if err != nil {
		in.reply(who, m, refusalOf(err))
		return
	}
	queued := in.lines.add(who, p.Subject, func() {
		receipt, err := in.lane.Publish(ctx, p)
		if err != nil {
			in.reply(who, m, refusalOf(err))
			return
		}
		in.reply(who, m, taken{receipt.EventID, "published", actor.Trace(ctx), receipt.Duplicate, receipt.Waiting})
	})
	if !queued {
		f := fault.New(fault.TooMany, "lane.in_flight", "Too many events of this plugin wait; wait for answers before you publish more.")
		in.reply(who, m, refusalOf(f))
	}
}

// readMessage reads an event from a message: a CloudEvent in structured or binary
// form (CloudEvents NATS binding), or data alone. The subject names its type.
func readMessage(typ string, m *nats.Msg) (Publication, error) {
	h := http.Header{}
	for name, values := range m.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	var p Publication
	if kind := h.Get("Content-Type"); h.Get("Ce-Specversion") != "" || strings.HasPrefix(kind, kindStructured) {
		if kind == "" {
			h.Set("Content-Type", "application/json")
		}
		all, err := ReadPublications(h, m.Data)
		if err != nil {
			return p, err
		}
		p = all[0]
	} else {
		var err error
		if p, err = NewPublication(h.Get(nats.MsgIdHdr), typ, h.Get("Ce-Subject"), m.Data, nil); err != nil {
			return p, err
		}
	}
	if named, err := NewPublication("", typ, "", nil, nil); err != nil || named.Type != p.Type {
		return p, malformed("The event names another type than the subject it was published to.")
	}
	return p, nil
}

// settled takes a plugin's word on an event: the words of JetStream, so that its
// clients speak them.
func (in *inlet) settled(ctx context.Context, m *nats.Msg) {
	ctx, rest, ok := in.speaker(ctx, m)
	if !ok {
		return
	}
	who := actor.From(ctx).ID
	_, place, _ := strings.Cut(strings.TrimPrefix(rest, ackPart), ".")
	name, raw, _ := strings.Cut(place, ".")
	event, err := base64.RawURLEncoding.DecodeString(raw)
	if err != nil {
		return
	}
	if m.Header.Get("Status") == "503" { // the server's: nobody listens any more
		in.lane.unsent(Verdict{Plugin: who, Event: string(event), Consumer: name})
		in.seats.leave(name)
		return
	}
	word, more, _ := strings.Cut(string(m.Data), " ")
	v := Verdict{Plugin: who, Event: string(event), Consumer: name}
	switch word {
	case "", "+ACK", "+NXT":
		v.Done = true
	case "-NAK":
		v.Reason = "refused by the receiver"
	case "+TERM":
		v.Reason, v.Final = "refused by the receiver for good", true
		if more != "" {
			v.Reason = clip(more)
		}
	case "+WPI":
		in.lane.goOn(v)
		return
	default:
		in.reply(who, m, refusalOf(malformed("What became of an event is said as +ACK, -NAK, +WPI or +TERM.")))
		return
	}
	found, err := in.lane.settle(ctx, v)
	if err == nil && !found {
		err = notHeld()
	}
	if err != nil {
		in.reply(who, m, refusalOf(err))
		return
	}
	in.reply(who, m, map[string]string{"event_id": v.Event, "status": "ok"})
}

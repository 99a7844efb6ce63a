package vivified

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// quiet is how long a stream may say nothing before it is taken for dead and
// opened again. The core sends a comment far more often.
const quiet = 90 * time.Second

// subscription is one handler and the types it wants.
type subscription struct {
	pattern string
	handle  func(context.Context, Event) error
}

// OnEvent has handle called for every event of a type, or under a wildcard such
// as user.*, that the manifest subscribes to.
//
// Events come one at a time, in the core's order, at least once. An event is
// acknowledged when every handler that wants it has returned nil; an error, or
// a panic, has the core deliver it again later. OnEvent must be called before Run.
func (p *Plugin) OnEvent(eventType string, handle func(context.Context, Event) error) {
	p.subscriptions = append(p.subscriptions, subscription{eventType, handle})
}

// listen holds the event stream open until ctx ends. Work in hand goes on under work.
func (p *Plugin) listen(ctx, work context.Context) {
	wait := backoff{base: 200 * time.Millisecond, most: 5 * time.Second}
	last, said := "", ""
	for {
		opened, err := p.stream(ctx, work, &last)
		if ctx.Err() != nil {
			return
		}
		if opened {
			wait.reset()
			said = ""
		}
		if reason := fmt.Sprint(err); reason != said {
			said = reason
			p.log.WarnContext(ctx, "event stream ended; opening it again", "reason", reason)
		}
		if sleep(ctx, max(wait.next(), retryAfter(err))) != nil {
			return
		}
	}
}

// stream opens the event stream once and handles what comes, until it ends. It
// reports whether the core opened it, and leaves the last acknowledged id in last.
func (p *Plugin) stream(ctx, work context.Context, last *string) (opened bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(quiet, cancel)
	defer watchdog.Stop()

	r := request{method: http.MethodGet, path: p.streamPath(), header: http.Header{"Accept": {"text/event-stream"}}}
	if *last != "" {
		r.header.Set("Last-Event-ID", *last)
	}
	var res *http.Response
	err = p.session.with(ctx, func(token string) error {
		res, err = p.core.open(ctx, r, token)
		if err == nil && res.StatusCode != http.StatusOK {
			if _, err = p.core.read(res); err == nil {
				err = fmt.Errorf("the stream was answered with %s", res.Status)
			}
		}
		return err
	})
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	p.log.DebugContext(ctx, "event stream open")
	in := newMessages(awake{res.Body, watchdog}, int(p.cfg.BodyLimit))
	for {
		msg, err := in.next()
		if errors.Is(err, io.EOF) {
			return true, errors.New("the core closed it")
		}
		if err != nil {
			return true, err
		}
		// Handling may take longer than the stream may stay quiet.
		watchdog.Stop()
		if p.receive(work, msg) {
			*last = msg.id
		}
		watchdog.Reset(quiet)
	}
}

// streamPath is the address of this plugin's stream, limited to what it has
// handlers for. The core knows a wildcard only as the manifest writes it.
func (p *Plugin) streamPath() string {
	var types []string
	for _, s := range p.subscriptions {
		asked := normal(s.pattern)
		if strings.HasSuffix(asked, "*") {
			asked = p.manifest.subscription(asked)
		}
		if !slices.Contains(types, asked) {
			types = append(types, asked)
		}
	}
	query := url.Values{"types": {strings.Join(types, ",")}, "ack": {"explicit"}}
	return "/messaging/events/stream?" + query.Encode()
}

// receive handles one message of the stream and tells the core how it went. It
// reports whether the event was handled and acknowledged.
func (p *Plugin) receive(ctx context.Context, msg message) bool {
	var event Event
	err := json.Unmarshal(msg.data, &event)
	if err == nil {
		err = p.dispatch(ctx, event)
	}
	path := "/messaging/events/" + url.PathEscape(msg.id)
	if err != nil {
		p.log.WarnContext(ctx, "event not handled; it will come again", "event", msg.id, "type", msg.event, "error", err)
		_, err = p.session.do(ctx, request{method: http.MethodPost, path: path + "/nak"})
	} else {
		_, err = p.session.do(ctx, request{method: http.MethodPost, path: path + "/ack"})
		if err == nil {
			return true
		}
	}
	if err != nil {
		p.log.WarnContext(ctx, "event not acknowledged; it will come again", "event", msg.id, "type", msg.event, "error", err)
	}
	return false
}

// dispatch calls every handler that wants the event, under the event's trace.
func (p *Plugin) dispatch(ctx context.Context, event Event) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("handler of %s panicked: %v", event.Type, cause)
		}
	}()
	ctx = WithTraceparent(ctx, event.Traceparent)
	for _, s := range p.subscriptions {
		if covers(s.pattern, event.Type) {
			err = errors.Join(err, s.handle(ctx, event))
		}
	}
	return err
}

// awake is a body whose every read shows that the other side is alive.
type awake struct {
	io.Reader
	watchdog *time.Timer
}

func (a awake) Read(into []byte) (int, error) {
	n, err := a.Reader.Read(into)
	if n > 0 {
		a.watchdog.Reset(quiet)
	}
	return n, err
}

package vivified_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	vivified "github.com/vivified/vivified/sdk/go"
)

const someTrace = "4bf92f3577b34da6a3ce929d0e0e4736"

func TestPublish(t *testing.T) {
	c := newCore(t)
	p := run(t, c, nil)
	c.set(func() {
		c.routes["POST /messaging/events"] = answer{status: 202, body: `{"event_id":"e-1","status":"published"}`}
	})
	ctx := vivified.WithTraceparent(t.Context(), "00-"+someTrace+"-00f067aa0ba902b7-01")
	id, err := p.Publish(ctx, vivified.Publication{ID: "e-1", Type: "hello.said", Payload: map[string]string{"to": "you"}, DataTraits: []string{"internal"}})
	if err != nil || id != "e-1" {
		t.Fatalf("Publish returned %q, %v", id, err)
	}
	got := c.next()
	if want := `{"id":"e-1","event_type":"hello.said","payload":{"to":"you"},"data_traits":["internal"]}`; got.body != want {
		t.Errorf("sent %s, want %s", got.body, want)
	}
	if got := got.header.Get("Traceparent"); !strings.HasPrefix(got, "00-"+someTrace+"-") || strings.Contains(got, "00f067aa0ba902b7") {
		t.Errorf("sent traceparent %q, want a new span of trace %s", got, someTrace)
	}
}

func TestPublishTriesAgainUnderOneID(t *testing.T) {
	c := newCore(t)
	p := run(t, c, nil)
	c.set(func() { c.routes["POST /messaging/events"] = problem(503, "bus.down", "The bus is down.") })
	ids := make(chan error, 1)
	go func() { _, err := p.PublishEvent(t.Context(), "hello.said", nil); ids <- err }()
	first := c.next()
	c.set(func() { c.routes["POST /messaging/events"] = answer{status: 202, body: `{"event_id":"x"}`} })
	if err := receive(t, ids); err != nil {
		t.Fatal(err)
	}
	if second := c.next(); second.body != first.body || !strings.Contains(first.body, `"id":"`) {
		t.Errorf("sent %s, then %s; want the same id twice", first.body, second.body)
	}
}

func TestCall(t *testing.T) {
	c := newCore(t)
	p := run(t, c, nil)
	c.set(func() {
		c.routes["POST /gateway/hello-publisher/get_profile"] = answer{status: 200, body: `{"name":"Ada"}`}
		c.routes["GET /gateway/hello-publisher/-/profiles/1"] = answer{status: 200, body: `{"name":"Ada"}`}
		c.routes["POST /gateway/hello-publisher/forbidden"] = problem(403, "operator.grant", "hello has no grant to call hello-publisher.")
	})
	for _, row := range []struct {
		name       string
		call       func(context.Context) (*vivified.Answer, error)
		path, body string
	}{
		{"by operation", func(ctx context.Context) (*vivified.Answer, error) {
			return p.Call(ctx, "hello-publisher", "get_profile", map[string]string{"id": "1"})
		}, "/gateway/hello-publisher/get_profile", `{"id":"1"}`},
		{"by path", func(ctx context.Context) (*vivified.Answer, error) {
			return p.CallPath(ctx, "hello-publisher", "GET", "/profiles/1", nil)
		}, "/gateway/hello-publisher/-/profiles/1", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			answer, err := row.call(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var profile struct{ Name string }
			if err := answer.Decode(&profile); err != nil || profile.Name != "Ada" {
				t.Errorf("got %+v, %v", profile, err)
			}
			if got := c.next(); got.path != row.path || got.body != row.body {
				t.Errorf("asked %s with %q, want %s with %q", got.path, got.body, row.path, row.body)
			}
		})
	}
	_, err := p.Call(t.Context(), "hello-publisher", "forbidden", nil)
	refusal, ok := errors.AsType[*vivified.Problem](err)
	if !ok || refusal.Status != 403 || refusal.Code != "operator.grant" || refusal.DecisionID != "d-1" || refusal.TraceID != "t-1" || !strings.HasSuffix(refusal.Why, "/console/decisions/d-1") {
		t.Errorf("a denied call ended with %#v (%v)", refusal, err)
	}
}

func TestCallExternal(t *testing.T) {
	c := newCore(t)
	p := run(t, c, nil)
	proxy := func(a answer) { c.set(func() { c.routes["POST /gateway/proxy"] = a }) }

	proxy(answer{status: 200, body: `{"request_id":"r","status_code":404,"headers":{"Content-Type":"text/plain","Vary":["a","b"]},"body":"aGk=","body_encoding":"base64","response_time_ms":1.5,"success":false}`})
	got, err := p.CallExternal(t.Context(), vivified.ExternalRequest{URL: "https://pages.hello.test/", JSON: map[string]int{"a": 1}, Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != 404 || string(got.Body) != "hi" || got.Header.Get("Content-Type") != "text/plain" || len(got.Header["Vary"]) != 2 || got.ResponseTime != 1500*time.Microsecond {
		t.Errorf("got %+v", got)
	}
	var sent map[string]any
	if err := json.Unmarshal([]byte(c.next().body), &sent); err != nil || sent["method"] != "GET" || sent["timeout"] != 2.0 || sent["body"] != nil {
		t.Errorf("sent %v, %v", sent, err)
	}

	proxy(answer{status: 200, body: `{"success":false,"status_code":0,"error_message":"no such host"}`})
	if _, err := p.CallExternal(t.Context(), vivified.ExternalRequest{URL: "https://pages.hello.test/"}); !errors.Is(err, vivified.ErrUnreachable) || !strings.Contains(err.Error(), "no such host") {
		t.Errorf("an address that did not answer ended with %v", err)
	}
	proxy(problem(403, "proxy.domain", "pages.hello.test is not declared."))
	_, err = p.CallExternal(t.Context(), vivified.ExternalRequest{URL: "https://pages.hello.test/"})
	if refusal, ok := errors.AsType[*vivified.Problem](err); !ok || refusal.Code != "proxy.domain" {
		t.Errorf("a refused request ended with %v", err)
	}
	if _, err := p.CallExternal(t.Context(), vivified.ExternalRequest{Body: []byte{0xff}}); err == nil {
		t.Error("a body that is not text was sent")
	}
}

func TestEventsAreHandledAcknowledgedAndResumed(t *testing.T) {
	c := newCore(t)
	handled := make(chan string, 8)
	run(t, c, func(p *vivified.Plugin, _ *vivified.Config) {
		if p == nil {
			return
		}
		p.OnEvent("greeting.*", func(ctx context.Context, e vivified.Event) error {
			var data struct{ Say string }
			if err := e.Decode(&data); err != nil {
				return err
			}
			switch data.Say {
			case "fail":
				return errors.New("not today")
			case "panic":
				panic("at the disco")
			}
			handled <- e.ID + " " + strings.Join(e.Redacted, " ") + " " + data.Say + " " + vivified.TraceID(ctx)
			return nil
		})
	})
	open := c.next()
	if open.query != "ack=explicit&types=greeting.%2A" || open.header.Get("Last-Event-ID") != "" || open.header.Get("Accept") != "text/event-stream" {
		t.Errorf("opened the stream with %+v", open)
	}
	event := func(id, say string) vivified.Event {
		return vivified.Event{ID: id, Type: "greeting.requested", Redacted: vivified.Names{"/name", "/email"}, Traceparent: "00-" + someTrace + "-00f067aa0ba902b7-01", Data: json.RawMessage(`{"say":"` + say + `"}`)}
	}
	c.events <- event("e1", "hi")
	if got := receive(t, handled); got != "e1 /name /email hi "+someTrace {
		t.Errorf("handled %q", got)
	}
	if got := c.next(); got.path != "/messaging/events/e1/ack" {
		t.Errorf("answered %s, want an ack", got.path)
	}
	c.events <- event("e2", "fail")
	if got := c.next(); got.path != "/messaging/events/e2/nak" {
		t.Errorf("answered %s, want a nak", got.path)
	}
	c.events <- event("e3", "panic")
	if got := c.next(); got.path != "/messaging/events/e3/nak" {
		t.Errorf("answered %s, want a nak", got.path)
	}
	c.CloseClientConnections()
	if again := c.next(); again.path != "/messaging/events/stream" || again.header.Get("Last-Event-ID") != "e1" {
		t.Errorf("resumed with %s after %q, want after the last acknowledged event", again.path, again.header.Get("Last-Event-ID"))
	}
}

func TestStoppingLetsTheEventInHandFinish(t *testing.T) {
	c := newCore(t)
	begun, finish := make(chan struct{}), make(chan struct{})
	p := run(t, c, func(p *vivified.Plugin, _ *vivified.Config) {
		if p == nil {
			return
		}
		p.OnEvent("greeting.*", func(ctx context.Context, _ vivified.Event) error {
			close(begun)
			<-finish
			return ctx.Err()
		})
	})
	c.next()
	c.events <- vivified.Event{ID: "e1", Type: "greeting.requested"}
	receive(t, begun)
	stopped := make(chan error, 1)
	go func() { stopped <- p.stop() }()
	for refused := false; !refused; { // it takes nothing new once it is stopping
		_, err := http.Get(p.URL + "/health")
		refused = err != nil
	}
	close(finish)
	if got := c.next(); got.path != "/messaging/events/e1/ack" {
		t.Errorf("the event in hand was answered %s, want an ack", got.path)
	}
	if err := receive(t, stopped); err != nil {
		t.Error(err)
	}
}

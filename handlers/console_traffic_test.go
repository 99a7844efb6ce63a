package handlers_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/views"
)

// listen reads a plugin's stream of events in the background and acknowledges by
// reading on, until the test ends.
func (p *target) listen() {
	p.core.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := must(http.NewRequestWithContext(ctx, "GET", p.core.URL+"/messaging/events/stream", nil))(p.core.t)
	r.Header.Set("Authorization", "Bearer "+p.Token)
	done := make(chan struct{})
	go func() {
		defer close(done)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			return
		}
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		for lines.Scan() {
		}
	}()
	p.core.t.Cleanup(func() { cancel(); <-done })
}

func TestEvents(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	mara.get("/console/events").shows(t, 200, "No event yet")
	publisher := c.enabled("publisher", greeting(), nil)
	hears := map[string]any{"subscribes": []string{"greeting.*"}, "delivery": "stream"}
	reader := c.enabled("reader", map[string]any{
		"traits": []string{"handles_pii", "audit_required"}, "events": hears, "security": map[string]any{"authentication_required": true, "data_classification": []string{"pii"}},
	}, nil)
	lurker := c.enabled("lurker", map[string]any{"events": hears}, nil)
	reader.listen()
	lurker.listen()
	c.eventually("the bus knows both receivers", func() bool {
		return len(must(c.Events.Stats(t.Context()))(t).Waiting) == 2
	})
	id := publisher.publish("greeting.requested", map[string]string{"language": "en", "name": "Ada Lovelace"})

	c.eventually("both deliveries are recorded", func() bool {
		text := mara.get("/console/events").text()
		return strings.Contains(text, "1 delivered") && strings.Contains(text, "1 redacted")
	})
	mara.get("/console/events").shows(t, 200, "greeting.requested", "Publisher", "PII")
	mara.get("/console/events?type=greeting.requested&plugin=publisher&class=pii").shows(t, 200, "Type is greeting.requested", "1 delivered")
	mara.get("/console/events?plugin=reader").shows(t, 200, "No event of this time fits the filter.")
	mara.get("/console/events?range=custom&from=nonsense").shows(t, 400, "The range cannot be read")

	one := mara.get(views.EventPath(id))
	one.shows(t, 200, "Reader", "Delivered", "Lurker", "Redacted", "Without name", "handles_pii missing", "language", "en", "Redacted for you", "1 field is hidden from you.", "How it was decided")
	one.lacks(t, "Ada", "Lovelace")
	mara.get("/console/events/nothing").shows(t, 404, "There is no event with this id")

	// Who may see personal data sees the name; who may not see the audit, no way there.
	hannah := c.person("hannah@example.com", "Hannah Weiss", "developer")
	plain := hannah.get(views.EventPath(id))
	plain.shows(t, 200, "Redacted for you", "1 field is hidden from you. Needs the trait handles_pii")
	plain.lacks(t, "/console/audit", "/console/decisions", "Lovelace")
	if status, answer := c.api(c.token(adminAt), "POST", "/admin/users/"+hannah.user.ID.String()+"/traits", map[string]string{"trait": "handles_pii", "reason": "care"}); status != 200 {
		t.Fatalf("grant: %d %v", status, answer)
	}
	hannah.signIn("hannah@example.com")
	full := hannah.get(views.EventPath(id))
	full.shows(t, 200, "name", "Ada Lovelace", "PII")
	full.lacks(t, "Redacted for you")
}

// message is one server-sent event.
type message struct{ id, data string }

// stream opens a stream of the console and hands its messages over; the channel
// is closed when the stream ends.
func (b *browser) stream(path string, header http.Header) <-chan message {
	b.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := must(http.NewRequestWithContext(ctx, "GET", b.core.URL+path, nil))(b.t)
	r.Header.Set("Accept", "text/html, text/event-stream")
	r.Header.Set("HX-Request", "true")
	for name, values := range header {
		r.Header[name] = values
	}
	answer := must(b.client.Do(r))(b.t)
	if got := answer.Header.Get("Content-Type"); answer.StatusCode != 200 || !strings.HasPrefix(got, "text/event-stream") {
		b.t.Fatalf("GET %s: %d %s", path, answer.StatusCode, got)
	}
	out := make(chan message, 16)
	go func() {
		defer close(out)
		defer answer.Body.Close()
		lines := bufio.NewScanner(answer.Body)
		lines.Buffer(nil, 1<<20)
		var m message
		for lines.Scan() {
			line := lines.Text()
			switch {
			case line == "" && m.data != "":
				select {
				case out <- m:
				case <-ctx.Done():
					return
				}
				m = message{}
			case strings.HasPrefix(line, "id: "):
				m.id = line[len("id: "):]
			case strings.HasPrefix(line, "data: "):
				m.data += line[len("data: "):] + "\n"
			}
		}
	}()
	b.t.Cleanup(cancel)
	return out
}

// next waits for a message that holds a text.
func next(t testing.TB, from <-chan message, want string) message {
	t.Helper()
	late := time.After(15 * time.Second)
	for {
		select {
		case m, open := <-from:
			if !open {
				t.Fatalf("the stream ended before %q", want)
			}
			if strings.Contains(m.data, want) {
				return m
			}
		case <-late:
			t.Fatalf("no message holds %q", want)
		}
	}
}

// ended waits until a stream ends.
func ended(t testing.TB, from <-chan message) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case _, open := <-from:
			if !open {
				return
			}
		case <-late:
			t.Fatal("the stream goes on")
		}
	}
}

func TestOverviewKeepsItselfCurrent(t *testing.T) {
	t.Parallel()
	c := newCore(t)
	mara := c.setUp()
	live := mara.stream("/console/live", nil)
	next(t, live, "No plugin yet")
	c.plugin("publisher", greeting(), nil)
	m := next(t, live, "Publisher waits to be enabled")
	for _, part := range []string{`hx-target="#summary"`, `hx-target="#attention"`, `hx-target="#lane-proxy"`, `hx-target="#plugins"`, `hx-target="#proof"`, `hx-target="#traffic-operator"`} {
		if !strings.Contains(m.data, part) {
			t.Errorf("the message lacks %s", part)
		}
	}
	plain := c.person("viewer@example.com", "Viewer", "viewer").stream("/console/live", nil)
	if m := next(t, plain, "Publisher"); strings.Contains(m.data, "#proof") || strings.Contains(m.data, "#traffic") || strings.Contains(m.data, "#lane") {
		t.Error("a viewer is sent what only others may see")
	}
	mara.post("/sign-out", nil)
	c.plugin("another", nil, nil)
	ended(t, live)
}

func TestTailOfEvents(t *testing.T) {
	t.Parallel()
	c := newCore(t)
	mara := c.setUp()
	publisher := c.enabled("publisher", greeting(), nil)
	other := c.enabled("other", map[string]any{"events": map[string]any{"publishes": []string{"weather.changed"}}}, nil)
	tail := mara.stream("/console/events/stream?type=greeting.requested", nil)
	other.publish("weather.changed", map[string]string{"sky": "grey"})
	first := publisher.publish("greeting.requested", map[string]string{"language": "en", "name": "Ada Lovelace"})
	m := next(t, tail, first)
	if strings.Contains(m.data, "weather.changed") || strings.Contains(m.data, "Lovelace") {
		t.Errorf("the row holds what it should not: %s", m.data)
	}
	missed := publisher.publish("greeting.requested", map[string]string{"language": "de", "name": "Emmy"})
	again := mara.stream("/console/events/stream", http.Header{"Last-Event-Id": {m.id}})
	if got := next(t, again, missed); strings.Contains(got.data, first) {
		t.Error("what the reader has is sent again")
	}

	hannah := c.person("hannah@example.com", "Hannah Weiss", "developer")
	hers := hannah.stream("/console/events/stream", nil)
	if _, err := c.Identity.SetRoles(c.system(), hannah.user.ID, nil); err != nil {
		t.Fatal(err)
	}
	publisher.publish("greeting.requested", map[string]string{"language": "fr"})
	ended(t, hers)
}

func TestTimesAreTheReaders(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	c.enabled("publisher", greeting(), nil)
	mara.header.Set("Cookie", "vv_prefs=theme=dark&zone=Asia%2FKolkata&density=compact")
	p := mara.do("GET", "/console/plugins/publisher", nil, http.Header{"Cookie": {mara.header.Get("Cookie") + "; " + c.Identity.CookieName() + "=" + mara.session()}})
	p.shows(t, 200, "+05:30")
	for _, want := range []string{`data-theme="dark"`, `data-density="compact"`} {
		if !strings.Contains(p.Body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

// What htmx asks for is somebody's hand at work, though it accepts event streams:
// only the two live streams leave a session to its pause.
func TestOnlyStreamsArePassive(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	seen := func() time.Time {
		var at time.Time
		if err := c.DB.Owner.QueryRow(t.Context(), "SELECT seen_at FROM sessions ORDER BY created_at DESC LIMIT 1").Scan(&at); err != nil {
			t.Fatal(err)
		}
		return at
	}
	back := func() {
		if _, err := c.DB.Owner.Exec(t.Context(), "UPDATE sessions SET seen_at = now() - interval '10 minutes'"); err != nil {
			t.Fatal(err)
		}
		c.Identity.Invalidate()
	}
	back()
	before := seen()
	mara.status("GET", "/console/live")
	if !seen().Equal(before) {
		t.Error("a stream counts as use of the session")
	}
	mara.do("GET", "/console/plugins", nil, htmx("main#main", c.URL+"/console/plugins")).shows(t, 200)
	c.eventually("the session is seen", func() bool { return seen().After(before) })
}

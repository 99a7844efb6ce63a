package handlers_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/core/audit"
)

// heard is a stream that is being read.
type heard struct {
	t      testing.TB
	Status int
	lines  chan string // closed when the stream ends
}

// hear opens a stream and reads it until it ends, or the test does.
func (c *core) hear(path string, header http.Header) *heard {
	c.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := must(http.NewRequestWithContext(ctx, "GET", c.URL+path, nil))(c.t)
	r.Header = header
	answer := must(direct.Do(r))(c.t)
	h := &heard{t: c.t, Status: answer.StatusCode, lines: make(chan string, 1000)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(h.lines)
		defer answer.Body.Close()
		for s := bufio.NewScanner(answer.Body); s.Scan(); {
			select {
			case h.lines <- s.Text():
			case <-ctx.Done():
				return
			}
		}
	}()
	c.t.Cleanup(func() { cancel(); <-done })
	return h
}

// until waits for a line that holds text.
func (h *heard) until(text string) {
	h.t.Helper()
	late := time.After(patience)
	for {
		select {
		case line, open := <-h.lines:
			if strings.Contains(line, text) {
				return
			}
			if !open {
				h.t.Fatalf("the stream ended before %q came", text)
			}
		case <-late:
			h.t.Fatalf("%q never came", text)
		}
	}
}

// ends waits for the end of the stream.
func (h *heard) ends(what string) {
	h.t.Helper()
	late := time.After(patience)
	for {
		select {
		case _, open := <-h.lines:
			if !open {
				return
			}
		case <-late:
			h.t.Fatalf("the stream outlives %s", what)
		}
	}
}

// A plugin's stream ends with its right to be there.
func TestPluginStreamsEnd(t *testing.T) {
	c := newCore(t)
	c.setUp()
	person := c.token(adminAt)
	for id, ends := range map[string][]string{"to-disable": {"/disable"}, "to-quarantine": {"/quarantine"}, "to-unregister": {"/disable", ""}} {
		plugin := c.enabled(id, map[string]any{"events": map[string]any{"subscribes": []string{"a.b"}, "delivery": "stream"}}, nil)
		h := c.hear("/messaging/events/stream", bearer(plugin.Token))
		if h.Status != http.StatusOK {
			t.Fatalf("%s: the stream answers %d", id, h.Status)
		}
		h.until(":")
		for _, end := range ends {
			method := "POST"
			if end == "" {
				method = "DELETE"
			}
			if status, answer := c.api(person, method, "/plugins/"+id+end, map[string]string{"reason": "ends"}); status != http.StatusOK {
				t.Fatalf("%s %s: %d %v", id, end, status, answer)
			}
		}
		h.ends(id)
	}
}

// A person's stream ends with the session, however that ended, and tells nothing
// to somebody who lost the trait for it.
func TestPeoplesStreamsEnd(t *testing.T) {
	c := newCore(t)
	c.setUp()
	person := c.token(adminAt)
	open := map[string]*heard{}
	for name, end := range map[string]func(b *browser){
		"signing out": func(b *browser) { b.post("/sign-out", nil) },
		"suspension": func(b *browser) {
			c.api(person, "PATCH", "/admin/users/"+b.user.ID.String(), map[string]string{"status": "suspended", "reason": "left"})
		},
		"deletion": func(b *browser) { c.api(person, "DELETE", "/admin/users/"+b.user.ID.String(), nil) },
		"a change of roles": func(b *browser) {
			c.api(person, "PATCH", "/admin/users/"+b.user.ID.String(), map[string]any{"roles": []string{"viewer"}})
		},
	} {
		b := c.person("ola-"+strings.ReplaceAll(name, " ", "-")+"@example.com", "Ola", "admin")
		for _, path := range []string{"/console/live", "/console/events/stream"} {
			h := c.hear(path, http.Header{"Cookie": {c.Identity.CookieName() + "=" + b.session()}, "Accept": {"text/event-stream"}})
			if h.Status != http.StatusOK {
				t.Fatalf("%s: %s answers %d", name, path, h.Status)
			}
			h.until(":")
			open[name+" ("+path+")"] = h
		}
		end(b)
	}
	start := time.Now()
	for name, h := range open {
		h.ends(name)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("the streams ended after %s", took)
	}
	for _, r := range c.records(audit.Filter{Action: "auth.denied", Limit: 100}) {
		t.Errorf("the end of a stream was recorded as a refused credential: %s", r.Detail)
	}
}

// Nobody's stream keeps a session from ending by its pause.
func TestStreamsProlongNothing(t *testing.T) {
	c := newCore(t)
	b := c.setUp()
	if _, err := c.DB.Owner.Exec(t.Context(), `UPDATE sessions SET seen_at = now() - interval '10 minutes'`); err != nil {
		t.Fatal(err)
	}
	h := c.hear("/console/live", http.Header{"Cookie": {c.Identity.CookieName() + "=" + b.session()}, "Accept": {"text/event-stream"}})
	h.until(":")
	var seen time.Time
	if err := c.DB.Owner.QueryRow(t.Context(), `SELECT max(seen_at) FROM sessions`).Scan(&seen); err != nil {
		t.Fatal(err)
	}
	if time.Since(seen) < 9*time.Minute {
		t.Errorf("the session was used %s ago by a page that keeps itself current", time.Since(seen))
	}
	if _, err := c.DB.Owner.Exec(t.Context(), `UPDATE sessions SET seen_at = now() - interval '10 days'`); err != nil {
		t.Fatal(err)
	}
	h.ends("the longest pause of its session")
	got := c.wire().ask("GET", "/console/plugins", "Cookie: "+c.Identity.CookieName()+"="+b.session(), "Hx-Request: true")
	if got.status() != http.StatusUnauthorized || got.Header.Get("HX-Redirect") == "" {
		t.Errorf("after its pause the session is answered %d, led to %q", got.status(), got.Header.Get("HX-Redirect"))
	}
}

package proxy_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/lanes/proxy"
)

// readAll reads and closes the body of a reply.
func readAll(t testing.TB, r *proxy.Reply) (string, error) {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if closing := r.Body.Close(); closing != nil && err == nil {
		err = closing
	}
	return string(body), err
}

func TestStreamPassesBothBodies(t *testing.T) {
	w := newWorld(t, worldConfig{})
	var got http.Header
	site, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		got = r.Header
		rw.Header().Set("Set-Cookie", "a=b")
		rw.Header().Set("Etag", `"e"`)
		rw.WriteHeader(http.StatusAccepted)
		io.Copy(rw, r.Body)
	})
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)
	const text = "a body of unknown length"
	reply, err := w.lane.Stream(w.as(t, mailer), proxy.StreamRequest{
		URL: at("api.example.com", site, "/"), Method: "PUT", Body: strings.NewReader(text), Length: -1,
		Header: http.Header{
			"Authorization": {"Bearer core"}, "Cookie": {"__Host-vv_session=core"}, "X-Api-Key": {"vv_core"}, "X-Refresh-Token": {"core"}, "X-Registration-Token": {"core"},
			"X-Vivified-On-Behalf-Of": {"core"}, "Traceparent": {"00-core"}, "X-Custom": {"1"}, "Content-Type": {"text/plain"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	body, err := readAll(t, reply)
	if err != nil || body != text || reply.Status != http.StatusAccepted || reply.Decision == "" {
		t.Errorf("the plugin got %d %q, %v", reply.Status, body, err)
	}
	// Neither the session nor the bearer leaves.
	if diff := cmp.Diff(http.Header{"X-Custom": {"1"}, "Content-Type": {"text/plain"}, "User-Agent": {"Vivified"}, "Accept-Encoding": {"gzip"}}, got); diff != "" {
		t.Errorf("the headers the host got (-want +got):\n%s", diff)
	}
	if reply.Header.Get("Etag") != `"e"` || reply.Header.Get("Set-Cookie") != "" {
		t.Errorf("the headers the plugin got: %v", reply.Header)
	}
	if diff := cmp.Diff([]string{"allow proxy.approved", "ok"}, w.journal.summary(t)); diff != "" {
		t.Error(diff)
	}
}

// What the host sends reaches the plugin while the host is still sending.
func TestStreamDoesNotWaitForTheEnd(t *testing.T) {
	w := newWorld(t, worldConfig{})
	more := make(chan struct{})
	site, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		io.WriteString(rw, "first")
		rw.(http.Flusher).Flush()
		<-more
		io.WriteString(rw, "second")
	})
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)
	reply, err := w.lane.Stream(w.as(t, mailer), proxy.StreamRequest{URL: at("api.example.com", site, "/")})
	if err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 5)
	if _, err := io.ReadFull(reply.Body, first); err != nil || string(first) != "first" {
		t.Fatalf("%q, %v", first, err)
	}
	close(more)
	if rest, err := readAll(t, reply); err != nil || rest != "second" {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestStreamHandsRedirectsBack(t *testing.T) {
	w := newWorld(t, worldConfig{})
	site, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, "http://169.254.169.254/", http.StatusFound)
	})
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)
	reply, err := w.lane.Stream(w.as(t, mailer), proxy.StreamRequest{URL: at("api.example.com", site, "/")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(t, reply); err != nil || reply.Status != http.StatusFound || reply.Header.Get("Location") != "http://169.254.169.254/" {
		t.Errorf("%d %v, %v", reply.Status, reply.Header, err)
	}
}

func TestStreamRefusesAsDoDoes(t *testing.T) {
	w := newWorld(t, worldConfig{})
	for url, rule := range map[string]string{
		"https://undeclared.example.com/": "proxy.domain",
		"https://api.example.com/":        "proxy.approved",
		"https://127.0.0.1/":              proxy.CodeAddress,
		"":                                proxy.CodeURL,
	} {
		w.journal.rows()
		_, err := w.lane.Stream(w.as(t, mailer), proxy.StreamRequest{URL: url, Body: strings.NewReader("x"), Length: 1, Method: "POST"})
		if code(err) != rule || !fault.Is(err, fault.Denied) {
			t.Errorf("%q: %v, want %s", url, err, rule)
		}
		if diff := cmp.Diff([]string{"deny " + rule}, w.journal.summary(t)); diff != "" {
			t.Errorf("%q: %s", url, diff)
		}
	}
}

func TestStreamFailures(t *testing.T) {
	w := newWorld(t, worldConfig{limits: proxy.Limits{Body: 1000, Timeout: 300 * time.Millisecond}})
	release := make(chan struct{})
	defer close(release)
	wait := func(r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}
	site, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hang":
			wait(r)
		case "/stall":
			io.WriteString(rw, "a little")
			rw.(http.Flusher).Flush()
			wait(r)
		case "/short":
			rw.Header().Set("Content-Length", "100")
			io.WriteString(rw, "short")
		case "/announced":
			rw.Header().Set("Content-Length", "1001")
		case "/flood":
			for rw.(http.Flusher).Flush(); r.Context().Err() == nil; {
				if _, err := rw.Write(make([]byte, 4096)); err != nil {
					return
				}
			}
		case "/bomb":
			rw.Header().Set("Content-Encoding", "gzip")
			rw.Write(bomb(t, 1<<19))
		case "/eat":
			io.Copy(io.Discard, r.Body)
		}
	})
	silent := httptest.NewServer(nil)
	silent.Close()
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com", Ports: ports(site, silent)}, nil)
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "nowhere.example.com"}, nil)
	endless := struct{ io.Reader }{bytes.NewReader(make([]byte, 1<<20))}
	tests := []struct {
		name    string
		request proxy.StreamRequest
		code    string
		kind    fault.Kind
		begins  bool // an answer arrives, and its body fails
	}{
		{"an unknown name", proxy.StreamRequest{URL: "https://nowhere.example.com/"}, proxy.CodeDNS, fault.BadGateway, false},
		{"a closed port", proxy.StreamRequest{URL: at("api.example.com", silent, "/")}, proxy.CodeConnect, fault.BadGateway, false},
		{"a host that hangs", proxy.StreamRequest{URL: at("api.example.com", site, "/hang")}, proxy.CodeTimeout, fault.Timeout, false},
		{"an answer announced too long", proxy.StreamRequest{URL: at("api.example.com", site, "/announced")}, proxy.CodeSize, fault.BadGateway, false},
		{"a body announced too long", proxy.StreamRequest{URL: at("api.example.com", site, "/eat"), Method: "POST", Body: endless, Length: 1 << 20}, proxy.CodeSize, fault.TooLarge, false},
		{"a body without end", proxy.StreamRequest{URL: at("api.example.com", site, "/eat"), Method: "POST", Body: endless, Length: -1}, proxy.CodeSize, fault.TooLarge, false},
		{"a host that stalls", proxy.StreamRequest{URL: at("api.example.com", site, "/stall")}, proxy.CodeTimeout, fault.Timeout, true},
		{"an answer shorter than announced", proxy.StreamRequest{URL: at("api.example.com", site, "/short")}, proxy.CodeAnswer, fault.BadGateway, true},
		{"an answer without end", proxy.StreamRequest{URL: at("api.example.com", site, "/flood")}, proxy.CodeSize, fault.BadGateway, true},
		{"a decompression bomb", proxy.StreamRequest{URL: at("api.example.com", site, "/bomb")}, proxy.CodeSize, fault.BadGateway, true},
	}
	for _, tt := range tests {
		w.journal.rows()
		reply, err := w.lane.Stream(w.as(t, mailer), tt.request)
		if (err == nil) != tt.begins {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if tt.begins {
			var body string
			if body, err = readAll(t, reply); len(body) > 1000 {
				t.Errorf("%s: %d bytes arrived", tt.name, len(body))
			}
		}
		if code(err) != tt.code || !fault.Is(err, tt.kind) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.code)
		}
		if rows := w.journal.summary(t); len(rows) > 0 && rows[len(rows)-1] != "failed "+tt.code {
			t.Errorf("%s: the audit says %q", tt.name, rows)
		}
	}
}

// A plugin that leaves, and one that is taken off the lane, end their streams; the
// slot is free again.
func TestStreamsEndWithTheirPlugin(t *testing.T) {
	w := newWorld(t, worldConfig{limits: proxy.Limits{InFlight: 1}})
	left := make(chan struct{}, 2)
	site, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		rw.(http.Flusher).Flush()
		<-r.Context().Done()
		left <- struct{}{}
	})
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)
	ctx, leave := context.WithCancel(w.as(t, mailer))
	reply, err := w.lane.Stream(ctx, proxy.StreamRequest{URL: at("api.example.com", site, "/")})
	if err != nil {
		t.Fatal(err)
	}
	leave()
	if _, err := readAll(t, reply); code(err) != "caller.gone" {
		t.Errorf("the plugin left: %v", err)
	}
	<-left
	if reply, err = w.lane.Stream(w.as(t, mailer), proxy.StreamRequest{URL: at("api.example.com", site, "/")}); err != nil {
		t.Fatal(err)
	}
	if err := w.registry.Move(actor.With(t.Context(), actor.Core("test")), mailer, policy.Active, policy.Quarantined, "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(t, reply); code(err) != "plugin.disabled" {
		t.Errorf("the plugin was quarantined: %v", err)
	}
	<-left
	if diff := cmp.Diff([]string{"allow proxy.approved", "failed caller.gone", "allow proxy.approved", "failed plugin.disabled"}, w.journal.summary(t)); diff != "" {
		t.Error(diff)
	}
}

// A body that is closed early counts as failed, one without content does not.
func TestStreamRecordsHowItEnded(t *testing.T) {
	w := newWorld(t, worldConfig{})
	site, _ := w.serve(t, func(rw http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			io.WriteString(rw, strings.Repeat("x", 100_000))
		}
	})
	w.approve(t, registry.Approved{Plugin: mailer, Domain: "api.example.com"}, site)
	for method, want := range map[string]string{"GET": "failed caller.gone", "HEAD": "ok"} {
		reply, err := w.lane.Stream(w.as(t, mailer), proxy.StreamRequest{URL: at("api.example.com", site, "/"), Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(reply.Body.Close(), reply.Body.Close()); err != nil {
			t.Error(err)
		}
		if rows := w.journal.summary(t); len(rows) != 2 || rows[1] != want {
			t.Errorf("%s: the audit says %q", method, rows)
		}
	}
}

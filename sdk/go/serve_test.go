package vivified_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	vivified "github.com/vivified/vivified/sdk/go"
)

const pushedManifest = `{
  "id": "hello",
  "events": {"subscribes": ["greeting.*"], "delivery": "webhook", "path": "/events"},
  "hooks": {"init": "/hooks/init"},
  "health_check": {"path": "/healthz/"}
}`

// TestEventsAndHooksByPOST covers what a plugin answers beside its endpoints,
// without running it.
func TestEventsAndHooksByPOST(t *testing.T) {
	c := newCore(t)
	p, err := vivified.New([]byte(pushedManifest), vivified.Config{CoreURL: c.URL, BodyLimit: 200, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	p.OnEvent("greeting.*", func(_ context.Context, e vivified.Event) error {
		if e.ID != "e1" {
			return errors.New("not today")
		}
		return nil
	})
	p.HandleHook("init", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }))
	handler, err := p.Handler()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name, method, path, body string
		want                     int
	}{
		{"an event that is handled", "POST", "/events", `{"id":"e1","type":"greeting.sent"}`, 204},
		{"an event that is not", "POST", "/events", `{"id":"e2","type":"greeting.sent"}`, 500},
		{"what is no event", "POST", "/events", `{`, 400},
		{"a body beyond the limit", "POST", "/events", `{"id":"` + strings.Repeat("x", 300) + `"}`, 400},
		{"another method", "GET", "/events", ``, 405},
		{"a hook", "POST", "/hooks/init", ``, 202},
		{"what nobody declared", "GET", "/", ``, 404},
	} {
		t.Run(row.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), row.method, row.path, strings.NewReader(row.body))
			r.Header.Set("Authorization", "Bearer "+c.sign(row.method, row.path, nil))
			w := httptest.NewRecorder()
			if handler.ServeHTTP(w, r); w.Code != row.want {
				t.Errorf("answered %d %s, want %d", w.Code, w.Body, row.want)
			}
		})
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "/events", strings.NewReader(`{"id":"e1","type":"greeting.sent"}`)))
	if w.Code != 401 {
		t.Errorf("an event from a stranger was answered %d, want 401", w.Code)
	}
	w = httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/healthz/", nil))
	if w.Code != 200 {
		t.Errorf("the health check was answered %d", w.Code)
	}
}

// TestUnixSocketsBothWays runs a plugin that has no network: it calls the core
// by one socket and is called by another.
func TestUnixSocketsBothWays(t *testing.T) {
	dir, c := t.TempDir(), newCore(t)
	listener, err := net.Listen("unix", filepath.Join(dir, "core.sock"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: c.Config.Handler}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	socket := filepath.Join(dir, "plugin.sock")
	if left, err := net.Listen("unix", socket); err != nil { // as a killed predecessor leaves it
		t.Fatal(err)
	} else {
		left.(*net.UnixListener).SetUnlinkOnClose(false)
		left.Close()
	}
	run(t, c, func(_ *vivified.Plugin, cfg *vivified.Config) {
		cfg.CoreURL, cfg.CoreSocket, cfg.Socket = "http://core", filepath.Join(dir, "core.sock"), socket
	})
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), "GET", "http://hello/profiles/1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.sign("GET", "/profiles/1", nil))
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != 200 || !strings.HasPrefix(string(body), "1 for hello-greeter") {
		t.Errorf("answered %d %s", res.StatusCode, body)
	}
}

func TestWriteProblem(t *testing.T) {
	w := httptest.NewRecorder()
	vivified.WriteProblem(w, 404, "profile.unknown", "There is no such profile.")
	want := `{"type":"about:blank","title":"Not Found","status":404,"detail":"There is no such profile.","code":"profile.unknown"}`
	if w.Code != 404 || w.Header().Get("Content-Type") != "application/problem+json" || strings.TrimSpace(w.Body.String()) != want {
		t.Errorf("wrote %d %s %s", w.Code, w.Header(), w.Body)
	}
}

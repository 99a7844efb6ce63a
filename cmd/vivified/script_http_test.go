package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func deadline() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Minute)
}

// request sends a request to the core of the script, with the credential in TOKEN,
// and prints the answer: http METHOD PATH STATUS [BODY].
func request(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("usage: http METHOD PATH STATUS [BODY]")
	}
	body := ""
	if len(args) > 3 {
		body = args[3]
	}
	status, text := send(ts, args[0], args[1], ts.Getenv("TOKEN"), []byte(body))
	_, _ = ts.Stdout().Write(text)
	if strconv.Itoa(status) != args[2] {
		ts.Fatalf("%s %s answers %d, want %s", args[0], args[1], status, args[2])
	}
	var got struct {
		Token string `json:"token"`
	}
	if json.Unmarshal(text, &got) == nil && got.Token != "" {
		ts.Setenv("TOKEN", got.Token) // of whoever signed in last
	}
}

func send(ts *testscript.TestScript, method, path, token string, body []byte) (int, []byte) {
	ctx, cancel := deadline()
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, ts.Getenv("VIVIFIED_SERVER")+path, bytes.NewReader(body))
	ts.Check(err)
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	answer, err := browserOf(ts).Do(r)
	ts.Check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	return answer.StatusCode, text
}

// waitReady waits until the core of the script can work, or has ended: ready.
func waitReady(ts *testscript.TestScript, _ bool, _ []string) {
	ctx, cancel := deadline()
	defer cancel()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, ts.Getenv("VIVIFIED_SERVER")+"/health/ready", nil)
		ts.Check(err)
		answer, err := browserOf(ts).Do(r)
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ctx.Done():
			ts.Fatalf("the core is not ready: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// plugin starts a plugin that answers {} to everything and registers it, with
// members added to its manifest: plugin ID [MEMBERS].
func plugin(ts *testscript.TestScript, _ bool, args []string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"healthy"}`))
	}))
	ts.Defer(s.Close)
	m := map[string]any{
		"id": args[0], "name": args[0], "version": "1.0.0", "contracts": []string{}, "traits": []string{"handles_internal"},
		"security":     map[string]any{"authentication_required": true, "data_classification": []string{"internal"}},
		"health_check": map[string]any{"type": "http", "path": "/health"}, "runtime": map[string]any{"kind": "external", "base_url": s.URL},
	}
	if len(args) > 1 {
		var more map[string]any
		ts.Check(json.Unmarshal([]byte(args[1]), &more))
		maps.Copy(m, more)
	}
	body, err := json.Marshal(m)
	ts.Check(err)
	status, text := send(ts, http.MethodPost, "/plugins/register", "", body)
	if status != http.StatusOK {
		ts.Fatalf("registering answers %d %s", status, text)
	}
}

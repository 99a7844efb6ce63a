package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The sizes at which cost is looked at: it must not grow with what a call does not
// touch, and as the work does with what it does.
var (
	pluginSizes     = []int{10, 100, 1000}
	subscriberSizes = []int{1, 10, 100}
	ruleSizes       = []int{0, 100, 1000}
)

// grow measures how cost grows with plugins, rules and subscribers. The plugins and
// rules added have nothing to do with the calls that are measured.
func grow(ctx context.Context, o options, c *running, call work) ([]result, error) {
	var lines []result
	measured := func(of, name, detail string, n int, r result) {
		r.Name, r.Lane, r.Of, r.Size, r.Detail, r.Rounds = name, "growth", of, n, detail, 1
		fmt.Fprintf(os.Stderr, "growth: %-34s %9.0f/s, CPU %.0f + %.0f µs\n", name, r.PerSec, r.CPU, r.Data)
		lines = append(lines, r)
	}
	once := func() result {
		return call.metered(func() result { return closed(o.clients, o.duration, call.next) })
	}
	there := 2
	for _, n := range pluginSizes {
		if err := fill(ctx, c, there, n); err != nil {
			return lines, err
		}
		there = n
		measured("plugins", fmt.Sprintf("a call, %d plugins", n), "calls on the operator lane, beside plugins that do nothing", n, once())
	}
	for _, n := range ruleSizes {
		if err := c.rule(ctx, n); err != nil {
			return lines, err
		}
		measured("rules", fmt.Sprintf("a call, %d rules", n), "calls on the operator lane; the rules are about calls of other plugins", n, once())
	}
	for _, n := range subscriberSizes {
		r, err := fan(ctx, c, n)
		if err != nil {
			return lines, err
		}
		measured("subscribers", fmt.Sprintf("a delivery, %d subscribers", n), "webhooks: each decided, signed, answered and recorded; the time is from the first publish to the last delivery", n, r)
	}
	return lines, nil
}

// fill registers plugins until there are n.
func fill(ctx context.Context, c *running, there, n int) error {
	next := make(chan int)
	failed := make(chan error, 8)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range next {
				if _, err := c.register(ctx, fmt.Sprintf(`{"id":"filler-%d","name":"Filler %d","traits":["handles_internal"],"endpoints":{"ping":{"path":"/ping","method":"GET"}},%s}`, i, i, common)); err != nil {
					select {
					case failed <- err:
					default:
					}
				}
			}
		})
	}
	for i := there; i < n; i++ {
		next <- i
	}
	close(next)
	wg.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// fan registers n subscribers of an event type of their own, publishes, and waits
// until every one has received every event.
func fan(ctx context.Context, c *running, n int) (result, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return result{}, err
	}
	defer l.Close()
	var received atomic.Int64
	go serve(l, &received)
	kind := fmt.Sprintf("fan.of%d", n)
	token, err := c.register(ctx, fmt.Sprintf(`{"id":"fan-%d-source","name":"Source","traits":["handles_internal"],"events":{"publishes":[%q]},%s}`, n, kind, common))
	if err != nil {
		return result{}, err
	}
	for i := range n {
		if _, err := c.register(ctx, fmt.Sprintf(`{"id":"fan-%d-%d","name":"Fan","traits":["handles_internal"],"runtime":{"base_url":"http://%s"},"events":{"subscribes":[%q],"delivery":"webhook","path":"/events"},%s}`,
			n, i, l.Addr(), kind, common)); err != nil {
			return result{}, err
		}
	}
	events := max(20, 1000/n)
	event := []byte(fmt.Sprintf(`{"event_type":%q,"payload":{"text":%q}}`, kind, strings.Repeat("x", 420)))
	host := strings.TrimPrefix(c.url, "http://")
	w := work{pid: c.pid}
	r := w.metered(func() result {
		start := time.Now()
		var failed atomic.Int64
		var wg sync.WaitGroup
		left := atomic.Int64{}
		left.Store(int64(events))
		for range 16 {
			wg.Go(func() {
				p := &client{at: host, request: post("/messaging/events", host, event, "Authorization: Bearer "+token), want: http.StatusAccepted}
				defer p.close()
				for left.Add(-1) >= 0 {
					if p.do() != nil {
						failed.Add(1)
					}
				}
			})
		}
		wg.Wait()
		want := (int64(events) - failed.Load()) * int64(n)
		for end := time.Now().Add(40 * time.Second); received.Load() < want && time.Now().Before(end) && ctx.Err() == nil; {
			time.Sleep(5 * time.Millisecond)
		}
		got := received.Load()
		return result{PerSec: float64(got) / time.Since(start).Seconds(), Errors: max(0, want-got) + failed.Load(), count: int(got)}
	})
	return r, nil
}

// rule signs in as the administrator, and puts n rules in force.
func (c *running) rule(ctx context.Context, n int) error {
	if c.session == "" {
		const password = "a long enough passphrase of the benchmark"
		if _, err := c.ask(ctx, http.MethodPost, "/setup", map[string]any{"token": setupToken, "email": "bench@example.com", "name": "Bench", "password": password}); err != nil {
			return err
		}
		got, err := c.ask(ctx, http.MethodPost, "/auth/login", map[string]any{"email": "bench@example.com", "password": password})
		if err != nil {
			return err
		}
		c.session, _ = got["token"].(string)
	}
	if n == 0 {
		return nil // as it began
	}
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "@id(\"never-%d\") @reason(\"Nobody of that name calls.\") forbid (principal == Plugin::\"nobody-%d\", action == Action::\"operator.call\", resource) when { context.hour < 24 };\n", i, i)
	}
	draft, err := c.ask(ctx, http.MethodGet, "/admin/policies/draft", nil)
	if err != nil {
		return err
	}
	if draft, err = c.ask(ctx, http.MethodPut, "/admin/policies/draft", map[string]any{"text": text.String(), "revision": draft["revision"]}); err != nil {
		return err
	}
	_, err = c.ask(ctx, http.MethodPost, "/admin/policies/publish", map[string]any{"revision": draft["revision"], "comment": fmt.Sprintf("%d rules", n)})
	return err
}

// ask sends JSON as the administrator and reads the JSON that comes back.
func (c *running) ask(ctx context.Context, method, path string, in any) (map[string]any, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	q, err := http.NewRequestWithContext(ctx, method, c.url+path, body)
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", "application/json")
	if c.session != "" {
		q.Header.Set("Authorization", "Bearer "+c.session)
	}
	got, err := http.DefaultClient.Do(q)
	if err != nil {
		return nil, err
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		return nil, err
	}
	if got.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s was answered %d: %.300s", method, path, got.StatusCode, text)
	}
	out := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return out, d.Decode(&out)
}

package operator_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/lanes/operator"
)

// clock is a time that moves when it is told to.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.at.Store(time.Date(2026, 3, 17, 14, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time       { return time.Unix(0, c.at.Load()) }
func (c *clock) pass(d time.Duration) { c.at.Add(int64(d)) }

func TestTheCircuitOfATargetThatFails(t *testing.T) {
	var status atomic.Int64
	status.Store(500)
	w := newWorld(t, operator.Limits{}, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(int(status.Load())) })
	at := newClock()
	w.open(operator.Config{Now: at.now})
	call := func() error {
		_, _, err := w.call(t, w.as(t, "clerk"), operator.Call{}, "/gateway/profiles/plain")
		return err
	}
	circuit := func() operator.Circuit { return w.lane.Targets()[0].Circuit }
	for i := range 20 {
		if err := call(); err != nil {
			t.Fatalf("call %d was not carried: %v", i+1, err)
		}
	}
	f := fault.Of(call())
	if f.Kind != fault.Unavailable || f.Code != "target.circuit" || f.RetryAfter != 5*time.Second || f.Decision == "" || len(w.got) != 20 {
		t.Fatalf("after 20 failures: %+v, and the target heard of %d calls", f, len(w.got))
	}
	at.pass(5 * time.Second)
	if err := call(); err != nil || circuit() != operator.Open {
		t.Errorf("the probe failed: %v, the circuit is %s, want open", err, circuit())
	}
	at.pass(9 * time.Second)
	if f := fault.Of(call()); f.Code != "target.circuit" {
		t.Errorf("the rest did not double after a failed probe: %v", f)
	}
	at.pass(time.Second)
	status.Store(200)
	if err := call(); err != nil || circuit() != operator.Closed {
		t.Errorf("the probe was answered: %v, the circuit is %s, want closed", err, circuit())
	}
	var moves []string
	for _, r := range w.rows {
		if r.Action == "operator.circuit" {
			d := r.Detail.(map[string]any)
			moves = append(moves, fmt.Sprintf("%s→%s", d["from"], d["to"]))
		}
	}
	if got, want := strings.Join(moves, " "), "closed→open open→half-open half-open→open open→half-open half-open→closed"; got != want {
		t.Errorf("recorded %s\nwant     %s", got, want)
	}
	reconcile(t, w)
}

func TestTheCircuitStaysClosed(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(n int) int // status of the nth call
		pass   time.Duration   // between calls
		call   operator.Call
		delay  bool
	}{
		{name: "of a target that fails less than half of its calls", answer: func(n int) int { return 200 + 300*(n%5/3) }},
		{name: "of a target that fails now and then", answer: func(int) int { return 500 }, pass: time.Second},
		{name: "of a target that refuses", answer: func(int) int { return 403 }},
		{name: "when a caller allows too little time", answer: func(int) int { return 200 }, call: operator.Call{Timeout: time.Millisecond}, delay: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var n atomic.Int64
			w := newWorld(t, operator.Limits{}, func(rw http.ResponseWriter, r *http.Request) {
				if tt.delay {
					<-r.Context().Done()
				}
				rw.WriteHeader(tt.answer(int(n.Add(1) - 1)))
			})
			at := newClock()
			w.open(operator.Config{Now: at.now})
			for i := range 40 {
				_, _, err := w.call(t, w.as(t, "clerk"), tt.call, "/gateway/profiles/plain")
				if f := fault.Of(err); err != nil && f.Code != "target.timeout" {
					t.Fatalf("call %d: %v", i+1, err)
				}
				at.pass(tt.pass)
			}
		})
	}
}

func TestACallerThatKeepsItsBodyBackOpensNoCircuit(t *testing.T) {
	w := newWorld(t, operator.Limits{Timeout: 5 * time.Millisecond}, nil)
	for i := range 25 {
		body, never := io.Pipe()
		pace := time.AfterFunc(10*time.Millisecond, func() { never.CloseWithError(fault.New(fault.Invalid, "body.unreadable", "Too slow.")) })
		_, _, err := w.call(t, w.as(t, "clerk"), operator.Call{Method: http.MethodPost, Body: body, Length: 10}, "/gateway/profiles/plain")
		pace.Stop()
		if f := fault.Of(err); f.Code == "target.circuit" || err == nil {
			t.Fatalf("call %d: %v", i+1, err)
		}
	}
}

func TestOnlySoManyCallsReachATarget(t *testing.T) {
	arrived, let := make(chan struct{}, 8), make(chan struct{})
	w := newWorld(t, operator.Limits{InFlight: 2, AtTarget: 3}, func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-let })
	var wg sync.WaitGroup
	for _, caller := range []string{"clerk", "clerk", "helper"} {
		wg.Go(func() {
			if _, _, err := w.call(t, w.as(t, caller), operator.Call{}, "/gateway/profiles/plain"); err != nil {
				t.Error(err)
			}
		})
	}
	for range 3 {
		<-arrived
	}
	_, _, err := w.call(t, w.as(t, "helper"), operator.Call{}, "/gateway/profiles/plain")
	if f := fault.Of(err); f.Kind != fault.Unavailable || f.Code != "target.busy" || f.RetryAfter == 0 {
		t.Errorf("a fourth at a time: %v", err)
	}
	close(let)
	wg.Wait()
	if got := w.lane.Targets()[0].InFlight; got != 0 {
		t.Errorf("%d calls are still counted", got)
	}
	reconcile(t, w)
}

// callerFunc is a function as a Caller.
type callerFunc func(context.Context, *registry.Plugin, *http.Request) (*http.Response, error)

func (f callerFunc) Call(ctx context.Context, p *registry.Plugin, r *http.Request) (*http.Response, error) {
	return f(ctx, p, r)
}

func TestAStreamOutlivesTheTimeOutAndNotItsSilence(t *testing.T) {
	w := newWorld(t, operator.Limits{}, nil)
	who := w.as(t, "clerk")
	synctest.Test(t, func(t *testing.T) {
		from, to := io.Pipe()
		w.open(operator.Config{Caller: callerFunc(func(ctx context.Context, _ *registry.Plugin, r *http.Request) (*http.Response, error) {
			context.AfterFunc(ctx, func() { to.CloseWithError(context.Cause(ctx)) })
			return &http.Response{StatusCode: 200, ContentLength: -1, Header: http.Header{"Content-Type": {"text/event-stream"}}, Body: from, Request: r}, nil
		})})
		answer, err := w.lane.Call(who, operator.Call{Route: operator.Route{Target: "profiles", Operation: "plain"}, Method: http.MethodGet})
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		go func() {
			for range 5 {
				time.Sleep(50 * time.Second) // five times the time-out, and less than the patience
				_, _ = io.WriteString(to, "data: 1\n\n")
			}
		}()
		buf := make([]byte, 9)
		for range 5 {
			if _, err := io.ReadFull(answer.Body, buf); err != nil {
				t.Fatalf("the stream broke off: %v", err)
			}
		}
		began := time.Now()
		if _, err := answer.Body.Read(buf); fault.Of(err).Code != "target.timeout" || time.Since(began) != time.Minute {
			t.Errorf("a stream that stood still ended with %v after %s", err, time.Since(began))
		}
	})
	reconcile(t, w)
}

// raw is a target that answers each connection with the same bytes.
func raw(t *testing.T, bytes string, hold bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 64<<10))
				_, _ = io.WriteString(conn, bytes)
				if hold {
					_, _ = io.Copy(io.Discard, conn)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

func TestTargetsThatLie(t *testing.T) {
	for _, tt := range []struct {
		name, answer string
		hold         bool
		code         string // of the refusal; "": an answer
		breaks       bool   // in the middle of its body
	}{
		{name: "speak no HTTP", answer: "hello\r\n\r\n", code: "target.answer"},
		{name: "hang up", answer: "", code: "target.unreachable"},
		{name: "never begin", answer: "", hold: true, code: "target.timeout"},
		{name: "begin and never go on", answer: "HTTP/1.1 200 OK\r\nContent-", hold: true, code: "target.timeout"},
		{name: "promise more than they send", answer: "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf", breaks: true},
		{name: "say two lengths", answer: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", code: "target.answer"},
		{name: "say a length that is none", answer: "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabcd", code: "target.answer"},
		{name: "send broken chunks", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", breaks: true},
		{name: "promise more than the lane carries", answer: "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", hold: true, code: "target.answer"},
		{name: "flood with headers", answer: "HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", 128<<10) + "\r\n\r\n", code: "target.answer"},
		{name: "flood with a body", answer: "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 128<<10), breaks: true},
		{name: "switch to another protocol", answer: "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", code: "target.answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w, at := newWorld(t, operator.Limits{}, nil), raw(t, tt.answer, tt.hold)
			transport := &http.Transport{MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true}
			w.open(operator.Config{Limits: operator.Limits{Timeout: 300 * time.Millisecond, Body: 64 << 10}, Caller: callerFunc(func(ctx context.Context, _ *registry.Plugin, r *http.Request) (*http.Response, error) {
				out, base := r.WithContext(ctx), new(url.URL)
				*base = *r.URL
				base.Host = strings.TrimPrefix(at, "http://")
				out.URL = base
				return transport.RoundTrip(out)
			})})
			_, _, err := w.call(t, w.as(t, "clerk"), operator.Call{}, "/gateway/profiles/plain")
			if f := fault.Of(err); tt.code != "" && f.Code != tt.code || err == nil {
				t.Errorf("answered %v, want %s", err, tt.code)
			}
			if tt.breaks == (fault.Of(err).Decision != "") {
				t.Errorf("%v broke before or after the answer began", err)
			}
			reconcile(t, w)
		})
	}
}

// reconcile counts: every call that was allowed has exactly one outcome.
func reconcile(t *testing.T, w *world) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	allowed, ended := map[uuid.UUID]int{}, map[uuid.UUID]int{}
	for _, r := range w.rows {
		switch {
		case r.Action != "operator.call":
		case r.Outcome == audit.Allow:
			allowed[r.Call]++
		case r.Outcome != audit.Deny:
			ended[r.Call]++
		}
	}
	for call, n := range allowed {
		if n != 1 || ended[call] != 1 {
			t.Errorf("call %s has %d decisions and %d outcomes", call, n, ended[call])
		}
	}
	if len(ended) != len(allowed) {
		t.Errorf("%d calls were allowed, %d have ended", len(allowed), len(ended))
	}
}

func TestCallsInFlightWhenAPartyLeaves(t *testing.T) {
	for _, tt := range []struct {
		name  string
		leave string
		to    policy.State
		drain time.Duration
		let   bool // the target answers meanwhile
		code  string
	}{
		{"the target is disabled and finishes", "profiles", policy.Disabled, time.Minute, true, ""},
		{"the target is disabled and does not finish", "profiles", policy.Disabled, time.Millisecond, false, "target.disabled"},
		{"the target is quarantined", "profiles", policy.Quarantined, time.Minute, false, "target.quarantined"},
		{"the caller is quarantined", "clerk", policy.Quarantined, time.Minute, false, "plugin.disabled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			const calls = 64
			arrived, let := make(chan struct{}, calls), make(chan struct{})
			w := newWorld(t, operator.Limits{}, func(rw http.ResponseWriter, r *http.Request) {
				arrived <- struct{}{}
				select {
				case <-let:
					_, _ = io.WriteString(rw, "done")
				case <-r.Context().Done():
				}
			})
			w.open(operator.Config{Limits: operator.Limits{Timeout: time.Minute, Drain: tt.drain}})
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			var running sync.WaitGroup
			running.Go(func() { _ = w.lane.Run(ctx) })
			ends := make(chan error, calls)
			for range calls {
				go func() {
					_, body, err := w.call(t, w.as(t, "clerk"), operator.Call{}, "/gateway/profiles/plain")
					if err == nil && body != "done" {
						err = fmt.Errorf("the answer is %q", body)
					}
					ends <- err
				}()
			}
			for range calls {
				<-arrived
			}
			if err := w.registry.Move(actor.With(t.Context(), actor.Core("test")), tt.leave, policy.Active, tt.to, ""); err != nil {
				t.Fatal(err)
			}
			if tt.let {
				close(let)
			}
			for range calls {
				if err := <-ends; (err == nil) != (tt.code == "") || err != nil && fault.Of(err).Code != tt.code {
					t.Errorf("a call ended with %v, want %q", err, tt.code)
				}
			}
			if _, _, err := w.call(t, w.as(t, "clerk"), operator.Call{}, "/gateway/profiles/plain"); err == nil {
				t.Error("a call after that went through")
			}
			stop()
			running.Wait()
			reconcile(t, w)
		})
	}
}

package pluginmgr_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/lanes/operator"
	"github.com/vivified/vivified/pluginmgr"
)

// lane is the operator lane over the world's plugins.
func (w *lifeWorld) lane() *operator.Lane {
	log := slog.New(slog.DiscardHandler)
	record := audit.NewWriter(w.db.Pool, audit.WriterConfig{Replica: "lane", Log: log})
	w.run(record.Run)
	g := gate.New(gate.Config{Policy: w.Registry.Policy, Record: record, Log: log})
	return operator.New(operator.Config{Plugins: w.Registry, Gate: g, Caller: w.Manager, Tokens: w.identity, Log: log})
}

// ping calls the operation ping of a plugin as another one.
func (w *lifeWorld) ping(lane *operator.Lane, caller, target string) error {
	p := w.plugin(caller).Party()
	ctx := actor.With(w.ctx(), actor.Actor{Kind: actor.Plugin, ID: p.ID, Name: p.Name, Tenant: p.Tenant, Traits: p.Traits})
	answer, err := lane.Call(ctx, operator.Call{Route: operator.Route{Target: target, Operation: "ping"}, Method: http.MethodGet, Header: http.Header{}})
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

// TestThreshold: one and two failures degrade, the third makes unhealthy and
// closes the lanes, one success heals; and the count begins anew.
func TestThreshold(t *testing.T) {
	results := make(chan int) // what the next checks answer
	s := lifeServe(t, map[string]http.HandlerFunc{"/health": func(w http.ResponseWriter, r *http.Request) {
		select {
		case status := <-results:
			lifeStatus(status, `{"status": "ok", "queue": 7, "uptime": 1.5, "note": "x"}`)(w, r)
		case <-r.Context().Done():
		}
	}})
	w := lifeNew(t, pluginmgr.Timing{Interval: time.Millisecond, Timeout: time.Minute})
	endpoints := map[string]any{"ping": map[string]any{"path": "/ping", "data_classification": "internal"}}
	w.install("checked", map[string]any{"runtime": lifeAt(s.URL), "health_check": map[string]any{"type": "http", "path": "/health"}, "endpoints": endpoints})
	w.install("caller", lifeNeeding("checked"))
	lane := w.lane()
	if h := w.plugin("checked").Health; h != registry.Unknown {
		t.Errorf("never checked, it is %s", h)
	}
	stop := w.run(w.Run)
	for i, step := range []struct {
		answers  int
		health   registry.Health
		failures int
		state    policy.State
	}{
		{200, registry.Healthy, 0, policy.Active},
		{500, registry.Degraded, 1, policy.Active},
		{500, registry.Degraded, 2, policy.Active},
		{200, registry.Healthy, 0, policy.Active},
		{404, registry.Degraded, 1, policy.Active},
		{503, registry.Degraded, 2, policy.Active},
		{302, registry.Unhealthy, 3, policy.Unhealthy},
		{500, registry.Unhealthy, 4, policy.Unhealthy},
		{204, registry.Healthy, 0, policy.Active},
	} {
		w.until("the plugin is checked", func() bool {
			select {
			case results <- step.answers:
				return true
			default:
				return false
			}
		})
		w.until("the result is known", func() bool {
			p := w.plugin("checked")
			return p.Health == step.health && p.HealthFailures == step.failures && p.State == step.state
		})
		err := w.ping(lane, "caller", "checked")
		if step.state == policy.Active && err != nil {
			t.Errorf("step %d: the lane refuses: %v", i, err)
		}
		if step.state != policy.Active {
			lifeRefused(t, "an unhealthy target", err, fault.Unavailable, "target.unhealthy")
		}
	}
	rows, err := w.Registry.History(w.ctx(), "checked", time.Time{})
	lifeMust(t, err)
	if len(rows) != 9 {
		t.Fatalf("%d samples are kept, want 9", len(rows))
	}
	var metrics map[string]float64
	lifeMust(t, json.Unmarshal(rows[0].Metrics, &metrics))
	if len(metrics) != 2 || metrics["queue"] != 7 || metrics["uptime"] != 1.5 {
		t.Errorf("the numbers of the body became %v", metrics)
	}
	stop()
	lifeMust(t, w.Disable(w.ctx(), "checked", "test"))
	lifeRefused(t, "a disabled target", w.ping(lane, "caller", "checked"), fault.Unavailable, "target.disabled")
}

// TestKindsOfCheck: each kind finds out what it should.
func TestKindsOfCheck(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	lifeMust(t, err)
	nowhere := "http://" + gone.Addr().String()
	gone.Close()
	s := lifeServe(t, map[string]http.HandlerFunc{
		"/teapot": lifeStatus(http.StatusTeapot, ""), "/moved": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/", http.StatusFound) },
		"/degraded": lifeStatus(200, `{"status": "degraded"}`), "/text": lifeStatus(200, "fine"), "/up": lifeStatus(200, `{"status": "UP"}`),
		"/late": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "/own": lifeStatus(500, ""),
	})
	check := func(kind, path string) map[string]any {
		return map[string]any{"type": kind, "path": path, "threshold": 100}
	}
	plugins := map[string]struct {
		members map[string]any
		url     string
		health  registry.Health
		detail  string
	}{
		"teapot":        {map[string]any{"health_check": check("http", "/teapot")}, s.URL, registry.Degraded, "Health check answered 418."},
		"moved":         {map[string]any{"health_check": check("http", "/moved")}, s.URL, registry.Degraded, "Health check answered 302."},
		"says-degraded": {map[string]any{"health_check": check("http", "/degraded")}, s.URL, registry.Degraded, `It reports that it is "degraded".`},
		"says-nothing":  {map[string]any{"health_check": check("http", "/text")}, s.URL, registry.Healthy, ""},
		"says-up":       {map[string]any{"health_check": check("http", "/up")}, s.URL, registry.Healthy, ""},
		"unreachable":   {map[string]any{"health_check": check("http", "/up")}, nowhere, registry.Degraded, "Health check: no answer"},
		"late": {map[string]any{"health_check": map[string]any{"path": "/late", "timeout": "5ms", "threshold": 100}}, s.URL,
			registry.Degraded, "Health check timeout."},
		"port":        {map[string]any{"health_check": check("tcp", "/")}, s.URL, registry.Healthy, ""},
		"port-closed": {map[string]any{"health_check": check("tcp", "/")}, nowhere, registry.Degraded, "Health check: no connection"},
		"own": {map[string]any{"health_check": check("custom", "/up"), "endpoints": map[string]any{"health": map[string]any{"path": "/own"}}}, s.URL,
			registry.Degraded, "Health check answered 500."},
		"silent": {map[string]any{}, s.URL, registry.Unknown, ""},
	}
	w := lifeNew(t, pluginmgr.Timing{Interval: time.Millisecond})
	for id, p := range plugins {
		p.members["runtime"] = lifeAt(p.url)
		w.install(id, p.members)
	}
	w.run(w.Run)
	w.until("every plugin but the silent one was checked", func() bool {
		for id := range plugins {
			if id != "silent" && w.plugin(id).HealthAt == nil {
				return false
			}
		}
		return true
	})
	for id, want := range plugins {
		if p := w.plugin(id); p.Health != want.health || !strings.HasPrefix(p.HealthDetail, want.detail) || want.detail == "" && p.HealthDetail != "" {
			t.Errorf("%s is %s: %q, want %s: %q", id, p.Health, p.HealthDetail, want.health, want.detail)
		}
	}
}

// TestHeartbeats: a plugin that nobody checks is what it says, and too long a
// silence counts as a failure. One that never spoke is not known to be ill.
func TestHeartbeats(t *testing.T) {
	w := lifeNew(t, pluginmgr.Timing{Interval: time.Millisecond, Heartbeat: time.Millisecond})
	w.install("beating", nil)
	w.install("mute", nil)
	beat := func(b pluginmgr.Beat, health registry.Health, state policy.State) {
		t.Helper()
		lifeMust(t, w.Heartbeat(w.ctx(), "beating", b))
		lifeMust(t, w.Registry.Load(w.ctx()))
		if p := w.plugin("beating"); p.Health != health || p.State != state || p.LastHeartbeat == nil {
			t.Errorf("after %+v it is %s and %s (last heartbeat %v), want %s and %s", b, p.Health, p.State, p.LastHeartbeat, health, state)
		}
	}
	beat(pluginmgr.Beat{}, registry.Healthy, policy.Active)
	beat(pluginmgr.Beat{Status: "degraded"}, registry.Degraded, policy.Active)
	beat(pluginmgr.Beat{Health: map[string]any{"status": "failing", "queue": 9.0}}, registry.Degraded, policy.Active)
	beat(pluginmgr.Beat{Status: "ok"}, registry.Healthy, policy.Active)
	stop := w.run(w.Run)
	w.until("its silence is noticed", func() bool { return w.plugin("beating").State == policy.Unhealthy })
	stop()
	if p := w.plugin("beating"); !strings.HasPrefix(p.HealthDetail, "No heartbeat for ") {
		t.Errorf("people are told %q", p.HealthDetail)
	}
	if p := w.plugin("mute"); p.Health != registry.Unknown || p.State != policy.Active {
		t.Errorf("what never sent one is %s and %s, want unknown and active", p.Health, p.State)
	}
	beat(pluginmgr.Beat{Status: "healthy"}, registry.Healthy, policy.Active)
	lifeRefused(t, "nobody's heartbeat", w.Heartbeat(w.ctx(), "nobody", pluginmgr.Beat{}), fault.NotFound, "plugin.unknown")
}

// TestHeartbeatsAndChecks: where the core measures, a heartbeat can only make things worse.
func TestHeartbeatsAndChecks(t *testing.T) {
	w := lifeNew(t, pluginmgr.Timing{})
	w.install("measured", map[string]any{"health_check": map[string]any{"type": "http"}})
	for _, step := range []struct {
		says string
		want registry.Health
	}{{"healthy", registry.Unknown}, {"failing", registry.Degraded}, {"healthy", registry.Degraded}} {
		lifeMust(t, w.Heartbeat(w.ctx(), "measured", pluginmgr.Beat{Status: step.says}))
		if h := w.plugin("measured").Health; h != step.want {
			t.Errorf("it says %s and is %s, want %s", step.says, h, step.want)
		}
	}
}

// lifeCounted is a runtime that counts what goes through it.
type lifeCounted struct {
	pluginmgr.Runtime
	calls atomic.Int64
}

// Call implements pluginmgr.Runtime.
func (c *lifeCounted) Call(ctx context.Context, to pluginmgr.Target, r *http.Request) (*http.Response, error) {
	c.calls.Add(1)
	return c.Runtime.Call(ctx, to, r)
}

// TestLease: of two replicas one checks; the other takes over when it stops.
func TestLease(t *testing.T) {
	s := lifeServe(t, nil)
	w := lifeNew(t, pluginmgr.Timing{})
	w.install("shared", map[string]any{"runtime": lifeAt(s.URL), "health_check": map[string]any{"type": "http"}})
	replica := func(name string) (*pluginmgr.Manager, *lifeCounted) {
		c := w.Config
		counted := &lifeCounted{Runtime: c.Runtimes[manifest.External]}
		c.Replica, c.Runtimes, c.Timing = name, map[string]pluginmgr.Runtime{manifest.External: counted}, pluginmgr.Timing{Interval: time.Millisecond}
		return pluginmgr.New(c), counted
	}
	first, firstCalls := replica("first")
	second, secondCalls := replica("second")
	stop := w.run(first.Run)
	w.until("the first replica checks", func() bool { return firstCalls.calls.Load() > 0 })
	w.run(second.Run)
	sofar := firstCalls.calls.Load()
	w.until("the first replica goes on", func() bool { return firstCalls.calls.Load() > sofar+20 })
	if n := secondCalls.calls.Load(); n != 0 {
		t.Errorf("the second replica checked %d times beside the first", n)
	}
	stop()
	sofar = firstCalls.calls.Load()
	w.until("the second replica takes over", func() bool { return secondCalls.calls.Load() > 0 })
	if n := firstCalls.calls.Load(); n != sofar {
		t.Errorf("the first replica checked %d times after it stopped", n-sofar)
	}
}

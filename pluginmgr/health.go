package pluginmgr

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/db"
)

const (
	leaseName    = "plugin-health"
	leaseSeconds = 15
	probesAtOnce = 16
	maxBody      = 64 << 10 // of a health answer

	// firstCheck is when plugins are checked that were there before the watch
	// began: they may be starting just as the core is, and a check that comes too
	// soon would count as a failure.
	firstCheck = 3 * time.Second
)

// Run watches the health of plugins, and enables what waits for a dependency,
// until ctx ends. Of several replicas one does it, under a lease; but plugins that
// a replica runs itself are its own to watch, and to start again when they fail.
func (m *Manager) Run(ctx context.Context) error {
	ctx = actor.With(ctx, actor.Core("plugin manager"))
	defer m.attending.Wait()
	defer close(m.down)
	w := watch{m: m, due: map[string]time.Time{}, slots: make(chan struct{}, probesAtOnce)}
	defer w.running.Wait()
	s := supervision{m: m}
	s.recover(ctx)
	close(m.up)
	defer s.end(ctx)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var lease, trim time.Time
	for {
		changed := m.Registry.Changed()
		if time.Now().After(lease) {
			n, err := db.New(m.Pool).LeaseTake(ctx, db.LeaseTakeParams{Name: leaseName, Holder: m.Replica, Seconds: leaseSeconds})
			if err == nil && n == 1 {
				lease = time.Now().Add(leaseSeconds / 3 * time.Second)
			}
			w.leads = err == nil && n == 1
		}
		s.round(ctx)
		w.round(ctx)
		if w.leads {
			if time.Since(trim) > time.Hour {
				trim = time.Now()
				if _, err := m.Registry.Trim(ctx, trim.Add(-m.Timing.Keep)); err != nil {
					m.Log.WarnContext(ctx, "health samples not trimmed", "error", err)
				}
				if _, err := db.New(m.Pool).PluginRunTrim(ctx, new(trim.Add(-m.Timing.Keep))); err != nil {
					m.Log.WarnContext(ctx, "ended runs not trimmed", "error", err)
				}
			}
			if m.Policy().AutoEnable {
				m.enableWaiting(ctx)
			}
		}
		select {
		case <-ctx.Done():
			if w.leads {
				dctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
				_ = db.New(m.Pool).LeaseDrop(dctx, leaseName, m.Replica)
				cancel()
			}
			return nil
		case <-changed:
		case <-m.woken:
		case <-tick.C:
		}
	}
}

// enableWaiting enables registered plugins whose dependencies have come up.
func (m *Manager) enableWaiting(ctx context.Context) {
	for _, p := range m.Registry.Snapshot().Plugins() {
		if p.State != policy.Registered {
			continue
		}
		if _, err := m.dependencies(p.Manifest, nil); err == nil {
			m.tryEnable(ctx, p.ID)
		}
	}
}

// watch remembers when each plugin is to be checked next.
type watch struct {
	m       *Manager
	due     map[string]time.Time
	slots   chan struct{}
	running sync.WaitGroup
	asked   sync.Map // ids of plugins whose check still runs
	leads   bool
	began   bool // the first round is over
}

// round starts every check that is due.
func (w *watch) round(ctx context.Context) {
	now := time.Now()
	defer func() { w.began = true }()
	for _, p := range w.m.Registry.Snapshot().Plugins() {
		if !runs(p.State) || !w.ours(p) {
			delete(w.due, p.ID)
			continue
		}
		at, known := w.due[p.ID]
		if !known && !w.began {
			at = now.Add(min(firstCheck, w.m.interval(p)))
			w.due[p.ID] = at
		}
		if now.Before(at) {
			continue
		}
		if _, asked := w.asked.LoadOrStore(p.ID, true); asked {
			continue // a time-out longer than the interval must not count twice
		}
		select {
		case w.slots <- struct{}{}:
		default:
			w.asked.Delete(p.ID)
			return
		}
		interval := w.m.interval(p)
		w.due[p.ID] = now.Add(interval + rand.N(interval/5+1) - interval/10)
		w.running.Go(func() {
			defer func() { w.asked.Delete(p.ID); <-w.slots }()
			w.m.check(ctx, p)
		})
	}
}

// ours reports whether this replica is the one to check a plugin.
func (w *watch) ours(p *registry.Plugin) bool {
	if _, starts := w.m.starter(p.Manifest); starts {
		return w.m.instances.of(p.ID) != nil
	}
	return w.leads
}

func (m *Manager) interval(p *registry.Plugin) time.Duration {
	if hc := p.Manifest.HealthCheck; hc != nil && hc.Interval > 0 {
		return hc.Interval
	}
	return m.Timing.Interval
}

// check probes one plugin and acts on the result. A plugin with neither a
// health check nor a heartbeat so far stays unknown.
func (m *Manager) check(ctx context.Context, p *registry.Plugin) {
	var s registry.Sample
	one := m.instances.of(p.ID)
	switch {
	case p.Manifest.HealthCheck != nil:
		s = m.probe(ctx, p)
	case one != nil && p.LastHeartbeat == nil && isCalled(p.Manifest): // it says nothing itself: whether it answers at all
		s = m.timed(ctx, m.Timing.Timeout, func(ctx context.Context) registry.Sample { return m.probeTCP(ctx, one.runtime, one.target()) })
	case p.LastHeartbeat == nil:
		return
	default:
		s = registry.Sample{At: time.Now(), Health: registry.Healthy}
		if silence := time.Since(*p.LastHeartbeat); silence > m.Timing.Heartbeat {
			s.Health, s.Detail = registry.Unhealthy, fmt.Sprintf("No heartbeat for %s.", silence.Round(time.Second))
		} else if p.Health != registry.Unknown && p.Health != registry.Healthy && p.HealthFailures > 0 && strings.HasPrefix(p.HealthDetail, reported) {
			return // what the plugin itself reported stands until it reports otherwise
		}
	}
	if one != nil {
		m.measure(ctx, one, &s)
	}
	if ctx.Err() == nil {
		m.judge(ctx, p.ID, s)
	}
}

// judge turns one result into health: a failure degrades, the threshold makes
// unhealthy and closes the lanes, a success heals.
func (m *Manager) judge(ctx context.Context, id string, s registry.Sample) {
	p, ok := m.Registry.Snapshot().Plugin(id)
	if !ok {
		return
	}
	threshold := m.Timing.Threshold
	if hc := p.Manifest.HealthCheck; hc != nil && hc.Threshold > 0 {
		threshold = hc.Threshold
	}
	if s.Health != registry.Healthy {
		s.Failures = p.HealthFailures + 1
		if s.Health = registry.Degraded; s.Failures >= threshold {
			s.Health = registry.Unhealthy
		}
	}
	if err := m.Registry.Note(ctx, id, s); err != nil {
		m.Log.WarnContext(ctx, "health not noted", "plugin", id, "error", err)
		return
	}
	var err error
	switch {
	case s.Health == registry.Unhealthy && p.State == policy.Active:
		err = m.Registry.Move(ctx, id, policy.Active, policy.Unhealthy, s.Detail)
		m.Log.WarnContext(ctx, "plugin is unhealthy", "plugin", id, "reason", s.Detail)
		if err == nil {
			m.react(ctx, p, s.Detail)
		}
	case s.Health == registry.Healthy && p.State == policy.Unhealthy:
		err = m.Registry.Move(ctx, id, policy.Unhealthy, policy.Active, "")
		m.Log.InfoContext(ctx, "plugin is healthy again", "plugin", id)
	}
	if err != nil {
		m.Log.WarnContext(ctx, "state not moved after a health check", "plugin", id, "error", err)
	}
}

// probe asks the plugin how it is, in the way its manifest names.
func (m *Manager) probe(ctx context.Context, p *registry.Plugin) registry.Sample {
	rt, to, err := m.reach(p)
	if err != nil {
		s := failed("Health check: %v", err)
		s.At = time.Now()
		return s
	}
	return m.examine(ctx, p.Manifest, rt, to)
}

// examine asks one instance how it is.
func (m *Manager) examine(ctx context.Context, mf *manifest.Manifest, rt Runtime, to Target) registry.Sample {
	hc := mf.HealthCheck
	timeout := m.Timing.Timeout
	if hc.Timeout > 0 {
		timeout = hc.Timeout
	}
	return m.timed(ctx, timeout, func(ctx context.Context) registry.Sample {
		switch hc.Type {
		case "tcp":
			return m.probeTCP(ctx, rt, to)
		case "custom":
			return m.probeHTTP(ctx, rt, to, customPath(mf))
		}
		return m.probeHTTP(ctx, rt, to, hc.Path)
	})
}

// timed makes a check within its time and notes how long it took.
func (m *Manager) timed(ctx context.Context, timeout time.Duration, check func(context.Context) registry.Sample) registry.Sample {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	start := time.Now()
	s := check(ctx)
	s.At, s.Latency = start, time.Since(start)
	return s
}

func customPath(m *manifest.Manifest) string {
	if e, ok := m.Endpoint("health"); ok {
		return e.Path
	}
	return "/health"
}

func (m *Manager) probeTCP(ctx context.Context, rt Runtime, to Target) registry.Sample {
	if err := rt.Probe(ctx, to); err != nil {
		return failed("Health check: no connection: %v.", err)
	}
	return registry.Sample{Health: registry.Healthy}
}

// probeHTTP counts any 2xx as well, unless a JSON body says otherwise; numbers
// in the body become metrics.
func (m *Manager) probeHTTP(ctx context.Context, rt Runtime, to Target, path string) registry.Sample {
	answer, err := m.hookAt(ctx, rt, to, http.MethodGet, path)
	if err != nil {
		if ctx.Err() != nil {
			return failed("Health check timeout.")
		}
		return failed("Health check: no answer: %v.", err)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return failed("Health check answered %d.", answer.StatusCode)
	}
	s := registry.Sample{Health: registry.Healthy}
	var said map[string]any
	if json.Unmarshal(body, &said) != nil {
		return s
	}
	s.Metrics = metrics(said)
	if status, ok := said["status"].(string); ok && !well(status) {
		s.Health, s.Detail = registry.Unhealthy, fmt.Sprintf("It reports that it is %.40q.", status)
	}
	return s
}

// maxMetrics bounds what one health body may add to our metrics.
const maxMetrics = 32

func metrics(said map[string]any) map[string]float64 {
	out := map[string]float64{}
	for name, v := range said {
		if n, ok := v.(float64); ok && len(out) < maxMetrics && len(name) <= 64 {
			out[name] = n
		}
	}
	return out
}

func well(status string) bool {
	switch strings.ToLower(status) {
	case "healthy", "ok", "up", "active", "pass", "running", "ready":
		return true
	}
	return false
}

func failed(format string, args ...any) registry.Sample {
	return registry.Sample{Health: registry.Unhealthy, Detail: fmt.Sprintf(format, args...)}
}

// reported opens the detail of what a plugin says of itself.
const reported = "It reports"

// Beat is what a plugin sends to say that it is alive.
type Beat struct {
	Status string         `json:"status"`
	Health map[string]any `json:"health"`
}

// Heartbeat notes a plugin's sign of life and what it says of its health.
func (m *Manager) Heartbeat(ctx context.Context, id string, b Beat) error {
	p, err := m.plugin(id)
	if err != nil {
		return err
	}
	if err := m.Registry.Beat(ctx, id); err != nil {
		return err
	}
	if p.State != policy.Active && p.State != policy.Unhealthy {
		return nil
	}
	status := b.Status
	if s, ok := b.Health["status"].(string); ok {
		status = s
	}
	s := registry.Sample{At: time.Now(), Health: registry.Healthy, Metrics: metrics(b.Health)}
	switch {
	case status != "" && !well(status):
		s.Health, s.Detail = registry.Unhealthy, fmt.Sprintf(reported+" that it is %.40q.", status)
	case p.Manifest.HealthCheck != nil:
		return nil // what the core measures counts, not a well-meaning heartbeat
	}
	m.judge(ctx, id, s)
	return nil
}

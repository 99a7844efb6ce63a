package gate

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vivified/vivified/core/policy"
)

// Edge is one line of traffic: who, to whom, on which lane.
type Edge struct {
	Action string // a lane's action
	From   string // plugin or user id
	To     string // plugin id, host or event type
}

const (
	meterMinutes = 60    // how far back the meter remembers
	maxEdges     = 2_000 // an edge takes 9 KiB; beyond, traffic is counted under its lane alone
	maxOfOne     = 200   // edges of one party on one lane: who asks for ever new hosts must not take them all
)

// bounds are the upper ends of the latency histogram's steps; the last is open.
var bounds = [...]time.Duration{
	time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond, 10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second,
}

// minute counts what happened on one edge in one minute.
type minute struct {
	at      int64 // minutes since the epoch
	allowed uint64
	denied  uint64
	failed  uint64
	took    [len(bounds) + 1]uint64
}

// Meter counts decisions and their outcomes for the last hour, edge by edge.
// Safe for concurrent use.
type Meter struct {
	mu    sync.Mutex
	now   func() time.Time
	edges map[Edge]*[meterMinutes]minute
	count map[Edge]int      // edges of one party on one lane, by an Edge without To
	swept int64             // the minute in which quiet edges were last forgotten
	rules map[string]uint64 // denials by rule, since the start

	lasted *prometheus.HistogramVec        // by action and outcome
	steps  map[lasting]prometheus.Observer // those of the lanes, looked up once
}

// lasting is one series of the latency histogram.
type lasting struct{ action, outcome string }

// The outcomes of a passage, as the latency histogram names them.
const (
	carried = "ok"
	broken  = "failed"
	refused = "denied"
)

func newMeter(now func() time.Time) *Meter {
	m := &Meter{now: now, edges: map[Edge]*[meterMinutes]minute{}, count: map[Edge]int{}, rules: map[string]uint64{}, steps: map[lasting]prometheus.Observer{}}
	m.lasted = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "vivified_lane_duration_seconds", Help: "How long passages of the lanes took, from their decision to their end, by action and outcome.",
		Buckets: []float64{0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30},
	}, []string{"action", "outcome"})
	for _, action := range []policy.Action{policy.EventPublish, policy.EventDeliver, policy.OperatorCall, policy.ProxyRequest} {
		for _, outcome := range []string{carried, broken, refused} {
			m.steps[lasting{string(action), outcome}] = m.lasted.WithLabelValues(string(action), outcome)
		}
	}
	return m
}

// observe adds a passage to the latency histogram.
func (m *Meter) observe(action, outcome string, took time.Duration) {
	if step, ok := m.steps[lasting{action, outcome}]; ok {
		step.Observe(took.Seconds())
	}
}

// at returns the current minute of an edge; the meter must be locked.
func (m *Meter) at(e Edge) *minute {
	now := m.now().Unix() / 60
	ring, ok := m.edges[e]
	if !ok {
		ring = m.add(e, now)
	}
	b := &ring[now%meterMinutes]
	if b.at != now {
		*b = minute{at: now}
	}
	return b
}

// add returns the ring of an edge that is not there yet, or that of the party or
// the lane alone when there is no room for it.
func (m *Meter) add(e Edge, now int64) *[meterMinutes]minute {
	of := Edge{Action: e.Action, From: e.From}
	if len(m.edges) >= maxEdges || m.count[of] >= maxOfOne {
		m.forget(now)
	}
	switch {
	case len(m.edges) >= maxEdges:
		e = Edge{Action: e.Action}
	case m.count[of] >= maxOfOne:
		e = of
	}
	ring, ok := m.edges[e]
	if !ok {
		ring = new([meterMinutes]minute)
		m.edges[e] = ring
		m.count[Edge{Action: e.Action, From: e.From}]++
	}
	return ring
}

// forget drops the edges without traffic in the time the meter remembers, at
// most once a minute.
func (m *Meter) forget(now int64) {
	if m.swept == now {
		return
	}
	m.swept = now
	for e, ring := range m.edges {
		if !slices.ContainsFunc(ring[:], func(b minute) bool { return now-b.at < meterMinutes }) {
			delete(m.edges, e)
			of := Edge{Action: e.Action, From: e.From}
			if m.count[of]--; m.count[of] <= 0 {
				delete(m.count, of)
			}
		}
	}
}

func (m *Meter) decided(e Edge, allow bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if allow {
		m.at(e).allowed++
		return
	}
	m.at(e).denied++
}

// refused counts a denial under the rule that denied.
func (m *Meter) refused(rule string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rules[rule]++
}

// Ended counts the end of an allowed passage. Lanes that judge without Pass call it themselves.
func (m *Meter) Ended(e Edge, took time.Duration, failed bool) {
	outcome := carried
	if failed {
		outcome = broken
	}
	m.observe(e.Action, outcome, took)
	i, _ := slices.BinarySearch(bounds[:], took)
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.at(e)
	b.took[i]++
	if failed {
		b.failed++
	}
}

// Flow sums up some edges.
type Flow struct {
	Allowed, Denied, Failed uint64
	PerMinute               float64       // requests, over the minutes asked for
	P95                     time.Duration // upper bound of the step that holds it; 0: nothing ended
	Series                  []uint64      // requests per minute, oldest first
	Denials                 []uint64      // denials per minute, oldest first
}

// Flow sums up the last minutes (at most 60) of all edges that match. An empty
// field of like matches everything; Action matches by prefix.
func (m *Meter) Flow(like Edge, minutes int) Flow {
	minutes = min(max(minutes, 1), meterMinutes)
	m.mu.Lock()
	defer m.mu.Unlock()
	f := Flow{Series: make([]uint64, minutes), Denials: make([]uint64, minutes)}
	now := m.now().Unix() / 60
	var took [len(bounds) + 1]uint64
	var ended uint64
	for _, ring := range m.like(like) {
		for i := range ring {
			b := &ring[i]
			age := int(now - b.at)
			if age < 0 || age >= minutes {
				continue
			}
			f.Allowed += b.allowed
			f.Denied += b.denied
			f.Failed += b.failed
			f.Series[minutes-1-age] += b.allowed + b.denied
			f.Denials[minutes-1-age] += b.denied
			for j, n := range b.took {
				took[j] += n
				ended += n
			}
		}
	}
	f.PerMinute = float64(f.Allowed+f.Denied) / float64(minutes)
	f.P95 = percentile(took[:], ended, 95)
	return f
}

// like returns the rings of the edges that match; the meter must be locked.
func (m *Meter) like(like Edge) []*[meterMinutes]minute {
	if ring, ok := m.edges[like]; ok && like.From != "" && like.To != "" {
		return []*[meterMinutes]minute{ring}
	}
	var rings []*[meterMinutes]minute
	for e, ring := range m.edges {
		if strings.HasPrefix(e.Action, like.Action) && (like.From == "" || e.From == like.From) && (like.To == "" || e.To == like.To) {
			rings = append(rings, ring)
		}
	}
	return rings
}

func percentile(took []uint64, n uint64, p uint64) time.Duration {
	if n == 0 {
		return 0
	}
	rank := (n*p + 99) / 100
	var seen uint64
	for i, c := range took {
		if seen += c; seen >= rank {
			return bounds[min(i, len(bounds)-1)]
		}
	}
	return bounds[len(bounds)-1]
}

// Edges returns every edge with traffic in the last minutes, busiest first.
func (m *Meter) Edges(minutes int) []Edge {
	m.mu.Lock()
	now, count := m.now().Unix()/60, map[Edge]uint64{}
	for e, ring := range m.edges {
		for i := range ring {
			if age := int(now - ring[i].at); age >= 0 && age < minutes {
				count[e] += ring[i].allowed + ring[i].denied
			}
		}
	}
	m.mu.Unlock()
	var edges []Edge
	for e, n := range count {
		if n > 0 {
			edges = append(edges, e)
		}
	}
	slices.SortFunc(edges, func(a, b Edge) int {
		if count[a] != count[b] {
			return int(min(count[b], 1<<30)) - int(min(count[a], 1<<30))
		}
		return strings.Compare(a.Action+a.From+a.To, b.Action+b.From+b.To)
	})
	return edges
}

// Denials returns how often each rule denied since the start.
func (m *Meter) Denials() map[string]uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make(map[string]uint64, len(m.rules))
	for rule, n := range m.rules {
		out[rule] = n
	}
	return out
}

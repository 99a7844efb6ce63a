package gate

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Edge is one line of traffic: who, to whom, on which lane.
type Edge struct {
	Action string // a lane's action
	From   string // plugin or user id
	To     string // plugin id, host or event type
}

const (
	meterMinutes = 60     // how far back the meter remembers
	maxEdges     = 10_000 // beyond, traffic is counted under the edge's lane alone
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
	rules map[string]uint64 // denials by rule, since the start
}

func newMeter(now func() time.Time) *Meter {
	return &Meter{now: now, edges: map[Edge]*[meterMinutes]minute{}, rules: map[string]uint64{}}
}

// at returns the current minute of an edge; the meter must be locked.
func (m *Meter) at(e Edge) *minute {
	ring, ok := m.edges[e]
	if !ok {
		if len(m.edges) >= maxEdges {
			e = Edge{Action: e.Action}
		}
		if ring, ok = m.edges[e]; !ok {
			ring = new([meterMinutes]minute)
			m.edges[e] = ring
		}
	}
	now := m.now().Unix() / 60
	b := &ring[now%meterMinutes]
	if b.at != now {
		*b = minute{at: now}
	}
	return b
}

func (m *Meter) decided(e Edge, allow bool, rule string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if allow {
		m.at(e).allowed++
		return
	}
	m.at(e).denied++
	m.rules[rule]++
}

// Ended counts the end of an allowed passage. Lanes that judge without Pass call it themselves.
func (m *Meter) Ended(e Edge, took time.Duration, failed bool) {
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
	for e, ring := range m.edges {
		if !strings.HasPrefix(e.Action, like.Action) || like.From != "" && e.From != like.From || like.To != "" && e.To != like.To {
			continue
		}
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

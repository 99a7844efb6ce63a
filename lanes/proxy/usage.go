package proxy

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Usage is what passed between one plugin and one domain since the core started,
// on this replica.
type Usage struct {
	Plugin   string        `json:"plugin"`
	Domain   string        `json:"domain"`
	Requests uint64        `json:"requests"` // allowed ones that have ended
	Denied   uint64        `json:"denied"`
	Failed   uint64        `json:"failed"` // of the allowed: no answer, or not all of it
	Sent     uint64        `json:"bytes_sent"`
	Received uint64        `json:"bytes_received"`
	Took     time.Duration `json:"-"` // all requests together
	Mean     float64       `json:"mean_ms"`
	Longest  float64       `json:"max_ms"`
}

// maxUsage bounds how many pairs are counted; a plugin that makes up domains has
// the later ones counted together, under no domain.
const maxUsage = 2_000

// usages counts. The zero value is ready.
type usages struct {
	mu    sync.Mutex
	byKey map[[2]string]*Usage
}

func (s *usages) count(plugin, domain string, add func(*Usage)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.byKey[[2]string{plugin, domain}]
	if !ok && len(s.byKey) >= maxUsage {
		domain = ""
		u, ok = s.byKey[[2]string{plugin, domain}]
	}
	if !ok {
		if s.byKey == nil {
			s.byKey = map[[2]string]*Usage{}
		}
		u = &Usage{Plugin: plugin, Domain: domain}
		s.byKey[[2]string{plugin, domain}] = u
	}
	add(u)
}

// ended counts an allowed request.
func (s *usages) ended(plugin, domain string, e ended, took time.Duration, failed bool) {
	s.count(plugin, domain, func(u *Usage) {
		u.Requests++
		u.Sent += uint64(max(e.Sent, 0))
		u.Received += uint64(max(e.Received, 0))
		u.Took += took
		u.Longest = max(u.Longest, took.Seconds()*1000)
		if failed {
			u.Failed++
		}
	})
}

// Usage returns what passed, busiest first.
func (l *Lane) Usage() []Usage {
	l.usage.mu.Lock()
	list := make([]Usage, 0, len(l.usage.byKey))
	for _, u := range l.usage.byKey {
		one := *u
		if u.Requests > 0 {
			one.Mean = u.Took.Seconds() * 1000 / float64(u.Requests)
		}
		list = append(list, one)
	}
	l.usage.mu.Unlock()
	slices.SortFunc(list, func(a, b Usage) int {
		return cmp.Or(cmp.Compare(b.Requests+b.Denied, a.Requests+a.Denied), cmp.Compare(a.Plugin, b.Plugin), cmp.Compare(a.Domain, b.Domain))
	})
	return list
}

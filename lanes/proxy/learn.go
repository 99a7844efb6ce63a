package proxy

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	learnAgain = 10 * time.Second // how often one domain of one plugin is counted
	learnMost  = 256              // domains of one plugin; one that makes up names teaches nothing
)

// refused is a domain that a plugin asked for.
type refused struct{ plugin, domain, rule string }

// learning passes refused domains on, without a request ever waiting for it.
type learning struct {
	observer Observer
	log      *slog.Logger
	now      func() time.Time
	queue    chan refused

	mu   sync.Mutex
	last map[string]map[string]time.Time // plugin, domain
}

func newLearning(o Observer, log *slog.Logger, now func() time.Time) *learning {
	return &learning{observer: o, log: log, now: now, queue: make(chan refused, 256), last: make(map[string]map[string]time.Time)}
}

// add notes a refusal, unless it was noted a moment ago.
func (s *learning) add(r refused) {
	if !s.news(r) {
		return
	}
	select {
	case s.queue <- r:
	default: // busy; the plugin will ask again
	}
}

func (s *learning) news(r refused) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	domains := s.last[r.plugin]
	if domains == nil {
		domains = make(map[string]time.Time)
		s.last[r.plugin] = domains
	}
	at, known := domains[r.domain]
	if !known && len(domains) >= learnMost || known && s.now().Sub(at) < learnAgain {
		return false
	}
	domains[r.domain] = s.now()
	return true
}

func (s *learning) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case r := <-s.queue:
			if err := s.observer.Observe(ctx, r.plugin, r.domain, r.rule); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "refused domain not remembered", "plugin", r.plugin, "domain", r.domain, "error", err)
			}
		}
	}
}

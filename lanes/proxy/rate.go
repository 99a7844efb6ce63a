package proxy

import (
	"sync"
	"time"
)

// window counts requests over a sliding minute: the whole of this minute, and of
// the one before the share that the sliding minute still covers.
type window struct {
	start        time.Time
	before, here int
}

// take counts a request unless limit are counted already; then it says when to
// come back.
func (w *window) take(now time.Time, limit int) (wait time.Duration, ok bool) {
	switch gone := now.Sub(w.start); {
	case gone < 0 || gone >= 2*time.Minute:
		*w = window{start: now}
	case gone >= time.Minute:
		*w = window{start: w.start.Add(time.Minute), before: w.here}
	}
	gone := now.Sub(w.start)
	covered := float64(w.before) * float64(time.Minute-gone) / float64(time.Minute)
	if covered+float64(w.here)+1 > float64(limit) {
		return time.Minute - gone, false
	}
	w.here++
	return 0, true
}

// windows holds one window for each approval in use. Its zero value is ready.
type windows struct {
	mu    sync.Mutex
	byKey map[[2]string]*window
}

// maxWindows bounds the memory of windows; approvals are made by people.
const maxWindows = 10_000

func (s *windows) take(plugin, domain string, now time.Time, limit int) (wait time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byKey == nil || len(s.byKey) >= maxWindows {
		s.byKey = make(map[[2]string]*window)
	}
	w, known := s.byKey[[2]string{plugin, domain}]
	if !known {
		w = &window{start: now}
		s.byKey[[2]string{plugin, domain}] = w
	}
	return w.take(now, limit)
}

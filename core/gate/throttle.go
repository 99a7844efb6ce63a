package gate

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/vivified/vivified/core/fault"
)

// Throttle bounds how much one caller asks at a time and each second, so that
// one cannot take the lane from the others. Safe for concurrent use.
type Throttle struct {
	rate     rate.Limit
	inFlight int
	mu       sync.Mutex
	callers  map[string]*caller
}

type caller struct {
	limiter *rate.Limiter
	running int
	seen    time.Time
}

// NewThrottle returns a Throttle of so many requests a second and at a time.
func NewThrottle(perSecond, inFlight int) *Throttle {
	return &Throttle{rate: rate.Limit(perSecond), inFlight: inFlight, callers: map[string]*caller{}}
}

// Enter takes a slot for one request of id, or returns a TooMany fault. The
// slot must be released, once or more often.
func (t *Throttle) Enter(id string) (release func(), err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	c, ok := t.callers[id]
	if !ok {
		t.sweep(now)
		c = &caller{limiter: rate.NewLimiter(t.rate, max(1, int(t.rate)))}
		t.callers[id] = c
	}
	c.seen = now
	if c.running >= t.inFlight {
		f := fault.New(fault.TooMany, "lane.in_flight", "%s has %d requests in flight already; wait for one to end.", id, c.running)
		f.RetryAfter = time.Second
		return nil, f
	}
	if !c.limiter.AllowN(now, 1) {
		f := fault.New(fault.TooMany, "lane.rate", "%s sends more than %.0f requests a second; slow down.", id, float64(t.rate))
		f.RetryAfter = time.Second
		return nil, f
	}
	c.running++
	return sync.OnceFunc(func() {
		t.mu.Lock()
		c.running--
		t.mu.Unlock()
	}), nil
}

// sweep forgets callers that have been quiet for a minute.
func (t *Throttle) sweep(now time.Time) {
	if len(t.callers) < 1024 {
		return
	}
	for id, c := range t.callers {
		if c.running == 0 && now.Sub(c.seen) > time.Minute {
			delete(t.callers, id)
		}
	}
}

// Running returns how many requests of id are in flight.
func (t *Throttle) Running(id string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c, ok := t.callers[id]; ok {
		return c.running
	}
	return 0
}

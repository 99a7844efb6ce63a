package proxy

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
)

// errClosed is why requests end whose plugin left the lane.
var errClosed = fault.New(fault.Unauthenticated, "plugin.disabled", "The plugin was taken off the lane while the request was on its way.")

// outlet is one plugin's way out: its own connections, its own limits.
type outlet struct {
	transport *transport
	pace      *rate.Limiter
	most      int // requests at a time

	mu      sync.Mutex
	last    uint64
	running map[uint64]context.CancelCauseFunc
}

func newOutlet(transport *transport, limits Limits) *outlet {
	return &outlet{
		transport: transport, pace: rate.NewLimiter(rate.Limit(limits.Rate), limits.Rate), most: limits.InFlight,
		running: make(map[uint64]context.CancelCauseFunc),
	}
}

// enter takes a slot for one request, or returns a TooMany fault. The request runs
// under the context returned, which ends when the outlet is closed, and then leaves.
func (o *outlet) enter(ctx context.Context, now time.Time) (context.Context, func(), error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.running) >= o.most {
		return nil, nil, slowDown("lane.in_flight", time.Second, "%d requests are on their way already; wait for one to end.", o.most)
	}
	if !o.pace.AllowN(now, 1) {
		return nil, nil, slowDown("lane.rate", time.Second, "More than %v requests a second; slow down.", o.pace.Limit())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	o.last++
	id := o.last
	o.running[id] = cancel
	return ctx, func() {
		o.mu.Lock()
		delete(o.running, id)
		o.mu.Unlock()
		cancel(context.Canceled)
	}, nil
}

// close ends every request and connection.
func (o *outlet) close() {
	o.mu.Lock()
	for _, cancel := range o.running {
		cancel(errClosed)
	}
	o.mu.Unlock()
	o.transport.CloseIdleConnections()
}

func slowDown(code string, after time.Duration, format string, args ...any) error {
	f := fault.New(fault.TooMany, code, format, args...)
	f.RetryAfter = after
	return f
}

// outlets are those of all plugins that used the lane.
type outlets struct {
	open func() *outlet
	mu   sync.Mutex
	byID map[string]*outlet
}

// of returns the outlet of a plugin.
func (s *outlets) of(plugin string) *outlet {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.byID[plugin]
	if !ok {
		o = s.open()
		if s.byID == nil {
			s.byID = make(map[string]*outlet)
		}
		s.byID[plugin] = o
	}
	return o
}

// closeInactive closes the outlets of plugins that are not active in snap.
func (s *outlets) closeInactive(snap *registry.Snapshot) {
	s.closeUnless(func(id string) bool {
		p, ok := snap.Plugin(id)
		return ok && p.State == policy.Active
	})
}

func (s *outlets) closeAll() { s.closeUnless(func(string) bool { return false }) }

func (s *outlets) closeUnless(stays func(id string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, o := range s.byID {
		if !stays(id) {
			o.close()
			delete(s.byID, id)
		}
	}
}

package operator

import (
	"context"
	"sync"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
)

// flights are the calls on their way. Safe for concurrent use; the zero value is ready.
type flights struct {
	mu   sync.Mutex
	last uint64
	byID map[uint64]*flight
}

// flight is one call on its way.
type flight struct {
	caller, target string // caller: "" when it is no plugin
	stop           context.CancelCauseFunc
	ends           *time.Timer // set once one of the two was disabled
}

// take notes a call. It ends with the context returned, or when a party to it
// leaves the lane; land must be called.
func (s *flights) take(ctx context.Context, caller, target string) (_ context.Context, stop context.CancelCauseFunc, land func()) {
	ctx, stop = context.WithCancelCause(ctx)
	f := &flight{caller: caller, target: target, stop: stop}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID == nil {
		s.byID = map[uint64]*flight{}
	}
	s.last++
	id := s.last
	s.byID[id] = f
	return ctx, stop, func() {
		s.mu.Lock()
		delete(s.byID, id)
		if f.ends != nil {
			f.ends.Stop()
		}
		s.mu.Unlock()
		stop(context.Canceled)
	}
}

// ground ends the calls of plugins that left the lane: at once where they were
// quarantined or forgotten, after drain where they were disabled.
func (s *flights) ground(snap *registry.Snapshot, drain time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.byID {
		state, cause := standing(snap, f.target), error(nil)
		switch {
		case !flies(state):
			cause = fault.New(fault.Unavailable, "target."+string(state), "%s was taken off the lane while the call was on its way.", f.target)
		case f.caller != "" && !flies(standing(snap, f.caller)):
			state = standing(snap, f.caller)
			cause = fault.New(fault.Unauthenticated, "plugin.disabled", "%s was taken off the lane while its call was on its way.", f.caller)
		default:
			continue
		}
		switch {
		case state != policy.Disabled:
			f.stop(cause)
		case f.ends == nil:
			f.ends = time.AfterFunc(drain, func() { f.stop(cause) })
		}
	}
}

// standing is a plugin's state now; one that was forgotten is as good as quarantined.
func standing(snap *registry.Snapshot, id string) policy.State {
	if p, ok := snap.Plugin(id); ok {
		return p.State
	}
	return policy.Quarantined
}

// flies reports whether calls of a plugin in that state go on: one that stopped
// answering its health checks may still finish what it began.
func flies(s policy.State) bool { return s == policy.Active || s == policy.Unhealthy }

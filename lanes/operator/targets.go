package operator

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
)

// targets bounds what reaches each target: so many calls at a time, and none
// while its circuit is open. Safe for concurrent use.
type targets struct {
	most int // calls at a time and target
	mu   sync.Mutex
	byID map[string]*target
}

type target struct {
	breaker
	running int
}

// Target is how calls to one plugin fare, on this replica.
type Target struct {
	ID       string    `json:"id"`
	Circuit  Circuit   `json:"circuit"`
	Since    time.Time `json:"since,omitzero"` // of the circuit's state; zero: it never moved
	InFlight int       `json:"in_flight"`
	Calls    int       `json:"calls"`  // that ended in the last ten seconds
	Failed   int       `json:"failed"` // of those
}

// moved is a circuit that changed its state.
type moved struct {
	target        string
	from, to      Circuit
	calls, failed int
	rest          time.Duration
}

// enter takes a slot at a target. The slot is given back by leave; what the call
// says of its target is told to settle. An error is an Unavailable fault.
func (s *targets) enter(id string, now time.Time) (probe bool, m *moved, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.byID[id]
	if !ok {
		t = &target{}
		if s.byID == nil {
			s.byID = map[string]*target{}
		}
		s.byID[id] = t
	}
	if t.running >= s.most {
		f := fault.New(fault.Unavailable, "target.busy", "%s answers %d calls already; wait for some to end.", id, t.running)
		f.RetryAfter = time.Second
		return false, nil, f
	}
	before := t.circuit()
	probe, ok, wait := t.admit(now)
	if !ok {
		f := fault.New(fault.Unavailable, "target.circuit", "%s failed most of its last calls; the core asks it again in %s.", id, wait.Round(time.Second))
		f.RetryAfter = wait
		return false, nil, f
	}
	t.running++
	return probe, t.change(id, before, now), nil
}

// settle notes what a call says of its target.
func (s *targets) settle(id string, now time.Time, probe bool, v verdict) *moved {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.byID[id]
	if !ok {
		return nil
	}
	before := t.circuit()
	t.breaker.settle(now, probe, v)
	return t.change(id, before, now)
}

func (s *targets) leave(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.byID[id]; ok {
		t.running--
	}
}

func (t *target) change(id string, before Circuit, now time.Time) *moved {
	if before == t.circuit() {
		return nil
	}
	m := &moved{target: id, from: before, to: t.circuit(), rest: t.rest}
	m.calls, m.failed = t.recent(now)
	return m
}

// forget drops the targets that are out of service: who comes back begins anew.
func (s *targets) forget(inService func(id string) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, t := range s.byID {
		if t.running == 0 && !inService(id) {
			delete(s.byID, id)
		}
	}
}

// Targets returns every plugin that was called since it was enabled, by id.
func (l *Lane) Targets() []Target {
	now := l.now()
	l.targets.mu.Lock()
	defer l.targets.mu.Unlock()
	list := make([]Target, 0, len(l.targets.byID))
	for id, t := range l.targets.byID {
		one := Target{ID: id, Circuit: t.circuit(), Since: t.since, InFlight: t.running}
		one.Calls, one.Failed = t.recent(now)
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b Target) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// note tells administrators that a circuit moved, and records it.
func (l *Lane) note(ctx context.Context, m *moved) {
	if m == nil {
		return
	}
	l.log.WarnContext(ctx, "circuit moved", "target", m.target, "from", m.from, "to", m.to, "calls", m.calls, "failed", m.failed)
	ctx = actor.With(context.WithoutCancel(ctx), actor.Core("operator lane"))
	detail := map[string]any{"from": m.from, "to": m.to, "calls": m.calls, "failed": m.failed}
	if m.to == Open {
		detail["seconds"] = m.rest.Seconds()
	}
	e := audit.Entry{Plugin: m.target, Action: "operator.circuit", Object: m.target, Outcome: audit.OK, Rule: "target.circuit", Detail: detail}
	if err := l.gate.Record(ctx, e); err != nil {
		l.log.ErrorContext(ctx, "circuit's move not recorded", "target", m.target, "error", err)
	}
}

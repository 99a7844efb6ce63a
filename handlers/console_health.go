package handlers

import (
	"context"
	"sync"
	"time"

	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/views"
)

// The health strips: four hours in a table, a day on a plugin's own page.
const (
	stripBars, stripEach = 48, 5 * time.Minute
	dayBars, dayEach     = 96, 15 * time.Minute
)

// strips keeps the health strips that tables show, because every look at a table
// draws them all and a check changes one twice a minute.
type strips struct {
	mu sync.Mutex
	of map[string]strip // by plugin
}

type strip struct {
	seen  *time.Time // the last check when it was made
	until time.Time  // when it moves on by a bar
	bars  []views.Status
}

// strip returns the health of a plugin over the last hours.
func (s *Server) strip(ctx context.Context, p *registry.Plugin, now time.Time) ([]views.Status, error) {
	s.strips.mu.Lock()
	kept, ok := s.strips.of[p.ID]
	s.strips.mu.Unlock()
	if ok && now.Before(kept.until) && when(kept.seen).Equal(when(p.HealthAt)) {
		return kept.bars, nil
	}
	from := now.Add(-stripBars * stripEach)
	samples, err := s.Registry.History(ctx, p.ID, from)
	if err != nil {
		return nil, err
	}
	made := strip{seen: p.HealthAt, until: now.Add(stripEach / 5), bars: make([]views.Status, stripBars)}
	for _, one := range samples {
		mark(made.bars, one.At, registry.Health(one.Health), from, stripEach)
	}
	s.strips.mu.Lock()
	defer s.strips.mu.Unlock()
	if s.strips.of == nil || len(s.strips.of) > 2*len(s.Registry.Snapshot().Plugins())+16 {
		s.strips.of = map[string]strip{} // plugins come and go
	}
	s.strips.of[p.ID] = made
	return made.bars, nil
}

// worse orders health: a bar shows the worst of its time.
var worse = map[views.Status]int{"": 0, views.Unknown: 1, views.Healthy: 2, views.Degraded: 3, views.Unhealthy: 4}

// mark notes one look at a plugin's health in its bar.
func mark(bars []views.Status, at time.Time, h registry.Health, from time.Time, each time.Duration) {
	i := int(at.Sub(from) / each)
	if i < 0 || i >= len(bars) {
		return
	}
	if is := views.Status(h); worse[is] > worse[bars[i]] {
		bars[i] = is
	}
}

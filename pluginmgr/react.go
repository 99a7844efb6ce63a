package pluginmgr

import (
	"context"
	"time"

	"github.com/vivified/vivified/core/registry"
)

// The metrics that the core measures itself of a plugin that it runs.
const (
	MetricCPU    = "cpu_cores"    // cores, on average since the last check
	MetricMemory = "memory_bytes" // now
	MetricPIDs   = "processes"    // and threads, now
)

// measure adds to a check what the plugin uses, which counts before what it says
// of itself under the same names.
func (m *Manager) measure(ctx context.Context, one *instance, s *registry.Sample) {
	now, err := one.runtime.Stats(ctx, one.name)
	if err != nil {
		return // it has just ended
	}
	one.mu.Lock()
	last := one.last
	one.last = now
	one.mu.Unlock()
	if s.Metrics == nil {
		s.Metrics = map[string]float64{}
	}
	s.Metrics[MetricMemory], s.Metrics[MetricPIDs] = float64(now.Memory), float64(now.PIDs)
	if took := now.At.Sub(last.At); !last.At.IsZero() && took > 0 {
		s.Metrics[MetricCPU] = float64(now.CPU-last.CPU) / float64(took)
	}
}

// Stats returns what a plugin uses that runs on this replica; false for others.
func (m *Manager) Stats(ctx context.Context, id string) (Stats, bool) {
	one := m.instances.of(id)
	if one == nil {
		return Stats{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s, err := one.runtime.Stats(ctx, one.name)
	return s, err == nil
}

// react does with a plugin that has become unhealthy what the operator wants.
func (m *Manager) react(ctx context.Context, p *registry.Plugin, why string) {
	switch m.Policy().Unhealthy {
	case UnhealthyRestart:
		one := m.instances.of(p.ID)
		lock := m.instances.lock(p.ID)
		if one == nil || !lock.TryLock() {
			return // somebody else is at it
		}
		defer lock.Unlock()
		m.instances.unset(one)
		m.stop(ctx, one, causeUnhealthy, m.Timing.Grace) // what should run and does not is started again
	case UnhealthyDisable:
		if err := m.Disable(ctx, p.ID, why); err != nil {
			m.Log.WarnContext(ctx, "an unhealthy plugin is not disabled", "plugin", p.ID, "error", err)
		}
	}
}

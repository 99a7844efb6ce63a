package gate

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// decisions counts by action, outcome and rule, of which there are few: a counter
// once found is kept, so that a decision does not look for it by hashing its labels.
type decisions struct {
	all   *prometheus.CounterVec
	found sync.Map // [3]string → prometheus.Counter
}

func (d *decisions) of(action, outcome, rule string) prometheus.Counter {
	key := [3]string{action, outcome, rule}
	if c, ok := d.found.Load(key); ok {
		return c.(prometheus.Counter)
	}
	c := d.all.WithLabelValues(action, outcome, rule)
	d.found.Store(key, c)
	return c
}

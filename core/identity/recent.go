package identity

import (
	"sync"
	"time"
)

// lookupLife is how long a credential once found good is not looked up again. A
// revocation on a replica that missed the wake-up takes effect after this: the
// promise is one second.
const lookupLife = 900 * time.Millisecond

// recent remembers what was looked up a moment ago. It holds at most two
// generations of size entries; what was not asked for during one is forgotten.
type recent[K comparable, V any] struct {
	mu         sync.Mutex
	size       int
	epoch      uint64 // rises at clear; an answer read in an earlier one is not kept
	fresh, old map[K]remembered[V]
}

type remembered[V any] struct {
	value V
	until time.Time
}

func newRecent[K comparable, V any](size int) *recent[K, V] {
	return &recent[K, V]{size: size, fresh: map[K]remembered[V]{}}
}

// get returns what is remembered of key and good at now. On a miss it returns
// the epoch to hand to put.
func (r *recent[K, V]) get(key K, now time.Time) (value V, epoch uint64, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m, ok := r.fresh[key]
	if !ok {
		if m, ok = r.old[key]; ok {
			r.keep(key, m)
		}
	}
	if !ok || !now.Before(m.until) {
		return value, r.epoch, false
	}
	return m.value, r.epoch, true
}

// put remembers value until a time, unless clear was called since epoch.
func (r *recent[K, V]) put(key K, value V, epoch uint64, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.epoch == epoch {
		r.keep(key, remembered[V]{value, until})
	}
}

func (r *recent[K, V]) keep(key K, m remembered[V]) {
	if len(r.fresh) >= r.size {
		r.old, r.fresh = r.fresh, make(map[K]remembered[V], r.size/4)
	}
	r.fresh[key] = m
}

// clear forgets everything, and what is being looked up now.
func (r *recent[K, V]) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.epoch++
	r.old, r.fresh = nil, map[K]remembered[V]{}
}

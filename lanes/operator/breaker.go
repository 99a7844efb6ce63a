package operator

import "time"

// Circuit is the state of a target's circuit breaker.
type Circuit string

// The states: calls pass; none does; one does, to find out.
const (
	Closed   Circuit = "closed"
	Open     Circuit = "open"
	HalfOpen Circuit = "half-open"
)

const (
	breakerSeconds = 10               // how far back calls count
	breakerCalls   = 20               // fewer tell nothing
	firstRest      = 5 * time.Second  // how long a circuit stays open at first; it doubles with each probe that fails
	longestRest    = 60 * time.Second // and at most
)

// verdict is what a call says of its target.
type verdict uint8

const (
	silent  verdict = iota // nothing: the caller left, was slow, or allowed less time than the operation has
	healthy                // it answered
	failing                // it did not, or with a status from 500
)

// breaker keeps calls from a target that fails most of them. Its zero value is
// closed. It is not safe for concurrent use.
type breaker struct {
	state   Circuit // "": closed
	since   time.Time
	rest    time.Duration
	probing bool
	seconds [breakerSeconds]second
}

// second counts the calls that ended in one second.
type second struct {
	at            int64 // since the epoch
	calls, failed int
}

// admit reports whether a call may go to the target, whether it is the probe of a
// half-open circuit, and if it may not, when to come back.
func (b *breaker) admit(now time.Time) (probe, ok bool, wait time.Duration) {
	switch b.state {
	case Open:
		if left := b.since.Add(b.rest).Sub(now); left > 0 {
			return false, false, left
		}
		b.move(HalfOpen, now)
	case HalfOpen:
		if b.probing {
			return false, false, time.Second
		}
	default:
		return false, true, 0
	}
	b.probing = true
	return true, true, 0
}

// settle counts what came of an admitted call. A call that was on its way while
// the circuit opened changes nothing any more.
func (b *breaker) settle(now time.Time, probe bool, v verdict) {
	if probe {
		b.probing = false
		switch v {
		case healthy:
			b.seconds = [breakerSeconds]second{}
			b.rest = 0
			b.move(Closed, now)
		case failing:
			b.open(now)
		}
		return
	}
	if v == silent || b.circuit() != Closed {
		return
	}
	s := &b.seconds[now.Unix()%breakerSeconds]
	if s.at != now.Unix() {
		*s = second{at: now.Unix()}
	}
	s.calls++
	if v == failing {
		s.failed++
	}
	if calls, failed := b.recent(now); v == failing && calls >= breakerCalls && 2*failed >= calls {
		b.open(now)
	}
}

func (b *breaker) open(now time.Time) {
	b.rest = min(max(2*b.rest, firstRest), longestRest)
	b.move(Open, now)
}

func (b *breaker) move(to Circuit, now time.Time) { b.state, b.since = to, now }

func (b *breaker) circuit() Circuit {
	if b.state == "" {
		return Closed
	}
	return b.state
}

// recent sums up the last ten seconds.
func (b *breaker) recent(now time.Time) (calls, failed int) {
	for _, s := range b.seconds {
		if now.Unix()-s.at < breakerSeconds {
			calls, failed = calls+s.calls, failed+s.failed
		}
	}
	return calls, failed
}

package vivified

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff gives growing, jittered pauses, so that many plugins that lost one
// core do not come back in the same instant.
type backoff struct {
	base, most time.Duration
	tries      int
}

// next returns the next pause: between half of and all of base, 2·base, 4·base … most.
func (b *backoff) next() time.Duration {
	pause := b.most
	if b.tries < 16 { // beyond, base << tries could overflow
		pause = min(b.base<<b.tries, b.most)
	}
	b.tries++
	return pause/2 + rand.N(pause/2+1)
}

// reset starts again from base, after a success.
func (b *backoff) reset() { b.tries = 0 }

// sleep waits for d, or returns the context's error when that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// The waits between two attempts to reach the database, doubled each time.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

// blip is how long decisions go on waiting in the queue when a connection is
// lost: another one is usually there at once.
const blip = 250 * time.Millisecond

// maxKept is the largest buffer that is kept for the next batch, in bytes.
const maxKept = 4 << 20

// drainTimeout is how long Run goes on writing after its context has ended.
const drainTimeout = 3 * time.Second

// Run writes until ctx ends, then writes what still waits, for at most 3 s, and
// returns nil. End it after everything that decides: from then on decisions
// are refused. What goes wrong meanwhile is logged and tried again.
func (w *Writer) Run(ctx context.Context) error {
	k := &keeper{w: w}
	defer k.close()
	defer w.turn(closed, errClosed)
	var closing sync.WaitGroup
	pause, lost := firstPause, time.Time{}
	for ctx.Err() == nil {
		err := k.ready(ctx)
		if err == nil {
			w.turn(open, nil)
			if !k.started {
				k.started = true
				head := k.head.seq
				closing.Go(func() { w.closeOrphans(ctx, head) })
			}
			before := w.metrics.commits.Load()
			if err = k.work(ctx); err == nil {
				break // ctx ended
			}
			if w.metrics.commits.Load() > before {
				pause, lost = firstPause, time.Time{}
			}
		}
		if lost.IsZero() {
			lost = time.Now()
		}
		if k.conn != nil || time.Since(lost) > blip {
			w.down(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, lastPause)
	}
	w.stop()
	closing.Wait()
	k.drain(context.WithoutCancel(ctx))
	return nil
}

// down refuses decisions until the next attempt. The log hears of it once.
func (w *Writer) down(err error) {
	w.turn(down, fmt.Errorf("%w: %w", errDown, err))
	if !w.trouble.Swap(true) {
		w.log.Error("audit: nothing can be recorded, so every decision is refused", "error", err)
	}
}

// work writes batch after batch until ctx ends, which is nil, or one fails.
func (k *keeper) work(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.w.wake:
		}
		if batch := k.w.take(); len(batch) > 0 {
			if err := k.commit(ctx, batch); err != nil {
				return err
			}
		}
	}
}

// drain writes what waits and settles what is in doubt, as long as it may.
func (k *keeper) drain(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	for ctx.Err() == nil && (k.doubt != nil || k.w.waiting() > 0) {
		err := k.ready(ctx)
		for err == nil {
			batch := k.w.take()
			if len(batch) == 0 {
				break
			}
			err = k.commit(ctx, batch)
		}
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(firstPause):
			}
		}
	}
	if k.doubt != nil {
		for _, p := range k.doubt {
			k.settle(p, errClosed)
		}
	}
	if n := k.w.waiting(); n > 0 {
		k.w.log.Error("audit: stopped before all outcomes were recorded; the next start closes them as unknown", "records", n)
	}
}

// settle tells the caller of p how it ended.
func (k *keeper) settle(p *pending, err error) {
	if p.done != nil && p.step.CompareAndSwap(taken, settled) {
		p.done <- err
	}
}

// committed settles a batch that is in the audit. An allowed action whose
// caller was told otherwise meanwhile is closed as failed.
func (k *keeper) committed(batch []*pending) {
	k.w.metrics.rows.Add(int64(len(batch)))
	k.w.metrics.commits.Add(1)
	if k.w.trouble.Swap(false) {
		k.w.log.Info("audit: decisions are recorded again")
	}
	var closing []*pending
	for _, p := range batch {
		k.settle(p, nil)
		if p.step.Load() == disowned && p.record.Outcome == Allow {
			closing = append(closing, closingOf(&p.record, Failed, "audit.unavailable",
				"The database answered too late that this decision was recorded: the caller had been refused, and nothing was done."))
		}
	}
	k.w.giveBack(closing)
}

// refused settles a batch of which nothing is in the audit. Outcomes wait for
// the next attempt.
func (k *keeper) refused(batch []*pending, err error) {
	var outcomes []*pending
	for _, p := range batch {
		if p.done == nil {
			outcomes = append(outcomes, p)
		}
		k.settle(p, err)
	}
	k.w.giveBack(outcomes)
}

// commit copies batch in one statement, which is one transaction. An error
// means that the writer must become ready anew.
func (k *keeper) commit(ctx context.Context, batch []*pending) error {
	head := k.head
	rows := append(k.buf[:0], copyHeader...)
	for _, p := range batch {
		head.extend(&k.digest, &p.record, k.w.cfg.Now())
		rows = p.record.appendCopy(rows)
	}
	rows = append(rows, copyTrailer...)
	k.buf = nil // on an error pgconn may still be reading rows
	err := k.copy(ctx, rows)
	switch {
	case err == nil:
		if cap(rows) <= maxKept {
			k.buf = rows
		}
		k.head = head
		k.committed(batch)
		return nil
	case errors.Is(err, errInDoubt):
		k.doubt = batch
		return err
	case poisoned(err) && len(batch) > 1:
		// One row the database will not hold must not take the others with it.
		half := len(batch) / 2
		if err := k.commit(ctx, batch[:half]); err != nil {
			k.refused(batch[half:], err)
			return err
		}
		return k.commit(ctx, batch[half:])
	case poisoned(err):
		p := batch[0]
		k.w.log.ErrorContext(ctx, "audit: the database refused this record", "error", err, "record", p.record)
		k.settle(p, err)
		return nil
	}
	k.refused(batch, err)
	k.failed = true
	return err
}

// resolve learns whether the batch in doubt is in the audit. The old
// connection is gone for good: this one has its lock.
func (k *keeper) resolve(ctx context.Context) error {
	batch := k.doubt
	if batch == nil {
		return nil
	}
	last := &batch[len(batch)-1].record
	there, err := k.holds(ctx, last)
	if err != nil {
		return err
	}
	k.doubt = nil
	if there {
		k.committed(batch)
		return nil
	}
	k.refused(slices.Clone(batch), errDown)
	return nil
}

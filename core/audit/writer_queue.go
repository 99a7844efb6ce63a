package audit

// push queues a decision, or says why it is refused now.
func (w *Writer) push(p *pending) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.state == closed:
		return errClosed
	case w.state == down:
		return errDown
	case len(w.queue) >= w.cfg.Queue || w.bytes+p.size > w.cfg.QueueBytes:
		return errFull
	}
	w.enqueue(p)
	return nil
}

// pushLater queues an outcome. Outcomes have as much room again as decisions:
// there is at most one for each decision that was let through. When there is
// none it returns a channel that is closed once there may be.
func (w *Writer) pushLater(p *pending) (room <-chan struct{}, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.state == closed:
		return nil, errClosed
	case len(w.queue) >= 2*w.cfg.Queue || w.bytes+p.size > 2*w.cfg.QueueBytes:
		return w.room, errFull
	}
	w.enqueue(p)
	return nil, nil
}

// enqueue appends p; w.mu is held.
func (w *Writer) enqueue(p *pending) {
	w.queue = append(w.queue, p)
	w.bytes += p.size
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// maxBatch is the size, in bytes, beyond which a batch takes no further record.
const maxBatch = 4 << 20

// take returns the next batch, oldest first, without the decisions whose
// callers have given up: from here on nobody in it can give up unnoticed.
func (w *Writer) take() []*pending {
	w.mu.Lock()
	defer w.mu.Unlock()
	var batch []*pending
	n, size := 0, 0
	for ; n < len(w.queue) && len(batch) < w.cfg.Batch && size < maxBatch; n++ {
		p := w.queue[n]
		w.bytes -= p.size
		if p.step.CompareAndSwap(waiting, taken) {
			batch = append(batch, p)
			size += p.size
		}
	}
	if n == len(w.queue) {
		clear(w.queue)
		w.queue = w.queue[:0]
	} else {
		w.queue = append(w.queue[:0:0], w.queue[n:]...)
		select { // there is more
		case w.wake <- struct{}{}:
		default:
		}
	}
	close(w.room)
	w.room = make(chan struct{})
	return batch
}

// giveBack puts outcomes that were not committed before everything that waits.
func (w *Writer) giveBack(outcomes []*pending) {
	if len(outcomes) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range outcomes {
		p.step.Store(waiting)
		w.bytes += p.size
	}
	w.queue = append(append(make([]*pending, 0, len(outcomes)+len(w.queue)), outcomes...), w.queue...)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// waiting returns how many records are queued.
func (w *Writer) waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue)
}

// stop takes nothing more; what waits is still written.
func (w *Writer) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = closed
}

// turn changes the state. Going down or closing refuses every decision that
// waits, with that reason; outcomes stay.
func (w *Writer) turn(to state, why error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state = to
	if to == open {
		return
	}
	kept := w.queue[:0]
	for _, p := range w.queue {
		switch {
		case p.done == nil:
			kept = append(kept, p)
			continue
		case p.step.CompareAndSwap(waiting, settled):
			p.done <- why
		}
		w.bytes -= p.size
	}
	clear(w.queue[len(kept):])
	w.queue = kept
	close(w.room)
	w.room = make(chan struct{})
}

package canonical

import (
	"context"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/registry"
)

// deed is one event on its way to one receiver, decided and recorded.
type deed struct {
	it   *item
	w    word
	call uuid.UUID
}

// batchBytes bounds the data of the events that are delivered in one request.
const batchBytes = 1 << 20

// together delivers the first events of a line in one request, to a plugin that
// takes batches, and returns how many of them are settled. With 0 they go one by
// one: so a single event that its receiver refuses ends in its own dead letter.
func (c *courier) together(ctx context.Context, at *line) int {
	items := c.batch(at)
	if len(items) < 2 {
		return 0
	}
	select {
	case c.turns <- struct{}{}:
		defer func() { <-c.turns }()
	case <-ctx.Done():
		return 0
	}
	l, words := c.lane, make([]decided, len(items))
	var deciding sync.WaitGroup
	for i, it := range items { // side by side, so that their records are written together
		deciding.Go(func() { words[i] = c.weigh(ctx, it) })
	}
	deciding.Wait()
	began, n := l.Now(), slices.IndexFunc(words, func(d decided) bool { return d.stop })
	if n < 0 {
		n = len(words)
	}
	for _, d := range words[n:] {
		if d.w.decision.Allow {
			l.ended(d.it.m, d.w, d.call, began, max(d.it.tries, 1), "held back behind an event before it")
		}
	}
	var sent []deed
	var to *registry.Plugin
	for _, d := range words[:n] {
		if !d.w.decision.Allow {
			continue
		}
		if d.it.tries++; d.it.tries == 1 {
			d.it.first = began
		}
		sent, to = append(sent, d.deed), d.to
	}
	if len(sent) > 0 {
		if err := l.post(carrier(c.quit, sent[0].it.m.Trace), to, sent); err != nil {
			for _, d := range sent {
				l.ended(d.it.m, d.w, d.call, began, d.it.tries, err.Error())
			}
			c.mu.Lock()
			at.single = len(items)
			c.mu.Unlock()
			return 0
		}
	}
	for _, d := range words[:n] {
		switch {
		case d.w.decision.Allow:
			c.arrived(ctx, d.deed, began)
		case d.gone:
			_ = l.drop(d.it.ticket(), "not kept any more")
		default:
			l.doneSoon(d.it.ticket())
		}
	}
	return n
}

// batch returns the events of a line that may go in one request.
func (c *courier) batch(at *line) []*item {
	p, ok := c.lane.Plugins.Snapshot().Plugin(c.plugin)
	if !ok || p.Manifest.Events.Format != manifest.Batch {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.single > 0 {
		return nil
	}
	n, size := 0, 0
	for _, it := range at.items[:min(len(at.items), maxBatch)] {
		if size += len(it.data); n > 0 && size > batchBytes {
			break
		}
		n++
	}
	return slices.Clone(at.items[:n])
}

// decided is what was decided on one event of a batch.
type decided struct {
	deed
	to   *registry.Plugin
	gone bool // it is not kept any more
	stop bool // it goes by itself, and what follows it later
}

// weigh decides on one event of a batch.
func (c *courier) weigh(ctx context.Context, it *item) decided {
	d := decided{deed: deed{it: it}}
	data, err := c.load(ctx, it)
	switch {
	case err != nil:
		d.stop = true
		return d
	case data == nil:
		d.gone = true
		return d
	}
	if d.to, d.w, d.call, err = c.decide(it.m, data); err != nil || d.to == nil {
		return decided{deed: deed{it: it}, stop: true}
	}
	d.stop = d.w.unmapped != nil
	return d
}

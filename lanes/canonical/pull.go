package canonical

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivified/vivified/core/actor"
)

// MostPulled is how many events one pull returns at most.
const MostPulled = maxBatch

// Pull returns up to most events to the plugin that acts in ctx, as soon as there
// are any, or none after wait. Each is to be acknowledged by Ack; one that is not
// comes again. Errors are faults, as of [Lane.Listen].
func (l *Lane) Pull(ctx context.Context, how Listening, most int, wait time.Duration) ([]*Sent, error) {
	how.Explicit = true
	id := actor.From(ctx).ID
	at, err := l.attach(ctx, id, how)
	if err != nil {
		return nil, err
	}
	var events []*Sent
	out := &outlet{lane: l, plugin: id, consumer: at.name, how: how, send: func(e *Sent) error {
		if e != nil {
			events = append(events, e)
		}
		return nil
	}}
	defer out.giveBack()
	until := time.Now().Add(wait)
	for {
		batch, err := at.consumer.FetchNoWait(min(max(most, 1), MostPulled))
		if err != nil {
			return nil, busDown(err)
		}
		if err := l.passAll(ctx, out, batch); err != nil {
			return nil, err
		}
		left := time.Until(until)
		if len(events) > 0 || left <= 0 || ctx.Err() != nil {
			return events, nil
		}
		batch, err = at.consumer.Fetch(1, jetstream.FetchMaxWait(max(min(left, time.Second), 10*time.Millisecond)))
		if err != nil {
			return nil, busDown(err)
		}
		if err := l.passAll(ctx, out, batch); err != nil {
			return nil, err
		}
		if _, err := l.listener(id); err != nil {
			return nil, err // it was disabled meanwhile
		}
	}
}

// passAll decides on every event of a batch and sends what its receiver may see.
func (l *Lane) passAll(ctx context.Context, out *outlet, batch jetstream.MessageBatch) error {
	for msg := range batch.Messages() {
		if err := out.pass(ctx, msg); err != nil {
			return err
		}
	}
	if err := batch.Error(); err != nil && !errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return busDown(err)
	}
	return nil
}

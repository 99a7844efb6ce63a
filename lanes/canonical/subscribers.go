package canonical

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/db"
)

// Run keeps one durable consumer for every active subscriber, delivers to those
// that want webhooks, and brings the outbox to the bus, until ctx ends.
func (l *Lane) Run(ctx context.Context) error {
	hooks, seen := map[string]*hook{}, map[string]time.Time{}
	ending := map[string]<-chan struct{}{} // hooks that were stopped, until they are still
	if err := l.answerOthers(ctx); err != nil {
		return err
	}
	if err := l.openDoors(ctx); err != nil {
		return err
	}
	// A webhook that is under way when the core stops may finish, for a moment.
	quit, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	context.AfterFunc(ctx, func() { time.AfterFunc(lastWord, cut) })
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { l.empty(ctx) })
	running.Go(func() { l.upkeep(ctx) })
	for {
		changed := l.Plugins.Changed()
		snap := l.Plugins.Snapshot()
		l.forget(snap)
		for id, h := range hooks {
			p, ok := snap.Plugin(id)
			if !ok || !wantsWebhook(p) || p.Manifest != h.manifest {
				h.stop()
				ending[id] = h.still
				delete(hooks, id)
			}
		}
		complete := l.sweep(ctx, snap, seen)
		for _, p := range snap.Plugins() {
			if p.State != policy.Active || len(p.Manifest.Events.Subscribes) == 0 {
				continue
			}
			if hooks[p.ID] != nil {
				continue
			}
			consumer, err := l.consumer(ctx, p, consumerName(p.ID, ""), p.Manifest.Events.Subscribes, l.fromEnabled(p))
			if err != nil {
				complete = false
				if ctx.Err() == nil {
					l.Log.WarnContext(ctx, "subscriber not attached; trying again", "plugin", p.ID, "error", err)
				}
				continue
			}
			if !wantsWebhook(p) {
				continue
			}
			hctx, stop := context.WithCancel(ctx)
			still, before := make(chan struct{}), ending[p.ID]
			delete(ending, p.ID)
			hooks[p.ID] = &hook{manifest: p.Manifest, stop: stop, still: still}
			running.Go(func() {
				defer close(still)
				if before != nil {
					<-before // two at a time would mix up the order
				}
				l.whileHeld(hctx, consumerName(p.ID, ""), func(ctx context.Context) { l.push(ctx, quit, p.ID, consumer) })
			})
		}
		retry := time.NewTimer(time.Second)
		if complete {
			retry.Stop()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-retry.C:
		}
		retry.Stop()
	}
}

// hook is a running webhook delivery.
type hook struct {
	manifest *manifest.Manifest
	stop     context.CancelFunc
	still    <-chan struct{} // closed when nothing of it is under way any more
}

func wantsWebhook(p *registry.Plugin) bool {
	return p.State == policy.Active && p.Manifest.Events.Delivery == manifest.Webhook && len(p.Manifest.Events.Subscribes) > 0
}

// sweep deletes the consumers of plugins that are not registered any more, so
// that another plugin which takes an id up later hears nothing that was kept for
// the first. seen holds when each plugin known so far was registered. It reports
// whether the bus did all of it.
func (l *Lane) sweep(ctx context.Context, snap *registry.Snapshot, seen map[string]time.Time) bool {
	first, gone := len(seen) == 0, map[string]bool{}
	for id, at := range seen {
		if p, ok := snap.Plugin(id); !ok || !p.RegisteredAt.Equal(at) {
			gone[consumerName(id, "")] = true
		}
	}
	if first || len(gone) > 0 {
		live := map[string]bool{}
		for _, p := range snap.Plugins() {
			live[consumerName(p.ID, "")] = true
		}
		names := l.events.ConsumerNames(ctx)
		for name := range names.Name() {
			owner, _, _ := strings.Cut(name, nameMark)
			if !strings.HasPrefix(name, consumerPrefix) || !gone[owner] && live[owner] {
				continue
			}
			if err := l.events.DeleteConsumer(ctx, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
				l.Log.WarnContext(ctx, "consumer of a plugin that left not deleted; trying again", "consumer", name, "error", err)
				return false
			}
			l.held.leave(name)
		}
		if names.Err() != nil {
			return false
		}
	}
	clear(seen)
	for _, p := range snap.Plugins() {
		seen[p.ID] = p.RegisteredAt
	}
	return true
}

// upkeep forgets what has passed, until ctx ends.
func (l *Lane) upkeep(ctx context.Context) {
	for sleep(ctx, l.Limits.Tidy) {
		l.held.expire(l.Now())
		if err := l.trim(ctx); err != nil && ctx.Err() == nil {
			l.Log.WarnContext(ctx, "old events not removed", "error", err)
		}
		if _, err := db.New(l.Pool).DeadLetterTrim(ctx, l.Now().Add(-l.Limits.longest())); err != nil && ctx.Err() == nil {
			l.Log.WarnContext(ctx, "old dead letters not removed", "error", err)
		}
	}
}

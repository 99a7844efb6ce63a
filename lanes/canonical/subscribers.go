package canonical

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
)

// ackWait is how long a delivery may take before the bus hands it out again.
const ackWait = 30 * time.Second

// Run keeps one durable consumer for every active subscriber, and delivers to
// those that want webhooks, until ctx ends.
func (l *Lane) Run(ctx context.Context) error {
	hooks, seen := map[string]*hook{}, map[string]time.Time{}
	var running sync.WaitGroup
	defer running.Wait()
	for {
		changed := l.Plugins.Changed()
		snap := l.Plugins.Snapshot()
		l.forget(snap)
		for id, h := range hooks {
			p, ok := snap.Plugin(id)
			if !ok || !wantsWebhook(p) || p.Manifest != h.manifest {
				h.stop()
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
			consumer, err := l.consumer(ctx, p, consumerName(p.ID, ""), p.Manifest.Events.Subscribes)
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
			hooks[p.ID] = &hook{manifest: p.Manifest, stop: stop}
			running.Go(func() { l.push(hctx, p.ID, consumer) })
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
			owner, _, _ := strings.Cut(name, "__")
			if !strings.HasPrefix(name, consumerPrefix) || !gone[owner] && live[owner] {
				continue
			}
			if err := l.events.DeleteConsumer(ctx, name); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
				l.Log.WarnContext(ctx, "consumer of a plugin that left not deleted; trying again", "consumer", name, "error", err)
				return false
			}
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

const consumerPrefix = "sub-"

// consumerName is the durable's name. A plugin id has no _ in it: its dots are
// written so, never two in a row, and a name of its own follows after __.
func consumerName(plugin, name string) string {
	base := consumerPrefix + strings.ReplaceAll(plugin, ".", "_")
	if name == "" {
		return base
	}
	return base + "__" + name
}

// consumer returns a plugin's durable consumer, made or changed as needed. It
// begins with the events published after it was first made.
func (l *Lane) consumer(ctx context.Context, p *registry.Plugin, name string, patterns []string) (jetstream.Consumer, error) {
	return l.events.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: name, Description: "Events for " + p.ID, FilterSubjects: filters(p.Tenant, patterns), DeliverPolicy: jetstream.DeliverNewPolicy,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: -1, MaxAckPending: 1024,
	})
}

// filters are the subjects of some patterns, none of which covers another:
// JetStream refuses overlapping ones.
func filters(tenant string, patterns []string) []string {
	scope := strings.ReplaceAll(tenant, ".", "_")
	if tenant == policy.Everyone {
		scope = "*"
	}
	var subjects []string
	for _, p := range patterns {
		if slices.ContainsFunc(patterns, func(other string) bool { return other != p && covers(other, p) }) {
			continue
		}
		s := "ev." + scope + "." + p
		if p == "*" {
			s = "ev." + scope + ".>"
		} else if prefix, ok := strings.CutSuffix(p, ".*"); ok {
			s = "ev." + scope + "." + prefix + ".>"
		}
		if !slices.Contains(subjects, s) {
			subjects = append(subjects, s)
		}
	}
	return subjects
}

// covers reports whether every type that p matches, wide matches too.
func covers(wide, p string) bool {
	if wide == "*" {
		return true
	}
	prefix, ok := strings.CutSuffix(wide, "*")
	return ok && strings.HasPrefix(p, prefix)
}

// receivers counts the active subscribers of an event, which share one record.
func receivers(snap *registry.Snapshot, m meta) int {
	n := 0
	for _, p := range snap.Plugins() {
		if p.State == policy.Active && p.Manifest.Events.Subscribed(m.Type) && (p.Tenant == m.Tenant || p.Tenant == policy.Everyone) {
			n++
		}
	}
	return max(n, 1)
}

package canonical

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/db"
)

// ReplayEvent delivers one event again to one plugin that subscribes to it. The
// gate decides as at a first delivery. Errors are faults: NotFound, Unprocessable
// when the plugin does not subscribe to its type, Conflict when it does not
// listen, Unavailable.
func (l *Lane) ReplayEvent(ctx context.Context, event, plugin, consumer, why string) error {
	to, err := l.receiver(ctx, plugin)
	if err != nil {
		return err
	}
	found, err := l.Find(ctx, event)
	if err != nil {
		return err
	}
	if !to.Manifest.Events.Subscribed(found.Type) {
		return fault.New(fault.Unprocessable, "event.subscribe", "%s does not subscribe to %s.", plugin, found.Type)
	}
	name, err := durable(plugin, consumer)
	if err != nil {
		return err
	}
	return db.InTx(ctx, l.Pool, func(q *db.Queries) error {
		if err := l.resend(ctx, name, int64(found.Sequence)); err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{
			Plugin: plugin, Action: "event.replay", Object: found.Type + "/" + found.ID, Outcome: audit.OK, Classes: found.Classes,
			Receivers: []string{plugin}, Detail: map[string]any{"event_id": found.ID, "consumer": consumer, "reason": clip(why)},
		})
	})
}

// From says where a replay begins: at the oldest event kept, at the first one
// after a time, or at the event of an id. Exactly one is set.
type From struct {
	Beginning bool
	Time      time.Time
	Event     string
}

// ReplayFrom puts a consumer of a plugin back: it gets every event from there on,
// again or for the first time, each decided by the gate as at a first delivery.
// It returns the sequence it begins with. Errors are faults, as of [Lane.ReplayEvent].
func (l *Lane) ReplayFrom(ctx context.Context, plugin, consumer string, from From, why string) (uint64, error) {
	if _, err := l.receiver(ctx, plugin); err != nil {
		return 0, err
	}
	name, err := durable(plugin, consumer)
	if err != nil {
		return 0, err
	}
	first := uint64(1)
	detail := map[string]any{"consumer": consumer, "from": "beginning", "reason": clip(why)}
	switch {
	case from.Event != "":
		found, err := l.Find(ctx, from.Event)
		if err != nil {
			return 0, err
		}
		first, detail["from"] = found.Sequence, found.ID
	case !from.Time.IsZero():
		if first, err = l.since(ctx, from.Time); err != nil {
			return 0, busDown(err)
		}
		detail["from"] = from.Time.UTC().Format(time.RFC3339)
	case !from.Beginning:
		return 0, fault.New(fault.Unprocessable, "event.from", "Say where the replay begins: a time, an event's id, or the beginning.")
	}
	detail["sequence"] = first
	err = db.InTx(ctx, l.Pool, func(q *db.Queries) error {
		if err := l.putBack(ctx, name, first); err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{
			Plugin: plugin, Action: "event.replay", Object: plugin, Outcome: audit.OK, Receivers: []string{plugin}, Detail: detail,
		})
	})
	return first, err
}

// receiver returns a plugin of the tenant of whoever acts in ctx.
func (l *Lane) receiver(ctx context.Context, plugin string) (*registry.Plugin, error) {
	p, ok := l.Plugins.Snapshot().Plugin(plugin)
	if tenant := actor.From(ctx).Tenant; !ok || p.Tenant != tenant && p.Tenant != "*" {
		return nil, fault.New(fault.NotFound, "plugin.unknown", "No plugin is registered under the id %.64q.", plugin)
	}
	return p, nil
}

// putBack lets a consumer begin at a sequence. What it has in hand is delivered besides.
func (l *Lane) putBack(ctx context.Context, name string, first uint64) error {
	if err := l.listens(ctx, name); err != nil {
		return err
	}
	_, err := l.events.ResetConsumerToSequence(ctx, name, first)
	switch {
	case errors.Is(err, jetstream.ErrConsumerInvalidReset):
		return fault.New(fault.Conflict, "event.from", "This consumer was made by an earlier version and cannot go back that far; give the stream another name.").Because(err)
	case err != nil:
		return busDown(err)
	}
	return nil
}

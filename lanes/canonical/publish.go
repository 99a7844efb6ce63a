package canonical

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// publishTimeout bounds how long a publisher waits for the disk, and busTimeout how
// much of that the bus may take before the event goes into the outbox.
const (
	publishTimeout = 5 * time.Second
	busTimeout     = 3 * time.Second
)

// Receipt tells a publisher that its event is durable.
type Receipt struct {
	EventID   string
	Duplicate bool // the same id was accepted before: nothing is delivered twice
	Waiting   bool // durable, and not yet on the bus: it is delivered once that answers
	Decision  string
}

// Publish decides on an event of the plugin that acts in ctx and keeps it
// durably; when it returns without error the event survives a crash. Errors are
// faults: Denied, Invalid, Unprocessable for data that its transformer does not
// map or that breaks its schema, TooLarge, TooMany, Unavailable while the audit does not answer, or neither bus
// nor outbox takes the event.
func (l *Lane) Publish(ctx context.Context, p Publication) (Receipt, error) {
	who, snap := actor.From(ctx), l.Plugins.Snapshot()
	if p.Source != "" && p.Source != who.ID {
		return Receipt{}, fault.New(fault.Denied, "identity.mismatch", "The body names another source than the credential does.")
	}
	if int64(len(p.Data)) > l.Limits.Data {
		return Receipt{}, fault.New(fault.TooLarge, "body.too_large", "An event carries at most %d bytes of data; put more into storage and publish its id.", l.Limits.Data)
	}
	leave, err := l.inlets.Enter(who.ID)
	if err != nil {
		return Receipt{}, err
	}
	defer leave()
	publisher, ok := snap.Plugin(who.ID)
	if !ok {
		return Receipt{}, fault.New(fault.Unauthenticated, "plugin.unknown", "The plugin is not registered any more.")
	}
	declared, isDeclared := l.declaration(publisher.Manifest, p.Type)
	classes := p.Classes | declared.declared.Classes
	if isDeclared {
		classes |= declared.marks.Classes()
		if p.Data, err = l.canonical(ctx, declared, p.Data); err != nil {
			return Receipt{}, err
		}
		if err := declared.check(p.Data); err != nil {
			return Receipt{}, err
		}
		if p.Data, err = l.globally(ctx, who.ID, declared.marks, p.Data); err != nil {
			return Receipt{}, err
		}
	}
	id := p.ID
	if id == "" {
		id = uuid.Must(uuid.NewV7()).String()
	}
	passage, err := l.Gate.Pass(ctx, &policy.Request{
		Action: policy.EventPublish, Subject: publisher.Party(), Trace: actor.Trace(ctx),
		Resource: policy.Resource{Name: p.Type, Classes: classes &^ trait.ClassesOf(trait.Public, trait.Internal), Declared: isDeclared},
	}, gate.Note{
		Plugin: who.ID, Object: p.Type + "/" + id, Level: publisher.Level(),
		Context: map[string]any{"event_id": id, "event_type": p.Type, "bytes": len(p.Data), "classification": classes.Names()},
	})
	if err != nil {
		return Receipt{}, err
	}
	k, err := l.keep(ctx, meta{
		ID: id, Type: p.Type, Publisher: who.ID, Tenant: publisher.Tenant, Trace: actor.Trace(ctx), Classes: classes,
		Subject: p.Subject, Schema: declared.digest, Time: l.Now().UTC(),
	}, p)
	if err != nil {
		passage.End(ctx, audit.Failed, map[string]any{"code": "bus.unavailable"})
		return Receipt{}, busDown(err)
	}
	passage.End(ctx, audit.OK, k)
	return Receipt{EventID: id, Duplicate: k.Duplicate, Waiting: k.Waiting, Decision: passage.ID.String()}, nil
}

// kept is how an event became durable.
type kept struct {
	Sequence  uint64 `json:"sequence,omitempty"`
	Duplicate bool   `json:"duplicate"`
	Waiting   bool   `json:"waiting,omitempty"` // in the outbox, for the bus
}

// keep makes an event durable: on the bus, or in the outbox while the bus does not
// answer or the publisher's earlier events still wait for it.
func (l *Lane) keep(ctx context.Context, m meta, p Publication) (kept, error) {
	msg := &nats.Msg{Subject: subject(m.Tenant, m.Type), Header: m.header(), Data: p.Data}
	if p.ID != "" {
		msg.Header.Set(jetstream.MsgIDHeader, m.Publisher+":"+p.ID)
	}
	// Decided is decided: a publisher that leaves does not cut its event off.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	behind, err := l.outbox.holds(ctx, m.Publisher)
	if err != nil {
		return kept{}, err
	}
	var unsure bool
	if !behind {
		bctx, cancel := context.WithTimeout(ctx, busTimeout)
		sequence, duplicate, err := l.store.store(bctx, msg)
		cancel()
		if err == nil {
			return kept{Sequence: sequence, Duplicate: duplicate}, nil
		}
		unsure = !notSent(err)
		l.Log.WarnContext(ctx, "the bus takes no event; it waits in the outbox", "publisher", m.Publisher, "event", m.ID, "error", err)
	}
	duplicate, err := l.outbox.add(ctx, m, msg, unsure)
	return kept{Duplicate: duplicate, Waiting: true}, err
}

// notSent reports whether an event certainly did not reach the bus.
func notSent(err error) bool {
	for _, known := range []error{nats.ErrReconnectBufExceeded, nats.ErrConnectionClosed, nats.ErrConnectionReconnecting, nats.ErrNoResponders, jetstream.ErrNoStreamResponse} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}

// subject is where events of a type are stored.
func subject(tenant, typ string) string {
	return "ev." + strings.ReplaceAll(tenant, ".", "_") + "." + typ
}

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

// publishTimeout bounds how long a publisher waits for the disk.
const publishTimeout = 5 * time.Second

// Receipt tells a publisher that its event is durable.
type Receipt struct {
	EventID   string
	Duplicate bool // the same id was accepted before: nothing is delivered twice
	Decision  string
}

// Publish decides on an event of the plugin that acts in ctx and keeps it
// durably; when it returns without error the event survives a crash. Errors are
// faults: Denied, Invalid, Unprocessable for data that breaks its schema,
// TooLarge, TooMany, Unavailable while bus or audit do not answer.
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
		if err := declared.check(p.Data); err != nil {
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
	ack, err := l.keep(ctx, meta{
		ID: id, Type: p.Type, Publisher: who.ID, Tenant: publisher.Tenant, Trace: actor.Trace(ctx), Classes: classes,
		Schema: declared.digest, Time: l.Now().UTC(),
	}, p)
	if err != nil {
		passage.End(ctx, audit.Failed, map[string]any{"code": "bus.unavailable"})
		return Receipt{}, busDown(err)
	}
	passage.End(ctx, audit.OK, map[string]any{"sequence": ack.Sequence, "duplicate": ack.Duplicate})
	return Receipt{EventID: id, Duplicate: ack.Duplicate, Decision: passage.ID.String()}, nil
}

// keep stores an event and waits until the bus has acknowledged it.
func (l *Lane) keep(ctx context.Context, m meta, p Publication) (*jetstream.PubAck, error) {
	msg := &nats.Msg{Subject: subject(m.Tenant, m.Type), Header: m.header(), Data: p.Data}
	if p.ID != "" {
		msg.Header.Set(jetstream.MsgIDHeader, m.Publisher+":"+p.ID)
	}
	// Decided is decided: a publisher that leaves does not cut its event off.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	ack, err := l.js.PublishMsg(ctx, msg)
	if err != nil {
		return nil, err
	}
	if ack.Stream != eventStream {
		return nil, errors.New("acknowledged by another stream: " + ack.Stream)
	}
	return ack, nil
}

// subject is where events of a type are stored.
func subject(tenant, typ string) string {
	return "ev." + strings.ReplaceAll(tenant, ".", "_") + "." + typ
}

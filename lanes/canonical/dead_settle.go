package canonical

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// ReplayLetter delivers a dead letter again, to the one receiver that did not get
// it. The gate decides as at a first delivery, by what holds then. Errors are
// faults: NotFound, Conflict when somebody settled it already, Gone when the
// event is not kept any more, Unavailable.
func (l *Lane) ReplayLetter(ctx context.Context, id uuid.UUID, why string) error {
	return l.settleLetter(ctx, id, LetterReplayed, "event.replay", why, func(ctx context.Context, row db.DeadLetter) error {
		return l.resend(ctx, row.Consumer, row.Sequence)
	})
}

// DiscardLetter settles a dead letter that is not to be delivered any more. The
// event stays, and so does the record of what became of it.
func (l *Lane) DiscardLetter(ctx context.Context, id uuid.UUID, why string) error {
	if why = strings.TrimSpace(why); why == "" {
		return fault.New(fault.Unprocessable, "reason.missing", "Say why it may be discarded; the audit keeps it.")
	}
	return l.settleLetter(ctx, id, LetterDiscarded, "event.discard", why, func(context.Context, db.DeadLetter) error { return nil })
}

// mostReplayed is how many dead letters one order replays.
const mostReplayed = 500

// ReplayLetters replays those that wait and fit the filter, the oldest first, at
// most 500 of them. It returns how many it replayed, and the first error, where it stopped.
func (l *Lane) ReplayLetters(ctx context.Context, f LetterFilter, why string) (int, error) {
	f.State, f.Most = LetterWaiting, mostReplayed
	letters, err := l.DeadLetters(ctx, f)
	if err != nil {
		return 0, err
	}
	replayed := 0
	for i := len(letters) - 1; i >= 0; i-- {
		err := l.ReplayLetter(ctx, letters[i].ID, why)
		switch {
		case err == nil:
			replayed++
		case fault.Is(err, fault.Conflict), fault.Is(err, fault.Gone), fault.Is(err, fault.NotFound):
			continue // somebody else was faster, or it is too late for this one
		default:
			return replayed, err
		}
	}
	return replayed, nil
}

// settleLetter moves one that waits to another state, with its record, once act is done.
func (l *Lane) settleLetter(ctx context.Context, id uuid.UUID, state, action, why string, act func(context.Context, db.DeadLetter) error) error {
	who := actor.From(ctx)
	why = clip(why)
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	return db.InTx(ctx, l.Pool, func(q *db.Queries) error {
		row, err := q.DeadLetterGet(ctx, id, who.Tenant)
		if errors.Is(err, pgx.ErrNoRows) {
			return unknownLetter()
		}
		if err != nil {
			return err
		}
		n, err := q.DeadLetterSettle(ctx, db.DeadLetterSettleParams{ID: id, State: state, SettledBy: who.Name, SettledWhy: why})
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "event.settled", "This dead letter was %s already.", row.State)
		}
		if err := act(ctx, row); err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{
			Plugin: row.PluginID, Action: action, Object: row.EventType + "/" + row.EventID, Outcome: audit.OK, Classes: letterOf(row).Classes,
			Receivers: []string{row.PluginID}, Detail: map[string]any{"dead_letter": row.ID, "attempts": row.Attempts, "failed_for": row.Reason, "reason": why},
		})
	})
}

// againSubject is where events lie that one consumer is to get once more.
func againSubject(consumer string) string { return "again." + consumer }

// resend puts an event of the stream where one consumer finds it once more, after
// what already waits for it.
func (l *Lane) resend(ctx context.Context, consumer string, sequence int64) error {
	kept, err := l.events.GetMsg(ctx, uint64(sequence))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return gone()
	}
	if err != nil {
		return busDown(err)
	}
	if err := l.listens(ctx, consumer); err != nil {
		return err
	}
	m := readMeta(kept.Header)
	msg := &nats.Msg{Subject: againSubject(consumer), Header: m.header(), Data: kept.Data}
	l.leavesWith(m, msg.Header)
	if _, err := l.js.PublishMsg(ctx, msg); err != nil {
		return busDown(fmt.Errorf("resend: %w", err))
	}
	return nil
}

func gone() *fault.Fault {
	return fault.New(fault.Gone, "event.gone", "The event is not kept any more, so it cannot be delivered again.")
}

// listens makes sure that there is such a consumer, whose events somebody may want again.
func (l *Lane) listens(ctx context.Context, consumer string) error {
	_, err := l.events.Consumer(ctx, consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return fault.New(fault.Conflict, "event.no_consumer", "The plugin does not listen to events; enable it, or have it connect, first.")
	}
	if err != nil {
		return busDown(err)
	}
	return nil
}

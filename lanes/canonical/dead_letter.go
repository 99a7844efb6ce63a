package canonical

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// The states of a dead letter.
const (
	LetterWaiting   = "waiting"
	LetterReplayed  = "replayed"
	LetterDiscarded = "discarded"
)

// DeadLetter is a delivery that was given up. It holds no data of the event: who
// wants to see that reads the event, as far as they may.
type DeadLetter struct {
	ID         uuid.UUID
	Plugin     string // the receiver
	Consumer   string // the receiver's own name for the stream; "" for its first one
	EventID    string
	EventType  string
	Publisher  string
	Trace      string
	Classes    trait.Classes
	EventAt    time.Time
	Attempts   int
	Reason     string // of the last failure
	DiedAt     time.Time
	State      string
	SettledAt  *time.Time
	SettledBy  string // name of who replayed or discarded it
	SettledWhy string
}

// mostReason bounds what is kept of anybody's words, in bytes.
const mostReason = 500

// clip returns words as they can be kept.
func clip(words string) string {
	return fault.Clip(strings.ToValidUTF8(strings.ReplaceAll(words, "\x00", ""), ""), mostReason)
}

// bury gives up a delivery: it is noted with the reason, and does not come again.
func (l *Lane) bury(ctx context.Context, plugin, consumer string, m meta, t ticket, attempts int, reason string) error {
	reason = clip(reason)
	ctx, cancel := context.WithTimeout(carrier(context.WithoutCancel(ctx), m.Trace), publishTimeout)
	defer cancel()
	err := db.InTx(ctx, l.Pool, func(q *db.Queries) error {
		id, err := q.DeadLetterPut(ctx, db.DeadLetterPutParams{
			ID: uuid.Must(uuid.NewV7()), TenantID: m.Tenant, PluginID: plugin, Consumer: consumer, Sequence: int64(t.sequence),
			EventID: m.ID, EventType: m.Type, Publisher: m.Publisher, TraceID: m.Trace, Classes: append([]string{}, m.Classes.Names()...), EventAt: m.Time,
			Attempts: int32(min(attempts, 1<<30)), Reason: reason,
		})
		if err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{
			Plugin: plugin, Action: "event.bury", Object: m.Type + "/" + m.ID, Outcome: audit.Failed, Classes: m.Classes, Receivers: []string{plugin},
			Detail: map[string]any{"dead_letter": id, "attempts": attempts, "reason": reason},
		})
	})
	if err != nil {
		return err
	}
	l.Log.WarnContext(ctx, "delivery given up", "plugin", plugin, "event", m.ID, "attempts", attempts, "reason", reason)
	return l.drop(t, "dead letter")
}

// LetterFilter is what dead letters are looked for by. Empty members let everything through.
type LetterFilter struct {
	Plugin string
	Type   string
	Event  string
	State  string
	Search string // part of the reason, in any case
	After  *Place // continue after this one
	Most   int    // default 50, at most 500
}

// Place is where a page of dead letters ended.
type Place struct {
	At time.Time
	ID uuid.UUID
}

// DeadLetters returns dead letters of the tenant of whoever acts in ctx, the newest first.
func (l *Lane) DeadLetters(ctx context.Context, f LetterFilter) ([]DeadLetter, error) {
	p := db.DeadLetterListParams{
		TenantID: actor.From(ctx).Tenant, PluginID: f.Plugin, EventType: f.Type, EventID: f.Event, State: f.State, Search: f.Search, Most: 50,
	}
	if f.Most > 0 {
		p.Most = int32(min(f.Most, 500))
	}
	if f.After != nil {
		p.BeforeAt, p.BeforeID = &f.After.At, f.After.ID
	}
	rows, err := db.New(l.Pool).DeadLetterList(ctx, p)
	if err != nil {
		return nil, db.Fault(err)
	}
	letters := make([]DeadLetter, len(rows))
	for i, row := range rows {
		letters[i] = letterOf(row)
	}
	return letters, nil
}

// DeadLetter returns one of the tenant of whoever acts in ctx. The error is a NotFound fault.
func (l *Lane) DeadLetter(ctx context.Context, id uuid.UUID) (DeadLetter, error) {
	row, err := db.New(l.Pool).DeadLetterGet(ctx, id, actor.From(ctx).Tenant)
	if errors.Is(err, pgx.ErrNoRows) {
		return DeadLetter{}, unknownLetter()
	}
	return letterOf(row), db.Fault(err)
}

// WaitingLetters counts the dead letters of the tenant of whoever acts in ctx that
// nobody has settled yet, by plugin.
func (l *Lane) WaitingLetters(ctx context.Context) (map[string]int, error) {
	rows, err := db.New(l.Pool).DeadLetterCount(ctx, actor.From(ctx).Tenant)
	if err != nil {
		return nil, db.Fault(err)
	}
	counts := make(map[string]int, len(rows))
	for _, r := range rows {
		counts[r.PluginID] = int(r.Letters)
	}
	return counts, nil
}

func unknownLetter() *fault.Fault {
	return fault.New(fault.NotFound, "event.dead_letter", "There is no dead letter with this id; it may be older than its event is kept.")
}

func letterOf(row db.DeadLetter) DeadLetter {
	d := DeadLetter{
		ID: row.ID, Plugin: row.PluginID, EventID: row.EventID, EventType: row.EventType, Publisher: row.Publisher, Trace: row.TraceID,
		EventAt: row.EventAt, Attempts: int(row.Attempts), Reason: row.Reason, DiedAt: row.DiedAt, State: row.State,
		SettledAt: row.SettledAt, SettledBy: row.SettledBy, SettledWhy: row.SettledWhy,
	}
	_, d.Consumer, _ = strings.Cut(row.Consumer, nameMark)
	for _, name := range row.Classes {
		if c, ok := trait.ParseClass(name); ok {
			d.Classes = d.Classes.With(c)
		}
	}
	return d
}

package rulebook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// patience is how long a publication waits for its second person.
const patience = 7 * 24 * time.Hour

// Waiting is a publication that waits for a second person.
type Waiting struct {
	ID         uuid.UUID `json:"id"`
	Comment    string    `json:"comment"`
	Restored   *int64    `json:"restored,omitempty"` // the version it brings back
	Base       int64     `json:"base"`               // the version it replaces
	Author     string    `json:"author"`
	AuthorName string    `json:"author_name"`
	AskedAt    time.Time `json:"asked_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	Diff       Diff      `json:"diff"` // from the version it replaces
}

// Waiting returns the publications that wait for a second person, oldest first;
// there is at most one.
func (b *Rulebook) Waiting(ctx context.Context) ([]Waiting, error) {
	q := db.New(b.Pool)
	rows, err := q.PolicyRequestWaiting(ctx)
	if err != nil {
		return nil, fmt.Errorf("list publications that wait: %w", db.Fault(err))
	}
	list := []Waiting{}
	for _, row := range rows {
		w, err := waitingOf(ctx, q, row)
		if err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	return list, nil
}

func waitingOf(ctx context.Context, q *db.Queries, row db.PolicyRequest) (Waiting, error) {
	w := Waiting{
		ID: row.ID, Comment: row.Comment, Restored: row.Restored, Base: row.Base, Author: row.Author, AuthorName: row.AuthorName,
		AskedAt: row.AskedAt.UTC(), ExpiresAt: row.ExpiresAt.UTC(),
	}
	var base Version
	if row.Base > 0 {
		var err error
		if base, err = version(ctx, q, row.Base); err != nil {
			return w, err
		}
	}
	w.Diff = compare(versionName(row.Base), base.Text, "waiting", row.Text)
	return w, nil
}

// ask lets a candidate wait.
func (b *Rulebook) ask(ctx context.Context, q *db.Queries, c candidate, base int64) (Waiting, error) {
	row, err := q.PolicyRequestInsert(ctx, db.PolicyRequestInsertParams{
		ID: uuid.Must(uuid.NewV7()), Text: c.text, Tests: writeTests(c.tests), Comment: c.comment, Restored: c.restored, Base: base,
		Author: c.author.ID, AuthorName: c.author.Name, Seconds: patience.Seconds(),
	})
	if err != nil {
		return Waiting{}, err
	}
	w, err := waitingOf(ctx, q, row)
	if err != nil {
		return w, err
	}
	if err := b.inbox.Asked(ctx, q, w); err != nil {
		return w, err
	}
	return w, audit.Append(ctx, q, audit.Entry{
		Action: "policy.request", Object: requestObject(w.ID), Outcome: audit.OK,
		Detail: map[string]any{"comment": w.Comment, "base": base, "lines_added": w.Diff.Added, "lines_removed": w.Diff.Removed, "expires_at": w.ExpiresAt},
		After:  digestState(c.text, c.tests, nil),
	})
}

func requestObject(id uuid.UUID) string { return "policy/request/" + id.String() }

// noneWaits ends what waited too long, and refuses while something waits still.
func (b *Rulebook) noneWaits(ctx context.Context, q *db.Queries) error {
	over, err := q.PolicyRequestExpire(ctx)
	if err != nil {
		return err
	}
	rows, err := q.PolicyRequestWaiting(ctx)
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		return fault.New(fault.Conflict, "policy.waiting", "A publication of %s waits for a second person; it has to be approved, denied or withdrawn first.", rows[0].AuthorName)
	}
	for _, r := range over {
		if err := audit.Append(ctx, q, audit.Entry{Action: "policy.expire", Object: requestObject(r.ID), Outcome: audit.OK, Detail: map[string]any{"author": r.Author}}); err != nil {
			return err
		}
	}
	return nil
}

// Approve publishes what waits, as the second person: never the one who asked. A
// policy that was published meanwhile, or a test that fails by now, is a Conflict.
func (b *Rulebook) Approve(ctx context.Context, id uuid.UUID, reason string) (Version, error) {
	reason, err := checkReason(reason)
	if err != nil {
		return Version{}, err
	}
	var v Version
	err = db.InTx(ctx, b.Pool, func(q *db.Queries) error {
		if _, err := q.PolicyDraftLock(ctx); err != nil {
			return err
		}
		row, err := b.waits(ctx, q, id)
		if err != nil {
			return err
		}
		who := actor.From(ctx)
		if who.ID == row.Author {
			return fault.New(fault.Denied, "policy.own", "A second person has to approve it: you asked for it yourself.")
		}
		now, err := newest(ctx, q)
		if err != nil {
			return err
		}
		if now.Number != row.Base {
			return fault.New(fault.Conflict, "policy.overtaken", "%s was published since it was asked for; deny it, and let its author ask anew.", versionName(now.Number))
		}
		tests, err := readTests(row.Tests)
		if err != nil {
			return err
		}
		c := candidate{text: row.Text, tests: tests, comment: row.Comment, restored: row.Restored, author: actor.Actor{ID: row.Author, Name: row.AuthorName}, approver: who}
		if err := b.passes(c); err != nil {
			return err
		}
		if err := b.decide(ctx, q, id, "approved", reason); err != nil {
			return err
		}
		v, err = b.insert(ctx, q, c, now)
		return err
	})
	if err != nil {
		return Version{}, err
	}
	b.publish(ctx)
	return v, nil
}

// Deny ends what waits without publishing it.
func (b *Rulebook) Deny(ctx context.Context, id uuid.UUID, reason string) error {
	reason, err := checkReason(reason)
	if err != nil {
		return err
	}
	return b.end(ctx, id, "denied", reason)
}

// Withdraw takes back what waits; only who asked for it does so.
func (b *Rulebook) Withdraw(ctx context.Context, id uuid.UUID) error {
	return b.end(ctx, id, "withdrawn", "")
}

// ends are what a request becomes, and the action each is audited as.
var ends = map[string]string{"denied": "policy.deny", "withdrawn": "policy.withdraw"}

func (b *Rulebook) end(ctx context.Context, id uuid.UUID, state, reason string) error {
	return db.InTx(ctx, b.Pool, func(q *db.Queries) error {
		row, err := b.waits(ctx, q, id)
		if err != nil {
			return err
		}
		if who := actor.From(ctx); state == "withdrawn" && who.ID != row.Author {
			return fault.New(fault.Denied, "policy.own", "Only %s, who asked for it, withdraws it; you can deny it.", row.AuthorName)
		}
		if err := b.decide(ctx, q, id, state, reason); err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{
			Action: ends[state], Object: requestObject(id), Outcome: audit.OK, Detail: map[string]any{"reason": reason, "author": row.Author},
		})
	})
}

// waits returns a request that waits still.
func (b *Rulebook) waits(ctx context.Context, q *db.Queries, id uuid.UUID) (db.PolicyRequest, error) {
	row, err := q.PolicyRequestGet(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return row, fault.New(fault.NotFound, "policy.request_unknown", "No such publication waits.")
	}
	if err == nil && row.State != "waiting" {
		return row, over()
	}
	return row, err
}

// over is the fault for a request that was decided, or whose time is over.
func over() error {
	return fault.New(fault.Conflict, "policy.over", "It waits no longer: it was decided, withdrawn, or its time was over.")
}

// decide ends a request that waits; one that somebody was faster with is a Conflict.
func (b *Rulebook) decide(ctx context.Context, q *db.Queries, id uuid.UUID, state, reason string) error {
	who := actor.From(ctx)
	n, err := q.PolicyRequestDecide(ctx, db.PolicyRequestDecideParams{ID: id, State: state, DecidedBy: who.ID, DecidedName: who.Name, Reason: reason})
	if err != nil {
		return err
	}
	if n == 0 {
		return over()
	}
	return b.inbox.Decided(ctx, q, id, state, reason)
}

func checkReason(reason string) (string, error) {
	if strings.TrimSpace(reason) == "" {
		f := fault.New(fault.Unprocessable, "policy.reason", "Say why, for those who read the audit.")
		f.Violations = []fault.Violation{{Rule: "policy.reason", Path: "/reason", Message: f.Sentence}}
		return "", f
	}
	return checkComment("reason", reason)
}

package approval

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// unknown is the fault for a request that is not there, or not theirs to see.
func unknown() *fault.Fault {
	return fault.New(fault.NotFound, "approval.unknown", "There is no such request, or it is not for you to see.")
}

// moved translates a row that is not there.
func moved(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return unknown()
	}
	return err
}

func read(ctx context.Context, q *db.Queries, tenant string, id uuid.UUID) (Request, error) {
	row, err := q.ApprovalGet(ctx, tenant, id)
	if err != nil {
		return Request{}, moved(err)
	}
	askers, err := q.ApprovalAskers(ctx, []uuid.UUID{id})
	if err != nil {
		return Request{}, err
	}
	return requestOf(row, askers), nil
}

// Get returns a request to whom it concerns and to those who see its kind, else a
// NotFound fault.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (Request, error) {
	who := actor.From(ctx)
	r, err := read(ctx, db.New(s.Pool), who.Tenant, id)
	if err != nil {
		return Request{}, db.Fault(err)
	}
	if !r.Concerns(who.ID) && !MayDecide(who.Traits, r.Kind) && !who.Has(trait.Approver) {
		return Request{}, unknown()
	}
	return r, nil
}

// Filter says which requests are listed.
type Filter struct {
	Mine    bool   // only what whoever acts asked for, or would get
	State   State  // "": any
	Decided bool   // instead of State: all but those that wait
	Kind    Kind   // "": any
	Subject string // "": any
	Cursor  string // of the page before; "": the first
	Limit   int
}

// Page is a part of a list.
type Page struct {
	Requests []Request // newest first
	Next     string    // cursor of the next page; "": there is none
}

// List returns the requests that whoever acts may see, newest first.
func (s *Service) List(ctx context.Context, f Filter) (Page, error) {
	who := actor.From(ctx)
	p := db.ApprovalListParams{TenantID: who.Tenant, Asker: who.ID, Kinds: []string{}, Kind: string(f.Kind), State: string(f.State), Subject: f.Subject, Most: int32(f.Limit) + 1}
	if f.Decided {
		p.State = "decided"
	}
	if !f.Mine {
		for _, k := range Sees(who.Traits) {
			p.Kinds = append(p.Kinds, string(k))
		}
	}
	var err error
	if p.BeforeAt, p.BeforeID, err = fromCursor(f.Cursor, s.now()); err != nil {
		return Page{}, err
	}
	q := db.New(s.Pool)
	rows, err := q.ApprovalList(ctx, p)
	if err != nil {
		return Page{}, db.Fault(err)
	}
	var page Page
	if len(rows) > f.Limit {
		rows = rows[:f.Limit]
		last := rows[len(rows)-1]
		page.Next = toCursor(last.AskedAt, last.ID)
	}
	page.Requests, err = complete(ctx, q, rows)
	return page, db.Fault(err)
}

// complete adds to rows who asked.
func complete(ctx context.Context, q *db.Queries, rows []db.Approval) ([]Request, error) {
	ids := make([]uuid.UUID, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	askers, err := q.ApprovalAskers(ctx, ids)
	if err != nil {
		return nil, err
	}
	requests := make([]Request, len(rows))
	for i, row := range rows {
		requests[i] = requestOf(row, askers)
	}
	return requests, nil
}

// Counts returns how many requests of others wait that whoever acts may decide on, by kind.
func (s *Service) Counts(ctx context.Context) (map[Kind]int, error) {
	who := actor.From(ctx)
	counts := map[Kind]int{}
	rows, err := db.New(s.Pool).ApprovalCounts(ctx, db.ApprovalCountsParams{TenantID: who.Tenant, At: s.now(), Asker: who.ID})
	if err != nil {
		return nil, db.Fault(err)
	}
	for _, row := range rows {
		if k := Kind(row.Kind); MayDecide(who.Traits, k) {
			counts[k] = int(row.Waiting)
		}
	}
	return counts, nil
}

// cursor is the place in a list after one request.
type cursor struct {
	At time.Time `json:"t"`
	ID uuid.UUID `json:"i"`
}

func toCursor(at time.Time, id uuid.UUID) string {
	text, _ := json.Marshal(cursor{at.UTC(), id})
	return base64.RawURLEncoding.EncodeToString(text)
}

// fromCursor returns where a page begins; without a cursor, after everything.
func fromCursor(text string, now time.Time) (time.Time, uuid.UUID, error) {
	if text == "" {
		return now.Add(day), uuid.Max, nil
	}
	var c cursor
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil || c.At.IsZero() || c.At.Year() > 9999 {
		return time.Time{}, uuid.Nil, fault.New(fault.Invalid, "query.cursor", "The cursor is not one of this list; begin at its first page.")
	}
	return c.At, c.ID, nil
}

// Waiting returns the request that waits for what a asks for, whoever asked; found
// is false where none does, or where it could not be given. Of a request that is
// not there the returned one says only what it would be for.
func (s *Service) Waiting(ctx context.Context, a Ask) (r Request, found bool, err error) {
	r = Request{Kind: a.Kind, Subject: a.Subject, Object: a.Object, Terms: a.Terms, State: Waiting}
	if a.Kind == Elevation && a.Terms.Days == 0 {
		a.Terms.Days = 1 // for how long is not what it is found by
	}
	if s.check(ctx, &a) != nil {
		return r, false, nil
	}
	q, tenant := db.New(s.Pool), actor.From(ctx).Tenant
	row, err := q.ApprovalOpen(ctx, db.ApprovalOpenParams{TenantID: tenant, Kind: string(a.Kind), Subject: a.Subject, Object: a.Object})
	if errors.Is(err, pgx.ErrNoRows) {
		return r, false, nil
	}
	if err != nil {
		return r, false, db.Fault(err)
	}
	all, err := complete(ctx, q, []db.Approval{row})
	if err != nil {
		return r, false, db.Fault(err)
	}
	return all[0], true, nil
}

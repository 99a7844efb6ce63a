package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Store reads the audit. Every read but Heads sees only the tenant of the actor
// in its context. Whether that actor may read at all is the gate's to decide.
type Store struct{ pool *pgxpool.Pool }

// NewStore returns a Store over pool.
func NewStore(pool *pgxpool.Pool) *Store { return &Store{pool: pool} }

// Search returns the page of records that f describes, newest first, or an
// Invalid fault.
func (s *Store) Search(ctx context.Context, f Filter) (Page, error) {
	if err := f.Check(); err != nil {
		return Page{}, err
	}
	q, err := s.query(ctx, &f)
	if err != nil {
		return Page{}, err
	}
	limit := f.limit()
	records, err := s.newest(ctx, q, &f, limit+1)
	if err != nil {
		return Page{}, fmt.Errorf("search the audit: %w", err)
	}
	p := Page{Records: records}
	if len(records) > limit {
		p.Records = records[:limit]
		last := p.Records[limit-1]
		p.Next = cursor{at: last.At, id: last.ID}.String()
	}
	return p, nil
}

// query begins the query of f for whoever acts in ctx.
func (s *Store) query(ctx context.Context, f *Filter) (*query, error) {
	tenant := actor.From(ctx).Tenant
	q := newQuery(tenant)
	var ids []string
	if f.Actor != "" {
		var err error
		if ids, err = db.New(s.pool).AuditActorIDs(ctx, tenant, f.Actor); err != nil {
			return nil, fmt.Errorf("look up the actor: %w", err)
		}
		if !slices.Contains(ids, f.Actor) {
			ids = append(ids, f.Actor)
		}
	}
	q.filter(f, ids)
	c, err := parseCursor(f.Cursor)
	q.after(c)
	return q, err
}

// collect runs a SELECT of columns. It is planned anew each time, for its
// values: which index is best, and which months can hold a row, depends on them.
func (s *Store) collect(ctx context.Context, sql string, args ...any) ([]Record, error) {
	return collect(ctx, s.pool, sql, args...)
}

// querier is what a pool and a transaction share.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func collect(ctx context.Context, from querier, sql string, args ...any) ([]Record, error) {
	rows, err := from.Query(ctx, sql, append([]any{pgx.QueryExecModeCacheDescribe}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

// Recent returns the newest limit records.
func (s *Store) Recent(ctx context.Context, limit int) ([]Record, error) {
	p, err := s.Search(ctx, Filter{Limit: limit})
	return p.Records, err
}

// Get returns the record at a place of a chain, or a NotFound fault.
func (s *Store) Get(ctx context.Context, chain string, seq int64) (Record, error) {
	q := newQuery(actor.From(ctx).Tenant)
	q.and("chain = ? AND seq = ?", clip(chain, maxName), seq)
	records, err := s.collect(ctx, q.page(1), q.args...)
	if err == nil && len(records) == 0 {
		return Record{}, fault.New(fault.NotFound, "audit.not_found", "The audit has no record %d in that chain.", seq)
	}
	if err != nil {
		return Record{}, fmt.Errorf("read the audit: %w", err)
	}
	return records[0], nil
}

// near are the distances from the time inside a UUIDv7 within which its row is
// looked for: a row is stamped when it is written, soon after its id was made.
var near = [...]struct{ before, after time.Duration }{
	{time.Second, 10 * time.Second},
	{10 * time.Minute, 10 * time.Minute},
}

// ByID returns the record with that id and those of the same call, in the order
// in which they were written: a decision and what came of it. It returns a
// NotFound fault when there is none.
func (s *Store) ByID(ctx context.Context, id uuid.UUID) ([]Record, error) {
	missing := fault.New(fault.NotFound, "audit.not_found", "The audit has no record with that id.")
	if id.Version() != 7 {
		return nil, missing
	}
	sec, nsec := id.Time().UnixTime()
	made := time.Unix(sec, nsec)
	var found []Record
	for _, d := range near {
		q := newQuery(actor.From(ctx).Tenant)
		q.and("at >= ? AND at < ? AND id = ?", made.Add(-d.before), made.Add(d.after), id)
		var err error
		if found, err = s.collect(ctx, q.page(1), q.args...); err != nil {
			return nil, fmt.Errorf("read the audit: %w", err)
		}
		if len(found) > 0 {
			break
		}
	}
	if len(found) == 0 {
		return nil, missing
	}
	if found[0].Call == uuid.Nil {
		return found, nil
	}
	q := newQuery(actor.From(ctx).Tenant)
	q.and("trace = ? AND trace <> '' AND call = ?", found[0].Trace, found[0].Call)
	pair, err := s.collect(ctx, q.page(maxLimit), q.args...)
	if err != nil {
		return nil, fmt.Errorf("read the audit: %w", err)
	}
	slices.Reverse(pair)
	slices.SortStableFunc(pair, func(a, b Record) int {
		if a.Chain == b.Chain {
			return int(a.Seq - b.Seq)
		}
		return a.At.Compare(b.At)
	})
	return pair, nil
}

// Head is the last row of a chain.
type Head struct {
	Chain string    `json:"chain"`
	Seq   int64     `json:"seq"` // 0: no row yet
	Hash  []byte    `json:"hash"`
	At    time.Time `json:"at"`
}

// Heads returns the head of every chain, by name.
func (s *Store) Heads(ctx context.Context) ([]Head, error) { return heads(ctx, db.New(s.pool)) }

func heads(ctx context.Context, q *db.Queries) ([]Head, error) {
	rows, err := q.AuditHeads(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the heads: %w", err)
	}
	all := make([]Head, len(rows))
	for i, r := range rows {
		all[i] = Head{Chain: r.Chain, Seq: r.Seq, Hash: r.Hash, At: r.At.UTC()}
	}
	return all, nil
}

var errNoRecord = errors.New("not a record")

package retention

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/db"
)

// Due is what a purge would do to one chain.
type Due struct {
	Chain   string
	First   int64 // the first record there is
	Last    int64 // the last that would go; First-1: none
	Stays   int64 // the first that must stay
	StaysAt time.Time
	Hold    string // the hold that keeps it; "": its time has not come
}

// Records is how many would go.
func (d *Due) Records() int64 { return d.Last - d.First + 1 }

// Preview returns what a purge would take at a time, chain by chain.
func (s *Service) Preview(ctx context.Context, at time.Time) ([]Due, error) {
	heads, err := s.Store.Heads(ctx)
	if err != nil {
		return nil, err
	}
	begins, err := s.Store.Marks(ctx)
	if err != nil {
		return nil, db.Fault(err)
	}
	var all []Due
	err = pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = '10min'"); err != nil {
			return err
		}
		for _, h := range heads {
			if h.Seq == 0 {
				continue
			}
			d, err := due(ctx, db.New(tx), h, begins[h.Chain].Last, s.Kept(), at)
			if err != nil {
				return err
			}
			all = append(all, d)
		}
		return nil
	})
	if err != nil {
		return nil, db.Fault(fmt.Errorf("look for what may be purged: %w", err))
	}
	return all, nil
}

// due looks for the first record of a chain that must stay.
func due(ctx context.Context, q *db.Queries, h audit.Head, purged int64, k Keep, now time.Time) (Due, error) {
	d := Due{Chain: h.Chain, First: purged + 1, Last: h.Seq - 1, Stays: h.Seq, StaysAt: h.At}
	row, err := stay(ctx, q, h.Chain, purged, h.Seq, k, now)
	if errors.Is(err, pgx.ErrNoRows) {
		return d, nil // the last one stays all the same
	}
	d.Last, d.Stays, d.StaysAt, d.Hold = row.Seq-1, row.Seq, row.At.UTC(), row.Hold
	return d, err
}

// stay returns the first record after a place, up to another, that must stay.
func stay(ctx context.Context, q *db.Queries, chain string, after, upto int64, k Keep, now time.Time) (db.RetentionStayRow, error) {
	before := func(days int) time.Time { return now.UTC().AddDate(0, 0, -days) }
	return q.RetentionStay(ctx, db.RetentionStayParams{
		Chain: chain, After: after, Upto: upto,
		Phi: before(k.PHI), Pii: before(k.PII), Confidential: before(k.Confidential), Security: before(k.Security), Other: before(k.Other),
	})
}

// nextMonth returns the first instant of the month after t, in UTC.
func nextMonth(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
}

package audit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// window is a stretch of time. Zero times are open ends.
type window struct{ from, to time.Time }

// Lists are read window by window, the newest first, until there are enough rows: most
// pages lie in one month, and the database then plans and reads one partition instead
// of all there are.

// monthsAtOnce is how many months the windows of an ordered list span, one after the
// other; the last has no beginning.
var monthsAtOnce = [...]int{1, 4, 16}

// The windows of a list that is collected and then put in order span as much time as
// about so many of the newest rows do: of a value that many rows have, a page lies in
// the first, and one that few have is looked up in the last, which has no beginning.
var rowsAtOnce = [...]int{16_000, 256_000}

const (
	walkedRows = 2000 // that are simply walked first; they tell how much time lies between rows
	maxFound   = 1000 // that are collected before they are put in order
)

// newest returns the newest limit rows of q, which is the query of f.
func (s *Store) newest(ctx context.Context, q *query, f *Filter, limit int) (records []Record, err error) {
	l := &lookup{Filter: f, query: q, db: s.pool, limit: limit}
	if f.ordered() {
		return l.ordered(ctx)
	}
	err = s.snapshot(ctx, func(tx pgx.Tx) error {
		l.db = tx
		records, err = l.collected(ctx)
		return err
	})
	return records, err
}

// lookup is a list on its way.
type lookup struct {
	*Filter
	query *query
	db    querier
	limit int
}

// ordered reads a list that an index has in the order of time.
func (l *lookup) ordered(ctx context.Context) (all []Record, err error) {
	w := window{to: l.end()}
	newest := w.to
	if newest.IsZero() {
		newest = time.Now()
	}
	for i := 0; ; i++ {
		if i < len(monthsAtOnce) {
			w.from = monthOf(newest.Add(-time.Microsecond)).AddDate(0, 1-monthsAtOnce[i], 0)
		}
		if i == len(monthsAtOnce) || !w.from.After(l.Since) {
			w.from = time.Time{} // where the filter begins
		}
		some, err := l.page(ctx, l.query.within(w), l.limit-len(all))
		all = append(all, some...)
		if err != nil || len(all) >= l.limit || w.from.IsZero() {
			return all, err
		}
		w.to, newest = w.from, w.from
	}
}

// collected reads a list that no index has in the order of time.
func (l *lookup) collected(ctx context.Context) (all []Record, err error) {
	w := window{to: l.end()}
	if l.Text == "" {
		// A value that many rows have is met by walking the newest.
		q := l.query.within(w)
		if all, err = collect(ctx, l.db, q.walk(walkedRows, l.limit), q.args...); err != nil || len(all) >= l.limit {
			return all, err
		}
		all = nil
	}
	last, pace, err := l.pace(ctx, w)
	if err != nil || last.IsZero() {
		return nil, err
	}
	// The planner takes a function for as cheap as a comparison. The words of a row cost
	// hundreds, and told so it looks them up in their index.
	if _, err := l.db.Exec(ctx, "SET LOCAL cpu_operator_cost = 0.02"); err != nil {
		return nil, err
	}
	look := l.query.within(window{})
	look.indexed(l.Filter)
	for i := 0; ; i++ {
		w.from = time.Time{}
		if i < len(rowsAtOnce) && pace > 0 {
			w.from = last.Add(-pace * time.Duration(rowsAtOnce[i]))
		}
		if !w.from.After(l.Since) {
			w.from = time.Time{} // where the filter begins
		}
		some, err := l.found(ctx, look.within(w), l.limit-len(all))
		all = append(all, some...)
		if err != nil || len(all) >= l.limit || w.from.IsZero() {
			return all, err
		}
		w.to = w.from
	}
}

// page reads the newest limit rows of q as an index or the order of time brings them.
func (l *lookup) page(ctx context.Context, q *query, limit int) ([]Record, error) {
	return collect(ctx, l.db, q.page(limit), q.args...)
}

// found reads the newest limit rows of q by collecting them all; when that are too
// many, walking the rows by time soon meets enough of them.
func (l *lookup) found(ctx context.Context, q *query, limit int) ([]Record, error) {
	rows, err := l.db.Query(ctx, q.found(maxFound, limit), append([]any{pgx.QueryExecModeCacheDescribe}, q.args...)...)
	if err != nil {
		return nil, err
	}
	var n int
	records, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Record, error) { return scanWith(row, &n) })
	if err == nil && n == maxFound {
		return l.page(ctx, q, limit)
	}
	return records, err
}

// end returns the time before which all rows of the list lie; zero: none is too new.
func (l *lookup) end() time.Time {
	to := l.Until
	if c, err := parseCursor(l.Cursor); err == nil && c != nil && (to.IsZero() || c.at.Before(to)) {
		to = c.at.Add(time.Microsecond) // there may be more rows of the cursor's own time
	}
	return to
}

// pace returns when the newest row of a window was written, zero when there is none, and
// how much time lies between the newest rows, zero when they are few.
func (l *lookup) pace(ctx context.Context, w window) (last time.Time, pace time.Duration, err error) {
	q := newQuery(l.query.tenant()).within(w)
	one := fmt.Sprintf("SELECT at FROM audit_log WHERE %s ORDER BY %s LIMIT 1", q.condition(), newestFirst)
	var newest, before *time.Time
	err = l.db.QueryRow(ctx, fmt.Sprintf("SELECT (%s), (%s OFFSET %d)", one, one, walkedRows), append([]any{pgx.QueryExecModeCacheDescribe}, q.args...)...).
		Scan(&newest, &before)
	if err != nil || newest == nil {
		return time.Time{}, 0, err
	}
	if before != nil {
		pace = newest.Sub(*before)/walkedRows + time.Microsecond
	}
	return newest.UTC(), pace, nil
}

// ordered reports whether one index has the rows of f in the order of time.
func (f *Filter) ordered() bool {
	if f.Object != "" || f.Class != "" || f.Rule != "" || f.Address != "" || f.Text != "" {
		return false
	}
	if f.Trace != "" {
		return true // so few rows that their order does not matter
	}
	name, open := strings.CutSuffix(f.Action, "*")
	conditions := 0
	for _, given := range [...]bool{f.Actor != "", f.Plugin != "", name != "", len(f.Actions) > 0, f.Outcome != ""} {
		if given {
			conditions++
		}
	}
	return conditions == 0 || conditions == 1 && !(open && name != "")
}

// monthOf returns the first instant of t's month, as the partitions begin.
func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

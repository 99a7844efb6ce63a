package audit

import (
	"context"
	"fmt"
	"maps"
	"time"
)

// Sink is another system that keeps a copy of the audit. Several packages of
// sinks share one conformance suite, siemtest.
type Sink interface {
	// Send hands records over, oldest of each chain first. A record may come twice,
	// after a failure; its id tells. rejected counts those the other side will not
	// take however often they are sent.
	Send(ctx context.Context, records []Record) (rejected int, err error)

	// Confirm returns nil once the other side has everything sent since it last
	// did so. After an error that is not known, and it is all sent again.
	Confirm(ctx context.Context) error

	// Close lets go of what is open, confirmed or not.
	Close()
}

// Place is the last record of each chain that a follower has: chain to seq.
type Place map[string]int64

// Batch is a stretch of the audit for a follower.
type Batch struct {
	Records []Record // of one tenant
	Place   Place    // after them; also past records of other tenants
	Missed  int64    // records before the first of a stretch that are gone
}

// Follow returns the records of a tenant that come after a place, up to about
// limit of them, chain by chain in the order of their numbers, so that nothing
// is passed over: numbers are committed in their order, times are not. It is for
// copies of the audit, not for people.
func (s *Store) Follow(ctx context.Context, tenant string, after Place, limit int) (Batch, error) {
	b := Batch{Place: maps.Clone(after)}
	if b.Place == nil {
		b.Place = Place{}
	}
	heads, err := s.Heads(ctx)
	if err != nil {
		return b, err
	}
	grown := 0
	for _, h := range heads {
		if h.Seq > after[h.Chain] {
			grown++
		}
	}
	if grown == 0 {
		return b, nil
	}
	share := max(limit/grown, 1)
	for _, h := range heads {
		from := after[h.Chain]
		if h.Seq <= from {
			continue
		}
		rows, err := s.collect(ctx, fmt.Sprintf("SELECT %s FROM audit_log WHERE chain = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT %d", columns, share), h.Chain, from, h.Seq)
		if err != nil {
			return b, fmt.Errorf("follow the audit: %w", err)
		}
		if len(rows) == 0 { // all gone since
			b.Missed += h.Seq - from
			b.Place[h.Chain] = h.Seq
			continue
		}
		for _, r := range rows {
			b.Missed += r.Seq - from - 1
			from = r.Seq
			if r.Tenant == tenant {
				b.Records = append(b.Records, r)
			}
		}
		b.Place[h.Chain] = from
	}
	return b, nil
}

// Behind is how far a follower lags: how many records there are after its place,
// of all tenants, and when the oldest of them was written, zero when there is none.
func (s *Store) Behind(ctx context.Context, after Place) (records int64, oldest time.Time, err error) {
	heads, err := s.Heads(ctx)
	if err != nil {
		return 0, time.Time{}, err
	}
	for _, h := range heads {
		if h.Seq <= after[h.Chain] {
			continue
		}
		records += h.Seq - after[h.Chain]
		var at time.Time
		err := s.pool.QueryRow(ctx, "SELECT at FROM audit_log WHERE chain = $1 AND seq > $2 ORDER BY seq LIMIT 1", h.Chain, after[h.Chain]).Scan(&at)
		if err != nil {
			continue // gone meanwhile
		}
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at.UTC()
		}
	}
	return records, oldest, nil
}

package audit

import (
	"context"
	"fmt"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
)

// Decisions returns a page of the decisions of lanes and gate, allowed and
// denied, since a time: newest first, limit at a time (at most 500), after the
// cursor of the page before. What came of them is left out.
func (s *Store) Decisions(ctx context.Context, since time.Time, after string, limit int) (Page, error) {
	c, err := parseCursor(after)
	if err != nil {
		return Page{}, fault.New(fault.Invalid, "audit.filter", "The cursor is not one that this list gave out.")
	}
	limit = min(max(limit, 1), maxLimit)
	q := newQuery(actor.From(ctx).Tenant)
	q.and("at >= ?", since)
	q.and("outcome IN ('allow', 'deny')")
	q.and("chain <> ?", ChangeChain)
	q.after(c)
	records, err := s.collect(ctx, q.page(limit+1), q.args...)
	if err != nil {
		return Page{}, fmt.Errorf("read decisions: %w", err)
	}
	p := Page{Records: records}
	if len(records) > limit {
		p.Records = records[:limit]
		last := p.Records[limit-1]
		p.Next = cursor{at: last.At, id: last.ID}.String()
	}
	return p, nil
}

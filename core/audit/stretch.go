package audit

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// stretch is the part of a chain that one worker reads: the records from one number up
// to before another. Its first record is held against the last of the stretch before it
// when both have been read.
type stretch struct {
	*checker
	from, to int64
	chain    *course
	place    int64 // among the stretches of the chain
}

// course is a chain on its way through several workers.
type course struct {
	*checker
	parts []*stretch
	bad   atomic.Int64 // the first stretch with a bad record
}

// maxStretches bounds the stretches of a chain, however far apart its numbers are.
const maxStretches = 4096

// cut makes the stretches of a chain, each of about size records.
func (c *course) cut(ctx context.Context, tx pgx.Tx, size int64) error {
	var first, last *int64
	err := tx.QueryRow(ctx, "SELECT (SELECT seq FROM audit_log WHERE chain = $1 ORDER BY seq LIMIT 1), (SELECT seq FROM audit_log WHERE chain = $1 ORDER BY seq DESC LIMIT 1)",
		c.Chain).Scan(&first, &last)
	if err != nil {
		return fmt.Errorf("find the ends of %s: %w", c.Chain, err)
	}
	c.bad.Store(math.MaxInt64)
	c.parts = []*stretch{{checker: c.checker, chain: c, from: math.MinInt64, to: math.MaxInt64}}
	if first == nil || last == nil {
		return nil
	}
	size = max(size, (*last-*first)/maxStretches)
	heads := c.heads
	for at := *first; at <= *last-size; {
		at += size
		before := c.parts[len(c.parts)-1]
		before.to = at
		before.heads, heads = headsBefore(heads, at)
		inside := newChecker(c.Chain, heads)
		inside.inside = true
		c.parts = append(c.parts, &stretch{checker: inside, chain: c, place: before.place + 1, from: at, to: math.MaxInt64})
	}
	return nil
}

// headsBefore divides heads at a number.
func headsBefore(heads []seen, seq int64) (before, from []seen) {
	for i, h := range heads {
		if h.seq >= seq {
			return heads[:i], heads[i:]
		}
	}
	return heads, nil
}

// read streams a stretch through its checker, up to the first bad record. Nobody asks
// for what comes after one.
func (s *stretch) read(ctx context.Context, tx pgx.Tx, p *progress) error {
	if s.place > s.chain.bad.Load() {
		return nil
	}
	rows, err := tx.Query(ctx, "SELECT "+columns+" FROM audit_log WHERE chain = $1 AND seq >= $2 AND seq < $3 ORDER BY seq, at",
		pgx.QueryExecModeCacheDescribe, wire, s.Chain, s.from, s.to)
	if err != nil {
		return err
	}
	defer rows.Close()
	var d decoder
	for rows.Next() {
		r, err := d.read(rows.RawValues())
		if err != nil {
			s.strange(r.Seq, err)
		} else {
			s.next(r)
		}
		if s.Bad != nil {
			s.chain.spoiled(s.place)
			return nil
		}
		p.step()
	}
	return rows.Err()
}

// spoiled notes that a stretch has a bad record.
func (c *course) spoiled(place int64) {
	for {
		was := c.bad.Load()
		if place >= was || c.bad.CompareAndSwap(was, place) {
			return
		}
	}
}

// joined puts the stretches of a chain together, once all are read.
func (c *course) joined() {
	for _, s := range c.parts[1:] {
		if c.Bad != nil {
			return
		}
		c.join(s.checker)
	}
	if c.Bad == nil {
		c.end()
	}
}

// join goes on with what was found in the stretch that follows.
func (c *checker) join(s *checker) {
	first := s.edge
	if first == nil && s.Bad == nil { // it is empty
		c.heads = append(c.heads, s.heads...)
		return
	}
	if first == nil { // its first record is none
		first = &edge{seq: s.Bad.Seq}
	}
	switch {
	case first.seq > c.Last+1:
		c.missing(first.seq)
	case s.Bad != nil && s.Bad.Seq == first.seq && s.Bad.Code == BadEdited:
		c.Bad = s.Bad
	case !bytes.Equal(first.prev, c.Hash):
		c.unlinked(first.seq)
	case first.at.Before(c.at):
		c.older(first.seq)
	default:
		if c.Rows == 0 {
			c.First, c.prev = s.First, s.prev
		}
		c.Bad, c.heads = s.Bad, s.heads
		c.Rows += s.Rows
		c.found += s.found
		if s.Rows > 0 {
			c.Last, c.Hash, c.at = s.Last, s.Hash, s.at
		}
	}
}

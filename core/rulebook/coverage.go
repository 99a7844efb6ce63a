package rulebook

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/db"
)

// How often a replica adds what it counted, and how long counts are kept.
const (
	countEvery = 10 * time.Second
	countKeep  = 31 * 24 * time.Hour
)

// Counted is where counts come from. gate.Gate is one.
type Counted interface {
	// Coverage returns what was counted since it was last called.
	Coverage() []gate.Hits
}

// Counter writes down how often each rule applied.
type Counter struct {
	pool *pgxpool.Pool
	from Counted
	log  *slog.Logger
	kept map[string]gate.Hits // not written yet, by rule
}

// NewCounter returns a Counter of what one gate decides.
func NewCounter(pool *pgxpool.Pool, from Counted, log *slog.Logger) *Counter {
	return &Counter{pool: pool, from: from, log: log, kept: map[string]gate.Hits{}}
}

// Run adds what was counted to the table every ten seconds, and once more when
// ctx ends. While the database is away the counts wait here.
func (c *Counter) Run(ctx context.Context) error {
	tick, trim := time.NewTicker(countEvery), time.NewTicker(time.Hour)
	defer tick.Stop()
	defer trim.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			if err := c.Flush(last); err != nil {
				c.log.WarnContext(last, "the last counts of rules are lost", "error", err)
			}
			return nil
		case <-trim.C:
			if err := db.New(c.pool).PolicyCoverageTrim(ctx, time.Now().Add(-countKeep)); err != nil {
				c.log.WarnContext(ctx, "old counts of rules not trimmed", "error", err)
			}
		case <-tick.C:
			if err := c.Flush(ctx); err != nil && ctx.Err() == nil {
				c.log.WarnContext(ctx, "counts of rules not written; they wait", "error", err)
			}
		}
	}
}

// Flush adds what was counted since the last time. Of an error nothing is lost:
// the next call adds it.
func (c *Counter) Flush(ctx context.Context) error {
	for _, h := range c.from.Coverage() {
		sum := c.kept[h.Rule]
		sum.Matched, sum.Granted, sum.Denied = sum.Matched+h.Matched, sum.Granted+h.Granted, sum.Denied+h.Denied
		c.kept[h.Rule] = sum
	}
	if len(c.kept) == 0 {
		return nil
	}
	now := time.Now().UTC()
	add := db.PolicyCoverageAddParams{Hour: now.Truncate(time.Hour), LastAt: now}
	for _, rule := range slices.Sorted(maps.Keys(c.kept)) { // in one order, so that replicas do not lock each other out
		h := c.kept[rule]
		add.Rules = append(add.Rules, rule)
		add.Matched, add.Granted, add.Denied = append(add.Matched, int64(h.Matched)), append(add.Granted, int64(h.Granted)), append(add.Denied, int64(h.Denied))
	}
	if err := db.New(c.pool).PolicyCoverageAdd(ctx, add); err != nil {
		return fmt.Errorf("add counts of rules: %w", db.Fault(err))
	}
	clear(c.kept)
	return nil
}

// Coverage is how often a rule applied in some time.
type Coverage struct {
	Rule    string     `json:"rule"`
	Matched int64      `json:"matched"` // requests an administrators' rule matched, or a built-in one denied or redacted
	Granted int64      `json:"granted"` // that passed by it alone
	Denied  int64      `json:"denied"`
	LastAt  *time.Time `json:"last_at,omitempty"` // in the last month; absent: not once
}

// Spans are the times that coverage is asked for, by their names.
var Spans = map[string]time.Duration{"24h": 24 * time.Hour, "7d": 7 * 24 * time.Hour, "30d": 30 * 24 * time.Hour}

// Coverage returns the counts of every rule that ever applied in the last month,
// by rule id, over a time before now, which is rounded to whole hours.
func (b *Rulebook) Coverage(ctx context.Context, over time.Duration) (map[string]Coverage, error) {
	rows, err := db.New(b.Pool).PolicyCoverageSince(ctx, time.Now().UTC().Add(-over).Truncate(time.Hour))
	if err != nil {
		return nil, fmt.Errorf("read counts of rules: %w", db.Fault(err))
	}
	all := map[string]Coverage{}
	for _, r := range rows {
		last := r.LastAt.UTC()
		all[r.Rule] = Coverage{Rule: r.Rule, Matched: r.Matched, Granted: r.Granted, Denied: r.Denied, LastAt: &last}
	}
	return all, nil
}

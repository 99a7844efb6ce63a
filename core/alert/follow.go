package alert

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/db"
)

const (
	batch    = 1000 // records looked at in one transaction
	mostKeys = 200  // things that one rule tells apart at a time; the others share an alert
)

// others is the key of what a rule finds beyond mostKeys.
const others = "…"

// errMoved says that another replica looked at these records first.
var errMoved = errors.New("another replica was first")

// watched is a rule with what looking it up once saves.
type watched struct {
	Rule
	actors, clearing []string // ids that the actors of Match and Clear stand for
}

// follow holds rules against the records since last time, and returns how many
// it looked at. The first time it begins with what is recorded from now on.
func (s *Service) follow(ctx context.Context, rules []watched) (int, error) {
	at, err := s.place(ctx)
	if err != nil {
		return 0, err
	}
	b, err := s.Store.Follow(ctx, s.tenant, at, batch)
	if err != nil || maps.Equal(at, b.Place) {
		return 0, err
	}
	err = db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		for chain, seq := range b.Place {
			if seq == at[chain] {
				continue
			}
			if err := move(ctx, q, s.tenant, chain, at[chain], seq); err != nil {
				return err
			}
		}
		w := s.writing(q)
		if err := w.records(ctx, rules, b.Records); err != nil {
			return err
		}
		return w.close(ctx)
	})
	if errors.Is(err, errMoved) {
		return 0, nil
	}
	return len(b.Records), err
}

// move takes the place in a chain on, if nobody else did.
func move(ctx context.Context, q *db.Queries, tenant, chain string, from, to int64) error {
	n, err := q.AlertPlaceMove(ctx, db.AlertPlaceMoveParams{TenantID: tenant, Chain: chain, FromSeq: from, ToSeq: to})
	if err == nil && n == 0 && from == 0 { // a chain that was not there before
		n, err = q.AlertPlaceBegin(ctx, db.AlertPlaceBeginParams{TenantID: tenant, Chain: chain, Seq: to})
	}
	if err == nil && n == 0 {
		err = errMoved
	}
	return err
}

// place is how far the rules have come.
func (s *Service) place(ctx context.Context) (audit.Place, error) {
	q := db.New(s.Pool)
	rows, err := q.AlertPlaces(ctx, s.tenant)
	if err != nil {
		return nil, err
	}
	at := audit.Place{}
	for _, r := range rows {
		at[r.Chain] = r.Seq
	}
	if len(at) > 0 {
		return at, nil
	}
	heads, err := s.Store.Heads(ctx)
	if err != nil {
		return nil, err
	}
	for _, h := range heads {
		if _, err := q.AlertPlaceBegin(ctx, db.AlertPlaceBeginParams{TenantID: s.tenant, Chain: h.Chain, Seq: h.Seq}); err != nil {
			return nil, err
		}
		at[h.Chain] = h.Seq
	}
	return at, nil
}

// finding is what a rule found in a batch about one thing.
type finding struct {
	rule       *watched
	key, label string
	records    []*audit.Record
	cleared    *audit.Record // the last record that ends it
}

// found holds rules against records, in the order in which things first came up.
func found(rules []watched, records []audit.Record) []*finding {
	var all []*finding
	type id struct{ rule, key string }
	known, keys := map[id]*finding{}, map[string]int{}
	for i := range records {
		r := &records[i]
		for j := range rules {
			w := &rules[j]
			if w.OnHealth() {
				continue
			}
			met := w.Match.fits(r, w.actors)
			over := !met && w.Clear != nil && w.Clear.fits(r, w.clearing)
			if !met && !over {
				continue
			}
			key, label := w.Spec.By.of(r)
			f := known[id{w.ID, key}]
			if f == nil {
				if keys[w.ID] >= mostKeys {
					key, label = others, "others"
				}
				if f = known[id{w.ID, key}]; f == nil {
					keys[w.ID]++
					f = &finding{rule: w, key: key, label: label}
					known[id{w.ID, key}], all = f, append(all, f)
				}
			}
			if met {
				f.records, f.cleared = append(f.records, r), nil
			} else {
				f.cleared = r
			}
		}
	}
	return all
}

// bucket is how finely a window is counted: a twentieth of it, whole seconds.
func bucket(window time.Duration) time.Duration {
	return max((window / 20).Truncate(time.Second), time.Second)
}

// counted adds records to the counts of a rule, by the time they were written at.
func counted(f *finding) map[time.Time]int64 {
	width := bucket(time.Duration(f.rule.Window))
	counts := map[time.Time]int64{}
	for _, r := range f.records {
		counts[r.At.Truncate(width)]++
	}
	return counts
}

// tally is how often a rule was met within a moment.
type tally struct {
	at time.Time
	n  int64
}

// most returns the largest sum of tallies, oldest first, within a window that
// ends at or after since.
func most(tallies []tally, window time.Duration, since time.Time) (n int64) {
	var sum int64
	first := 0
	for _, t := range tallies {
		sum += t.n
		for !tallies[first].at.After(t.at.Add(-window)) {
			sum -= tallies[first].n
			first++
		}
		if !t.at.Before(since) {
			n = max(n, sum)
		}
	}
	return n
}

// records counts what rules found, and opens and ends alerts.
func (w *writing) records(ctx context.Context, rules []watched, records []audit.Record) error {
	all := found(rules, records)
	if err := w.count(ctx, all); err != nil {
		return err
	}
	for _, f := range all {
		if len(f.records) > 0 {
			n, err := w.within(ctx, f)
			if err != nil {
				return err
			}
			if err := w.note(ctx, f, n); err != nil {
				return err
			}
		}
		if f.cleared != nil {
			if err := w.over(ctx, f.rule.ID, f.key, "A record says that it is over: "+f.cleared.Action+"."); err != nil {
				return err
			}
		}
	}
	return nil
}

// count keeps what rules that count more than one found.
func (w *writing) count(ctx context.Context, all []*finding) error {
	p := db.AlertCountAddParams{TenantID: w.tenant}
	for _, f := range all {
		if f.rule.Count < 2 {
			continue
		}
		counts := counted(f)
		for _, at := range slices.SortedFunc(maps.Keys(counts), time.Time.Compare) {
			p.Rules, p.Keys, p.Buckets, p.Counts = append(p.Rules, f.rule.ID), append(p.Keys, f.key), append(p.Buckets, at), append(p.Counts, counts[at])
		}
	}
	if len(p.Rules) == 0 {
		return nil
	}
	return w.q.AlertCountAdd(ctx, p)
}

// within returns how often the rule was met in a window of its length at the most,
// together with what was counted before.
func (w *writing) within(ctx context.Context, f *finding) (int64, error) {
	if f.rule.Count < 2 {
		return int64(len(f.records)), nil
	}
	first, last := f.records[0].At, f.records[0].At
	for _, r := range f.records {
		if r.At.Before(first) {
			first = r.At
		}
		if r.At.After(last) {
			last = r.At
		}
	}
	window := time.Duration(f.rule.Window)
	width := bucket(window)
	rows, err := w.q.AlertCounts(ctx, db.AlertCountsParams{TenantID: w.tenant, Rule: f.rule.ID, Key: f.key, Since: first.Add(-window), Until: last})
	if err != nil {
		return 0, err
	}
	tallies := make([]tally, len(rows))
	for i, r := range rows {
		tallies[i] = tally{r.Bucket, r.N}
	}
	return most(tallies, window, first.Truncate(width)), nil
}

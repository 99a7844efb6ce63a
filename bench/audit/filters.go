package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
)

// The goals of a page and of a search for words.
const (
	pageGoal = 5 * time.Millisecond
	textGoal = 50 * time.Millisecond
)

// cases are the filters that are measured: each alone, with a value that is
// frequent, rare and that nothing has, and what people put together.
func (b *bench) cases(ctx context.Context) ([]named, error) {
	now := time.Now().UTC()
	year, month, week := now.AddDate(-1, 0, 0), now.AddDate(0, -1, 0), now.AddDate(0, 0, -7)
	trace, err := b.anyTrace(ctx)
	if err != nil {
		return nil, err
	}
	return []named{
		{"nothing", audit.Filter{}},
		{"time", audit.Filter{Since: now.AddDate(0, -5, 0), Until: now.AddDate(0, -4, 0)}},
		{"actor, id, frequent", audit.Filter{Actor: person(0)}},
		{"actor, id, rare", audit.Filter{Actor: person(numPeople - 1)}},
		{"actor, e-mail", audit.Filter{Actor: "user120@example.org"}},
		{"actor, plugin", audit.Filter{Actor: plugin(3)}},
		{"actor, unknown", audit.Filter{Actor: "nobody@example.org"}},
		{"plugin, frequent", audit.Filter{Plugin: plugin(0)}},
		{"plugin, rare", audit.Filter{Plugin: plugin(numPlugins - 1)}},
		{"plugin, unknown", audit.Filter{Plugin: "nothing"}},
		{"action, frequent", audit.Filter{Action: "operator.call"}},
		{"action, rare", audit.Filter{Action: "user.update"}},
		{"action, unknown", audit.Filter{Action: "nothing.at.all"}},
		{"action, beginning, frequent", audit.Filter{Action: "event.*"}},
		{"action, beginning, rare", audit.Filter{Action: "settings.*"}},
		{"action, beginning, unknown", audit.Filter{Action: "nothing.*"}},
		{"actions, several", audit.Filter{Actions: []string{"settings.set", "user.update", "auth.login"}}},
		{"object, frequent", audit.Filter{Object: plugin(0) + "/book"}},
		{"object, rare", audit.Filter{Object: plugin(numPlugins-1) + "/book"}},
		{"object, unknown", audit.Filter{Object: "nothing/at-all"}},
		{"object, beginning", audit.Filter{Object: plugin(40) + "/*"}},
		{"outcome, ok", audit.Filter{Outcome: audit.OK}},
		{"outcome, deny", audit.Filter{Outcome: audit.Deny}},
		{"outcome, unknown", audit.Filter{Outcome: audit.Unknown}},
		{"class, frequent", audit.Filter{Class: "pii"}},
		{"class, rare", audit.Filter{Class: "confidential"}},
		{"class, none", audit.Filter{Class: "public"}},
		{"rule, frequent", audit.Filter{Rule: "operator.grant"}},
		{"rule, rare", audit.Filter{Rule: "core.restart"}},
		{"trace", audit.Filter{Trace: trace}},
		{"address, frequent", audit.Filter{Address: address(0)}},
		{"address, rare", audit.Filter{Address: address(numAddresses - 1)}},
		{"plugin and outcome", audit.Filter{Plugin: plugin(5), Outcome: audit.Deny}},
		{"plugin and action", audit.Filter{Plugin: plugin(60), Action: "operator.call"}},
		{"plugin, action and class", audit.Filter{Plugin: plugin(5), Action: "operator.call", Class: "phi"}},
		{"actor and action", audit.Filter{Actor: person(2), Action: "settings.set"}},
		{"actor and outcome", audit.Filter{Actor: person(2), Outcome: audit.Deny}},
		{"outcome and action", audit.Filter{Outcome: audit.Deny, Action: "auth.*"}},
		{"action and time", audit.Filter{Action: "user.update", Since: month}},
		{"words, frequent, a week", audit.Filter{Text: "letter", Since: week}},
		{"words, frequent, a year", audit.Filter{Text: "letter", Since: year}},
		{"words, rare, a week", audit.Filter{Text: "plugin-199 letter", Since: week}},
		{"words, rare, a year", audit.Filter{Text: "plugin-199 letter", Since: year}},
		{"words, beginning, a month", audit.Filter{Text: "pati", Since: month}},
		{"words, unknown, a year", audit.Filter{Text: "nowhere", Since: year}},
		{"words, of people, a year", audit.Filter{Text: "number 299", Since: year}},
	}, nil
}

type named struct {
	name   string
	filter audit.Filter
}

// filters measures the first page of each filter and pages deep in its list.
func (b *bench) filters(ctx context.Context) error {
	ctx = actor.With(ctx, actor.Actor{Kind: actor.User, ID: person(0), Tenant: actor.DefaultTenant})
	cases, err := b.cases(ctx)
	if err != nil {
		return err
	}
	var first, later, words []time.Duration
	var slow []string
	var dearest lap
	for _, c := range cases {
		goal := pageGoal
		if c.filter.Text != "" {
			goal = textGoal
		}
		watch := b.watch()
		top, err := b.pages(ctx, c.filter, "")
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		one := watch.stop().each(int64(b.each + warm))
		if cpu := one.own + one.database; cpu > dearest.own+dearest.database && c.filter.Text == "" {
			dearest = one
		}
		deep, err := b.deep(ctx, c.filter)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if c.filter.Text != "" {
			words = append(append(words, top...), deep...)
		} else {
			first, later = append(first, top...), append(later, deep...)
		}
		for _, l := range []struct {
			what string
			took []time.Duration
		}{{"first page: ", top}, {"later page: ", deep}} {
			if len(l.took) == 0 {
				continue
			}
			if b.plans {
				fmt.Printf("%-42s p50 %9s  p99 %9s  cpu %9s\n", l.what+c.name, ms(percentile(l.took, 50)), ms(percentile(l.took, 99)), ms(one.own+one.database))
			}
			if percentile(l.took, 99) > goal {
				slow = append(slow, fmt.Sprintf("%s%s %s", l.what, c.name, ms(percentile(l.took, 99))))
			}
		}
	}
	b.report.latency(fmt.Sprintf("first page, p99 of %d filters", len(cases)), percentile(first, 50), percentile(first, 99), pageGoal, dearest)
	b.report.latency("any later page, p99", percentile(later, 50), percentile(later, 99), pageGoal, lap{})
	b.report.latency("words within a time range, p99", percentile(words, 50), percentile(words, 99), textGoal, lap{})
	if len(slow) > 0 {
		b.report.note("filters over their goal by themselves", strings.Join(slow, "; "))
	}
	return nil
}

// warm is how many of the first requests do not count: they meet a cold file.
const warm = 3

// pages asks for the same page again and again.
func (b *bench) pages(ctx context.Context, f audit.Filter, cursor string) ([]time.Duration, error) {
	f.Cursor = cursor
	took := make([]time.Duration, 0, b.each)
	for i := range b.each + warm {
		began := time.Now()
		if _, err := b.store.Search(ctx, f); err != nil {
			return nil, err
		}
		if i >= warm {
			took = append(took, time.Since(began))
		}
	}
	return took, nil
}

// deep asks for pages that begin anywhere in the list.
func (b *bench) deep(ctx context.Context, f audit.Filter) ([]time.Duration, error) {
	var took []time.Duration
	first := time.Now().AddDate(0, 1-months, 0)
	if f.Since.After(first) {
		first = f.Since
	}
	last := time.Now()
	if !f.Until.IsZero() {
		last = f.Until
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 20 {
		// A place in the middle: the cursor of a page that ends there.
		g := f
		g.Until, g.Limit = first.Add(time.Duration(random.Float64()*float64(last.Sub(first)))), 1
		if g.Until.Before(g.Since) {
			continue
		}
		p, err := b.store.Search(ctx, g)
		if err != nil || p.Next == "" {
			if err != nil {
				return nil, err
			}
			continue
		}
		g = f
		g.Cursor = p.Next
		for j := range max(b.each/20, 1) + 1 {
			began := time.Now()
			if _, err := b.store.Search(ctx, g); err != nil {
				return nil, err
			}
			if j > 0 || i > 2 {
				took = append(took, time.Since(began))
			}
		}
	}
	return took, nil
}

// anyTrace returns a trace from the middle of the record.
func (b *bench) anyTrace(ctx context.Context) (trace string, err error) {
	err = b.owner.QueryRow(ctx, "SELECT trace FROM audit_log WHERE at > $1 AND trace <> '' LIMIT 1", time.Now().AddDate(0, -6, 0)).Scan(&trace)
	return trace, err
}

// percentile returns the p-th of took; 0 of none.
func percentile(took []time.Duration, p int) time.Duration {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}

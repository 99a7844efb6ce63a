package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
)

// The goals of writing.
const (
	appendGoal = 50_000
	decideGoal = 15_000
)

// callers is how many wait for their decision at a time.
const callers = 512

// writer runs a writer of a chain of its own until stop.
func (b *bench) writer(ctx context.Context, replica string) (w *audit.Writer, stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	w = audit.NewWriter(b.app, audit.WriterConfig{Replica: replica, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	return w, func() error { cancel(); return <-done }
}

// entries returns decisions like those of the record, and their contexts.
func entries(n int) []audit.Entry {
	w := newWorld(time.Now(), time.Now().Add(time.Hour), 1000)
	all := make([]audit.Entry, 0, n)
	for len(all) < n {
		r := w.happens()
		all = append(all, audit.Entry{Plugin: r.Plugin, Target: r.ObjectPlugin, Action: r.Action, Object: r.Object, Outcome: r.Outcome, Rule: r.Rule, Detail: r.Detail, Receivers: r.Receivers})
	}
	return all
}

func acting(ctx context.Context, e audit.Entry) context.Context {
	return actor.With(ctx, actor.Actor{Kind: actor.Plugin, ID: e.Plugin, Name: "Plugin " + e.Plugin, Tenant: actor.DefaultTenant})
}

// appending hands over rows as fast as they are taken, decisions and outcomes in
// turn, beside the database's own COPY of such rows into a table without indexes.
func (b *bench) appending(ctx context.Context) error {
	limit, err := b.copying(ctx)
	if err != nil {
		return err
	}
	w, stop := b.writer(ctx, "bench-append-"+uuid.NewString()[:8])
	decisions := entries(1000)
	until := time.Now().Add(b.options.append)
	watch := b.watch()
	var wg sync.WaitGroup
	for part := range 4 {
		wg.Go(func() {
			for i := part; time.Now().Before(until) && ctx.Err() == nil; i++ {
				e := decisions[i%len(decisions)]
				ctx := acting(ctx, e)
				if e.Outcome == audit.Allow {
					e.ID = uuid.Must(uuid.NewV7())
					e.Call = e.ID
				}
				w.Later(ctx, e)
				if e.Outcome == audit.Allow {
					e.ID, e.Outcome, e.Detail = uuid.Nil, audit.OK, nil
					w.Later(ctx, e)
				}
			}
		})
	}
	wg.Wait()
	if err := stop(); err != nil {
		return err
	}
	took := watch.stop()
	s := w.Stats()
	if s.Lost > 0 {
		return fmt.Errorf("%d rows were lost", s.Lost)
	}
	b.report.rate("append", took.each(s.Rows), appendGoal, "COPY, no indexes", limit)
	return nil
}

// copying returns how many such rows a second the database takes in one
// connection, a thousand in each commit, into a table that has no index.
func (b *bench) copying(ctx context.Context) (float64, error) {
	if _, err := b.owner.Exec(ctx, "DROP TABLE IF EXISTS bench_copy; CREATE TABLE bench_copy (LIKE audit_log)"); err != nil {
		return 0, err
	}
	defer func() { _, _ = b.owner.Exec(context.WithoutCancel(ctx), "DROP TABLE bench_copy") }()
	w := newWorld(time.Now(), time.Now().Add(time.Hour), 20_000)
	rows := make([][]any, 20_000)
	for i := range rows {
		r, err := w.next()
		if err != nil {
			return 0, err
		}
		rows[i] = values(r)
	}
	began, done := time.Now(), 0
	for time.Since(began) < b.options.append/2 {
		at := done % len(rows)
		if _, err := b.owner.CopyFrom(ctx, pgx.Identifier{"bench_copy"}, columns, pgx.CopyFromRows(rows[at:at+1000])); err != nil {
			return 0, err
		}
		done += 1000
	}
	return float64(done) / time.Since(began).Seconds(), nil
}

// deciding lets many callers wait for their decision's commit, beside how many
// commits of one row the disk takes one after the other.
func (b *bench) deciding(ctx context.Context) error {
	w, stop := b.writer(ctx, "bench-decide-"+uuid.NewString()[:8])
	decisions := entries(1000)
	for _, outcomes := range []bool{false, true} {
		var done, failed atomic.Int64
		before := w.Stats()
		until := time.Now().Add(b.options.append)
		watch := b.watch()
		var wg sync.WaitGroup
		for part := range callers {
			wg.Go(func() {
				for i := part; time.Now().Before(until) && ctx.Err() == nil; i++ {
					e := decisions[i%len(decisions)]
					ctx := acting(ctx, e)
					e.ID = uuid.Must(uuid.NewV7())
					e.Call, e.Outcome = e.ID, audit.Allow
					if err := w.Decide(ctx, e); err != nil {
						failed.Add(1)
						continue
					}
					done.Add(1)
					if outcomes {
						e.ID, e.Outcome, e.Detail = uuid.Nil, audit.OK, nil
						w.Later(ctx, e)
					}
				}
			})
		}
		wg.Wait()
		took := watch.stop()
		after := w.Stats()
		if failed.Load() > 0 {
			return fmt.Errorf("%d decisions were refused", failed.Load())
		}
		what, goal := "group commit, callers that wait", float64(decideGoal)
		if outcomes {
			what, goal = "  each followed by its outcome", 0
		}
		b.report.rate(fmt.Sprintf("%s, %.0f rows a commit", what, float64(after.Rows-before.Rows)/float64(max(after.Commits-before.Commits, 1))),
			took.each(done.Load()), goal, "", 0)
	}
	return stop()
}

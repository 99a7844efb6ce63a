package audit_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/db/dbtest"
)

// quiet is a log that nobody reads.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// running is a Writer with its Run.
type running struct {
	*audit.Writer
	stop func() // ends Run and waits for it
}

// start runs a writer of chain lane/<replica> until the test ends.
func start(t testing.TB, pool *pgxpool.Pool, c audit.WriterConfig) running {
	t.Helper()
	if c.Replica == "" {
		c.Replica = "one"
	}
	if c.Log == nil {
		c.Log = quiet
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := audit.NewWriter(pool, c)
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Run did not end within 20 s of its context")
		}
	})
	t.Cleanup(stop)
	return running{Writer: w, stop: stop}
}

// as returns a context in which a plugin of the default tenant acts.
func as(t testing.TB, plugin string) context.Context {
	return actor.With(t.Context(), actor.Actor{Kind: actor.Plugin, ID: plugin, Name: "Plugin " + plugin, Tenant: actor.DefaultTenant})
}

// call returns the decision that lets a plugin call b/get.
func call() audit.Entry {
	id := uuid.Must(uuid.NewV7())
	return audit.Entry{ID: id, Call: id, Action: "operator.call", Object: "b/get", Outcome: audit.Allow, Rule: "operator.grant",
		Detail: map[string]any{"reasons": []string{"granted"}, "size": 12}}
}

// outcome returns what came of a decision.
func outcome(decision audit.Entry, o audit.Outcome) audit.Entry {
	decision.ID, decision.Outcome, decision.Detail = uuid.Nil, o, nil
	return decision
}

// change records one change.
func change(t testing.TB, ctx context.Context, pool *pgxpool.Pool, e audit.Entry) {
	t.Helper()
	if err := db.InTx(ctx, pool, func(q *db.Queries) error { return audit.Append(ctx, q, e) }); err != nil {
		t.Fatalf("append a change: %v", err)
	}
}

// decide records decisions and fails the test when one is refused.
func decide(t testing.TB, ctx context.Context, w running, entries ...audit.Entry) {
	t.Helper()
	for _, e := range entries {
		if err := w.Decide(ctx, e); err != nil {
			t.Fatalf("decide: %v", err)
		}
	}
}

// verify fails the test unless the whole audit verifies, and returns the report.
func verify(t testing.TB, pool *pgxpool.Pool) audit.Report {
	t.Helper()
	r, err := audit.Verify(t.Context(), pool, audit.VerifyConfig{})
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	if !r.OK {
		t.Fatalf("the audit does not verify: %+v", r.Bad)
	}
	return r
}

// exec runs SQL as the owner.
func exec(t testing.TB, d *dbtest.DB, sql string, args ...any) {
	t.Helper()
	if _, err := d.Owner.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// count returns the one number a query answers with.
func count(t testing.TB, d *dbtest.DB, sql string, args ...any) (n int) {
	t.Helper()
	if err := d.Owner.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// eventually asks until the answer is yes.
func eventually(t testing.TB, what string, ask func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(15 * time.Second)
	for !ask() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("after 15 s still not: %s", what)
		}
	}
}

// number names things.
func number(prefix string, i int) string { return fmt.Sprintf("%s%04d", prefix, i) }

// textLog returns a log that writes to w.
func textLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/db/dbtest"
)

func TestInTx(t *testing.T) {
	d := dbtest.New(t)
	failure := errors.New("no")
	take := func(q *db.Queries, name string) error {
		_, err := q.LeaseTake(context.Background(), db.LeaseTakeParams{Name: name, Holder: "me", Seconds: 60})
		return err
	}
	tests := []struct {
		name string
		do   func(context.Context) error
		want error
		kept bool
	}{
		{"commits when the function succeeds", func(ctx context.Context) error {
			return db.InTx(ctx, d.Pool, func(q *db.Queries) error { return take(q, "commit") })
		}, nil, true},
		{"rolls back when the function fails, and returns its error", func(ctx context.Context) error {
			return db.InTx(ctx, d.Pool, func(q *db.Queries) error { return errors.Join(take(q, "fail"), failure) })
		}, failure, false},
		{"rolls back when the function panics", func(ctx context.Context) (err error) {
			defer func() { err, _ = recover().(error) }()
			return db.InTx(ctx, d.Pool, func(q *db.Queries) error { take(q, "panic"); panic(failure) })
		}, failure, false},
		{"rolls back when its context ends", func(ctx context.Context) error {
			ctx, cancel := context.WithCancel(ctx)
			return db.InTx(ctx, d.Pool, func(q *db.Queries) error { defer cancel(); return take(q, "cancel") })
		}, context.Canceled, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx := context.Background()
			if err := test.do(ctx); !errors.Is(err, test.want) {
				t.Errorf("InTx: %v, want %v", err, test.want)
			}
			var rows int
			if err := d.Owner.QueryRow(ctx, "WITH gone AS (DELETE FROM leases RETURNING 1) SELECT count(*) FROM gone").Scan(&rows); err != nil || (rows == 1) != test.kept {
				t.Errorf("%d rows were kept (error %v), want kept = %t", rows, err, test.kept)
			}
			// A connection whose context ended is closed beside the caller.
			for end := time.Now().Add(10 * time.Second); d.Pool.Stat().AcquiredConns() != 0; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d connections were not given back", d.Pool.Stat().AcquiredConns())
				}
			}
		})
	}
}

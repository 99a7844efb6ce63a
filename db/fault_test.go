package db_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/db/dbtest"
)

func TestFaultTellsADeadDatabaseFromABadStatement(t *testing.T) {
	pg := func(code string) error { return fmt.Errorf("read: %w", &pgconn.PgError{Code: code}) }
	tests := []struct {
		name string
		err  error
		want string // the fault's code, "" for an error passed on
	}{
		{"nothing", nil, ""},
		{"no rows", pgx.ErrNoRows, ""},
		{"a duplicate", pg("23505"), ""},
		{"a syntax error", pg("42601"), ""},
		{"the caller left", context.Canceled, ""},
		{"a fault already", fault.New(fault.Conflict, "x", "X."), "x"},
		{"shutting down", pg("57P01"), "database.unavailable"},
		{"starting up", pg("57P03"), "database.unavailable"},
		{"too many connections", pg("53300"), "database.unavailable"},
		{"the disk is full", pg("53100"), "database.unavailable"},
		{"the connection broke", fmt.Errorf("read: %w", io.ErrUnexpectedEOF), "database.unavailable"},
		{"the statement took too long", pg("57014"), "database.slow"},
		{"the lock took too long", pg("55P03"), "database.slow"},
		{"a changed password", pg("28P01"), "database.sign_in"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := db.Fault(test.err)
			if !errors.Is(got, test.err) {
				t.Errorf("the cause was lost: %v", got)
			}
			f, isFault := errors.AsType[*fault.Fault](got)
			if isFault != (test.want != "") || isFault && f.Code != test.want {
				t.Errorf("Fault(%v) = %v, want code %q", test.err, got, test.want)
			}
		})
	}
}

func TestAPoolSurvivesTheLossOfItsConnections(t *testing.T) {
	d := dbtest.New(t)
	ctx := context.Background()
	lose := func() {
		t.Helper()
		if _, err := d.Owner.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'vivified_app' AND datname = current_database()"); err != nil {
			t.Fatal(err)
		}
	}
	err := db.InTx(ctx, d.Pool, func(q *db.Queries) error {
		lose()
		_, err := q.LeaseTake(ctx, db.LeaseTakeParams{Name: "x", Holder: "me", Seconds: 60})
		return err
	})
	if !fault.Is(err, fault.Unavailable) {
		t.Errorf("InTx on a lost connection: %v, want an Unavailable fault", err)
	}
	if err := db.InTx(ctx, d.Pool, func(q *db.Queries) error {
		return q.LeaseDrop(ctx, "x", "me")
	}); err != nil {
		t.Errorf("InTx afterwards: %v", err)
	}
}

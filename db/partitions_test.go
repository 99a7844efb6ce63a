package db_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/db/dbtest"
)

// months lists the audit partitions of a year.
func months(t *testing.T, pool *pgxpool.Pool, year string) []string {
	t.Helper()
	rows, err := pool.Query(context.Background(), `SELECT relid::regclass::text FROM pg_partition_tree('audit_log')
		WHERE level = 1 AND relid::regclass::text LIKE 'audit_log_' || $1 || '%' ORDER BY 1`, year)
	if err != nil {
		t.Fatal(err)
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestAuditPartitionsCoverTheMonthsAhead(t *testing.T) {
	tests := []struct {
		name  string
		now   time.Time
		ahead int
		want  []string
	}{
		{"this month only", time.Date(2041, 5, 17, 0, 0, 0, 0, time.UTC), 0, []string{"audit_log_204105"}},
		{"and the next", time.Date(2041, 5, 17, 0, 0, 0, 0, time.UTC), 2, []string{"audit_log_204105", "audit_log_204106", "audit_log_204107"}},
		{"from the end of a long month", time.Date(2041, 1, 31, 23, 0, 0, 0, time.UTC), 1, []string{"audit_log_204101", "audit_log_204102"}},
		{"on the first day also the month before", time.Date(2041, 3, 1, 0, 0, 1, 0, time.UTC), 0, []string{"audit_log_204102", "audit_log_204103"}},
		{"the month is UTC's", time.Date(2041, 6, 1, 3, 0, 0, 0, time.FixedZone("", 5*3600)), 0, []string{"audit_log_204105"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := dbtest.New(t)
			for range 2 { // a second time changes nothing
				if err := db.EnsureAuditPartitions(context.Background(), d.Owner, test.now, test.ahead); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(test.want, months(t, d.Owner, "2041")); diff != "" {
				t.Errorf("partitions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAuditPartitionsDisturbNobodyAndGiveNothingAway(t *testing.T) {
	d := dbtest.New(t)
	ctx := context.Background()
	// An operator's default privileges must not open a new partition.
	if _, err := d.Owner.Exec(ctx, "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO vivified_app"); err != nil {
		t.Fatal(err)
	}
	// Somebody reads and writes the audit in a transaction that stays open.
	tx, err := d.Pool.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(ctx)
	if _, err := tx.Exec(ctx, insertAudit); err != nil {
		t.Fatal(err)
	}
	if err := db.EnsureAuditPartitions(ctx, d.Owner, time.Date(2041, 5, 17, 0, 0, 0, 0, time.UTC), 0); err != nil {
		t.Fatalf("with a writer at work: %v", err)
	}
	tests := []struct{ statement, want string }{
		{"SELECT * FROM audit_log_204105", ""},
		{"UPDATE audit_log_204105 SET outcome = 'deny'", denied},
		{"DELETE FROM audit_log_204105", denied},
		{"INSERT INTO audit_log_204105 SELECT * FROM audit_log", denied},
	}
	for _, test := range tests {
		if got := attempt(t, d.Pool, test.statement); got != test.want {
			t.Errorf("%s: SQLSTATE %q, want %q", test.statement, got, test.want)
		}
	}
	// What the parent has, a new partition has: indexes, checks, defaults.
	var missing int
	err = d.Owner.QueryRow(ctx, `SELECT (SELECT count(*) FROM pg_index WHERE indrelid = 'audit_log'::regclass)
		- (SELECT count(*) FROM pg_index WHERE indrelid = 'audit_log_204105'::regclass)
		+ (SELECT count(*) FROM pg_constraint WHERE conrelid = 'audit_log'::regclass AND contype = 'c')
		- (SELECT count(*) FROM pg_constraint WHERE conrelid = 'audit_log_204105'::regclass AND contype = 'c')`).Scan(&missing)
	if err != nil || missing != 0 {
		t.Errorf("a new partition lacks %d indexes and checks of its parent (error %v)", missing, err)
	}
}

func TestTheAppRoleMakesNoPartitions(t *testing.T) {
	d := dbtest.New(t)
	if err := db.EnsureAuditPartitions(context.Background(), d.Pool, time.Date(2041, 5, 17, 0, 0, 0, 0, time.UTC), 0); err == nil {
		t.Error("the app role made a partition")
	}
}

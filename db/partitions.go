package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// EnsureAuditPartitions makes the monthly partitions audit_log_YYYYMM (UTC)
// from the month of now to monthsAhead months later, and on the first day of a
// month also the one before, for records stamped just before midnight. What
// exists stays as it is. pool is the owner's; call it at least once a month.
//
// Writers are not held up: a new partition is made apart and then attached.
func EnsureAuditPartitions(ctx context.Context, pool *pgxpool.Pool, now time.Time, monthsAhead int) error {
	return ensureAuditPartitions(ctx, pool, now, monthsAhead)
}

// beginner starts transactions: a pool or a connection.
type beginner interface {
	Begin(ctx context.Context) (pgx.Tx, error)
}

// ensureAuditPartitions also applies all rights, in the same transaction, so
// that no new partition is ever seen with rights it should not have.
func ensureAuditPartitions(ctx context.Context, b beginner, now time.Time, monthsAhead int) error {
	return pgx.BeginFunc(ctx, b, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", setupLock); err != nil {
			return fmt.Errorf("take the setup lock: %w", err)
		}
		var partitioned bool
		if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('public.audit_log') AND relkind = 'p')").Scan(&partitioned); err != nil {
			return fmt.Errorf("look for the audit table: %w", err)
		}
		if partitioned {
			last := month(now).AddDate(0, monthsAhead, 0)
			for from := month(now.AddDate(0, 0, -1)); !from.After(last); from = from.AddDate(0, 1, 0) {
				if err := ensureAuditPartition(ctx, tx, from); err != nil {
					return err
				}
			}
		}
		return applyRights(ctx, tx)
	})
}

// ensureAuditPartition makes one month's partition. CREATE TABLE … PARTITION OF
// would take an exclusive lock on audit_log and queue every writer behind its
// slowest reader; ATTACH takes a lock that neither readers nor writers mind.
func ensureAuditPartition(ctx context.Context, tx pgx.Tx, from time.Time) error {
	name := "audit_log_" + from.Format("200601")
	var exists bool
	if err := tx.QueryRow(ctx, "SELECT to_regclass('public.' || $1) IS NOT NULL", name).Scan(&exists); err != nil {
		return fmt.Errorf("look for %s: %w", name, err)
	}
	if exists {
		return nil
	}
	_, err := tx.Exec(ctx, fmt.Sprintf(`
		CREATE TABLE public.%[1]s (LIKE public.audit_log INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING GENERATED
			INCLUDING STORAGE INCLUDING COMPRESSION);
		ALTER TABLE public.audit_log ATTACH PARTITION public.%[1]s FOR VALUES FROM ('%[2]s') TO ('%[3]s')`,
		name, from.Format(time.RFC3339), from.AddDate(0, 1, 0).Format(time.RFC3339)))
	if err != nil {
		return fmt.Errorf("make %s: %w", name, err)
	}
	return nil
}

// month returns the first instant of t's month in UTC.
func month(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

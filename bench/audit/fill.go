package main

import (
	"context"
	"fmt"
	"log"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/db"
)

// months are the partitions that the record is spread over.
const months = 12

// columns are those of audit_log, in the order of values.
var columns = []string{
	"id", "call", "chain", "seq", "at", "tenant_id", "actor_kind", "actor_id", "actor_name", "on_behalf_id", "on_behalf_name",
	"credential", "plugin_id", "object_plugin", "receivers", "action", "object", "outcome", "rule", "classes", "trace", "address",
	"replica", "detail", "before", "after", "prev_hash", "hash",
}

func values(r *audit.Record) []any {
	var call any
	if r.Call != uuid.Nil {
		call = r.Call
	}
	return []any{
		r.ID, call, r.Chain, r.Seq, r.At, r.Tenant, r.ActorKind, r.ActorID, r.ActorName, r.OnBehalfID, r.OnBehalfName,
		r.Credential, r.Plugin, r.ObjectPlugin, r.Receivers, r.Action, r.Object, string(r.Outcome), r.Rule, r.Classes, r.Trace, r.Address,
		r.Replica, r.Detail, r.Before, r.After, r.PrevHash, r.Hash,
	}
}

// copyRows is how many rows one transaction takes.
const copyRows = 100_000

// fill makes a record of so many rows that ends now, unless it is there: copied
// into tables without indexes, which are made afterwards.
func fill(ctx context.Context, owner *pgxpool.Pool, rows int64) error {
	var have int64
	if err := owner.QueryRow(ctx, "SELECT COALESCE(sum(seq), 0) FROM (SELECT max(seq) AS seq FROM audit_log GROUP BY chain) c").Scan(&have); err != nil {
		return err
	}
	if have >= rows {
		return nil
	}
	if have > 0 {
		return fmt.Errorf("the directory holds a record of %d rows; give another", have)
	}
	began := time.Now()
	from := time.Date(began.UTC().Year(), began.UTC().Month(), 1, 0, 0, 0, 0, time.UTC).AddDate(0, 1-months, 0)
	if err := db.EnsureAuditPartitions(ctx, owner, from.AddDate(0, 0, 1), months-1); err != nil {
		return err
	}
	if err := people(ctx, owner); err != nil {
		return err
	}
	conn, err := owner.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SET synchronous_commit = off; SET maintenance_work_mem = '512MB'"); err != nil {
		return err
	}
	again, err := withoutIndexes(ctx, conn.Conn())
	if err != nil {
		return err
	}
	w := newWorld(from, began, rows)
	for done := int64(0); done < rows; {
		n := min(copyRows, rows-done)
		next := func(i int) ([]any, error) {
			r, err := w.next()
			if err != nil {
				return nil, err
			}
			return values(r), nil
		}
		if _, err := conn.Conn().CopyFrom(ctx, pgx.Identifier{"audit_log"}, columns, pgx.CopyFromSlice(int(n), next)); err != nil {
			return err
		}
		done += n
		if done%1_000_000 == 0 {
			log.Printf("%d rows after %.0f s", done, time.Since(began).Seconds())
		}
	}
	for _, c := range w.chains {
		if _, err := conn.Exec(ctx, "INSERT INTO chain_heads (chain, seq, hash, at) VALUES ($1, $2, $3, $4) ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, at = excluded.at",
			c.name, c.seq, c.hash, c.at); err != nil {
			return err
		}
	}
	for _, sql := range append(again, "VACUUM (ANALYZE) audit_log", "CHECKPOINT") {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
	}
	log.Printf("%d rows and their indexes after %.0f s", rows, time.Since(began).Seconds())
	return nil
}

// withoutIndexes takes the indexes of the audit away and returns the statements
// that make them again.
func withoutIndexes(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = 'audit_log' ORDER BY indexname")
	if err != nil {
		return nil, err
	}
	type index struct{ Name, Def string }
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[index])
	if err != nil {
		return nil, err
	}
	const key = "audit_log_pkey"
	again := []string{"ALTER TABLE audit_log ADD PRIMARY KEY (chain, seq, at)"}
	drop := []string{"ALTER TABLE audit_log DROP CONSTRAINT " + key}
	for _, i := range slices.DeleteFunc(all, func(i index) bool { return i.Name == key }) {
		again = append(again, strings.Replace(i.Def, " ON ONLY ", " ON ", 1)) // of the partitions too
		drop = append(drop, "DROP INDEX "+i.Name)
	}
	for _, sql := range drop {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return nil, err
		}
	}
	return again, nil
}

// people makes those who act in the record, so that they are found by name and address.
func people(ctx context.Context, owner *pgxpool.Pool) error {
	_, err := owner.Exec(ctx, `INSERT INTO users (id, email, name)
		SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'user' || n || '@example.org', 'User Number ' || n FROM generate_series(0, $1) n`, numPeople-1)
	return err
}

package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vivified/vivified/core/fault"
)

// The roles [Setup] makes.
const (
	AppRole   = "vivified_app"   // signs in and serves requests
	PurgeRole = "vivified_purge" // cannot sign in; the owner becomes it to delete expired audit rows
)

// ensureRoles makes both roles, lets the app role sign in with password and
// into schema public, and lets the owner become the purge role. What is right
// already is not touched: roles belong to the whole server, and another
// database of it may be in the middle of the same.
func ensureRoles(ctx context.Context, conn *pgx.Conn, appURL, password string) error {
	var haveApp, havePurge bool
	err := conn.QueryRow(ctx, "SELECT to_regrole($1) IS NOT NULL, to_regrole($2) IS NOT NULL", AppRole, PurgeRole).Scan(&haveApp, &havePurge)
	if err != nil {
		return fmt.Errorf("look for roles: %w", err)
	}
	if !havePurge {
		if err := createRole(ctx, conn, "CREATE ROLE "+PurgeRole+" NOLOGIN"); err != nil {
			return err
		}
	}
	if !haveApp {
		verifier, err := scramVerifier(password)
		if err != nil {
			return err
		}
		if err := createRole(ctx, conn, "CREATE ROLE "+AppRole+" LOGIN PASSWORD '"+verifier+"'"); err != nil {
			return err
		}
	}
	if err := openDoors(ctx, conn); err != nil {
		return err
	}
	if proveLogin(ctx, appURL) == nil {
		return nil
	}
	verifier, err := scramVerifier(password)
	if err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "ALTER ROLE "+AppRole+" LOGIN PASSWORD '"+verifier+"'"); err != nil {
		return fmt.Errorf("set the password of %s: %w", AppRole, err)
	}
	if err := proveLogin(ctx, appURL); err != nil {
		return fault.New(fault.Denied, "database.app_login", "The database does not let the role %s sign in by password; allow it in pg_hba.conf (scram-sha-256).", AppRole).Because(err)
	}
	return nil
}

// createRole runs a CREATE ROLE; that somebody else was faster is no error.
func createRole(ctx context.Context, conn *pgx.Conn, statement string) error {
	_, err := conn.Exec(ctx, statement)
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && (pg.Code == duplicateObject || pg.Code == uniqueViolation) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("create role: %w", err)
	}
	return nil
}

// openDoors gives what a role needs around tables, and closes what a role must
// not have: making objects in public, where the owner's statements look names up.
func openDoors(ctx context.Context, conn *pgx.Conn) error {
	var database string
	var connect, usage, create, become bool
	err := conn.QueryRow(ctx, `
		SELECT current_database(), has_database_privilege($1, current_database(), 'CONNECT'),
			has_schema_privilege($1, 'public', 'USAGE') AND has_schema_privilege($2, 'public', 'USAGE'),
			has_schema_privilege($1, 'public', 'CREATE') OR has_schema_privilege($2, 'public', 'CREATE'),
			pg_has_role($2, 'MEMBER')`, AppRole, PurgeRole).Scan(&database, &connect, &usage, &create, &become)
	if err != nil {
		return fmt.Errorf("read rights: %w", err)
	}
	for _, s := range []struct {
		needed    bool
		statement string
	}{
		{!connect, "GRANT CONNECT ON DATABASE " + pgx.Identifier{database}.Sanitize() + " TO " + AppRole},
		{!usage, "GRANT USAGE ON SCHEMA public TO " + AppRole + ", " + PurgeRole},
		{create, "REVOKE CREATE ON SCHEMA public FROM PUBLIC, " + AppRole + ", " + PurgeRole},
		{!become, "GRANT " + PurgeRole + " TO CURRENT_USER"},
	} {
		if !s.needed {
			continue
		}
		if _, err := conn.Exec(ctx, s.statement); err != nil {
			return fmt.Errorf("set rights: %w", err)
		}
	}
	return nil
}

// provePowerless returns a Denied fault when the app role could change or
// delete an audit row, or could make itself able to. A right may come from
// anywhere: PUBLIC, a column, a membership, an attribute of the role.
func provePowerless(ctx context.Context, q querier) error {
	var why *string
	err := q.QueryRow(ctx, `
		SELECT CASE
			WHEN r.rolsuper OR r.rolcreaterole OR r.rolbypassrls OR r.rolreplication
				THEN 'it has SUPERUSER, CREATEROLE, BYPASSRLS or REPLICATION'
			WHEN EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid)
				THEN 'it is a member of another role'
			WHEN has_schema_privilege(r.oid, 'public', 'CREATE')
				THEN 'it may create objects in the schema public'
			WHEN EXISTS (SELECT FROM pg_partition_tree(to_regclass('public.audit_log')) t JOIN pg_class c ON c.oid = t.relid
				WHERE c.relowner = r.oid OR has_table_privilege(r.oid, c.oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER')
					OR has_any_column_privilege(r.oid, c.oid, 'UPDATE'))
				THEN 'it has UPDATE, DELETE, TRUNCATE or TRIGGER on audit_log'
			END
		FROM pg_roles r WHERE r.rolname = $1`, AppRole).Scan(&why)
	if err != nil {
		return fmt.Errorf("prove rights: %w", err)
	}
	if why != nil {
		return fault.New(fault.Denied, "database.app_rights",
			"The database role %s could change audit records: %s. Take that right away, then start again.", AppRole, *why)
	}
	return nil
}

// querier is what a connection and a transaction share for one row.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

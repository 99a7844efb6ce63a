package db

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// rights are the table privileges of one kind of relation.
type rights struct{ app, purge []string }

// rightsOf says what each role may do with each kind of relation in public,
// alphabetically. A table nobody thought of is an ordinary one; a partition of
// the audit is reached through its parent, so that no writer can pick one.
var rightsOf = map[string]rights{
	"table":           {app: []string{"DELETE", "INSERT", "SELECT", "UPDATE"}},
	"sequence":        {app: []string{"SELECT", "USAGE"}},
	"version":         {app: []string{"SELECT"}},
	"audit":           {app: []string{"INSERT", "SELECT"}, purge: []string{"DELETE", "SELECT"}},
	"audit partition": {app: []string{"SELECT"}},
	"audit head":      {app: []string{"INSERT", "SELECT", "UPDATE"}},
	"sealing key":     {app: []string{"INSERT", "SELECT", "UPDATE"}}, // nothing opens without it any more
	"audit mark":      {app: []string{"SELECT"}},                     // written by whoever may purge
	"kept":            {app: []string{"INSERT", "SELECT"}},           // history that nobody rewrites
}

// relation is one of the owner's relations and what the roles may do with it now.
type relation struct {
	Name               string // qualified and quoted
	Kind               string // a key of rightsOf
	App, Purge, Public []string
}

// relationsSQL lists them; what an extension or another owner put into public
// is not ours to grant.
const relationsSQL = `
	WITH audit AS (SELECT relid FROM pg_partition_tree(to_regclass('public.audit_log')))
	SELECT format('%I.%I', n.nspname, c.relname) AS name,
		CASE WHEN c.relkind = 'S' THEN 'sequence'
			WHEN c.relname = 'audit_log' THEN 'audit'
			WHEN c.oid IN (SELECT relid FROM audit) THEN 'audit partition'
			WHEN c.relname IN ('chain_heads', 'audit_holds', 'audit_archives') THEN 'audit head'
			WHEN c.relname = 'sealing_keys' THEN 'sealing key'
			WHEN c.relname = 'audit_marks' THEN 'audit mark'
			WHEN c.relname = $1 THEN 'version'
			WHEN c.relname IN ('policy_versions', 'audit_purges') THEN 'kept'
			ELSE 'table' END AS kind,
		ARRAY(SELECT a.privilege_type FROM aclexplode(c.relacl) a WHERE a.grantee = to_regrole($2) ORDER BY 1) AS app,
		ARRAY(SELECT a.privilege_type FROM aclexplode(c.relacl) a WHERE a.grantee = to_regrole($3) ORDER BY 1) AS purge,
		ARRAY(SELECT a.privilege_type FROM aclexplode(c.relacl) a WHERE a.grantee = 0 ORDER BY 1) AS public
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
		AND pg_has_role(c.relowner, 'USAGE')
		AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e')
	ORDER BY c.oid`

// applyRights gives every relation the rights of its kind, no more and no
// less, and proves the result. There are no default privileges for later
// tables: they get theirs in the same setup that makes them, and one made by
// hand stays closed until the next.
func applyRights(ctx context.Context, tx pgx.Tx) error {
	rows, err := tx.Query(ctx, relationsSQL, versionTable, AppRole, PurgeRole)
	if err != nil {
		return fmt.Errorf("list relations: %w", err)
	}
	relations, err := pgx.CollectRows(rows, pgx.RowToStructByName[relation])
	if err != nil {
		return fmt.Errorf("list relations: %w", err)
	}
	var statements []string
	for _, r := range relations {
		on := "TABLE " + r.Name
		if r.Kind == "sequence" {
			on = "SEQUENCE " + r.Name
		}
		want := rightsOf[r.Kind]
		for _, role := range []struct {
			name       string
			have, want []string
		}{{AppRole, r.App, want.app}, {PurgeRole, r.Purge, want.purge}, {"PUBLIC", r.Public, nil}} {
			if slices.Equal(role.have, role.want) {
				continue
			}
			statements = append(statements, fmt.Sprintf("REVOKE ALL ON %s FROM %s", on, role.name))
			if len(role.want) > 0 {
				statements = append(statements, fmt.Sprintf("GRANT %s ON %s TO %s", strings.Join(role.want, ", "), on, role.name))
			}
		}
	}
	if len(statements) > 0 {
		if _, err := tx.Exec(ctx, strings.Join(statements, ";\n")); err != nil {
			return fmt.Errorf("set rights: %w", err)
		}
	}
	return provePowerless(ctx, tx)
}

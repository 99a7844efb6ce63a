package db_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// Roles belong to the whole server, so these tests have one of their own.
func TestSetupOnAServerOfSomebodyElse(t *testing.T) {
	p := &db.Private{Dir: dataDir(t), Trust: true, Settings: map[string]string{"fsync": "off"}}
	startPrivate(t, p)
	ctx := context.Background()
	admin, err := pgx.Connect(ctx, p.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(ctx)
	do := func(statements ...string) {
		t.Helper()
		for _, s := range statements {
			if _, err := admin.Exec(ctx, s); err != nil {
				t.Fatalf("%s: %v", s, err)
			}
		}
	}
	do("CREATE ROLE plain LOGIN", "CREATE ROLE maker LOGIN CREATEROLE", "CREATE DATABASE plain OWNER plain", "CREATE DATABASE maker OWNER maker")
	on := func(name string) string {
		return strings.Replace(as(t, p.URL(), name, "x"), "/vivified?", "/"+name+"?", 1)
	}
	refused := func(url, code, sentence string) {
		t.Helper()
		_, err := db.Setup(ctx, url, appPassword)
		if !fault.Is(err, fault.Denied) || fault.Of(err).Code != code || !strings.Contains(fault.Of(err).Sentence, sentence) {
			t.Errorf("Setup: %v, want a Denied fault %s that says %q", err, code, sentence)
		}
	}

	refused(on("plain"), "database.owner_rights", `ALTER ROLE "plain" CREATEROLE;`)

	if _, err := db.Setup(ctx, on("maker"), appPassword); err != nil {
		t.Fatalf("an owner with CREATEROLE: %v", err)
	}
	maker, err := pgx.Connect(ctx, on("maker"))
	if err != nil {
		t.Fatal(err)
	}
	defer maker.Close(ctx)
	if _, err := maker.Exec(ctx, "SET ROLE vivified_purge; DELETE FROM audit_log; RESET ROLE"); err != nil {
		t.Errorf("the owner cannot become the purge role: %v", err)
	}

	// A key=value connection string is answered in kind.
	u, err := url.Parse(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	app, err := db.Setup(ctx, "user=maker password=x dbname=maker host="+u.Query().Get("host"), appPassword)
	if err != nil {
		t.Fatalf("a key=value connection string: %v", err)
	}
	if got := query[string](t, app, "SELECT current_user"); got != db.AppRole {
		t.Errorf("signed in as %s through %q", got, app)
	}

	for _, test := range []struct{ name, give, take, sentence string }{
		{"superuser", "ALTER ROLE vivified_app SUPERUSER", "ALTER ROLE vivified_app NOSUPERUSER", "SUPERUSER"},
		{"makes roles", "ALTER ROLE vivified_app CREATEROLE", "ALTER ROLE vivified_app NOCREATEROLE", "CREATEROLE"},
		{"member of the owner", "GRANT maker TO vivified_app", "REVOKE maker FROM vivified_app", "member"},
	} {
		t.Run(test.name, func(t *testing.T) {
			do(test.give)
			refused(on("maker"), "database.app_rights", test.sentence)
			do(test.take)
		})
	}
	t.Run("a right on one column", func(t *testing.T) {
		if _, err := maker.Exec(ctx, "GRANT UPDATE (outcome) ON audit_log TO vivified_app"); err != nil {
			t.Fatal(err)
		}
		refused(on("maker"), "database.app_rights", "UPDATE")
		if _, err := maker.Exec(ctx, "REVOKE UPDATE (outcome) ON audit_log FROM vivified_app"); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := db.Setup(ctx, on("maker"), appPassword); err != nil {
		t.Errorf("when all is well again: %v", err)
	}
}

// Package dbtest gives each test a PostgreSQL database of its own.
//
// One private cluster serves all packages of a `go test` run, and goes away
// with the run: nothing needs to be installed as a service, started before or
// cleaned up after, not even when a test is killed. A database is a clone of a
// template that went through db.Setup, which takes some 20 ms.
//
// It is for tests only: the cluster gives up durability for speed and lets in
// every process of the user who runs the tests.
package dbtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/db"
)

// Password is the app role's. The cluster does not ask for it, so a whole core
// under test may run db.Setup with another on the same cluster.
const Password = "dbtest-dbtest-dbtest"

// patience bounds what a test waits for the cluster.
const patience = time.Minute

// DB is a database of one test, gone when the test ends.
type DB struct {
	Pool     *pgxpool.Pool // as the app role
	Owner    *pgxpool.Pool // as the owner
	URL      string        // the app role's connection string
	OwnerURL string        // the owner's: what DATABASE_URL would hold
}

// number makes database names unique in this process.
var number atomic.Int64

// New returns a fresh database in which db.Setup has run: every migration, the
// roles and the audit partitions of this month and the next two.
func New(t testing.TB) *DB {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, name := fresh(t, ctx, (*cluster).clone)
	d := &DB{OwnerURL: c.url(name, nil), URL: c.url(name, url.UserPassword(db.AppRole, Password))}
	d.Pool = open(t, ctx, d.URL)
	d.Owner = open(t, ctx, d.OwnerURL)
	return d
}

// Empty returns the owner's connection string of a fresh database in which
// nothing has run yet, for tests of db.Setup and of a core's first start.
func Empty(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, name := fresh(t, ctx, (*cluster).create)
	return c.url(name, nil)
}

// fresh makes a database that is dropped when the test ends.
func fresh(t testing.TB, ctx context.Context, make func(*cluster, context.Context, string) error) (*cluster, string) {
	t.Helper()
	c, err := join(ctx)
	if err != nil {
		t.Fatalf("test cluster: %v", err)
	}
	name := fmt.Sprintf("test_%d_%d", os.Getpid(), number.Add(1))
	if err := make(c, ctx, name); err != nil {
		t.Fatalf("create the test's database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := c.drop(ctx, name); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return c, name
}

// open opens a pool that the test's end closes.
func open(t testing.TB, ctx context.Context, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := db.OpenConfig(ctx, db.Config{URL: url, MaxConns: 16})
	if err != nil {
		t.Fatalf("open the test's database: %v", err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// quote quotes an identifier.
func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

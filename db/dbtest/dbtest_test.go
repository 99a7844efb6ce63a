package dbtest_test

import (
	"context"
	"testing"

	"github.com/vivified/vivified/db/dbtest"
)

func TestNewGivesEachTestItsOwnDatabase(t *testing.T) {
	ctx := context.Background()
	a, b := dbtest.New(t), dbtest.New(t)
	if _, err := a.Pool.Exec(ctx, "INSERT INTO leases (name, holder, until) VALUES ('x', 'a', now())"); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := b.Pool.QueryRow(ctx, "SELECT count(*) FROM leases").Scan(&n); err != nil || n != 0 {
		t.Errorf("the second database has %d rows of the first (error %v)", n, err)
	}
	var user string
	if err := a.Pool.QueryRow(ctx, "SELECT current_user").Scan(&user); err != nil || user != "vivified_app" {
		t.Errorf("Pool works as %q (error %v), want vivified_app", user, err)
	}
}

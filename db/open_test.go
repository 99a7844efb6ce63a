package db_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/db/dbtest"
)

func TestOpenSaysWhatIsWrongWithTheAddress(t *testing.T) {
	tests := []struct {
		name, url string
		want      fault.Kind
	}{
		{"not a connection string", "mysql://localhost", fault.Invalid},
		{"an unreadable port", "postgres://u:hush-hush-hush@localhost:x/d", fault.Invalid},
		{"nobody listens", "postgres:///d?host=" + filepath.Join(t.TempDir(), "nowhere"), fault.Unavailable},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			pool, err := db.Open(context.Background(), test.url)
			if err == nil {
				pool.Close()
			}
			if !fault.Is(err, test.want) {
				t.Fatalf("Open(%q): %v, want a fault of kind %d", test.url, err, test.want)
			}
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func TestOpenSetsTimeoutsAndNames(t *testing.T) {
	d := dbtest.New(t)
	tests := []struct {
		name   string
		config db.Config
		want   map[string]string
	}{
		{"defaults", db.Config{URL: d.URL}, map[string]string{
			"statement_timeout": "30s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "30s",
			"search_path": "public", "application_name": "vivified",
		}},
		{"fields", db.Config{URL: d.URL, Name: "audit", StatementTimeout: 4 * time.Second, LockTimeout: time.Second}, map[string]string{
			"statement_timeout": "4s", "lock_timeout": "1s", "application_name": "audit",
		}},
		{"the address wins over a default", db.Config{URL: d.URL + "&statement_timeout=7000&search_path=pg_temp"}, map[string]string{
			"statement_timeout": "7s", "search_path": "public",
		}},
		{"a field wins over the address", db.Config{URL: d.URL + "&statement_timeout=7000", StatementTimeout: 2 * time.Second}, map[string]string{
			"statement_timeout": "2s",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			ctx := context.Background()
			pool, err := db.OpenConfig(ctx, test.config)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			for name, want := range test.want {
				var got string
				if err := pool.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(&got); err != nil || got != want {
					t.Errorf("%s is %q (error %v), want %q", name, got, err, want)
				}
			}
		})
	}
}

func TestTimesAreUTC(t *testing.T) {
	d := dbtest.New(t)
	var one time.Time
	var many []time.Time
	err := d.Pool.QueryRow(context.Background(), "SELECT timestamptz '2026-11-20 12:00+05', ARRAY[timestamptz '2026-11-20 12:00+05']").Scan(&one, &many)
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range append(many, one) {
		if got.Location() != time.UTC || got.Hour() != 7 {
			t.Errorf("scanned %v, want 07:00 UTC", got)
		}
	}
}

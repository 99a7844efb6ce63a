package db_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

const appPassword = "0123456789abcdefABCDEF-_"

// startPrivate starts a private PostgreSQL that the test's end stops.
func startPrivate(t *testing.T, p *db.Private) {
	t.Helper()
	t.Cleanup(func() {
		if err := p.Stop(context.Background()); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	if err := p.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// query returns the one value a query gives on a connection of its own.
func query[T any](t *testing.T, url, sql string) (value T) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, sql).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

// as returns a connection string for another user and password.
func as(t *testing.T, dsn, user, password string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

// serverPid returns the number of the server process in a data directory.
func serverPid(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "postgres", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid := 0
	for _, r := range strings.SplitN(string(text), "\n", 2)[0] {
		pid = 10*pid + int(r-'0')
	}
	return pid
}

func TestPrivateIsDurableClosedAndQuick(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(dataDir(t), "var")
	var log bytes.Buffer
	first := &db.Private{Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))}
	startPrivate(t, first)

	for name, want := range map[string]string{
		"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on", "wal_compression": "pglz",
		"listen_addresses": "", "server_encoding": "UTF8", "TimeZone": "UTC", "password_encryption": "scram-sha-256",
	} {
		if got := query[string](t, first.URL(), "SELECT current_setting('"+name+"')"); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"", "postgres", "postgres/.s.PGSQL.5432"} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%q is open to others: %v (error %v)", name, info.Mode(), err)
		}
	}

	app, err := db.Setup(ctx, first.URL(), appPassword)
	if err != nil {
		t.Fatal(err)
	}
	if got := query[string](t, app, "SELECT current_user || ' ' || lower('ÄÉ')"); got != "vivified_app äé" {
		t.Errorf("the app role signs in as %q", got)
	}
	for name, dsn := range map[string]string{
		"a wrong password":  as(t, app, db.AppRole, "wrong"),
		"the purge role":    as(t, app, db.PurgeRole, appPassword),
		"an unknown role":   as(t, app, "postgres", ""),
		"the replication":   first.URL() + "&replication=true",
		"the app, no proof": as(t, app, db.AppRole, ""),
	} {
		if conn, err := pgx.Connect(ctx, dsn); err == nil {
			conn.Close(ctx)
			t.Errorf("%s was let in", name)
		}
	}

	other := &db.Private{Dir: dir}
	if err := other.Start(ctx); !fault.Is(err, fault.Conflict) {
		t.Errorf("a second core in the same directory: %v, want a Conflict fault", err)
	}
	if err := first.Start(ctx); err == nil {
		t.Error("Start succeeded twice")
	}
	if dsn, running, exists := db.PrivateURL(dir); dsn != first.URL() || !running || !exists {
		t.Errorf("PrivateURL of a running core: %q, %t, %t", dsn, running, exists)
	}
	if err := first.Stop(ctx); err != nil {
		t.Errorf("Stop: %v", err)
	}
	if !strings.Contains(log.String(), "authentication failed") || strings.Contains(log.String(), "starting up") {
		t.Errorf("the log should tell of failed sign-ins, not of a normal start:\n%s", &log)
	}
	if _, running, exists := db.PrivateURL(dir); running || !exists {
		t.Errorf("PrivateURL of a stopped core: running %t, exists %t", running, exists)
	}

	second := &db.Private{Dir: dir}
	began := time.Now()
	startPrivate(t, second)
	t.Logf("warm start: %v", time.Since(began))
	if again, err := db.Setup(ctx, second.URL(), appPassword); err != nil || again != app {
		t.Errorf("Setup after a restart: %q (error %v), want the same address", again, err)
	}
	// Another master key means another password; the old one is worth nothing then.
	changed, err := db.Setup(ctx, second.URL(), strings.ToUpper(appPassword))
	if err != nil {
		t.Fatal(err)
	}
	query[int](t, changed, "SELECT 1")
	if conn, err := pgx.Connect(ctx, app); err == nil {
		conn.Close(ctx)
		t.Error("the former password still signs in")
	}
}

func TestPrivateKeepsItsSocketShort(t *testing.T) {
	dir := filepath.Join(dataDir(t), strings.Repeat("long/", 30))
	p := &db.Private{Dir: dir}
	startPrivate(t, p)
	query[int](t, p.URL(), "SELECT 1")
	u, err := url.Parse(p.URL())
	if err != nil {
		t.Fatal(err)
	}
	socket := u.Query().Get("host")
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("socket directory %s: %v (error %v), want it closed to others", socket, info, err)
	}
	if dsn, running, _ := db.PrivateURL(dir); dsn != p.URL() || !running {
		t.Errorf("PrivateURL: %q, %t", dsn, running)
	}
	if err := p.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket directory was left behind (error %v)", err)
	}
}

func TestPrivateSaysWhatToInstall(t *testing.T) {
	err := (&db.Private{Dir: t.TempDir(), Bin: t.TempDir()}).Start(context.Background())
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(fault.Of(err).Sentence, "install") {
		t.Errorf("without programs: %v, want an Unavailable fault that names the command", err)
	}
}

func TestPrivateLeavesForeignFilesAlone(t *testing.T) {
	tests := []struct {
		name string
		lay  func(dir string) error
		kept string
	}{
		{"a directory that is no cluster", func(dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, "postgres"), 0o700), os.WriteFile(filepath.Join(dir, "postgres", "thesis.txt"), nil, 0o600))
		}, "postgres/thesis.txt"},
		{"a link to another directory", func(dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, "elsewhere"), 0o755), os.Symlink(t.TempDir(), filepath.Join(dir, "postgres")))
		}, "postgres"},
		{"a cluster of another version", func(dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, "postgres"), 0o700), os.WriteFile(filepath.Join(dir, "postgres", "PG_VERSION"), []byte("9\n"), 0o600))
		}, "postgres/PG_VERSION"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := dataDir(t)
			if err := test.lay(dir); err != nil {
				t.Fatal(err)
			}
			p := &db.Private{Dir: dir}
			if err := p.Start(context.Background()); err == nil {
				p.Stop(context.Background())
				t.Fatal("Start succeeded")
			}
			if _, err := os.Lstat(filepath.Join(dir, test.kept)); err != nil {
				t.Errorf("%s: %v", test.kept, err)
			}
		})
	}
}

func TestPrivateStartCanBeCancelledAndMadeAnew(t *testing.T) {
	dir := dataDir(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := (&db.Private{Dir: dir}).Start(ctx); err == nil {
		t.Fatal("Start succeeded under a context that had ended")
	}
	// What a kill in the middle of initdb leaves behind.
	draft := filepath.Join(dir, "postgres.new", "base")
	if err := errors.Join(os.MkdirAll(draft, 0o700), os.WriteFile(filepath.Join(draft, "half"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	p := &db.Private{Dir: dir}
	startPrivate(t, p)
	query[int](t, p.URL(), "SELECT 1")
}

package retention_test

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/retention"
)

// What a process that purges is told by its environment.
const (
	purgeURL    = "TEST_PURGE_URL"
	purgeOwner  = "TEST_PURGE_OWNER"
	purgeFolder = "TEST_PURGE_FOLDER"
	purgeKey    = "TEST_PURGE_KEY"
	purgeNow    = "TEST_PURGE_NOW"
)

// TestPurgingProcess is the process that TestAKilledPurge kills.
func TestPurgingProcess(t *testing.T) {
	if os.Getenv(purgeURL) == "" {
		t.Skip("it is started by another test")
	}
	ctx := actor.With(context.Background(), actor.Core("retention"))
	pool, err := pgxpool.New(ctx, os.Getenv(purgeURL))
	if err != nil {
		t.Fatal(err)
	}
	key, err := hex.DecodeString(os.Getenv(purgeKey))
	if err != nil {
		t.Fatal(err)
	}
	now, err := time.Parse(time.RFC3339, os.Getenv(purgeNow))
	if err != nil {
		t.Fatal(err)
	}
	p := pen{ed25519.PrivateKey(key)}
	s := retention.New(retention.Config{
		Pool: pool, Owner: os.Getenv(purgeOwner), Store: audit.NewStore(pool), Sign: p, Keys: func(context.Context) (audit.Keys, error) { return p.keys, nil },
		Keep: func() retention.Keep { return retention.Keep{PHI: 2555} }, Folder: os.Getenv(purgeFolder),
		Replica: "one", Now: func() time.Time { return now }, Poll: time.Second, Log: slog.New(slog.DiscardHandler),
	})
	if _, err := s.Purge(ctx); err != nil {
		t.Fatal(err)
	}
}

// A core is killed while it writes an archive, while it deletes, and between the two.
// The next purge leaves one chain that verifies, and each record is in the archive or in
// the database, and never in neither.
func TestAKilledPurge(t *testing.T) {
	const slow = `CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN COALESCE(NEW, OLD); END $$; `
	for when, c := range map[string]struct{ slow, undo string }{
		"while it writes the archive": {},
		"while it notes the archive":  {slow + "CREATE TRIGGER slow BEFORE INSERT ON audit_archives FOR EACH ROW EXECUTE FUNCTION slow()", "DROP TRIGGER slow ON audit_archives"},
		"while it deletes":            {slow + "CREATE TRIGGER slow BEFORE DELETE ON audit_log FOR EACH ROW WHEN (OLD.seq = 3) EXECUTE FUNCTION slow()", "DROP TRIGGER slow ON audit_log"},
	} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			at := w.lane(touches("1"), touches("2"), touches("3"), touches("4"), touches("5"))
			w.now = at.AddDate(0, 0, 2190).Add(time.Second)
			there := func() bool { // the moment
				left, _ := filepath.Glob(filepath.Join(w.folder, ".writing-*"))
				return len(left)+len(w.archives()) > 0
			}
			if c.slow != "" {
				w.exec(c.slow)
				there = func() bool {
					var n int
					err := w.db.Owner.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'").Scan(&n)
					return err == nil && n > 0
				}
			}
			kill := w.purging()
			until(t, "it is there: "+when, there)
			kill()
			// What it left behind in the database ends as any killed client's session does.
			w.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'")
			if c.slow != "" {
				w.begins(lane, 1) // nothing is gone
				w.exec(c.undo)
			}
			w.whole()
			left := w.first(lane)
			if done := w.purge(); left == 1 && done.Records != 4 {
				t.Fatalf("the next purge took %d records, want 4", done.Records)
			}
			w.begins(lane, 5)
			w.whole()
			var archived int64
			for _, name := range w.archives() {
				r := w.proves(name)
				if !r.OK {
					t.Errorf("%s does not verify: %+v", name, r.Bad)
				}
				archived += r.Rows
			}
			if archived != 4 {
				t.Errorf("the archive has %d records, want 4", archived)
			}
			if half, _ := filepath.Glob(filepath.Join(w.folder, ".writing-*")); len(half) != 0 {
				t.Errorf("half an archive is left: %v", half)
			}
		})
	}
}

// purging starts a process that purges, and returns what kills it.
func (w *world) purging() (kill func()) {
	w.t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestPurgingProcess$")
	cmd.Env = append(os.Environ(), purgeURL+"="+w.db.URL, purgeOwner+"="+w.db.OwnerURL, purgeFolder+"="+w.folder,
		purgeKey+"="+hex.EncodeToString(w.pen.key), purgeNow+"="+w.now.UTC().Format(time.RFC3339))
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return func() {
		_ = cmd.Process.Kill()
		<-ended
	}
}

// until asks until the answer is yes.
func until(t *testing.T, what string, ask func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(30 * time.Second)
	for !ask() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("after 30 s still not: %s", what)
		}
	}
}

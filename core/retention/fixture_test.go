package retention_test

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/retention"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/db/dbtest"
)

// pen signs with one key.
type pen struct {
	key ed25519.PrivateKey
}

func (p pen) Sign(message []byte) (string, []byte, error) {
	return "k1", ed25519.Sign(p.key, message), nil
}

func (p pen) keys(kid string) (ed25519.PublicKey, bool) {
	return p.key.Public().(ed25519.PublicKey), kid == "k1"
}

// world is an installation whose clock the test turns.
type world struct {
	*retention.Service
	t      *testing.T
	db     *dbtest.DB
	store  *audit.Store
	pen    pen
	folder string
	now    time.Time
	keep   retention.Keep
}

func newWorld(t *testing.T) *world {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: dbtest.New(t), pen: pen{key}, folder: filepath.Join(t.TempDir(), "archive"), now: time.Now(), keep: retention.Keep{PHI: 2555}}
	w.store = audit.NewStore(w.db.Pool)
	w.Service = retention.New(retention.Config{
		Pool: w.db.Pool, Owner: w.db.OwnerURL, Store: w.store, Sign: w.pen, Keys: func(context.Context) (audit.Keys, error) { return w.pen.keys, nil },
		Keep: func() retention.Keep { return w.keep }, Folder: w.folder,
		Replica: "one", Now: func() time.Time { return w.now }, Poll: 5 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	})
	return w
}

// as returns a context in which an administrator acts.
func (w *world) as() context.Context {
	return actor.With(w.t.Context(), actor.Actor{Kind: actor.User, ID: "mara", Name: "Mara", Tenant: actor.DefaultTenant})
}

// lane writes records to the chain of a replica and returns when the last was written.
func (w *world) lane(entries ...audit.Entry) time.Time {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	writer := audit.NewWriter(w.db.Pool, audit.WriterConfig{Replica: "one", Log: slog.New(slog.DiscardHandler)})
	done := make(chan error, 1)
	go func() { done <- writer.Run(ctx) }()
	plugin := actor.With(w.t.Context(), actor.Actor{Kind: actor.Plugin, ID: "labs", Name: "Labs", Tenant: actor.DefaultTenant})
	for _, e := range entries {
		if err := writer.Decide(plugin, e); err != nil {
			w.t.Fatalf("decide: %v", err)
		}
	}
	cancel()
	if err := <-done; err != nil {
		w.t.Fatalf("writer: %v", err)
	}
	var at time.Time
	if err := w.db.Owner.QueryRow(w.t.Context(), "SELECT max(at) FROM audit_log WHERE chain = 'lane/one'").Scan(&at); err != nil {
		w.t.Fatal(err)
	}
	return at
}

// touches is a decision about data of these classes.
func touches(object string, classes ...trait.Class) audit.Entry {
	return audit.Entry{ID: uuid.Must(uuid.NewV7()), Action: "operator.call", Object: object, Outcome: audit.Allow, Rule: "operator.grant", Classes: trait.ClassesOf(classes...)}
}

// change writes a record to the chain of changes.
func (w *world) change(action string) {
	w.t.Helper()
	err := db.InTx(w.as(), w.db.Pool, func(q *db.Queries) error {
		return audit.Append(w.as(), q, audit.Entry{Action: action, Object: "x", Outcome: audit.OK})
	})
	if err != nil {
		w.t.Fatalf("append: %v", err)
	}
}

// purge purges and fails the test when that fails.
func (w *world) purge() retention.Purged {
	w.t.Helper()
	done, err := w.Purge(w.as())
	if err != nil {
		w.t.Fatalf("purge: %v", err)
	}
	return done
}

// verify verifies the database with the core's keys.
func (w *world) verify() audit.Report {
	w.t.Helper()
	r, err := audit.Verify(w.t.Context(), w.db.Owner, audit.VerifyConfig{Keys: w.pen.keys})
	if err != nil {
		w.t.Fatalf("verify: %v", err)
	}
	return r
}

// whole fails the test unless everything verifies.
func (w *world) whole() {
	w.t.Helper()
	if r := w.verify(); !r.OK {
		w.t.Fatalf("the audit does not verify: %+v", r.Bad)
	}
}

// first returns the number of the first record of a chain.
func (w *world) first(chain string) (seq int64) {
	w.t.Helper()
	if err := w.db.Owner.QueryRow(w.t.Context(), "SELECT COALESCE(min(seq), 0) FROM audit_log WHERE chain = $1", chain).Scan(&seq); err != nil {
		w.t.Fatal(err)
	}
	return seq
}

func (w *world) begins(chain string, seq int64) {
	w.t.Helper()
	if got := w.first(chain); got != seq {
		w.t.Fatalf("%s begins with record %d, want %d", chain, got, seq)
	}
}

// archives returns the names of the files in the archive.
func (w *world) archives() []string {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.folder, "*.jsonl"))
	if err != nil {
		w.t.Fatal(err)
	}
	return files
}

// proves verifies an archive as it lies on disk.
func (w *world) proves(path string) audit.Report {
	w.t.Helper()
	f, err := os.Open(path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	r, err := audit.VerifyExport(f, audit.VerifyConfig{Keys: w.pen.keys})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// isFault fails the test unless err is a fault with that code.
func isFault(t *testing.T, err error, code string) {
	t.Helper()
	if err == nil || fault.Of(err).Code != code {
		t.Fatalf("answered %v, want %s", err, code)
	}
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Owner.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

package audit_test

import (
	"context"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/db/dbtest"
)

// cable is a network between core and database that can be cut so that what
// was sent arrives and no answer comes back.
type cable struct {
	listener net.Listener
	deaf     atomic.Bool // answers are lost, and nobody new gets through
	wires    atomic.Int64
	dead     atomic.Int64 // of the first so many wires the server hears nothing more, not even their end
}

// wire puts a cable before d and returns a pool that goes through it.
func wire(t *testing.T, d *dbtest.DB) (*cable, *pgxpool.Pool) {
	t.Helper()
	config := d.Pool.Config()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{listener: listener}
	network, address := pgNetwork(config)
	over, cut := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			if c.deaf.Load() {
				client.Close()
				continue
			}
			server, err := net.Dial(network, address)
			if err != nil {
				t.Errorf("dial the database: %v", err)
				client.Close()
				return
			}
			wire := c.wires.Add(1) - 1
			context.AfterFunc(over, func() { server.Close() })
			wg.Go(func() {
				buf := make([]byte, 32<<10)
				for {
					n, err := client.Read(buf)
					if wire < c.dead.Load() {
						if err != nil {
							return
						}
						continue
					}
					if err != nil {
						server.Close()
						return
					}
					if _, err := server.Write(buf[:n]); err != nil {
						return
					}
				}
			})
			wg.Go(func() {
				defer client.Close()
				buf := make([]byte, 32<<10)
				for {
					n, err := server.Read(buf)
					if err != nil {
						return
					}
					if c.deaf.Load() {
						continue
					}
					if _, err := client.Write(buf[:n]); err != nil {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() { listener.Close(); cut(); wg.Wait() })
	config.ConnConfig.Host, config.ConnConfig.Port = "127.0.0.1", uint16(listener.Addr().(*net.TCPAddr).Port)
	config.ConnConfig.Fallbacks = nil
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return c, pool
}

// pgNetwork returns where config's server listens.
func pgNetwork(config *pgxpool.Config) (network, address string) {
	host, port := config.ConnConfig.Host, strconv.Itoa(int(config.ConnConfig.Port))
	if strings.HasPrefix(host, "/") {
		return "unix", host + "/.s.PGSQL." + port
	}
	return "tcp", net.JoinHostPort(host, port)
}

// The answer to a commit is lost, and the database stays away: after 5 s the
// caller must be told something, and that is no. When the database is back and
// proves to have committed, the record of the refused decision is closed.
func TestACommitInDoubtIsSettled(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	c, pool := wire(t, d)
	w := start(t, pool, audit.WriterConfig{})
	ctx := as(t, "a")
	decide(t, ctx, w, call())

	c.deaf.Store(true)
	lost, denial := call(), call()
	denial.Outcome = audit.Deny
	began := time.Now()
	var wg sync.WaitGroup
	wg.Go(func() { refused(t, w.Decide(ctx, lost)) })
	eventually(t, "the first record is committed, unheard", func() bool { return count(t, d, "SELECT count(*) FROM audit_log") == 2 })
	wg.Go(func() { refused(t, w.Decide(ctx, denial)) }) // waits behind it, and is never sent
	wg.Wait()
	if took := time.Since(began); took < 2*time.Second || took > 5*time.Second {
		t.Errorf("the callers were refused after %v, want once it was hopeless and within 5 s", took)
	}
	c.deaf.Store(false)
	eventually(t, "decisions are taken again", func() bool { return w.Decide(ctx, call()) == nil })
	w.stop()

	verify(t, d.Pool)
	r, err := audit.NewStore(d.Pool).ByID(reader(t, "default"), lost.ID)
	if err != nil || len(r) != 2 || r[1].Outcome != audit.Failed || r[1].Rule != "audit.unavailable" || !strings.Contains(string(r[1].Detail), lost.ID.String()) {
		t.Errorf("the lost decision reads %+v, %v; want it and that its caller was refused", r, err)
	}
	if n := count(t, d, "SELECT count(*) FROM audit_log WHERE id = $1", denial.ID); n != 0 {
		t.Error("what was refused while it waited is in the audit")
	}
}

// The answer to a commit is lost and the database is at once there again: the
// caller hears how it ended, whichever way.
func TestALostAnswerIsAskedFor(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	c, pool := wire(t, d)
	w := start(t, pool, audit.WriterConfig{})
	ctx := as(t, "a")
	decide(t, ctx, w, call())
	c.deaf.Store(true)
	e := call()
	done := make(chan error, 1)
	go func() { done <- w.Decide(ctx, e) }()
	eventually(t, "the record is committed, unheard", func() bool { return count(t, d, "SELECT count(*) FROM audit_log") == 2 })
	c.deaf.Store(false) // the next connection works; this answer is gone
	if err := <-done; err != nil {
		t.Errorf("the record is in the audit, and its caller hears %v", err)
	}
	w.stop()
	if r := verify(t, d.Pool); r.Rows != 2 {
		t.Errorf("%d rows, want 2", r.Rows)
	}
}

// The network goes silent and neither side hears of it: the server keeps the
// old session with its lock. The writer ends that session itself.
func TestASilentNetworkDoesNotKeepTheLock(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	c, pool := wire(t, d)
	w := start(t, pool, audit.WriterConfig{})
	ctx := as(t, "a")
	decide(t, ctx, w, call())
	c.deaf.Store(true)
	done := make(chan error, 1)
	e := call()
	go func() { done <- w.Decide(ctx, e) }()
	eventually(t, "the record is committed, unheard", func() bool { return count(t, d, "SELECT count(*) FROM audit_log") == 2 })
	c.dead.Store(c.wires.Load())
	c.deaf.Store(false)
	if err := <-done; err != nil {
		// On a slow machine the answer came after the caller's time: then the record says so.
		refused(t, err)
		eventually(t, "the record of a refused call is closed as such", func() bool {
			return count(t, d, "SELECT count(*) FROM audit_log WHERE outcome = 'failed' AND rule = 'audit.unavailable'") == 1
		})
	}
	eventually(t, "decisions are taken again", func() bool { return w.Decide(ctx, call()) == nil })
}

// A disk that is full refuses every insert and lets everything else pass.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	exec(t, d, `CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE '53100' USING MESSAGE = 'disk full'; END $$`)
	var log syncBuffer
	w := start(t, d.Pool, audit.WriterConfig{Log: slog.New(slog.NewTextHandler(&log, nil))})
	ctx := as(t, "a")
	open := call()
	decide(t, ctx, w, open)
	exec(t, d, "CREATE TRIGGER disk_full BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION disk_full()")
	w.Later(ctx, outcome(open, audit.OK))
	for range 50 {
		refused(t, w.Decide(ctx, call()))
	}
	eventually(t, "several attempts have failed", func() bool { refused(t, w.Decide(ctx, call())); return w.Stats().Refused > 60 })
	exec(t, d, "DROP TRIGGER disk_full ON audit_log")
	eventually(t, "decisions are taken again", func() bool { return w.Decide(ctx, call()) == nil })
	w.stop()
	if r := verify(t, d.Pool); r.Rows != 3 {
		t.Errorf("%d rows, want 3: two decisions, and the outcome that waited", r.Rows)
	}
	if text := log.String(); strings.Count(text, "nothing can be recorded") != 1 || strings.Count(text, "recorded again") != 1 {
		t.Errorf("the log should say once that it fails and once that it works again:\n%s", text)
	}
}

// syncBuffer is a buffer that a log may write while a test reads.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

package audit_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/db/dbtest"
)

// A row says who, what, where, when, how it ended, why, and in which trace.
func TestARowSaysEverything(t *testing.T) {
	d := dbtest.New(t)
	now := time.Now().Truncate(time.Second).Add(123456789).In(time.FixedZone("", 7200))
	w := start(t, d.Pool, audit.WriterConfig{Replica: "r1", Now: func() time.Time { return now }})
	person := &actor.Actor{Kind: actor.User, ID: "u-1", Name: "Ada", Tenant: "default"}
	ctx := actor.With(t.Context(), actor.Actor{
		Kind: actor.Plugin, ID: "caller", Name: "The caller", Tenant: "default", OnBehalf: person,
		Credential: actor.Credential{Kind: "plugin_token", ID: "jti-1"},
	})
	ctx = actor.WithAddress(actor.WithTrace(ctx, "0af7651916cd43dd8448eb211c80319c"), "192.0.2.7")
	id := uuid.Must(uuid.NewV7())
	decide(t, ctx, w, audit.Entry{
		ID: id, Call: id, Plugin: "caller", Action: "operator.call", Object: "target/get_profile", Outcome: audit.Deny,
		Rule: "operator.grant", Classes: trait.ClassesOf(trait.PII, trait.Internal), Detail: map[string]any{"n": 1},
	})
	got, err := audit.NewStore(d.Pool).ByID(ctx, id)
	if err != nil || len(got) != 1 {
		t.Fatalf("ByID: %d records, %v", len(got), err)
	}
	r := got[0]
	if len(r.Hash) != 32 {
		t.Errorf("hash has %d bytes, want 32", len(r.Hash))
	}
	r.Hash = nil
	equal(t, r, audit.Record{
		ID: id, Call: id, Chain: "lane/r1", Seq: 1, At: now.UTC().Truncate(time.Microsecond), Tenant: "default",
		ActorKind: "plugin", ActorID: "caller", ActorName: "The caller", OnBehalfID: "u-1", OnBehalfName: "Ada",
		Credential: "plugin_token:jti-1", Plugin: "caller", ObjectPlugin: "target", Action: "operator.call",
		Object: "target/get_profile", Outcome: audit.Deny, Rule: "operator.grant", Classes: []string{"internal", "pii"},
		Trace: "0af7651916cd43dd8448eb211c80319c", Address: "192.0.2.7", Replica: "r1",
		Detail: []byte(`{"n": 1}`), PrevHash: make([]byte, 32),
	})
}

func TestManyWaitersShareCommits(t *testing.T) {
	d := dbtest.New(t)
	w := start(t, d.Pool, audit.WriterConfig{})
	const waiters, each = 500, 10
	ctx := as(t, "a")
	var wg sync.WaitGroup
	for range waiters {
		wg.Go(func() {
			for range each {
				e := call()
				if err := w.Decide(ctx, e); err != nil {
					t.Errorf("decide: %v", err)
					return
				}
				w.Later(ctx, outcome(e, audit.OK))
			}
		})
	}
	wg.Wait()
	w.stop()
	s := w.Stats()
	if s.Rows != 2*waiters*each || s.Commits > s.Rows/10 {
		t.Errorf("%d rows in %d commits, want %d rows in a tenth of commits at most", s.Rows, s.Commits, 2*waiters*each)
	}
	if r := verify(t, d.Pool); r.Rows != 2*waiters*each {
		t.Errorf("verified %d rows, want %d", r.Rows, 2*waiters*each)
	}
	if n := count(t, d, "SELECT count(*) FROM (SELECT call FROM audit_log GROUP BY call HAVING array_agg(outcome ORDER BY seq) = '{allow,ok}') c"); n != waiters*each {
		t.Errorf("%d calls have a decision followed by its outcome, want %d", n, waiters*each)
	}
}

func TestChangesAndDecisionsOfSeveralReplicasChain(t *testing.T) {
	d := dbtest.New(t)
	ctx := as(t, "a")
	one, two := start(t, d.Pool, audit.WriterConfig{Replica: "one"}), start(t, d.Pool, audit.WriterConfig{Replica: "two"})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				err := db.InTx(ctx, d.Pool, func(q *db.Queries) error {
					return audit.Append(ctx, q, audit.Entry{Action: "plugin.enable", Plugin: "b", Object: "b", Outcome: audit.OK})
				})
				if err != nil {
					t.Errorf("append: %v", err)
				}
				for _, w := range []running{one, two} {
					if err := w.Decide(ctx, call()); err != nil {
						t.Errorf("decide: %v", err)
					}
				}
			}
		})
	}
	wg.Wait()
	r := verify(t, d.Pool)
	var got []string
	for _, c := range r.Chains {
		got = append(got, c.Chain)
		if c.Rows != 160 || c.Last != 160 {
			t.Errorf("chain %s has %d rows, the last is %d, want 160", c.Chain, c.Rows, c.Last)
		}
	}
	equal(t, got, []string{"change", "lane/one", "lane/two"})
}

func TestAChangeThatIsRolledBackLeavesNoRow(t *testing.T) {
	d := dbtest.New(t)
	ctx := as(t, "a")
	change(t, ctx, d.Pool, audit.Entry{Action: "first", Outcome: audit.OK})
	changed := errors.New("changed its mind")
	err := db.InTx(ctx, d.Pool, func(q *db.Queries) error {
		if err := audit.Append(ctx, q, audit.Entry{Action: "second", Outcome: audit.OK}); err != nil {
			return err
		}
		return changed
	})
	if !errors.Is(err, changed) {
		t.Fatalf("got %v", err)
	}
	change(t, ctx, d.Pool, audit.Entry{Action: "third", Outcome: audit.OK})
	if r := verify(t, d.Pool); r.Rows != 2 || r.Chains[0].Last != 2 {
		t.Errorf("%d rows up to %d, want 2 up to 2", r.Rows, r.Chains[0].Last)
	}
}

// refused fails the test unless err is the one answer to what cannot be recorded.
func refused(t testing.TB, err error) {
	t.Helper()
	f := fault.Of(err)
	if err == nil || f.Kind != fault.Unavailable || f.Code != "audit.unavailable" || f.RetryAfter <= 0 {
		t.Errorf("got %v (%v, %s, retry after %v), want Unavailable, audit.unavailable and when to retry", err, f.Kind, f.Code, f.RetryAfter)
	}
}

// The two ways in which an administrator of the database may stop the audit.
// In each, lane calls and changes are refused in time, nothing of them is
// recorded later, goroutines do not pile up, and all recovers by itself.
func TestNoAuditNoPassage(t *testing.T) {
	for _, c := range []struct {
		name         string
		break_, mend string
		hold         bool // break_ runs in a transaction that ends with mend
	}{
		{name: "INSERT revoked", break_: "REVOKE INSERT ON audit_log FROM vivified_app", mend: "GRANT INSERT ON audit_log TO vivified_app"},
		{name: "table locked against writers", break_: "LOCK TABLE audit_log IN SHARE MODE", hold: true},
		{name: "table locked against all", break_: "LOCK TABLE audit_log IN ACCESS EXCLUSIVE MODE", hold: true},
		{name: "partition locked", break_: "LOCK TABLE audit_log_" + time.Now().UTC().Format("200601") + " IN ACCESS EXCLUSIVE MODE", hold: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			ctx := as(t, "a")
			w := start(t, d.Pool, audit.WriterConfig{})
			open := call()
			decide(t, ctx, w, open)

			tx, err := d.Owner.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback(context.WithoutCancel(ctx))
			if _, err := tx.Exec(ctx, c.break_); err != nil {
				t.Fatal(err)
			}
			if !c.hold {
				if err := tx.Commit(ctx); err != nil {
					t.Fatal(err)
				}
			}
			w.Later(ctx, outcome(open, audit.OK)) // must survive
			goroutines := runtime.NumGoroutine()

			var wg sync.WaitGroup
			var slowest atomic.Int64
			for range 200 {
				wg.Go(func() {
					began := time.Now()
					refused(t, w.Decide(ctx, call()))
					for v := time.Since(began).Nanoseconds(); ; {
						if old := slowest.Load(); v <= old || slowest.CompareAndSwap(old, v) {
							break
						}
					}
				})
			}
			began := time.Now()
			refused(t, db.InTx(ctx, d.Pool, func(q *db.Queries) error {
				return audit.Append(ctx, q, audit.Entry{Action: "plugin.enable", Outcome: audit.OK})
			}))
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("a change was refused after %v, want 5 s at most", took)
			}
			wg.Wait()
			if took := time.Duration(slowest.Load()); took > 5*time.Second {
				t.Errorf("a decision was refused after %v, want 5 s at most", took)
			}
			began = time.Now()
			refused(t, w.Decide(ctx, call()))
			if took := time.Since(began); took > 500*time.Millisecond {
				t.Errorf("while it is known to be down a decision was refused after %v, want at once", took)
			}
			eventually(t, "the goroutines of refused callers are gone", func() bool { return runtime.NumGoroutine() <= goroutines+10 })

			if c.hold {
				err = tx.Rollback(ctx)
			} else {
				_, err = d.Owner.Exec(ctx, c.mend)
			}
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "decisions are taken again", func() bool { return w.Decide(ctx, call()) == nil })
			change(t, ctx, d.Pool, audit.Entry{Action: "plugin.enable", Outcome: audit.OK})
			w.stop()
			verify(t, d.Pool)
			if n := count(t, d, "SELECT count(*) FROM audit_log"); n != 4 {
				t.Errorf("%d rows, want 4: two decisions, one outcome that waited, one change", n)
			}
		})
	}
}

// Whatever happens to the connection: an accepted decision is in the audit, a
// refused one is not, or is followed by an outcome that says it was refused.
func TestKilledConnectionsLoseAndInventNothing(t *testing.T) {
	d := dbtest.New(t)
	ctx := as(t, "a")
	w := start(t, d.Pool, audit.WriterConfig{})
	decide(t, ctx, w, call())

	var mu sync.Mutex
	accepted, denied := map[uuid.UUID]bool{}, map[uuid.UUID]bool{}
	over := make(chan struct{})
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				e := call()
				err := w.Decide(ctx, e)
				mu.Lock()
				if err == nil {
					accepted[e.ID] = true
				} else {
					denied[e.ID] = true
				}
				mu.Unlock()
				if err != nil {
					refused(t, err)
					runtime.Gosched()
				}
			}
		})
	}
	const kills = 25
	for killed := 0; killed < kills; {
		before := w.Stats().Rows
		eventually(t, "rows are written between two kills", func() bool { return w.Stats().Rows > before })
		killed += count(t, d, `SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND query LIKE 'COPY audit_log%' AND state = 'active') k`)
	}
	close(over)
	wg.Wait()
	w.stop()

	verify(t, d.Pool)
	rows, err := d.Owner.Query(ctx, "SELECT id FROM audit_log WHERE outcome = 'allow'")
	if err != nil {
		t.Fatal(err)
	}
	recorded := map[uuid.UUID]bool{}
	for rows.Next() {
		var id uuid.UUID
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		recorded[id] = true
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	for id := range accepted {
		if !recorded[id] {
			t.Errorf("decision %s was accepted and is not in the audit", id)
		}
	}
	for id := range denied {
		if recorded[id] && count(t, d, "SELECT count(*) FROM audit_log WHERE call = $1 AND outcome = 'failed' AND rule = 'audit.unavailable'", id) != 1 {
			t.Errorf("decision %s was refused, is in the audit, and nothing there says so", id)
		}
	}
	t.Logf("%d accepted, %d refused over %d kills", len(accepted), len(denied), kills)
}

func TestACallerThatGivesUpIsNeverRecorded(t *testing.T) {
	d := dbtest.New(t)
	w := start(t, d.Pool, audit.WriterConfig{})
	decide(t, as(t, "a"), w, call())
	tx, err := d.Owner.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	if _, err := tx.Exec(t.Context(), "LOCK TABLE audit_log IN SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	go w.Decide(as(t, "a"), call()) // occupies the writer
	eventually(t, "the writer waits for the lock", func() bool {
		return count(t, d, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY audit_log%' AND wait_event_type = 'Lock'") == 1
	})
	ctx, cancel := context.WithCancel(as(t, "a"))
	cancel()
	gone := call()
	began := time.Now()
	refused(t, w.Decide(ctx, gone))
	if took := time.Since(began); took > time.Second {
		t.Errorf("the caller was let go after %v, want at once", took)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "decisions are taken again", func() bool { return w.Decide(as(t, "a"), call()) == nil })
	if n := count(t, d, "SELECT count(*) FROM audit_log WHERE id = $1", gone.ID); n != 0 {
		t.Error("the decision of a caller that had given up was recorded")
	}
}

func TestACrashIsClosedAsUnknown(t *testing.T) {
	d := dbtest.New(t)
	ctx := as(t, "a")
	w := start(t, d.Pool, audit.WriterConfig{})
	done, lost, denied, single := call(), call(), call(), call()
	denied.Outcome = audit.Deny
	single.Call = uuid.Nil
	decide(t, ctx, w, done, lost, denied, single)
	w.Later(ctx, outcome(done, audit.OK))
	w.stop() // to the audit a crash looks like this: an outcome is missing

	w = start(t, d.Pool, audit.WriterConfig{})
	decide(t, ctx, w, call()) // does not wait for that
	eventually(t, "what was left open is closed", func() bool {
		return count(t, d, "SELECT count(*) FROM audit_log WHERE outcome = 'unknown'") > 0
	})
	w.stop()
	r, err := audit.NewStore(d.Pool).ByID(ctx, lost.ID)
	if err != nil || len(r) != 2 {
		t.Fatalf("the lost call has %d records (%v), want its decision and its end", len(r), err)
	}
	if r[1].Outcome != audit.Unknown || r[1].Rule != "core.restart" || r[1].Object != lost.Object || r[1].ActorID != "a" {
		t.Errorf("it was closed by %+v", r[1])
	}
	if n := count(t, d, "SELECT count(*) FROM audit_log WHERE outcome = 'unknown'"); n != 1 {
		t.Errorf("%d actions were closed, want the lost one only", n)
	}
	verify(t, d.Pool)
}

func TestOneWriterPerChain(t *testing.T) {
	d := dbtest.New(t)
	ctx := as(t, "a")
	first := start(t, d.Pool, audit.WriterConfig{Replica: "same"})
	decide(t, ctx, first, call())
	second := start(t, d.Pool, audit.WriterConfig{Replica: "same"})
	refused(t, second.Decide(ctx, call()))
	decide(t, ctx, first, call())
	first.stop()
	eventually(t, "the second takes over", func() bool { return second.Decide(ctx, call()) == nil })
	second.stop()
	if r := verify(t, d.Pool); r.Rows < 3 {
		t.Errorf("%d rows, want at least 3", r.Rows)
	}
}

func TestTimeNeverGoesBackInAChain(t *testing.T) {
	d := dbtest.New(t)
	ctx := as(t, "a")
	base := time.Now()
	steps := []time.Duration{0, -time.Minute, time.Second, -time.Hour, 2 * time.Second}
	var i atomic.Int64
	w := start(t, d.Pool, audit.WriterConfig{Now: func() time.Time { return base.Add(steps[int(i.Load())%len(steps)]) }})
	for range steps {
		decide(t, ctx, w, call())
		i.Add(1)
	}
	verify(t, d.Pool)
	if n := count(t, d, "SELECT count(DISTINCT at) FROM audit_log"); n != 3 {
		t.Errorf("%d different times, want 3: the clock went forward twice after the first", n)
	}
}

func TestAWriterThatHasStoppedRefuses(t *testing.T) {
	d := dbtest.New(t)
	w := start(t, d.Pool, audit.WriterConfig{})
	decide(t, as(t, "a"), w, call())
	w.stop()
	refused(t, w.Decide(as(t, "a"), call()))
	w.Later(as(t, "a"), call())
	if s := w.Stats(); s.Lost != 1 || s.Up {
		t.Errorf("stats %+v, want one outcome lost and not up", s)
	}
}

func TestABoundedQueueRefusesAtOnce(t *testing.T) {
	d := dbtest.New(t)
	ctx := as(t, "a")
	w := audit.NewWriter(d.Pool, audit.WriterConfig{Replica: "one", Queue: 3, Log: quiet}) // Run is not running: everything waits
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { refused(t, w.Decide(ctx, call())) })
	}
	eventually(t, "three decisions wait", func() bool { return w.Stats().Waiting == 3 })
	began := time.Now()
	refused(t, w.Decide(ctx, call()))
	if took := time.Since(began); took > time.Second {
		t.Errorf("the fourth was refused after %v, want at once", took)
	}
	wg.Wait()
}

// A record the database will not hold is refused alone.
func TestOnePoisonedRecordDoesNotStopTheOthers(t *testing.T) {
	d := dbtest.New(t)
	ctx := as(t, "a")
	exec(t, d, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		IF NEW.object = 'poison' THEN RAISE SQLSTATE '22000' USING MESSAGE = 'no'; END IF; RETURN NEW; END $$`)
	exec(t, d, "CREATE TRIGGER refuse BEFORE INSERT ON audit_log FOR EACH ROW EXECUTE FUNCTION refuse()")
	w := start(t, d.Pool, audit.WriterConfig{})
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			e := call()
			if i%10 == 0 {
				e.Object = "poison"
				refused(t, w.Decide(ctx, e))
			} else if err := w.Decide(ctx, e); err != nil {
				t.Errorf("decide: %v", err)
			}
		})
	}
	wg.Wait()
	w.stop()
	if r := verify(t, d.Pool); r.Rows != 90 {
		t.Errorf("%d rows, want 90", r.Rows)
	}
}

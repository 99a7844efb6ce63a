package handlers_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
)

// The audit cannot be written while calls come in, in each way that this happens. Calls
// are then answered 503 in time and their targets hear nothing; it recovers by itself; and
// afterwards every call that was carried has its decision and its outcome, and no decision
// to carry one is without a call, unless it says itself that its caller was refused.
func TestNoCallPassesUnrecorded(t *testing.T) {
	partition := "audit_log_" + time.Now().UTC().Format("200601")
	for name, outage := range map[string]func(*traffic) (mend func()){
		"INSERT revoked": func(r *traffic) func() {
			r.exec("REVOKE INSERT ON audit_log FROM vivified_app")
			return func() { r.exec("GRANT INSERT ON audit_log TO vivified_app") }
		},
		"the table locked":            func(r *traffic) func() { return r.lock("audit_log") },
		"this month's table locked":   func(r *traffic) func() { return r.lock(partition) },
		"the disk full":               func(r *traffic) func() { return r.fillDisk(partition) },
		"the database away and back":  (*traffic).refuseConnections,
		"connections cut, repeatedly": (*traffic).cutConnections,
	} {
		t.Run(name, func(t *testing.T) {
			r := newTraffic(t)
			r.until("calls are carried", func() bool { return r.carried.Load() >= 20 })
			mend := outage(r)
			if name != "connections cut, repeatedly" { // those are replaced before anybody is refused
				refused := r.refused.Load()
				r.until("every caller has been refused", func() bool { return r.refused.Load() >= refused+2*callersAtATime })
				heard := r.heardNow()
				refused = r.refused.Load()
				r.until("more are refused", func() bool { return r.refused.Load() >= refused+2*callersAtATime })
				if now := r.heardNow(); now != heard && name != "the disk full" { // a last small row may find room on it
					t.Errorf("the target heard %d calls while nothing could be recorded", now-heard)
				}
			}
			mend()
			carried := r.carried.Load()
			r.until("calls are carried again", func() bool { return r.carried.Load() >= carried+20 })
			r.stop()
			r.balance()
		})
	}
}

// callersAtATime is how many call at a time.
const callersAtATime = 4

// traffic is a core with a plugin that calls another without a pause.
type traffic struct {
	*core
	t                *testing.T
	carried, refused atomic.Int64
	mu               sync.Mutex
	heard            []string // the traces of the calls that the target heard
	answered         []string // of those that were answered 200
	stop             func()
}

func newTraffic(t *testing.T) *traffic {
	r := &traffic{core: newCore(t), t: t}
	r.enabled("publisher", greeting(), http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.URL.Path != "/health" {
			r.mu.Lock()
			r.heard = append(r.heard, actor.TraceOf(q.Header.Values("Traceparent")))
			r.mu.Unlock()
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{}`))
	}))
	caller := r.enabled("caller", map[string]any{
		"traits": []string{"handles_pii", "audit_required"}, "dependencies": []string{"publisher"},
		"security": map[string]any{"authentication_required": true, "data_classification": []string{"pii"}},
	}, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range callersAtATime {
		wg.Go(func() {
			for ctx.Err() == nil {
				r.call(caller.Token)
			}
		})
	}
	r.stop = sync.OnceFunc(func() { cancel(); wg.Wait() })
	t.Cleanup(r.stop)
	return r
}

// call makes one call with a trace of its own, to its end.
func (r *traffic) call(token string) {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails
	trace := hex.EncodeToString(raw)
	q, err := http.NewRequest(http.MethodGet, r.URL+"/gateway/publisher/get_profile?id=1", nil)
	if err != nil {
		r.t.Error(err)
		return
	}
	q.Header.Set("Authorization", "Bearer "+token)
	q.Header.Set("Traceparent", actor.Traceparent(trace))
	began := time.Now()
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		r.t.Errorf("a call was not answered: %v", err)
		return
	}
	answer.Body.Close()
	if took := time.Since(began); took > 15*time.Second {
		r.t.Errorf("a call was answered %d after %v", answer.StatusCode, took)
	}
	switch answer.StatusCode {
	case http.StatusOK:
		r.mu.Lock()
		r.answered = append(r.answered, trace)
		r.mu.Unlock()
		r.carried.Add(1)
	case http.StatusServiceUnavailable:
		r.refused.Add(1)
	default:
		r.t.Errorf("a call was answered %d", answer.StatusCode)
	}
}

func (r *traffic) heardNow() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.heard)
}

// until waits, as long as a slow machine may need.
func (r *traffic) until(what string, ok func() bool) {
	r.t.Helper()
	tick, late := time.NewTicker(5*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			r.t.Fatalf("never happened: %s (%d carried, %d refused)", what, r.carried.Load(), r.refused.Load())
		}
	}
}

func (r *traffic) exec(sql string, args ...any) {
	r.t.Helper()
	if _, err := r.DB.Owner.Exec(context.WithoutCancel(r.t.Context()), sql, args...); err != nil {
		r.t.Fatalf("%s: %v", sql, err)
	}
}

// lock keeps everybody else from a table.
func (r *traffic) lock(table string) (unlock func()) {
	r.t.Helper()
	tx, err := r.DB.Owner.Begin(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	if _, err := tx.Exec(r.t.Context(), "LOCK TABLE "+table+" IN ACCESS EXCLUSIVE MODE"); err != nil {
		r.t.Fatal(err)
	}
	undo := sync.OnceFunc(func() {
		if err := tx.Rollback(context.WithoutCancel(r.t.Context())); err != nil {
			r.t.Error(err)
		}
	})
	r.t.Cleanup(undo)
	return undo
}

// fillDisk moves a table to a file system of a few megabytes and fills that.
func (r *traffic) fillDisk(table string) (free func()) {
	r.t.Helper()
	owner, err := user.Lookup("postgres")
	if os.Getuid() != 0 || err != nil {
		r.t.Skip("to mount a small file system for PostgreSQL takes root and a user postgres")
	}
	dir, err := os.MkdirTemp("", "vivified-small-")
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = os.Remove(dir) })
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=8m,mode=0700,uid="+owner.Uid+",gid="+owner.Gid, "tmpfs", dir).CombinedOutput(); err != nil {
		r.t.Skipf("a small file system cannot be mounted: %s", out)
	}
	r.t.Cleanup(func() {
		if out, err := exec.Command("umount", "-l", dir).CombinedOutput(); err != nil {
			r.t.Errorf("umount: %s", out)
		}
	})
	space := fmt.Sprintf("small_%d", os.Getpid())
	r.exec("CREATE TABLESPACE " + space + " LOCATION '" + dir + "'")
	r.t.Cleanup(func() { r.exec("DROP TABLESPACE " + space) })
	indexes := r.indexes(table)
	move := func(to string) {
		r.exec("ALTER TABLE " + table + " SET TABLESPACE " + to)
		for _, index := range indexes {
			r.exec("ALTER INDEX " + index + " SET TABLESPACE " + to)
		}
	}
	move(space)
	r.t.Cleanup(func() { move("pg_default") })
	ballast := dir + "/ballast"
	file, err := os.Create(ballast)
	if err != nil {
		r.t.Fatal(err)
	}
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = file.Write(block)
	}
	for err = nil; err == nil; { // the rest of it, too
		_, err = file.Write(block[:512])
	}
	_ = file.Close()
	return func() {
		if err := os.Remove(ballast); err != nil {
			r.t.Error(err)
		}
	}
}

func (r *traffic) indexes(table string) (names []string) {
	r.t.Helper()
	if err := r.DB.Owner.QueryRow(r.t.Context(), "SELECT array_agg(indexname::text) FROM pg_indexes WHERE tablename = $1", table).Scan(&names); err != nil {
		r.t.Fatal(err)
	}
	return names
}

// refuseConnections does what a restart of the database does to its clients: those there
// are lose their connections, and nobody gets a new one.
func (r *traffic) refuseConnections() (back func()) {
	r.t.Helper()
	conn, err := r.DB.Owner.Acquire(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	allow := func(yes bool) {
		if _, err := conn.Exec(context.WithoutCancel(r.t.Context()), "UPDATE pg_database SET datallowconn = $1 WHERE datname = current_database()", yes); err != nil {
			r.t.Error(err)
		}
	}
	allow(false)
	if _, err := conn.Exec(r.t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
		r.t.Error(err)
	}
	undo := sync.OnceFunc(func() { allow(true); conn.Release() })
	r.t.Cleanup(undo)
	return undo
}

// cutConnections ends every connection, again and again.
func (r *traffic) cutConnections() func() {
	for range 10 {
		carried := r.carried.Load() + r.refused.Load()
		r.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'vivified_app'")
		r.until("callers are answered", func() bool { return r.carried.Load()+r.refused.Load() > carried })
	}
	return func() {}
}

// balance holds what happened against what is recorded.
func (r *traffic) balance() {
	r.t.Helper()
	type call struct {
		Allowed, Ended int
		Undone         bool // its caller was refused, and a record says so
	}
	recorded := map[string]call{}
	read := func() {
		clear(recorded)
		rows, err := r.DB.Owner.Query(r.t.Context(), `SELECT trace, count(*) FILTER (WHERE outcome = 'allow'), count(*) FILTER (WHERE outcome IN ('ok', 'failed', 'unknown')),
			count(*) FILTER (WHERE outcome = 'failed' AND rule = 'audit.unavailable') > 0 FROM audit_log WHERE action = 'operator.call' GROUP BY trace`)
		if err != nil {
			r.t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var trace string
			var c call
			if err := rows.Scan(&trace, &c.Allowed, &c.Ended, &c.Undone); err != nil {
				r.t.Fatal(err)
			}
			recorded[trace] = c
		}
		if err := rows.Err(); err != nil {
			r.t.Fatal(err)
		}
	}
	r.until("every decision has its outcome", func() bool {
		read()
		for _, c := range recorded {
			if c.Allowed != c.Ended {
				return false
			}
		}
		return true
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, trace := range r.heard {
		if c := recorded[trace]; c.Allowed != 1 || c.Ended != 1 || c.Undone {
			r.t.Errorf("the target heard call %s, of which %+v is recorded", trace, c)
		}
	}
	for _, trace := range r.answered {
		if !slices.Contains(r.heard, trace) {
			r.t.Errorf("call %s was answered 200, and its target never heard it", trace)
		}
	}
	for trace, c := range recorded {
		if !slices.Contains(r.heard, trace) && !c.Undone {
			r.t.Errorf("call %s is recorded as %+v, and its target never heard it", trace, c)
		}
	}
	if report, err := audit.Verify(r.t.Context(), r.DB.Pool, audit.VerifyConfig{}); err != nil || !report.OK {
		r.t.Errorf("the audit does not verify: %+v, %v", report.Bad, err)
	}
	r.t.Logf("%d calls carried, %d refused", len(r.heard), r.refused.Load())
}

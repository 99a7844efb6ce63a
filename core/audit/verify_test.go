package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/db/dbtest"
)

// headWriter returns a HeadWriter of d, and the file it writes.
func headWriter(t testing.TB, d *dbtest.DB) (*audit.HeadWriter, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit-heads.jsonl")
	return audit.NewHeadWriter(audit.NewStore(d.Pool), newKey(), audit.HeadWriterConfig{Path: path, Log: quiet}), path
}

// against verifies the database against a heads file.
func against(t testing.TB, pool *pgxpool.Pool, heads string) audit.Report {
	t.Helper()
	r, err := audit.Verify(t.Context(), pool, audit.VerifyConfig{Heads: strings.NewReader(heads), Keys: newKey().keys})
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	// However the chains are shared out, the answer is the same.
	for _, stretch := range []int64{1, 3} {
		parts, err := audit.Verify(t.Context(), pool, audit.VerifyConfig{Heads: strings.NewReader(heads), Keys: newKey().keys, Stretch: stretch, Workers: 3})
		if err != nil {
			t.Fatalf("verify %d at a time: %v", stretch, err)
		}
		equal(t, parts, r)
	}
	return r
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// relink computes the chain lane/one anew from seq on, as an attacker would who
// owns the database and knows how records are hashed.
func relink(t testing.TB, d *dbtest.DB, seq int64) {
	t.Helper()
	ctx, s := reader(t, "default"), audit.NewStore(d.Owner)
	last, err := s.Get(ctx, "lane/one", seq-1)
	if err != nil {
		t.Fatal(err)
	}
	for prev := last.Hash; ; seq++ {
		r, err := s.Get(ctx, "lane/one", seq)
		if err != nil {
			return
		}
		r.PrevHash = prev
		if prev, err = r.Digest(); err != nil {
			t.Fatal(err)
		}
		exec(t, d, "UPDATE audit_log SET prev_hash = $1, hash = $2 WHERE chain = 'lane/one' AND seq = $3", r.PrevHash, prev, seq)
	}
}

// Each way of tampering with the database names the first bad record.
func TestTamperingIsNamed(t *testing.T) {
	const lane = " WHERE chain = 'lane/one' AND seq = "
	for name, c := range map[string]struct {
		sql   []string
		do    func(testing.TB, *dbtest.DB)
		chain string
		seq   int64
		code  audit.BadCode
	}{
		"edited object":       {sql: []string{"UPDATE audit_log SET object = 'x'" + lane + "5"}, chain: "lane/one", seq: 5, code: audit.BadEdited},
		"edited outcome":      {sql: []string{"UPDATE audit_log SET outcome = 'deny'" + lane + "1"}, chain: "lane/one", seq: 1, code: audit.BadEdited},
		"edited time":         {sql: []string{"UPDATE audit_log SET at = at + interval '1 microsecond'" + lane + "12"}, chain: "lane/one", seq: 12, code: audit.BadEdited},
		"edited detail":       {sql: []string{"UPDATE audit_log SET detail = jsonb_set(detail, '{size}', '12.5')" + lane + "5"}, chain: "lane/one", seq: 5, code: audit.BadEdited},
		"edited tiny number":  {sql: []string{"UPDATE audit_log SET detail = jsonb_set(detail, '{size}', '12.00000000000000000001')" + lane + "5"}, chain: "lane/one", seq: 5, code: audit.BadEdited},
		"edited classes":      {sql: []string{"UPDATE audit_log SET classes = '{}', receivers = '{}'" + lane + "5"}, chain: "lane/one", seq: 5, code: audit.BadEdited},
		"edited call":         {sql: []string{"UPDATE audit_log SET call = NULL" + lane + "5"}, chain: "lane/one", seq: 5, code: audit.BadEdited},
		"edited to NULL":      {sql: []string{"DROP INDEX audit_log_words", "ALTER TABLE audit_log ALTER rule DROP NOT NULL", "UPDATE audit_log SET rule = NULL" + lane + "5"}, chain: "lane/one", seq: 5, code: audit.BadEdited},
		"edited to no list":   {sql: []string{"DROP INDEX audit_log_words", "UPDATE audit_log SET classes = '{{a},{b}}'" + lane + "1"}, chain: "lane/one", seq: 1, code: audit.BadEdited},
		"edited to NULLs":     {sql: []string{"DROP INDEX audit_log_words", "UPDATE audit_log SET classes = '{NULL}'" + lane + "4"}, chain: "lane/one", seq: 4, code: audit.BadEdited},
		"edited hash":         {sql: []string{"UPDATE audit_log SET hash = set_byte(hash, 3, 255 - get_byte(hash, 3))" + lane + "5"}, chain: "lane/one", seq: 5, code: audit.BadEdited},
		"edited link":         {sql: []string{"UPDATE audit_log SET prev_hash = set_byte(prev_hash, 3, 255 - get_byte(prev_hash, 3))" + lane + "5"}, chain: "lane/one", seq: 5, code: audit.BadEdited},
		"edited before":       {sql: []string{"UPDATE audit_log SET before = '{\"b\": 1.5}' WHERE chain = 'change' AND seq = 2"}, chain: "change", seq: 2, code: audit.BadEdited},
		"deleted":             {sql: []string{"DELETE FROM audit_log" + lane + "7"}, chain: "lane/one", seq: 7, code: audit.BadMissing},
		"first deleted":       {sql: []string{"DELETE FROM audit_log" + lane + "1"}, chain: "lane/one", seq: 1, code: audit.BadMissing},
		"last deleted":        {sql: []string{"DELETE FROM audit_log" + lane + "12"}, chain: "lane/one", seq: 12, code: audit.BadMissing},
		"last change deleted": {sql: []string{"DELETE FROM audit_log WHERE chain = 'change' AND seq = 5"}, chain: "change", seq: 5, code: audit.BadMissing},
		"all deleted":         {sql: []string{"DELETE FROM audit_log", "DELETE FROM chain_heads WHERE chain <> 'change'"}, chain: "change", seq: 1, code: audit.BadMissing},
		"swapped": {sql: []string{
			"UPDATE audit_log SET seq = 100" + lane + "8", "UPDATE audit_log SET seq = 8" + lane + "9", "UPDATE audit_log SET seq = 9" + lane + "100",
		}, chain: "lane/one", seq: 8, code: audit.BadEdited},
		"inserted a copy": {sql: []string{
			"CREATE TEMP TABLE copied ON COMMIT DROP AS SELECT * FROM audit_log" + lane + "4; UPDATE copied SET at = at + interval '1 second'; INSERT INTO audit_log SELECT * FROM copied",
		}, chain: "lane/one", seq: 4, code: audit.BadInserted},
		"inserted, others moved": {sql: []string{
			"CREATE TEMP TABLE copied ON COMMIT DROP AS SELECT * FROM audit_log" + lane + "4; UPDATE audit_log SET seq = seq + 1 WHERE chain = 'lane/one' AND seq >= 4; INSERT INTO audit_log SELECT * FROM copied",
		}, chain: "lane/one", seq: 5, code: audit.BadEdited},
		"deleted and linked anew": {do: func(t testing.TB, d *dbtest.DB) {
			exec(t, d, "DELETE FROM audit_log"+lane+"7")
			exec(t, d, "UPDATE audit_log SET seq = seq - 1 WHERE chain = 'lane/one' AND seq > 7")
			relink(t, d, 7)
		}, chain: "lane/one", seq: 12, code: audit.BadMissing},
		"edited and linked anew": {do: func(t testing.TB, d *dbtest.DB) {
			exec(t, d, "UPDATE audit_log SET object = 'x'"+lane+"7")
			relink(t, d, 7)
		}, chain: "lane/one", seq: 12, code: audit.BadReplaced},
		"moved to another chain": {sql: []string{"UPDATE audit_log SET chain = 'lane/two'"}, chain: "change", seq: 1, code: audit.BadMissing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			fill(t, d)
			w, path := headWriter(t, d)
			if err := w.Write(t.Context()); err != nil {
				t.Fatal(err)
			}
			if r := against(t, d.Pool, read(t, path)); !r.OK || r.Heads.Compared != 2 || r.Heads.Signed != 2 || r.Rows != 17 {
				t.Fatalf("before: %+v (%+v), want 17 rows in order, and both heads", r, r.Bad)
			}
			for _, sql := range c.sql {
				exec(t, d, sql)
			}
			if c.do != nil {
				c.do(t, d)
			}
			r := against(t, d.Pool, read(t, path))
			if r.OK || r.Bad == nil {
				t.Fatalf("it verifies: %+v", r)
			}
			if r.Bad.Chain != c.chain || r.Bad.Seq != c.seq || r.Bad.Code != c.code {
				t.Errorf("the first bad record is %+v, want %d of %s, %s", *r.Bad, c.seq, c.chain, c.code)
			}
		})
	}
}

// An auditor who kept the heads notices that an older database was restored.
func TestAnOlderDatabaseIsNoticed(t *testing.T) {
	d := dbtest.New(t)
	fill(t, d)
	exec(t, d, "CREATE TABLE backup AS TABLE audit_log")
	exec(t, d, "CREATE TABLE backup_heads AS TABLE chain_heads")
	fill(t, d)
	w, path := headWriter(t, d)
	if err := w.Write(t.Context()); err != nil {
		t.Fatal(err)
	}
	exec(t, d, "TRUNCATE audit_log, chain_heads")
	exec(t, d, "INSERT INTO audit_log SELECT * FROM backup")
	exec(t, d, "INSERT INTO chain_heads SELECT * FROM backup_heads")
	if r := verify(t, d.Pool); r.Rows != 17 {
		t.Fatalf("by itself the older database has %d rows, want 17", r.Rows)
	}
	r := against(t, d.Pool, read(t, path))
	if r.OK || r.Bad.Chain != "change" || r.Bad.Seq != 6 || r.Bad.Code != audit.BadMissing {
		t.Errorf("%+v, want record 6 of change missing", r.Bad)
	}
	// A core that starts on it says so too.
	var log bytes.Buffer
	again := audit.NewHeadWriter(audit.NewStore(d.Pool), newKey(), audit.HeadWriterConfig{Path: path, Log: textLog(&log)})
	if err := again.Write(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "set back") {
		t.Errorf("the log says %q, want that the database was set back", log.String())
	}
}

func TestSignedHeads(t *testing.T) {
	d := dbtest.New(t)
	w, path := headWriter(t, d)
	if err := w.Write(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("an empty audit has heads")
	}
	fill(t, d)
	for range 3 { // what has not changed is not signed again
		if err := w.Write(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	change(t, as(t, "a"), d.Pool, audit.Entry{Action: "x", Outcome: audit.OK})
	w, _ = audit.NewHeadWriter(audit.NewStore(d.Pool), newKey(), audit.HeadWriterConfig{Path: path, Log: quiet}), 0 // a later run
	if err := w.Write(t.Context()); err != nil {
		t.Fatal(err)
	}
	heads := read(t, path)
	lines := strings.SplitAfter(strings.TrimSuffix(heads, "\n"), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d heads, want 3:\n%s", len(lines), heads)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	for name, c := range map[string]struct {
		heads  string
		ok     bool
		report audit.HeadsReport
	}{
		"as written":           {heads, true, audit.HeadsReport{Heads: 3, Compared: 3, Signed: 3}},
		"out of order":         {lines[2] + "\n" + lines[0] + lines[1], true, audit.HeadsReport{Heads: 3, Compared: 3, Signed: 3}},
		"cut off by a crash":   {heads[:len(heads)-30], true, audit.HeadsReport{Heads: 2, Compared: 2, Signed: 2, Unreadable: 1}},
		"of an unknown key":    {strings.ReplaceAll(heads, `"k1"`, `"k2"`), true, audit.HeadsReport{Heads: 3, Compared: 3, UnknownKey: 3}},
		"signature of another": {strings.Replace(heads, `"seq":5`, `"seq":4`, 1), false, audit.HeadsReport{Heads: 3, Compared: 2, Signed: 2}},
		"none":                 {"", true, audit.HeadsReport{}},
	} {
		r := against(t, d.Pool, c.heads)
		if r.OK != c.ok {
			t.Errorf("%s: ok is %v, %+v", name, r.OK, r.Bad)
		}
		if r.Heads != c.report {
			t.Errorf("%s: %+v, want %+v", name, r.Heads, c.report)
		}
	}
}

// Heads are signed at once, in time, after a failure, and when all ends.
func TestHeadWriterRuns(t *testing.T) {
	d := dbtest.New(t)
	change(t, as(t, "a"), d.Pool, audit.Entry{Action: "x", Outcome: audit.OK})
	dir := filepath.Join(t.TempDir(), "later")
	path := filepath.Join(dir, "heads")
	w := audit.NewHeadWriter(audit.NewStore(d.Pool), newKey(), audit.HeadWriterConfig{Path: path, Every: 10 * time.Millisecond, Log: quiet})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	if err := os.Mkdir(dir, 0o700); err != nil { // until now it could not write
		t.Fatal(err)
	}
	has := func(seq int) func() bool {
		return func() bool {
			b, _ := os.ReadFile(path)
			return strings.Contains(string(b), fmt.Sprintf(`"seq":%d,`, seq))
		}
	}
	eventually(t, "the first head is signed", has(1))
	change(t, as(t, "a"), d.Pool, audit.Entry{Action: "y", Outcome: audit.OK})
	eventually(t, "the second head is signed", has(2))
	cancel()
	change(t, as(t, "a"), d.Pool, audit.Entry{Action: "z", Outcome: audit.OK})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if r := against(t, d.Pool, read(t, path)); !r.OK {
		t.Errorf("%+v", r.Bad)
	}
}

// Verifying needs no right but to read three tables.
func TestVerifyingNeedsOnlyToRead(t *testing.T) {
	d := dbtest.New(t)
	fill(t, d)
	role := fmt.Sprintf("auditor_%d", os.Getpid())
	exec(t, d, "CREATE ROLE "+role+" LOGIN")
	t.Cleanup(func() {
		_, _ = d.Owner.Exec(context.Background(), "DROP OWNED BY "+role+"; DROP ROLE "+role)
	})
	exec(t, d, "GRANT SELECT ON audit_log, audit_marks, chain_heads TO "+role)
	c := d.Owner.Config()
	c.ConnConfig.User, c.ConnConfig.Password = role, ""
	pool, err := pgxpool.NewWithConfig(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	var told int64
	r, err := audit.Verify(t.Context(), pool, audit.VerifyConfig{Progress: func(n int64) { told = n }})
	if err != nil || !r.OK || r.Rows != 17 {
		t.Errorf("%+v, %v; want 17 rows in order", r, err)
	}
	_ = told
}

// The server's own role cannot change what it wrote.
func TestTheServerCannotChangeRecords(t *testing.T) {
	d := dbtest.New(t)
	fill(t, d)
	partition := "audit_log_" + time.Now().UTC().Format("200601")
	for _, sql := range []string{
		"UPDATE audit_log SET object = 'x'", "DELETE FROM audit_log", "TRUNCATE audit_log", "DROP TABLE audit_log",
		"UPDATE " + partition + " SET object = 'x'", "DELETE FROM " + partition, "INSERT INTO " + partition + " SELECT * FROM audit_log",
		"ALTER TABLE audit_log DETACH PARTITION " + partition,
	} {
		if _, err := d.Pool.Exec(t.Context(), sql); err == nil {
			t.Errorf("the server's role may run: %s", sql)
		}
	}
	verify(t, d.Pool)
}

package retention_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/retention"
	"github.com/vivified/vivified/core/trait"
)

const lane = "lane/one"

// A record goes on the day its time is over and not a day before, by what it touches.
func TestARecordStaysUntilItsDay(t *testing.T) {
	for _, c := range []struct {
		name  string
		keep  retention.Keep
		entry audit.Entry
		days  int // until it goes
	}{
		{"protected health information", retention.Keep{PHI: 2555, Other: 30}, touches("a", trait.PHI), 2555},
		{"nothing in particular", retention.Keep{PHI: 2555, Other: 2190}, touches("a"), 2190},
		{"nothing in particular, said otherwise", retention.Keep{PHI: 2555, Other: 90}, touches("a"), 90},
		{"nobody said for how long", retention.Keep{}, touches("a", trait.PII), 2190},
		{"personal data", retention.Keep{PHI: 2555, PII: 400, Other: 90}, touches("a", trait.PII), 400},
		{"two classes: the longer", retention.Keep{PHI: 2555, PII: 400, Confidential: 700, Other: 90}, touches("a", trait.PII, trait.Confidential), 700},
		{"health information for less than the law wants", retention.Keep{PHI: 10, Other: 10}, touches("a", trait.PHI), 2190},
		{"a refusal", retention.Keep{PHI: 2555, Security: 10, Other: 10}, audit.Entry{Action: "operator.call", Object: "a", Outcome: audit.Deny, Rule: "operator.grant"}, 2190},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.keep = c.keep
			at := w.lane(c.entry)
			w.lane(touches("the last one always stays", trait.PHI))
			w.now = at.AddDate(0, 0, c.days-1)
			if done := w.purge(); done.Records != 0 {
				t.Fatalf("on day %d %d records went", c.days-1, done.Records)
			}
			w.begins(lane, 1)
			w.now = at.AddDate(0, 0, c.days).Add(-time.Microsecond)
			w.purge()
			w.begins(lane, 1)
			w.now = at.AddDate(0, 0, c.days)
			if done := w.purge(); done.Records != 1 || done.Archives != 1 {
				t.Fatalf("on day %d %d records went into %d archives, want 1 and 1", c.days, done.Records, done.Archives)
			}
			w.begins(lane, 2)
			w.whole()
		})
	}
}

// A chain loses its beginning only: what must stay keeps everything after it.
func TestWhatMustStayKeepsWhatComesAfter(t *testing.T) {
	w := newWorld(t)
	at := w.lane(touches("1"), touches("2"), touches("3", trait.PHI), touches("4"), touches("5"))
	w.now = at.AddDate(0, 0, 2200)
	all, err := w.Preview(w.as(), w.now)
	if err != nil || len(all) != 1 || all[0].Records() != 2 || all[0].Stays != 3 || all[0].Hold != "" {
		t.Fatalf("previewed %+v, %v", all, err)
	}
	if done := w.purge(); done.Records != 2 {
		t.Fatalf("%d records went, want 2", done.Records)
	}
	w.begins(lane, 3)
	w.now = at.AddDate(0, 0, 2555)
	if done := w.purge(); done.Records != 2 {
		t.Fatalf("%d records went, want 2: all but the last", done.Records)
	}
	w.begins(lane, 5)
	w.whole()
	// The chain goes on from where it was, also when a new writer begins.
	w.lane(touches("6"))
	w.whole()
}

// After a purge the database, a whole export and every archive verify; one record more
// that is gone is named, and so is one that came back.
func TestThePurgedChainVerifies(t *testing.T) {
	w := newWorld(t)
	w.change("one")
	w.change("two")
	at := w.lane(touches("1"), touches("2"), touches("3"), touches("4"), touches("5"))
	w.now = at.AddDate(0, 0, 3000)
	w.keep = retention.Keep{PHI: 2555}
	w.exec("SELECT 1")
	w.purge()
	w.begins(lane, 5)
	w.begins(audit.ChangeChain, 2)
	w.lane(touches("6"), touches("7"))
	w.now = w.now.AddDate(10, 0, 0)
	w.purge()
	w.begins(lane, 7)
	w.whole()

	for _, path := range w.archives() {
		if r := w.proves(path); !r.OK || !r.Signed {
			t.Errorf("%s does not verify: %+v", filepath.Base(path), r.Bad)
		}
	}
	export := func() []byte {
		t.Helper()
		var b bytes.Buffer
		if err := w.store.Export(w.as(), audit.Filter{}, audit.JSONL, w.pen, &b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	offline := func(b []byte) audit.Report {
		t.Helper()
		r, err := audit.VerifyExport(bytes.NewReader(b), audit.VerifyConfig{Keys: w.pen.keys})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := offline(export()); !r.OK || !r.Signed || r.Chains[1].Mark == nil || r.Chains[1].Mark.Last != 6 {
		t.Fatalf("the export does not verify: %+v", r)
	}

	w.lane(touches("8"))
	w.exec("DELETE FROM audit_log WHERE chain = $1 AND seq = 7", lane)
	r := w.verify()
	if r.OK || r.Bad.Chain != lane || r.Bad.Seq != 7 || r.Bad.Code != audit.BadMissing {
		t.Errorf("a record more that is gone: %+v", r.Bad)
	}
	if r := offline(export()); r.OK || r.Bad.Chain != lane || r.Bad.Seq != 7 || r.Bad.Code != audit.BadMissing {
		t.Errorf("a record more that is gone, in an export: %+v", r.Bad)
	}
}

// A mark that the core did not sign hides nothing.
func TestAForgedMarkIsFound(t *testing.T) {
	w := newWorld(t)
	w.lane(touches("1"), touches("2"), touches("3"))
	w.exec(`WITH gone AS (DELETE FROM audit_log WHERE chain = $1 AND seq <= 2 RETURNING seq, hash)
		INSERT INTO audit_marks SELECT $1, 2, hash, 2, 'audit.jsonl', hash, now(), 'k1', hash FROM gone WHERE seq = 2`, lane)
	r := w.verify()
	if r.OK || r.Bad.Chain != lane || r.Bad.Code != audit.BadSignature {
		t.Errorf("a forged mark: %+v", r.Bad)
	}
}

// A record that was purged and is put back is found.
func TestAPurgedRecordThatIsBackIsFound(t *testing.T) {
	w := newWorld(t)
	at := w.lane(touches("1"), touches("2"))
	w.exec("CREATE TABLE aside AS SELECT * FROM audit_log WHERE chain = $1 AND seq = 1", lane)
	w.now = at.AddDate(0, 0, 2190)
	w.purge()
	w.exec("INSERT INTO audit_log SELECT * FROM aside")
	r := w.verify()
	if r.OK || r.Bad.Seq != 1 || r.Bad.Code != audit.BadInserted {
		t.Errorf("a record that is back: %+v", r.Bad)
	}
}

// A core that ends between archiving and deleting begins anew, and nothing is lost.
func TestACrashBetweenArchiveAndPurge(t *testing.T) {
	w := newWorld(t)
	at := w.lane(touches("1"), touches("2"), touches("3"))
	w.now = at.AddDate(0, 0, 2190)
	w.exec("REVOKE DELETE ON audit_log FROM vivified_purge") // the crash: the archive is there, nothing is deleted
	if _, err := w.Purge(w.as()); err == nil {
		t.Fatal("a purge without the right to delete succeeded")
	}
	w.begins(lane, 1)
	if n := len(w.archives()); n != 1 {
		t.Fatalf("%d archives, want 1", n)
	}
	w.whole()
	w.exec("GRANT DELETE ON audit_log TO vivified_purge")
	if done := w.purge(); done.Records != 2 {
		t.Fatalf("%d records went, want 2", done.Records)
	}
	w.whole()
	kept, err := w.Archives(w.as())
	if err != nil || len(kept) != 1 || kept[0].Purged == nil || kept[0].Records() != 2 {
		t.Fatalf("archives %+v, %v", kept, err)
	}
	if r := w.proves(w.archives()[0]); !r.OK {
		t.Errorf("the archive does not verify: %+v", r.Bad)
	}
}

// What cannot be archived, or was tampered with, is not deleted.
func TestNothingGoesThatIsNotArchived(t *testing.T) {
	t.Run("the archive cannot be written", func(t *testing.T) {
		w := newWorld(t)
		at := w.lane(touches("1"), touches("2"))
		w.now = at.AddDate(0, 0, 2190)
		if err := os.WriteFile(w.folder, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := w.Purge(w.as())
		isFault(t, err, "retention.unwritable")
		w.begins(lane, 1)
	})
	t.Run("a record was changed", func(t *testing.T) {
		w := newWorld(t)
		at := w.lane(touches("1"), touches("2"), touches("3"))
		w.exec("UPDATE audit_log SET object = 'else' WHERE chain = $1 AND seq = 2", lane)
		w.now = at.AddDate(0, 0, 2190)
		_, err := w.Purge(w.as())
		isFault(t, err, "retention.unverified")
		if !strings.Contains(err.Error(), "Record 2 of lane/one was changed") {
			t.Errorf("it does not name the record: %v", err)
		}
		w.begins(lane, 1)
		last, err := w.Last(w.as())
		if err != nil || last == nil || !strings.Contains(last.Error, "Record 2") || last.Records != 0 {
			t.Errorf("remembered %+v, %v", last, err)
		}
		found, err := w.store.Search(w.as(), audit.Filter{Action: "audit.purge", Outcome: audit.Failed})
		if err != nil || len(found.Records) != 1 {
			t.Errorf("%d failures recorded, %v", len(found.Records), err)
		}
	})
	t.Run("a record is missing", func(t *testing.T) {
		w := newWorld(t)
		at := w.lane(touches("1"), touches("2"), touches("3"), touches("4"))
		w.exec("DELETE FROM audit_log WHERE chain = $1 AND seq = 2", lane)
		w.now = at.AddDate(0, 0, 2190)
		if _, err := w.Purge(w.as()); err == nil {
			t.Fatal("a purge over a gap succeeded")
		}
		w.begins(lane, 1)
	})
}

// The server's own role can neither delete nor become the one that can, nor write marks.
func TestTheServersRoleCannotPurge(t *testing.T) {
	w := newWorld(t)
	w.lane(touches("1"), touches("2"))
	for _, sql := range []string{
		"DELETE FROM audit_log", "SET ROLE vivified_purge", "INSERT INTO audit_marks VALUES ('x', 1, '', 1, '', '', now(), '', '')",
		"DELETE FROM audit_marks", "DELETE FROM audit_holds", "DELETE FROM audit_archives", "UPDATE audit_purges SET error = ''",
	} {
		if _, err := w.db.Pool.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s: %v, want permission denied", sql, err)
		}
	}
}

// Run purges once a month has begun, on one replica, and not again in it.
func TestRunPurgesOnceAMonth(t *testing.T) {
	w := newWorld(t)
	at := w.lane(touches("1"), touches("2"), touches("3"))
	w.now = time.Date(at.Year(), at.Month()+1, 1, 0, 0, 0, 0, time.UTC).AddDate(6, 0, 5)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	deadline := time.Now().Add(30 * time.Second)
	for {
		last, err := w.Last(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if last != nil {
			if last.Records != 2 || last.By != "" {
				t.Errorf("purged %+v", last)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing was purged within 30 s")
		}
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	next, err := w.Next(t.Context())
	if want := time.Date(w.now.Year(), w.now.Month()+1, 1, 0, 0, 0, 0, time.UTC); err != nil || !next.Equal(want) {
		t.Errorf("the next is due at %v, %v; want %v", next, err, want)
	}
}

// Another replica that purges keeps this one from it.
func TestOnePurgeAtATime(t *testing.T) {
	w := newWorld(t)
	w.exec("INSERT INTO leases (name, holder, until) VALUES ('audit/purge', 'two', now() + interval '1 hour')")
	_, err := w.Purge(w.as())
	isFault(t, err, "retention.running")
}

// An archive is read as it was written.
func TestOpenAnArchive(t *testing.T) {
	w := newWorld(t)
	at := w.lane(touches("1"), touches("2"))
	w.now = at.AddDate(0, 0, 2190)
	w.purge()
	kept, err := w.Archives(w.as())
	if err != nil || len(kept) != 1 {
		t.Fatalf("archives %+v, %v", kept, err)
	}
	r, err := w.Open(w.as(), kept[0])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if b, err := io.ReadAll(r); err != nil || int64(len(b)) != kept[0].Bytes {
		t.Errorf("%d bytes, %v; want %d", len(b), err, kept[0].Bytes)
	}
	if err := os.Remove(w.archives()[0]); err != nil {
		t.Fatal(err)
	}
	_, err = w.Open(w.as(), kept[0])
	isFault(t, err, "retention.unreadable")
}

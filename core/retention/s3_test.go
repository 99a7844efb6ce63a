package retention_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/retention"
)

// store is an S3 server of its own, over a directory.
type store struct {
	address string
	root    string // each bucket is a directory in it
	key     string
	secret  string
}

// startStore starts the gateway that `make bin/versitygw` builds, until the test ends.
func startStore(t *testing.T) *store {
	t.Helper()
	program, err := filepath.Abs(filepath.Join("..", "..", "bin", "versitygw"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("there is no S3 server; `make bin/versitygw` builds one")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	s := &store{address: "http://" + at, root: t.TempDir(), key: "auditor", secret: rand.Text()}
	cmd := exec.Command(program, "--quiet", "--port", at, "--access", s.key, "--secret", s.secret, "posix", s.root)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the S3 server said:\n%s", said.String())
		}
	})
	until(t, "the S3 server answers", func() bool {
		answer, err := http.Get(s.address)
		if err != nil {
			return false
		}
		answer.Body.Close()
		return true
	})
	if err := os.Mkdir(filepath.Join(s.root, "audit"), 0o755); err != nil {
		t.Fatal(err)
	}
	return s
}

// bucket returns its bucket "audit", below a prefix.
func (s *store) bucket(t *testing.T, secret string) *retention.Bucket {
	t.Helper()
	b, err := retention.NewBucket(s.address+"/audit/kept", "", s.key, secret)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// files are the objects in the bucket, by their names below the prefix.
func (s *store) files(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	root := filepath.Join(s.root, "audit", "kept")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, root+"/")] = string(text)
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return all
}

// Archives go into a real object store, are read back from there, and verify as they
// lie there; without the right key nothing is purged.
func TestArchiveInARealStore(t *testing.T) {
	s := startStore(t)
	w := newWorld(t)
	at := w.lane(touches("1"), touches("2"), touches("3"))
	w.now = at.AddDate(0, 0, 2190)
	w.Bucket = s.bucket(t, "not the secret")
	_, err := w.Purge(w.as())
	isFault(t, err, "retention.unwritable")
	w.begins(lane, 1)

	w.Bucket = s.bucket(t, s.secret)
	if done := w.purge(); done.Records != 2 || done.Archives != 1 {
		t.Fatalf("purged %+v", done)
	}
	w.begins(lane, 3)
	w.whole()
	kept, err := w.Archives(w.as())
	if err != nil || len(kept) != 1 || kept[0].Place != "s3" {
		t.Fatalf("archives %+v, %v", kept, err)
	}
	r, err := w.Open(w.as(), kept[0])
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if s.files(t)[kept[0].Name] != string(text) {
		t.Error("what is answered is not what lies in the store")
	}
	report, err := audit.VerifyExport(bytes.NewReader(text), audit.VerifyConfig{Keys: w.pen.keys})
	if err != nil || !report.OK || !report.Signed || report.Rows != 2 {
		t.Errorf("the archive: %+v (%+v), %v", report, report.Bad, err)
	}
}

// Signed heads become objects that are never overwritten, and prove the database.
func TestHeadsInARealStore(t *testing.T) {
	s := startStore(t)
	w := newWorld(t)
	w.lane(touches("1"), touches("2"))
	copier := audit.NewHeadCopier("the store", retention.Heads{Bucket: s.bucket(t, s.secret), Replica: "rack 1/core"}, w.Log)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- copier.Run(ctx) }()
	heads := audit.NewHeadWriter(w.store, w.pen, audit.HeadWriterConfig{Path: filepath.Join(t.TempDir(), "heads"), Copies: []*audit.HeadCopier{copier}, Log: w.Log})
	for i := range 2 {
		w.lane(touches("3"))
		if err := heads.Write(t.Context()); err != nil {
			t.Fatal(err)
		}
		until(t, "the heads are in the store", func() bool { return copier.State().Waiting == 0 && len(s.files(t)) == i+1 })
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for name, text := range s.files(t) {
		if !strings.HasPrefix(name, "heads/"+time.Now().UTC().Format("2006/")) || !strings.HasSuffix(name, ".jsonl") {
			t.Errorf("an object is called %s", name)
		}
		all.WriteString(text)
	}
	r, err := audit.Verify(t.Context(), w.db.Owner, audit.VerifyConfig{Heads: strings.NewReader(all.String()), Keys: w.pen.keys})
	if err != nil || !r.OK || r.Heads.Compared != 2 || r.Heads.Signed != 2 {
		t.Errorf("%+v (%+v), %v; want both heads found and right", r, r.Bad, err)
	}
}

package audit_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/db/dbtest"
)

// shelf is a place for heads that can be away.
type shelf struct {
	mu    sync.Mutex
	away  bool
	stuck chan struct{} // not nil: it takes nothing until that is closed
	lines strings.Builder
}

func (s *shelf) Keep(ctx context.Context, _ time.Time, lines []byte) error {
	s.mu.Lock()
	stuck, away := s.stuck, s.away
	s.mu.Unlock()
	if stuck != nil {
		select {
		case <-stuck:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if away {
		return errors.New("nobody is there")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines.Write(lines)
	return nil
}

func (s *shelf) set(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

func (s *shelf) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines.String()
}

// copier runs a copier to place until the test ends or stop is called.
func copier(t *testing.T, place audit.HeadPlace) (c *audit.HeadCopier, stop func()) {
	c = audit.NewHeadCopier("elsewhere", place, quiet)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return c, stop
}

// A database that was computed anew is found by the copy of the heads alone, should
// the file on this machine have been computed anew as well.
func TestHeadsInASecondPlace(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	fill(t, d)
	place := &shelf{}
	c, stop := copier(t, place)
	w := audit.NewHeadWriter(audit.NewStore(d.Pool), newKey(), audit.HeadWriterConfig{Path: filepath.Join(t.TempDir(), "heads"), Copies: []*audit.HeadCopier{c}, Log: quiet})
	write := func() {
		t.Helper()
		if err := w.Write(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	write()
	eventually(t, "the copy has both heads", func() bool { return strings.Count(place.text(), "\n") == 2 })
	if s := c.State(); s.Name != "elsewhere" || s.Kept.IsZero() || !s.Failing.IsZero() || s.Waiting != 0 {
		t.Errorf("state %+v, want that all is kept", s)
	}
	if r := against(t, d.Pool, place.text()); !r.OK || r.Heads.Signed != 2 {
		t.Fatalf("%+v (%+v)", r, r.Bad)
	}

	// It is away, nobody waits for it, and it catches up.
	place.set(true)
	for range 3 {
		change(t, as(t, "a"), d.Pool, audit.Entry{Action: "x", Outcome: audit.OK})
		write()
	}
	eventually(t, "the copier says that it fails", func() bool { s := c.State(); return !s.Failing.IsZero() && s.Waiting == 3 })
	if s := c.State(); s.Error != "nobody is there" {
		t.Errorf("state %+v, want the error", s)
	}
	place.set(false)
	eventually(t, "it has caught up", func() bool { return strings.Count(place.text(), "\n") == 5 && c.State().Failing.IsZero() })

	exec(t, d, "UPDATE audit_log SET object = 'x' WHERE chain = 'lane/one' AND seq = 7")
	relink(t, d, 7)
	if r := against(t, d.Pool, place.text()); r.OK || r.Bad.Code != audit.BadReplaced || r.Bad.Seq != 12 {
		t.Errorf("%+v, want record 12 of lane/one replaced", r.Bad)
	}
	stop()
}

// A place that takes a connection and nothing more holds up neither the file nor the end.
func TestAStuckPlaceHoldsUpNobody(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	place := &shelf{stuck: make(chan struct{})}
	c, stop := copier(t, place)
	path := filepath.Join(t.TempDir(), "heads")
	w := audit.NewHeadWriter(audit.NewStore(d.Pool), newKey(), audit.HeadWriterConfig{Path: path, Copies: []*audit.HeadCopier{c}, Log: quiet})
	for i := range 3 {
		change(t, as(t, "a"), d.Pool, audit.Entry{Action: "x", Outcome: audit.OK})
		if err := w.Write(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(read(t, path), "\n"); n != i+1 {
			t.Fatalf("the file has %d heads, want %d", n, i+1)
		}
	}
	if s := c.State(); s.Waiting != 3 {
		t.Errorf("state %+v, want 3 heads that wait", s)
	}
	began := time.Now()
	stop()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v to end", took)
	}
}

// After a restart a copy gets the heads of then, also of chains that have not grown:
// nobody knows whether the last ones arrived.
func TestACopyAfterARestart(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	fill(t, d)
	path := filepath.Join(t.TempDir(), "heads")
	for run := range 2 {
		place := &shelf{}
		c, stop := copier(t, place)
		w := audit.NewHeadWriter(audit.NewStore(d.Pool), newKey(), audit.HeadWriterConfig{Path: path, Copies: []*audit.HeadCopier{c}, Log: quiet})
		for range 2 {
			if err := w.Write(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		stop()
		if n := strings.Count(place.text(), "\n"); n != 2 {
			t.Errorf("run %d: %d heads, want one of each chain:\n%s", run, n, place.text())
		}
		if n := strings.Count(read(t, path), "\n"); n != 2 {
			t.Errorf("run %d: the file has %d heads, want 2", run, n)
		}
	}
}

// What waits is bounded: the oldest heads go first, and no line is cut.
func TestHeadsThatWaitAreBounded(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	place := &shelf{}
	c := audit.NewHeadCopier("elsewhere", place, quiet)
	w := audit.NewHeadWriter(audit.NewStore(d.Pool), newKey(), audit.HeadWriterConfig{Path: filepath.Join(t.TempDir(), "heads"), Copies: []*audit.HeadCopier{c}, Log: quiet})
	for i := range 40 { // chains with long names make long lines
		exec(t, d, "INSERT INTO chain_heads (chain, seq) VALUES ($1, 1)", fmt.Sprintf("lane/%d%s", i, strings.Repeat("x", 3000)))
	}
	for i := range 10 {
		exec(t, d, "UPDATE chain_heads SET seq = $1 WHERE chain <> 'change'", i+2)
		if err := w.Write(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	waiting := c.State().Waiting
	if waiting >= 400 || waiting < 200 {
		t.Errorf("%d heads wait, want as many as fit into 1 MiB", waiting)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Run(ctx); err != nil { // what waits is handed over at the end
		t.Fatal(err)
	}
	for line := range strings.Lines(place.text()) {
		if !strings.HasPrefix(line, `{"at":"`) || !strings.HasSuffix(line, "\"}\n") {
			t.Fatalf("a line was cut: %.60s … %q", line, line[len(line)-10:])
		}
	}
	if !strings.Contains(place.text(), `"seq":11,`) {
		t.Error("the newest heads are not there")
	}
}

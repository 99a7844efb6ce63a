package dbtest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/db/dbtest"
)

func TestNewGivesEachTestItsOwnDatabase(t *testing.T) {
	ctx := context.Background()
	a, b := dbtest.New(t), dbtest.New(t)
	if _, err := a.Pool.Exec(ctx, "INSERT INTO leases (name, holder, until) VALUES ('x', 'a', now())"); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := b.Pool.QueryRow(ctx, "SELECT count(*) FROM leases").Scan(&n); err != nil || n != 0 {
		t.Errorf("the second database has %d rows of the first (error %v)", n, err)
	}
	var app, owner string
	if err := errors.Join(a.Pool.QueryRow(ctx, "SELECT current_user").Scan(&app), a.Owner.QueryRow(ctx, "SELECT current_user").Scan(&owner)); err != nil {
		t.Fatal(err)
	}
	if app != "vivified_app" || owner == app {
		t.Errorf("Pool works as %q and Owner as %q", app, owner)
	}
}

func TestADatabaseGoesWithItsTest(t *testing.T) {
	ctx := context.Background()
	var cloned, empty string
	t.Run("uses databases", func(t *testing.T) {
		cloned, empty = dbtest.New(t).OwnerURL, dbtest.Empty(t)
		left, err := pgx.Connect(ctx, cloned) // a connection somebody forgot
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { left.Close(ctx) })
	})
	for _, url := range []string{cloned, empty} {
		if conn, err := pgx.Connect(ctx, url); err == nil {
			conn.Close(ctx)
			t.Errorf("%s is still there", url)
		}
	}
}

func TestEmptyIsEmpty(t *testing.T) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, dbtest.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var tables int
	if err := conn.QueryRow(ctx, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").Scan(&tables); err != nil || tables != 0 {
		t.Errorf("%d tables (error %v), want none", tables, err)
	}
}

// holdVariable makes TestHold use a database until its input ends.
const holdVariable = "VIVIFIED_DBTEST_HOLD"

// TestHold is what the other processes of the tests below run.
func TestHold(t *testing.T) {
	if os.Getenv(holdVariable) == "" {
		t.Skip("runs in other processes only")
	}
	d := dbtest.New(t)
	var started int64
	if err := d.Pool.QueryRow(context.Background(), "SELECT (extract(epoch FROM pg_postmaster_start_time()) * 1e6)::bigint").Scan(&started); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("cluster %d\n", started)
	io.Copy(io.Discard, os.Stdin)
}

// holder is a process that uses the cluster in a directory.
type holder struct {
	cmd     *exec.Cmd
	in      io.Closer
	out     *bufio.Reader
	cluster string // tells one cluster from another
}

// hold starts processes together and waits until each has its database.
func hold(t *testing.T, dir string, n int) []*holder {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var holders []*holder
	for range n {
		cmd := exec.Command(self, "-test.run=^TestHold$")
		cmd.Env = append(os.Environ(), holdVariable+"=1", "VIVIFIED_DBTEST_DIR="+dir)
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		holders = append(holders, &holder{cmd: cmd, in: in, out: bufio.NewReader(out)})
	}
	for _, h := range holders {
		if h.cluster, err = h.out.ReadString('\n'); err != nil || !strings.HasPrefix(h.cluster, "cluster ") {
			rest, _ := io.ReadAll(h.out)
			t.Fatalf("a process said (error %v):\n%s%s", err, h.cluster, rest)
		}
	}
	return holders
}

// awaitNothing waits until the directory of a cluster is gone.
func awaitNothing(t *testing.T, dir string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			return
		}
	}
	t.Errorf("%s is still there", dir)
}

// clusterDir returns a name for a cluster apart from that of the other tests.
func clusterDir(t *testing.T) string {
	t.Helper()
	memory := "/dev/shm"
	if _, err := os.Stat(memory); err != nil {
		memory = ""
	}
	base, err := os.MkdirTemp(memory, "dbtest")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(base) })
	return filepath.Join(base, "cluster")
}

func TestProcessesShareOneClusterThatGoesWithThem(t *testing.T) {
	dir := clusterDir(t)
	first := hold(t, dir, 3)
	clusters := map[string]int{}
	for _, h := range first {
		clusters[h.cluster]++
	}
	if diff := cmp.Diff(map[string]int{first[0].cluster: 3}, clusters); diff != "" {
		t.Errorf("processes that start together should share a cluster (-want +got):\n%s", diff)
	}
	// One is killed, among them perhaps the one that started the cluster; the
	// others do not mind, and another one may join.
	for _, h := range first[:2] {
		h.cmd.Process.Kill()
		h.cmd.Wait()
	}
	joined := hold(t, dir, 1)[0]
	if joined.cluster != first[0].cluster {
		t.Error("a process that came later got another cluster")
	}
	for _, h := range []*holder{first[2], joined} {
		h.in.Close()
		rest, _ := io.ReadAll(h.out)
		if err := h.cmd.Wait(); err != nil {
			t.Errorf("a process failed: %v\n%s", err, rest)
		}
	}
	awaitNothing(t, dir)
}

func TestAKilledClusterIsReplaced(t *testing.T) {
	dir := clusterDir(t)
	first := hold(t, dir, 1)[0]
	text, err := os.ReadFile(filepath.Join(dir, "postgres", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	var server int
	fmt.Sscan(string(text), &server)
	if err := syscall.Kill(server, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := hold(t, dir, 1)[0]
	if second.cluster == first.cluster {
		t.Error("the killed cluster answered")
	}
	first.cmd.Process.Kill()
	first.cmd.Wait()
	second.in.Close()
	io.Copy(io.Discard, second.out)
	if err := second.cmd.Wait(); err != nil {
		t.Error(err)
	}
	awaitNothing(t, dir)
}

func TestADirectoryOpenToOthersIsRefused(t *testing.T) {
	dir := clusterDir(t)
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestHold$")
	cmd.Env = append(os.Environ(), holdVariable+"=1", "VIVIFIED_DBTEST_DIR="+dir)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "not a private directory") {
		t.Errorf("got %v and said:\n%s", err, out)
	}
}

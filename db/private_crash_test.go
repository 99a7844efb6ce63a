package db_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/db"
)

// record writes a row that a crash must not lose; count reads them.
func record(t *testing.T, url string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS kept (n int); INSERT INTO kept VALUES (1)"); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, url string) int {
	t.Helper()
	return query[int](t, url, "SELECT count(*) FROM kept")
}

// awaitGone waits until no living process has the number: zombies are dead.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		out, _ := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
		if state := strings.TrimSpace(string(out)); state == "" || state[0] == 'Z' {
			return
		}
		runtime.Gosched()
	}
	t.Fatalf("process %d still lives", pid)
}

func TestRunStopsWithItsContext(t *testing.T) {
	dir := dataDir(t)
	p := &db.Private{Dir: dir}
	startPrivate(t, p)
	pid := serverPid(t, dir)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v, want nil after its context ended", err)
	}
	awaitGone(t, pid)
}

func TestRunReportsAKilledServerAndTheNextStartRecovers(t *testing.T) {
	dir := dataDir(t)
	first := &db.Private{Dir: dir}
	startPrivate(t, first)
	record(t, first.URL())
	// A session in the middle of a long statement outlives the server a moment.
	busy, err := pgx.Connect(context.Background(), first.URL())
	if err != nil {
		t.Fatal(err)
	}
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		busy.Exec(context.Background(), "SELECT pg_sleep(60)")
		busy.Close(context.Background())
	}()
	defer func() { <-idle }()
	done := make(chan error, 1)
	go func() { done <- first.Run(context.Background()) }()
	if err := syscall.Kill(serverPid(t, dir), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("Run: %v, want an error that says the server was killed", err)
	}
	second := &db.Private{Dir: dir}
	startPrivate(t, second)
	if n := count(t, second.URL()); n != 1 {
		t.Errorf("%d rows after the crash, want 1", n)
	}
}

// killedCore starts a core in a process of its own, has it record a row, kills
// it, and returns the number of the server it had.
func killedCore(t *testing.T, cmd *exec.Cmd, dir string) int {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(url, "postgres://") {
		cmd.Process.Kill()
		t.Fatalf("the core said %q (error %v)", url, err)
	}
	pid := serverPid(t, dir)
	// The owner role is for the core's own user; who that is, is tested elsewhere.
	if cmd.SysProcAttr == nil || cmd.SysProcAttr.Credential == nil {
		record(t, strings.TrimSpace(url))
	}
	cmd.Process.Kill()
	cmd.Wait()
	return pid
}

func TestTheNextCoreRecoversFromAKilledOne(t *testing.T) {
	dir := dataDir(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for round := 1; round <= 2; round++ {
		pid := killedCore(t, coreCommand(t, self, dir), dir)
		p := &db.Private{Dir: dir} // at once: the server may still be ending
		startPrivate(t, p)
		if n := count(t, p.URL()); n != round {
			t.Errorf("round %d: %d rows, want %d", round, n, round)
		}
		if serverPid(t, dir) == pid {
			t.Error("the old server is still there")
		}
		awaitGone(t, pid)
		if err := p.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

// serverUser returns the user who owns a data directory's cluster.
func serverUser(t *testing.T, dir string) (uid, gid uint32) {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	return st.Uid, st.Gid
}

func TestStartEndsAnOrphan(t *testing.T) {
	if runtime.GOOS != "linux" && os.Geteuid() == 0 {
		t.Skip("needs /proc to start a server under another user")
	}
	dir := dataDir(t)
	first := &db.Private{Dir: dir}
	startPrivate(t, first)
	record(t, first.URL())
	program := query[string](t, first.URL(), "SELECT setting FROM pg_config WHERE name = 'BINDIR'") + "/postgres"
	if err := first.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}

	cluster, err := os.Open(filepath.Join(dir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	orphan := exec.Command(program, "-D", cluster.Name(), "-c", "listen_addresses=", "-c", "unix_socket_directories=.")
	if os.Geteuid() == 0 {
		uid, gid := serverUser(t, dir)
		orphan.Args[2], orphan.ExtraFiles = "/proc/self/fd/3", []*os.File{cluster}
		orphan.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	}
	said, err := orphan.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.Contains(lines.Text(), "ready to accept connections") {
	}
	ended := make(chan error, 1)
	go func() {
		io.Copy(io.Discard, said)
		ended <- orphan.Wait()
	}()

	second := &db.Private{Dir: dir}
	startPrivate(t, second)
	if err := <-ended; err != nil {
		t.Errorf("the orphan was not shut down in order: %v", err)
	}
	if n := count(t, second.URL()); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func TestStartDoesNotTakeAStrangerForAnOrphan(t *testing.T) {
	dir := dataDir(t)
	first := &db.Private{Dir: dir}
	startPrivate(t, first)
	pidFile := filepath.Join(dir, "postgres", "postmaster.pid")
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	// A stale file whose number now belongs to a stranger of the server's user.
	stranger := exec.Command("sleep", "60")
	if os.Geteuid() == 0 {
		uid, gid := serverUser(t, dir)
		stranger.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid}}
	}
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { stranger.Process.Kill(); stranger.Wait() }()
	_, rest, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(pidFile, fmt.Appendf(nil, "%d\n%s", stranger.Process.Pid, rest), 0o600); err != nil {
		t.Fatal(err)
	}
	second := &db.Private{Dir: dir}
	startPrivate(t, second)
	query[int](t, second.URL(), "SELECT 1")
	if err := stranger.Process.Signal(syscall.Signal(0)); errors.Is(err, os.ErrProcessDone) {
		t.Error("the stranger was ended")
	}
}

func TestPrivateWorksForAnOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("every other test shows it")
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Skip("there is no user nobody")
	}
	uid, _ := strconv.Atoi(nobody.Uid)
	gid, _ := strconv.Atoi(nobody.Gid)
	// A place that nobody may enter, with a copy of this program.
	base, err := os.MkdirTemp("", "ordinary")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(base)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	copied, dir := filepath.Join(base, "core"), filepath.Join(base, "var")
	if err := errors.Join(os.WriteFile(copied, program, 0o755), os.Chmod(base, 0o755), os.Mkdir(dir, 0o700), os.Chown(dir, uid, gid)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second recovers from the first
		cmd := coreCommand(t, copied, dir)
		cmd.Dir = base
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		pid := killedCore(t, cmd, dir)
		if owner, _ := serverUser(t, dir); int(owner) != uid {
			t.Errorf("the cluster belongs to user %d, want %d", owner, uid)
		}
		awaitGone(t, pid)
	}
}

func TestTheServerLearnsNoSecretsOfTheCore(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	t.Setenv("VIVIFIED_MASTER_KEY", "do-not-tell")
	dir := dataDir(t)
	p := &db.Private{Dir: dir}
	startPrivate(t, p)
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", serverPid(t, dir)))
	if err != nil || strings.Contains(string(environment), "do-not-tell") {
		t.Errorf("environment of the server: %q (error %v)", environment, err)
	}
}

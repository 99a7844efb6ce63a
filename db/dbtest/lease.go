package dbtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/vivified/vivified/db"
)

// Files of the shared directory.
const (
	joinFile  = "join.lock"  // held exclusively while somebody joins or the cluster goes
	usersFile = "users.lock" // held in common by every process that uses the cluster
	runsFile  = "runs"       // the go commands whose tests used it, one a line
	logFile   = "postgres.log"
)

// lease keeps the cluster alive: the kernel ends it with the process, however
// that ends.
type lease struct{ users *os.File }

// memory is where Linux keeps files in memory. Cloning a database creates some
// three hundred files, which takes a disk ten times as long.
const memory = "/dev/shm"

// dirVariable names another directory for the shared cluster.
const dirVariable = "VIVIFIED_DBTEST_DIR"

// sharedDir is the directory of the one cluster of a user: in memory where
// that has 2 GB or more (containers often give 64 MB), else among temporary
// files. It asks for the size, not for what is free: all must choose alike.
func sharedDir() string {
	if dir := os.Getenv(dirVariable); dir != "" {
		return dir
	}
	base := os.TempDir()
	var st syscall.Statfs_t
	if syscall.Statfs(memory, &st) == nil && st.Blocks*uint64(st.Bsize) >= 2<<30 {
		base = memory
	}
	return filepath.Join(base, fmt.Sprintf("vivified-dbtest-%d", os.Geteuid()))
}

// takeLease joins the users of the cluster, starts it when it does not run,
// and returns its owner's connection string.
func takeLease(ctx context.Context) (*lease, string, error) {
	dir := sharedDir()
	for {
		join, err := lockJoin(dir)
		if err != nil {
			return nil, "", err
		}
		if join == nil { // the cluster went away just now, with its directory
			continue
		}
		defer join.Close()
		users, err := lock(filepath.Join(dir, usersFile), syscall.LOCK_SH)
		if err != nil {
			return nil, "", err
		}
		if err := recordRun(dir); err != nil {
			return nil, "", err
		}
		url, running, _ := db.PrivateURL(dir)
		if !running {
			if url, err = startKeeper(ctx, dir); err != nil {
				return nil, "", err
			}
		}
		return &lease{users}, url, nil
	}
}

// lockJoin makes the shared directory and takes its join lock; it returns nil
// when the directory was removed while waiting. Others may write where
// temporary files go, so a directory that is not ours alone is refused.
func lockJoin(dir string) (*os.File, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, err
	}
	info, err := os.Lstat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(st.Uid) != os.Geteuid() || info.Mode().Perm() != 0o700 {
		return nil, fmt.Errorf("%s is not a private directory of this user; remove it", dir)
	}
	path := filepath.Join(dir, joinFile)
	f, err := lock(path, syscall.LOCK_EX)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	held, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if now, err := os.Lstat(path); err != nil || !os.SameFile(held, now) {
		f.Close()
		return nil, nil
	}
	return f, nil
}

// lock opens a file and takes a lock on it.
func lock(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
	}
}

// startKeeper starts the process that runs the cluster and outlives us, and
// returns the cluster's address. It is this very program, which [init] turns
// into the keeper.
func startKeeper(ctx context.Context, dir string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	log, err := os.OpenFile(filepath.Join(dir, logFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return "", err
	}
	defer log.Close()
	answer, theirs, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer answer.Close()
	cmd := exec.Command(self)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), keeperVariable+"="+dir)
	cmd.Stdout, cmd.Stderr = theirs, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // a Ctrl-C is for the tests; the keeper sees them go
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return "", err
	}
	go cmd.Wait() // only so that it leaves no zombie when it ends before us
	stop := context.AfterFunc(ctx, func() { answer.Close() })
	defer stop()
	said, err := io.ReadAll(answer)
	if err != nil {
		return "", fmt.Errorf("wait for the cluster: %w", errors.Join(ctx.Err(), err))
	}
	url, ready := strings.CutPrefix(string(said), "ready ")
	if !ready {
		return "", fmt.Errorf("start the cluster: %s (log: %s)", said, log.Name())
	}
	return url, nil
}

package dbtest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// keeperVariable turns a test program into the keeper of the cluster in the
// directory it names.
const keeperVariable = "VIVIFIED_DBTEST_KEEPER"

// A keeper must be a process of its own, as no test process lives as long as
// the run; and a test program is the one program that surely exists, so it
// takes the role before its tests begin.
func init() {
	if dir := os.Getenv(keeperVariable); dir != "" {
		os.Exit(keep(dir))
	}
}

// keep runs the cluster until nobody needs it, then removes every trace of it.
func keep(dir string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx := context.Background()
	p, err := start(ctx, dir, log)
	if err != nil {
		fmt.Print(err)
		return 1
	}
	fmt.Print("ready ", p.URL())
	os.Stdout.Close() // the end of the answer
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-ended: // somebody ended PostgreSQL: whoever joins next starts another keeper
			log.Error("cluster ended", "cause", err)
			return 1
		case <-look.C:
			if leave := nobodyLeft(dir); leave != nil {
				_ = p.Stop(ctx)
				_ = os.RemoveAll(dir)
				leave()
				return 0
			}
		}
	}
}

// start starts the cluster. Whoever started us holds the join lock, so another
// core in the directory can only be a keeper about to end.
func start(ctx context.Context, dir string, log *slog.Logger) (*db.Private, error) {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(10 * time.Second); ; <-again.C {
		p := &db.Private{
			Dir: dir, Bin: os.Getenv("PG_BIN"), Trust: true, Log: log,
			Settings: map[string]string{
				"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
				"wal_level": "minimal", "max_wal_senders": "0", "max_wal_size": "256MB", "checkpoint_timeout": "1h",
				"max_connections": "500", "autovacuum": "off", "dynamic_shared_memory_type": "mmap",
			},
		}
		err := p.Start(ctx)
		if err == nil {
			return p, nil
		}
		if !fault.Is(err, fault.Conflict) || time.Now().After(deadline) {
			return nil, err
		}
	}
}

// nobodyLeft returns nil while the cluster is in use: by a process, or between
// two packages of a go command that still runs. Else it returns a function
// that lets newcomers in again; until then they wait.
func nobodyLeft(dir string) func() {
	join, err := lock(filepath.Join(dir, joinFile), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		return nil
	}
	users, err := lock(filepath.Join(dir, usersFile), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		join.Close()
		return nil
	}
	if anyRunAlive(dir) {
		users.Close()
		join.Close()
		return nil
	}
	return func() {
		users.Close()
		join.Close()
	}
}

package db_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"testing"

	"github.com/vivified/vivified/db"
)

// coreVariable makes the test program act as a core that runs the private
// PostgreSQL in the directory it names, until it is killed.
const coreVariable = "VIVIFIED_DB_TEST_CORE"

func TestMain(m *testing.M) {
	if dir := os.Getenv(coreVariable); dir != "" {
		p := &db.Private{Dir: dir, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
		if err := p.Start(context.Background()); err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		fmt.Println(p.URL())
		_ = p.Run(context.Background())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// dataDir returns an empty data directory, in memory where the system has that:
// initdb creates a thousand files, which takes a disk three times as long.
func dataDir(t *testing.T) string {
	t.Helper()
	base := "/dev/shm"
	if _, err := os.Stat(base); err != nil {
		base = ""
	}
	dir, err := os.MkdirTemp(base, "vivified-db-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// coreCommand returns the command of such a core.
func coreCommand(t *testing.T, program, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), coreVariable+"="+dir)
	cmd.Stderr = os.Stderr
	return cmd
}

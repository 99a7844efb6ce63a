package db

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/vivified/vivified/core/fault"
)

// lockDir takes the lock of a data directory, or returns a Conflict fault. The
// kernel gives it back when the process ends, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, privateLock), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fault.New(fault.Conflict, "database.in_use", "Another core uses the data directory %s; stop it, or give this one a directory of its own.", dir)
	}
	return nil, fmt.Errorf("lock %s: %w", dir, err)
}

//go:build !linux

package db

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// dieWithParent does nothing: only Linux ties a child's life to its parent's.
// An orphan is ended at the next start.
func dieWithParent(*syscall.SysProcAttr) {}

// runsIn reports whether pid is a living PostgreSQL; ps does not tell its
// directory, the pid file it was read from does.
func runsIn(pid int, _ string) bool {
	out, err := exec.Command("ps", "-o", "stat=,comm=", "-p", strconv.Itoa(pid)).Output()
	state, program, found := strings.Cut(strings.TrimSpace(string(out)), " ")
	return err == nil && found && !strings.HasPrefix(state, "Z") && filepath.Base(strings.TrimSpace(program)) == "postgres"
}

// ownedBy reports whether a file is uid's.
func ownedBy(info os.FileInfo, uid int) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == uid
}

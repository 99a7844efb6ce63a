package db

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// dieWithParent makes the kernel send SIGQUIT, PostgreSQL's immediate
// shutdown, to the child when its parent dies.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGQUIT }

// runsIn reports whether pid is a living PostgreSQL with the data directory
// dir: not a zombie, which still answers to signal 0 until its parent cares,
// and not a stranger who got the number of a dead one.
func runsIn(pid int, dir string) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// pid (comm) state …; comm may hold anything, so look from the right (proc(5)).
	i := strings.LastIndexByte(string(stat), ')')
	if i < 0 || i+2 >= len(stat) || stat[i+2] == 'Z' || stat[i+2] == 'X' {
		return false
	}
	at, err := os.Stat(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		return false
	}
	want, err := os.Stat(dir)
	return err == nil && os.SameFile(at, want)
}

// ownedBy reports whether a file is uid's.
func ownedBy(info os.FileInfo, uid int) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == uid
}

package db

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"github.com/vivified/vivified/core/fault"
)

// account is the operating system user a server runs as.
type account struct {
	uid, gid int
	drop     bool // we are root and it is not
}

// accounts are the users a root process gives its server to, best first.
var accounts = [...]string{"postgres", "nobody"}

// serverAccount returns who runs the server of the cluster at path: ourselves,
// or, when we are root, the cluster's owner, else the first of accounts.
// PostgreSQL refuses to run as root.
func serverAccount(path string) (account, error) {
	me := os.Geteuid()
	if info, err := os.Lstat(path); err == nil {
		st, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case ok && me == 0 && st.Uid != 0:
			return account{uid: int(st.Uid), gid: int(st.Gid), drop: true}, nil
		case ok && me != 0 && int(st.Uid) != me:
			return account{}, fault.New(fault.Conflict, "database.owner", "The database in %s belongs to another user (id %d): start as that user or as root, or choose another data directory.", path, st.Uid)
		}
	}
	if me != 0 {
		return account{uid: me, gid: os.Getegid()}, nil
	}
	for _, name := range accounts {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.Atoi(u.Uid)
		if err != nil {
			continue
		}
		gid, err := strconv.Atoi(u.Gid)
		if err != nil {
			continue
		}
		return account{uid: uid, gid: gid, drop: true}, nil
	}
	return account{}, fmt.Errorf("PostgreSQL does not run as root and there is no user %s to run it as", strings.Join(accounts[:], " or "))
}

// attributes are those of a child that runs as a: in a session of its own, so
// that a Ctrl-C meant for the core does not stop the database first.
func (a account) attributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true}
	if a.drop {
		attr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
	return attr
}

// systemUser returns the name of the user we are, as the server will see it.
// Without cgo, os/user reads only /etc/passwd; id asks the directory service too.
func systemUser() (string, error) {
	if u, err := user.LookupId(strconv.Itoa(os.Geteuid())); err == nil {
		return u.Username, nil
	}
	out, err := exec.Command("id", "-un").Output()
	name := strings.TrimSpace(string(out))
	if err != nil || name == "" {
		return "", fmt.Errorf("the user id %d has no name; PostgreSQL needs one in the user database", os.Geteuid())
	}
	return name, nil
}

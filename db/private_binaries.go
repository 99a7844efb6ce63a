package db

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/vivified/vivified/core/fault"
)

// oldestMajor is the first PostgreSQL whose initdb has every option used here.
const oldestMajor = 14

// places are where packages put the server's programs.
var places = [...]string{
	"/usr/lib/postgresql/*/bin",                      // Debian, Ubuntu
	"/usr/pgsql-*/bin",                               // PGDG for Red Hat
	"/usr/libexec/postgresql*",                       // Alpine
	"/opt/homebrew/opt/postgresql*/bin",              // Homebrew on Apple silicon
	"/usr/local/opt/postgresql*/bin",                 // Homebrew on Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql*/bin", // Homebrew on Linux
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/usr/local/pgsql/bin", // from source
}

// installers are the commands that install PostgreSQL, by the program they need.
var installers = [...]struct{ program, command string }{
	{"apt-get", "apt-get install -y postgresql"},
	{"dnf", "dnf install -y postgresql-server"},
	{"apk", "apk add postgresql"},
	{"pacman", "pacman -S --noconfirm postgresql"},
	{"brew", "brew install postgresql@17"},
}

// binaries are the programs of one PostgreSQL installation.
type binaries struct {
	dir   string
	major int
}

// findBinaries returns the programs in bin, or when bin is empty the newest
// found; with major > 0 only those of that major version, which an existing
// cluster needs.
func findBinaries(ctx context.Context, bin string, major int) (binaries, error) {
	var dirs []string
	if bin != "" {
		dirs = []string{bin}
	} else {
		if path, err := exec.LookPath("postgres"); err == nil {
			if path, err = filepath.EvalSymlinks(path); err == nil {
				dirs = append(dirs, filepath.Dir(path))
			}
		}
		for _, pattern := range places {
			found, _ := filepath.Glob(pattern) // fails only for a bad pattern
			dirs = append(dirs, found...)
		}
	}
	var all []binaries
	for _, dir := range dirs {
		if v, ok := version(ctx, dir); ok && v >= oldestMajor {
			all = append(all, binaries{dir, v})
		}
	}
	if len(all) == 0 {
		return binaries{}, notInstalled(bin)
	}
	slices.SortStableFunc(all, func(a, b binaries) int { return b.major - a.major })
	if major == 0 {
		return all[0], nil
	}
	if i := slices.IndexFunc(all, func(b binaries) bool { return b.major == major }); i >= 0 {
		return all[i], nil
	}
	return binaries{}, fault.New(fault.Unavailable, "database.version",
		"The database was made by PostgreSQL %d and this machine has %d: install PostgreSQL %d beside it, or move the data with pg_upgrade.", major, all[0].major, major)
}

// version returns the major version of the programs in dir, when all are there.
func version(ctx context.Context, dir string) (int, bool) {
	for _, name := range []string{"initdb", "pg_ctl"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return 0, false
		}
	}
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output() // postgres (PostgreSQL) 15.18 (…)
	if err != nil {
		return 0, false
	}
	_, after, _ := strings.Cut(string(out), "(PostgreSQL) ")
	digits := strings.IndexFunc(after, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		return 0, false
	}
	major, err := strconv.Atoi(after[:digits])
	return major, err == nil
}

// notInstalled is the fault that names the one command to run.
func notInstalled(bin string) error {
	command := "install PostgreSQL " + strconv.Itoa(oldestMajor) + " or later"
	for _, i := range installers {
		if _, err := exec.LookPath(i.program); err == nil {
			command = "run: " + i.command
			if i.program != "brew" && os.Geteuid() != 0 {
				command = "run: sudo " + i.command
			}
			break
		}
	}
	where := "on this machine"
	if bin != "" {
		where = "in " + bin
	}
	return fault.New(fault.Unavailable, "database.not_installed", "PostgreSQL %d or later was not found %s; %s (or set DATABASE_URL to a server of your own).", oldestMajor, where, command).
		Because(fmt.Errorf("looked in PATH and %s (%s)", strings.Join(places[:], ", "), runtime.GOOS))
}

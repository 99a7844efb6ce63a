package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// cluster is a PostgreSQL data directory, the programs that fit it and the
// user who owns it.
//
// That user is not trusted by a root process: files inside are reached through
// an os.Root, which no symbolic link leads out of.
type cluster struct {
	path   string // absolute
	owner  account
	bin    binaries
	root   *os.Root
	handle *os.File // the directory itself, for arg
	socket string   // a temporary socket directory to remove, or ""
}

// openCluster opens the cluster in the data directory dir, and makes it first
// when there is none. A cluster that was interrupted while being made is made anew.
func openCluster(ctx context.Context, dir, bin string) (*cluster, error) {
	base, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	c := &cluster{path: filepath.Join(dir, privateCluster)}
	if c.owner, err = serverAccount(c.path); err != nil {
		return nil, err
	}
	text, err := base.ReadFile(filepath.Join(privateCluster, "PG_VERSION"))
	switch {
	case err == nil:
		major, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return nil, fmt.Errorf("read %s/PG_VERSION: %w", c.path, err)
		}
		if c.bin, err = findBinaries(ctx, bin, major); err != nil {
			return nil, err
		}
	case errors.Is(err, fs.ErrNotExist):
		if c.bin, err = findBinaries(ctx, bin, 0); err != nil {
			return nil, err
		}
		if err := c.make(ctx, base); err != nil {
			return nil, err
		}
	default:
		return nil, err
	}
	if err := c.open(base, privateCluster); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// open opens the directory name of base as c's.
func (c *cluster) open(base *os.Root, name string) (err error) {
	if c.root, err = base.OpenRoot(name); err != nil {
		return err
	}
	c.handle, err = c.root.Open(".")
	return err
}

// close lets go of the directory and removes a temporary socket directory.
func (c *cluster) close() {
	if c.root != nil {
		c.root.Close()
	}
	if c.handle != nil {
		c.handle.Close()
	}
	if c.socket != "" {
		os.RemoveAll(c.socket)
	}
}

// make runs initdb in a directory beside and renames it when it is whole and
// on disk, so that a cluster either exists or does not.
func (c *cluster) make(ctx context.Context, base *os.Root) error {
	const draft = privateCluster + ".new"
	if err := base.RemoveAll(draft); err != nil {
		return err
	}
	if err := base.Mkdir(draft, 0o700); err != nil {
		return err
	}
	if c.owner.drop {
		if err := base.Lchown(draft, c.owner.uid, c.owner.gid); err != nil {
			return err
		}
	}
	d := &cluster{path: c.path + ".new", owner: c.owner, bin: c.bin}
	defer d.close()
	if err := d.open(base, draft); err != nil {
		return err
	}
	ctype := "C"
	if runtime.GOOS == "linux" {
		ctype = "C.UTF-8" // lower() and upper() beyond ASCII; sorting stays by code point
	}
	err := d.run(ctx, "initdb", "--username="+privateOwner, "--encoding=UTF8", "--locale=C", "--lc-ctype="+ctype,
		"--data-checksums", "--auth=peer", "--no-sync", "--no-instructions")
	if err != nil {
		return err
	}
	if err := d.run(ctx, "initdb", "--sync-only"); err != nil {
		return err
	}
	if err := base.Rename(draft, privateCluster); err != nil {
		return fmt.Errorf("%s is not empty and is not a database: %w", c.path, err)
	}
	top, err := base.Open(".")
	if err != nil {
		return err
	}
	defer top.Close()
	return top.Sync()
}

// command returns the server program name with the data directory and args,
// as c's owner, with nothing of our environment: it holds secrets.
func (c *cluster) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	where := c.path
	var files []*os.File
	if c.owner.drop && runtime.GOOS == "linux" {
		// The owner may have no way to c.path through its parents (/root is
		// closed); through an open directory it needs none.
		where, files = "/proc/self/fd/3", []*os.File{c.handle}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(c.bin.dir, name), append([]string{"-D", where}, args...)...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.ExtraFiles = files
	cmd.SysProcAttr = c.owner.attributes()
	return cmd
}

// run runs a program to its end; its output becomes part of the error.
func (c *cluster) run(ctx context.Context, name string, args ...string) error {
	cmd := c.command(ctx, name, args...)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}

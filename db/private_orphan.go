package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// pidFile is what a running server writes into its data directory.
const pidFile = "postmaster.pid"

// pidRecord is what matters in a pidFile (src/include/utils/pidfile.h).
type pidRecord struct {
	pid    int    // line 1
	socket string // line 5: the socket's directory
}

// parsePidFile reads as much as there is; a server that just starts has not
// written all of it.
func parsePidFile(text string) pidRecord {
	lines := strings.Split(text, "\n")
	var r pidRecord
	r.pid, _ = strconv.Atoi(strings.TrimSpace(lines[0]))
	if len(lines) > 4 {
		r.socket = strings.TrimSpace(lines[4])
	}
	return r
}

// endOrphan makes way for a new server. We hold the directory's lock, so a
// server that still runs was left behind by a core that is no more: it is shut
// down, through pg_ctl as the owner's user, who can signal nobody else's
// processes. The files of one that died are made harmless.
func (c *cluster) endOrphan(ctx context.Context, log *slog.Logger) error {
	text, r, err := c.readPidFile()
	if text == "" || err != nil {
		return err
	}
	defer removeSocketDir(r.socket, c.owner.uid)
	if c.running(r) {
		log.Warn("shutting down a PostgreSQL that an earlier core left behind", "pid", r.pid)
	}
	for _, mode := range []string{"fast", "immediate"} {
		if !c.running(r) {
			break
		}
		// This fails, too, when the server ends by itself just then: Linux tells
		// it that its core died. It removes its pid file before it is quite gone.
		err = c.run(ctx, "pg_ctl", "stop", "-m", mode, "-t", "5")
		c.awaitEnd(ctx, r, time.Second)
	}
	if c.running(r) {
		return fmt.Errorf("end the PostgreSQL that an earlier core left behind: %w", err)
	}
	if text, _, err = c.readPidFile(); text == "" || err != nil {
		return err
	}
	log.Info("recovering the database after PostgreSQL was killed")
	// A server refuses to start while the recorded process exists, be it a
	// zombie or a stranger with the same number. Our own number means "my
	// parent" to it, which it accepts; the rest of the file must stay, because
	// it leads the server to shared memory that dying sessions may still use.
	_, rest, _ := strings.Cut(text, "\n")
	if err := c.write(pidFile, strconv.Itoa(os.Getpid())+"\n"+rest); err != nil {
		return fmt.Errorf("renew %s: %w", pidFile, err)
	}
	for _, name := range []string{socketName, socketName + ".lock"} {
		if err := c.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// running reports whether the recorded process is a server of this cluster.
func (c *cluster) running(r pidRecord) bool { return r.pid > 1 && runsIn(r.pid, c.path) }

// awaitEnd waits until the recorded server has ended, for a while.
func (c *cluster) awaitEnd(ctx context.Context, r pidRecord, patience time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for c.running(r) {
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}

// readPidFile returns the pid file as text, "" when there is none, and read.
func (c *cluster) readPidFile() (string, pidRecord, error) {
	text, err := c.root.ReadFile(pidFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", pidRecord{}, nil
	}
	return string(text), parsePidFile(string(text)), err
}

// removeSocketDir removes a temporary socket directory of ours that a killed
// core left. The path comes from a file, so everything about it is checked.
func removeSocketDir(dir string, owner int) {
	if !strings.HasPrefix(dir, temporarySockets) || filepath.Clean(dir) != dir || filepath.Dir(dir) != filepath.Dir(temporarySockets) {
		return
	}
	if info, err := os.Lstat(dir); err == nil && info.IsDir() && ownedBy(info, owner) {
		os.RemoveAll(dir)
	}
}

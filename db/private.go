package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/vivified/vivified/core/fault"
)

const (
	privateOwner    = "vivified_owner" // bootstrap role of the cluster
	privateDatabase = "vivified"
	privateCluster  = "postgres"      // directory below Private.Dir
	privateLock     = "postgres.lock" // held by the core that runs the cluster
	socketName      = ".s.PGSQL.5432"
)

// Private runs a PostgreSQL for this core alone, from the programs installed
// on the machine. It listens on no network; its socket lies in a directory
// that only its own user may enter, and the owner role is for the operating
// system user who runs the core: others prove the app role's password.
//
// As root, PostgreSQL runs as the user postgres, else nobody. Whatever runs
// under that user is master of the database, so plugins run under another.
//
// A Private is used once: Start or Run, then Stop.
type Private struct {
	// Dir is the core's data directory. The cluster is made in Dir/postgres.
	Dir string

	// Bin is the directory of the programs postgres, initdb and pg_ctl.
	// Default: found in PATH and in the usual places, the newest.
	Bin string

	// Settings are postgresql.conf settings that win over the built-in ones.
	Settings map[string]string

	// Trust lets every process that reaches the socket sign in as any role,
	// without proof: for tests. Default: nobody is trusted.
	Trust bool

	// Log receives the server's messages. Default: they are discarded.
	Log *slog.Logger

	mu      sync.Mutex
	used    bool
	cluster *cluster
	server  *process
	lock    *os.File
	url     string
}

// Start makes the cluster when there is none, ends a server that an earlier
// core left behind, starts the server and returns when it answers. A recovery
// after a crash may take long, so only ctx bounds the wait. It returns a
// Conflict fault when another core uses the directory, and an Unavailable
// fault that names the command to run when PostgreSQL is not installed.
func (p *Private) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.used {
		return errors.New("private PostgreSQL: started before")
	}
	p.used = true
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	err := p.start(ctx)
	if err != nil {
		p.halt(ctx)
		if errors.As(err, new(*fault.Fault)) {
			return err
		}
		return fmt.Errorf("private PostgreSQL: %w", err)
	}
	return nil
}

// start does the work of Start; what it opened, halt closes.
func (p *Private) start(ctx context.Context) (err error) {
	dir, err := filepath.Abs(p.Dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if p.lock, err = lockDir(dir); err != nil {
		return err
	}
	if p.cluster, err = openCluster(ctx, dir, p.Bin); err != nil {
		return err
	}
	access := hba
	if p.Trust {
		access = hbaTrust
	}
	if err := p.cluster.configure(p.Settings, access); err != nil {
		return err
	}
	if err := p.cluster.endOrphan(ctx, p.Log); err != nil {
		return err
	}
	socket, err := p.cluster.makeSocketDir()
	if err != nil {
		return err
	}
	if p.server, err = p.cluster.serve(ctx, p.Log, socket); err != nil {
		return err
	}
	p.url = ownerURL(socket, privateDatabase)
	return nil
}

// URL returns the owner's connection string once Start has returned.
func (p *Private) URL() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.url
}

// Run starts the server unless Start has, and keeps watch: it stops the server
// and returns nil when ctx ends, and returns an error when the server ends by
// itself. The core's other parts need the database to finish, so end their
// contexts before this one.
func (p *Private) Run(ctx context.Context) error {
	p.mu.Lock()
	used := p.used
	p.mu.Unlock()
	if !used {
		if err := p.Start(ctx); err != nil {
			return err
		}
	}
	p.mu.Lock()
	server := p.server
	p.mu.Unlock()
	if server == nil { // stopped already
		return nil
	}
	select {
	case <-ctx.Done():
		return p.Stop(context.WithoutCancel(ctx))
	case <-server.done:
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server == nil { // Stop was called meanwhile
		return nil
	}
	err := fmt.Errorf("private PostgreSQL ended: %w", server.failure())
	p.halt(ctx)
	return err
}

// Stop ends the server: sessions are cut and the shutdown checkpoint written,
// usually within 0.2 s; after 3 s, or when ctx ends, without the checkpoint,
// which the next start makes good. Stopping twice is harmless.
func (p *Private) Stop(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.halt(ctx)
}

// halt stops what runs and releases what is held.
func (p *Private) halt(ctx context.Context) error {
	var err error
	if p.server != nil {
		err = p.server.stop(ctx, 3*time.Second)
		p.server = nil
	}
	if p.cluster != nil {
		p.cluster.close()
		p.cluster = nil
	}
	if p.lock != nil {
		p.lock.Close()
		p.lock = nil
	}
	return err
}

// PrivateURL returns the owner's connection string of the private PostgreSQL
// in the data directory dir while some core runs it there; else running is
// false and exists says whether there is a cluster to start.
func PrivateURL(dir string) (url string, running, exists bool) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", false, false
	}
	if _, err := os.Stat(filepath.Join(dir, privateCluster, "PG_VERSION")); err != nil {
		return "", false, false
	}
	text, err := os.ReadFile(filepath.Join(dir, privateCluster, pidFile))
	if err != nil {
		return "", false, true
	}
	socket := parsePidFile(string(text)).socket
	if socket == "." {
		socket = filepath.Join(dir, privateCluster)
	}
	conn, err := net.Dial("unix", filepath.Join(socket, socketName))
	if err != nil {
		return "", false, true
	}
	conn.Close()
	return ownerURL(socket, privateDatabase), true, true
}

// ownerURL names a database behind the socket in dir.
func ownerURL(dir, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(privateOwner), Path: "/" + database, RawQuery: url.Values{"host": {dir}}.Encode()}
	return u.String()
}

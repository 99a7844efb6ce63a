//go:build linux

package sandbox

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	runc "github.com/containerd/go-runc"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/pluginmgr/image"
	"github.com/vivified/vivified/pluginmgr/socket"
)

// Config is what the runtime needs.
type Config struct {
	Dir    string // holds what runs and the volumes; nobody else may enter it
	Images *image.Roots
	// Serve answers what a plugin asks of the core until l is closed. Whoever
	// comes through l is that plugin.
	Serve func(l net.Listener, plugin string) error
	Log   *slog.Logger
}

// Runtime is pluginmgr.Starter by runc. Safe for concurrent use.
type Runtime struct {
	Config
	runc    *runc.Runc
	adopt   adopter
	tag     string // of this folder, in names that the whole machine shares
	volumes volumes

	mu    sync.Mutex
	boxes map[string]*box // by instance
}

// New returns the runtime; whether this machine can run it, Able tells.
func New(c Config) *Runtime {
	sum := sha256.Sum256([]byte(c.Dir))
	rt := &Runtime{Config: c, tag: fmt.Sprintf("%x", sum[:6]), boxes: map[string]*box{}}
	rt.volumes = volumes{files: filepath.Join(c.Dir, "volumes"), mounts: filepath.Join(rt.run(), "volumes"), held: map[string]int{}}
	rt.runc = &runc.Runc{Command: tool("runc"), Root: filepath.Join(rt.run(), "runc")}
	return rt
}

// run is the folder of what runs.
func (rt *Runtime) run() string { return filepath.Join(rt.Dir, "run") }

// of is the folder of an instance.
func (rt *Runtime) of(instance string) string { return filepath.Join(rt.run(), "instances", instance) }

// tool finds a program that may stand where only root looks.
func tool(name string) string {
	if at, err := exec.LookPath(name); err == nil {
		return at
	}
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/local/bin"} {
		if at := filepath.Join(dir, name); exec.Command(at).Err == nil {
			if _, err := os.Stat(at); err == nil {
				return at
			}
		}
	}
	return name
}

// Able implements pluginmgr.Starter.
func (rt *Runtime) Able(ctx context.Context) error {
	unable := func(format string, args ...any) *fault.Fault {
		return fault.New(fault.Unavailable, "runtime.unavailable", "This machine cannot run sandboxes. "+format, args...)
	}
	if os.Geteuid() != 0 {
		return unable("The core must run as root for that: otherwise no limit would be in force. Plugins can run in containers instead.")
	}
	for program, pkg := range map[string]string{"runc": "runc", "mkfs.ext4": "e2fsprogs"} {
		if _, err := os.Stat(tool(program)); err != nil {
			return unable("%s is missing; on Debian, apt-get install %s.", program, pkg)
		}
	}
	if _, err := rt.runc.Version(ctx); err != nil {
		return unable("runc does not run.").Because(err)
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		return unable("It has no loop devices, which hold the plugins' volumes.").Because(err)
	}
	return nil
}

// box is one instance.
type box struct {
	launch    pluginmgr.Launch
	started   time.Time
	process   *process
	group     group
	mounted   bool // it holds its plugin's volume
	pair      *socket.Pair
	loop      *socket.Loopback // nil: it answers at its socket
	listeners []net.Listener
	transport *http.Transport
	output    output
	exit      pluginmgr.Exit
	ended     chan struct{} // closed once exit is there
	stopping  sync.Mutex
}

func (rt *Runtime) box(instance string) (*box, error) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	b, ok := rt.boxes[instance]
	if !ok {
		return nil, fault.New(fault.Unavailable, "target.not_running", "This instance of the plugin does not run here.")
	}
	return b, nil
}

// Call implements pluginmgr.Runtime.
func (rt *Runtime) Call(ctx context.Context, to pluginmgr.Target, r *http.Request) (*http.Response, error) {
	b, err := rt.box(to.Instance)
	if err != nil {
		return nil, err
	}
	return socket.Send(ctx, b.transport, to.Plugin, r)
}

// Probe implements pluginmgr.Runtime.
func (rt *Runtime) Probe(ctx context.Context, to pluginmgr.Target) error {
	b, err := rt.box(to.Instance)
	if err != nil {
		return err
	}
	conn, err := b.dial(ctx)
	if err != nil {
		return err
	}
	return conn.Close()
}

func (b *box) dial(ctx context.Context) (net.Conn, error) {
	if b.loop != nil {
		return b.loop.Dial(ctx)
	}
	return b.pair.Dial(ctx)
}

// Wait implements pluginmgr.Starter.
func (rt *Runtime) Wait(ctx context.Context, instance string) (pluginmgr.Exit, error) {
	b, err := rt.box(instance)
	if err != nil {
		return pluginmgr.Exit{}, err
	}
	select {
	case <-b.ended:
		return b.exit, nil
	case <-ctx.Done():
		return pluginmgr.Exit{}, ctx.Err()
	}
}

// Stats implements pluginmgr.Starter.
func (rt *Runtime) Stats(_ context.Context, instance string) (pluginmgr.Stats, error) {
	b, err := rt.box(instance)
	if err != nil {
		return pluginmgr.Stats{}, err
	}
	return b.group.stats()
}

// Forget implements pluginmgr.Starter.
func (rt *Runtime) Forget(_ context.Context, plugin string) error {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	for _, b := range rt.boxes {
		if b.launch.Plugin == plugin {
			return fault.New(fault.Conflict, "plugin.state", "%s still runs; its volume stays.", plugin)
		}
	}
	return rt.volumes.remove(plugin)
}

// Close lets go of every instance without ending it.
func (rt *Runtime) Close() {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	for _, b := range rt.boxes {
		b.release()
	}
	clear(rt.boxes)
}

// release closes what the core holds of an instance.
func (b *box) release() {
	for _, l := range b.listeners {
		l.Close()
	}
	if b.transport != nil {
		b.transport.CloseIdleConnections()
	}
	if b.loop != nil {
		b.loop.Close()
	}
	b.output.close()
	if b.process != nil {
		b.process.close()
	}
}

//go:build linux

package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	runc "github.com/containerd/go-runc"
	"golang.org/x/sys/unix"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/pluginmgr/socket"
)

// kept is what the folder of an instance says of it to a core that comes later.
type kept struct {
	Launch  pluginmgr.Launch `json:"launch"`
	Started time.Time        `json:"started"`
}

const keptName = "instance.json"

// Start implements pluginmgr.Starter.
func (rt *Runtime) Start(ctx context.Context, l pluginmgr.Launch) (err error) {
	if err := rt.Able(ctx); err != nil {
		return err
	}
	root, err := rt.Images.Root(ctx, l.Image)
	if err != nil {
		return err
	}
	dir := rt.of(l.Instance)
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return notStarted(l, err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return notStarted(l, err)
	}
	b := &box{launch: l, started: time.Now(), pair: socket.At(dir, UID), ended: make(chan struct{})}
	defer func() {
		if err != nil {
			rt.remove(context.WithoutCancel(ctx), b)
		}
	}()
	volume, err := rt.volumes.mount(ctx, l.Plugin, l.Limits.Storage)
	if err != nil {
		return notStarted(l, err)
	}
	b.mounted = true
	if err := errors.Join(b.pair.Make(), makePipes(dir)); err != nil {
		return notStarted(l, err)
	}
	spec, err := bundle(l, root, b.pair, volume, "/vivified/"+rt.tag+"/"+l.Instance, swaps())
	if err != nil {
		return err
	}
	if err := write(filepath.Join(dir, "config.json"), spec); err != nil {
		return notStarted(l, err)
	}
	if err := write(filepath.Join(dir, keptName), kept{l, b.started}); err != nil {
		return notStarted(l, err)
	}
	if err := rt.create(ctx, b, dir); err != nil {
		return err
	}
	if err := rt.attend(b, dir); err != nil {
		return notStarted(l, err)
	}
	if err := rt.runc.Start(ctx, l.Instance); err != nil {
		return notStarted(l, err)
	}
	return nil
}

func notStarted(l pluginmgr.Launch, err error) error {
	if _, said := errors.AsType[*fault.Fault](err); said {
		return err
	}
	return fault.New(fault.Unavailable, "plugin.not_started", "The sandbox of %s could not be started; the log says why.", l.Plugin).Because(err)
}

func write(path string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(path, raw, 0o600)
}

// create makes the instance, whose program does not run yet, and proves that
// its limits are in force.
func (rt *Runtime) create(ctx context.Context, b *box, dir string) error {
	io, err := openStdio(dir)
	if err != nil {
		return notStarted(b.launch, err)
	}
	defer io.Close()
	log := filepath.Join(dir, "runc.log")
	made := *rt.runc
	made.Log, made.LogFormat = log, runc.JSON
	err = rt.adopt.during(func() error {
		return made.Create(ctx, b.launch.Instance, dir, &runc.CreateOpts{IO: io, PidFile: filepath.Join(dir, "pid")})
	})
	if err != nil {
		return notStarted(b.launch, fmt.Errorf("%w: %s", err, lastError(log)))
	}
	raw, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		return notStarted(b.launch, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return notStarted(b.launch, err)
	}
	if b.process, err = hold(pid); err != nil {
		return notStarted(b.launch, err)
	}
	if b.group, err = groupOf(pid); err != nil {
		return notStarted(b.launch, err)
	}
	if lacking := b.group.lacking(b.launch.Limits); len(lacking) > 0 {
		if !b.launch.Waived {
			return fault.New(fault.Unavailable, "limits.not_enforced",
				"This machine does not hold %s to its limits (%s), so it was not started; an administrator may accept that for it.", b.launch.Plugin, strings.Join(lacking, ", "))
		}
		rt.Log.WarnContext(ctx, "limits are not in force, as an administrator accepted", "plugin", b.launch.Plugin, "lacking", lacking)
	}
	return nil
}

// lastError is the last thing that runc complained of.
func lastError(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	said := ""
	for line := range strings.Lines(string(raw)) {
		var entry struct{ Level, Msg string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Level == "error" {
			said = entry.Msg
		}
	}
	return said
}

// attend opens the ways between the core and an instance, and watches for its end.
func (rt *Runtime) attend(b *box, dir string) error {
	if err := b.output.open(dir); err != nil {
		return err
	}
	listener, err := b.pair.Listen()
	if err != nil {
		return err
	}
	b.listeners = append(b.listeners, listener)
	if b.launch.Port > 0 {
		if b.loop, err = socket.EnterLoopback(b.process.pid, b.launch.Port); err != nil {
			return err
		}
		inside, err := b.loop.Listen()
		if err != nil {
			return err
		}
		b.listeners = append(b.listeners, inside)
	}
	b.transport = socket.Transport(b.dial)
	rt.mu.Lock()
	rt.boxes[b.launch.Instance] = b
	rt.mu.Unlock()
	for _, l := range b.listeners {
		go func() {
			if err := rt.Serve(l, b.launch.Plugin); err != nil {
				rt.Log.Warn("a plugin's socket is no longer served", "plugin", b.launch.Plugin, "error", err)
			}
		}()
	}
	go rt.watch(b)
	return nil
}

// watch notes how an instance ended.
func (rt *Runtime) watch(b *box) {
	exit, err := b.process.wait()
	if err != nil {
		return // it was let go of
	}
	exit.OOM = b.group.killed() > 0
	b.exit = exit
	close(b.ended)
}

// Stop implements pluginmgr.Starter.
func (rt *Runtime) Stop(ctx context.Context, instance string, grace time.Duration) error {
	b, err := rt.box(instance)
	if err != nil {
		return nil
	}
	b.stopping.Lock()
	defer b.stopping.Unlock()
	if grace > 0 {
		if err := b.process.signal(unix.SIGTERM); err != nil {
			return fmt.Errorf("stop %s: %w", instance, err)
		}
		patience := time.NewTimer(grace)
		defer patience.Stop()
		select {
		case <-b.ended:
		case <-patience.C:
		case <-ctx.Done():
		}
	}
	// The first process of a PID name space takes all others with it.
	if err := b.process.signal(unix.SIGKILL); err != nil {
		return fmt.Errorf("stop %s: %w", instance, err)
	}
	<-b.ended
	b.output.drain()
	rt.remove(context.WithoutCancel(ctx), b)
	return nil
}

// remove takes away whatever there is of an instance.
func (rt *Runtime) remove(ctx context.Context, b *box) {
	rt.mu.Lock()
	delete(rt.boxes, b.launch.Instance)
	rt.mu.Unlock()
	if b.process != nil {
		_ = b.process.signal(unix.SIGKILL)
		if _, err := b.process.wait(); err != nil {
			rt.Log.WarnContext(ctx, "the end of an instance was not seen", "plugin", b.launch.Plugin, "error", err)
		}
	}
	b.release()
	rt.sweep(ctx, b.launch.Instance)
	if b.mounted {
		if err := rt.volumes.release(b.launch.Plugin); err != nil {
			rt.Log.WarnContext(ctx, "a volume stays mounted", "plugin", b.launch.Plugin, "error", err)
		}
	}
}

// sweep removes an instance from runc and from the disk.
func (rt *Runtime) sweep(ctx context.Context, instance string) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := rt.runc.Delete(ctx, instance, &runc.DeleteOpts{Force: true})
	if err != nil && !strings.Contains(err.Error(), "does not exist") {
		rt.Log.WarnContext(ctx, "runc did not remove an instance", "instance", instance, "error", err)
	}
	dir := rt.of(instance)
	if err := errors.Join(socket.At(dir, UID).Remove(), os.RemoveAll(dir)); err != nil {
		rt.Log.WarnContext(ctx, "an instance left something on disk", "instance", instance, "error", err)
	}
}

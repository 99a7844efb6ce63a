//go:build linux

package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/pluginmgr/socket"
)

// Recover implements pluginmgr.Starter.
func (rt *Runtime) Recover(ctx context.Context) ([]pluginmgr.Running, error) {
	if rt.Able(ctx) != nil {
		return nil, nil
	}
	if err := os.MkdirAll(filepath.Join(rt.run(), "instances"), 0o700); err != nil {
		return nil, fmt.Errorf("look for instances: %w", err)
	}
	there, err := os.ReadDir(filepath.Join(rt.run(), "instances"))
	if err != nil {
		return nil, fmt.Errorf("look for instances: %w", err)
	}
	var running []pluginmgr.Running
	seen := map[string]bool{}
	for _, e := range there {
		seen[e.Name()] = true
		b, err := rt.takeUp(ctx, e.Name())
		if err != nil {
			rt.Log.WarnContext(ctx, "an instance is removed that cannot be taken up again", "instance", e.Name(), "error", err)
			rt.sweep(ctx, e.Name())
			continue
		}
		running = append(running, pluginmgr.Running{Plugin: b.launch.Plugin, Instance: b.launch.Instance, Image: b.launch.Image, Started: b.started})
	}
	known, err := rt.runc.List(ctx)
	if err != nil {
		rt.Log.WarnContext(ctx, "runc does not list its instances", "error", err)
	}
	for _, c := range known {
		if !seen[c.ID] {
			rt.Log.WarnContext(ctx, "an orphan is removed", "instance", c.ID)
			rt.sweep(ctx, c.ID)
		}
	}
	if err := rt.volumes.sweep(); err != nil {
		rt.Log.WarnContext(ctx, "a volume stays mounted that nobody uses", "error", err)
	}
	return running, nil
}

// takeUp takes up an instance that runs since before the core.
func (rt *Runtime) takeUp(ctx context.Context, instance string) (_ *box, err error) {
	dir := rt.of(instance)
	raw, err := os.ReadFile(filepath.Join(dir, keptName))
	if err != nil {
		return nil, err
	}
	var k kept
	if err := json.Unmarshal(raw, &k); err != nil {
		return nil, err
	}
	if k.Launch.Instance != instance {
		return nil, errors.New("its folder says that it is another")
	}
	// runc compares the time its process began, so that no other of the same number counts.
	state, err := rt.runc.State(ctx, instance)
	if err != nil {
		return nil, err
	}
	if state.Status != "running" {
		return nil, fmt.Errorf("it is %s", state.Status)
	}
	b := &box{launch: k.Launch, started: k.Started, pair: socket.At(dir, UID), ended: make(chan struct{})}
	if b.process, err = hold(state.Pid); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.release()
		}
	}()
	// Once more: it may have ended between the question and the hold.
	if again, err := rt.runc.State(ctx, instance); err != nil || again.Status != "running" || again.Pid != state.Pid {
		return nil, errors.New("it has just ended")
	}
	if b.group, err = groupOf(state.Pid); err != nil {
		return nil, err
	}
	if err := rt.attend(b, dir); err != nil {
		return nil, err
	}
	rt.volumes.hold(b.launch.Plugin)
	b.mounted = true
	return b, nil
}

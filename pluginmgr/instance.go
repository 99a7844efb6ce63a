package pluginmgr

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/pluginmgr/journal"
)

// How an instance came to its end, as it is kept.
const (
	causeStopped   = "stopped"
	causeReplaced  = "replaced"
	causeFailed    = "failed"
	causeUnhealthy = "unhealthy"
)

// instance is one that this replica runs.
type instance struct {
	plugin, name string
	image        string // its digest
	digest       string // of the manifest it was started for
	runtime      Starter
	started      time.Time

	mu    sync.Mutex
	cause string        // why it is being stopped; empty while it should run
	last  Stats         // as of its last check
	ended chan struct{} // closed once its end is on record
}

// instances are those of this replica, by plugin. One is current: it gets the
// calls. Whoever changes which one takes the plugin's lock.
type instances struct {
	mu      sync.Mutex
	current map[string]*instance
	locks   map[string]*sync.Mutex
	pauses  map[string]pause
}

func newInstances() *instances {
	return &instances{current: map[string]*instance{}, locks: map[string]*sync.Mutex{}, pauses: map[string]pause{}}
}

// lock is held by whoever starts or stops the plugin.
func (i *instances) lock(plugin string) *sync.Mutex {
	i.mu.Lock()
	defer i.mu.Unlock()
	l, ok := i.locks[plugin]
	if !ok {
		l = &sync.Mutex{}
		i.locks[plugin] = l
	}
	return l
}

func (i *instances) of(plugin string) *instance {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.current[plugin]
}

// all returns the current instances.
func (i *instances) all() []*instance {
	i.mu.Lock()
	defer i.mu.Unlock()
	var all []*instance
	for _, one := range i.current {
		all = append(all, one)
	}
	return all
}

// set makes one current and returns the one that was; nil for none.
func (i *instances) set(plugin string, next *instance) *instance {
	i.mu.Lock()
	defer i.mu.Unlock()
	was := i.current[plugin]
	if next == nil {
		delete(i.current, plugin)
	} else {
		i.current[plugin] = next
	}
	return was
}

// unset makes none current where one still is the current one.
func (i *instances) unset(one *instance) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.current[one.plugin] != one {
		return false
	}
	delete(i.current, one.plugin)
	return true
}

// starter returns the runtime of a plugin where that starts it.
func (m *Manager) starter(mf *manifest.Manifest) (Starter, bool) {
	rt, ok := m.Runtimes[mf.Runtime.Kind].(Starter)
	return rt, ok
}

// Answering is how long a started plugin may take until it answers.
const answering = 30 * time.Second

// launch starts an instance of a plugin and returns once it answers. The caller
// holds the plugin's lock. Errors are faults; nothing runs after one.
func (m *Manager) launch(ctx context.Context, rt Starter, p *registry.Plugin, mf *manifest.Manifest) (*instance, error) {
	select {
	case <-m.up: // what Recover does not know it removes
	case <-ctx.Done():
		return nil, fault.New(fault.BadGateway, "plugin.not_started", "%s was not started: the core was still busy taking up what ran before.", p.ID)
	}
	if err := m.takePlace(ctx, p.ID); err != nil {
		return nil, err
	}
	waived, err := m.waived(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	one := &instance{
		plugin: p.ID, name: instanceName(p.ID), image: mf.Runtime.Digest, digest: mf.Digest(), runtime: rt, started: time.Now(),
		ended: make(chan struct{}),
	}
	q := db.New(m.Pool)
	err = q.PluginRunAdd(ctx, db.PluginRunAddParams{Instance: one.name, PluginID: p.ID, Runtime: mf.Runtime.Kind, Replica: m.Replica, Version: mf.Version, Image: one.image})
	if err != nil {
		return nil, db.Fault(err)
	}
	err = rt.Start(ctx, Launch{
		Plugin: p.ID, Instance: one.name, Image: mf.Runtime.Digest, Command: mf.Runtime.Command, Env: mf.Runtime.Env, Port: mf.Runtime.Port,
		Limits: m.limits(mf.Resources), Waived: waived,
	})
	if err != nil {
		m.Log.WarnContext(ctx, "plugin not started", "plugin", p.ID, "error", errors.Join(err, errors.Unwrap(err)))
		m.noteEnd(ctx, one, causeFailed, Exit{Status: -1}, fault.Of(err).Sentence)
		m.postpone(p.ID)
		return nil, err
	}
	m.attend(ctx, one)
	if err := m.await(ctx, one, isCalled(mf)); err != nil {
		m.stop(context.WithoutCancel(ctx), one, causeFailed, time.Second)
		return nil, err
	}
	return one, nil
}

// instanceName is a new name for an instance of a plugin.
func instanceName(plugin string) string {
	var b [4]byte
	rand.Read(b[:])
	return plugin + "." + hex.EncodeToString(b[:])
}

// isCalled reports whether the core ever calls a plugin, so that it must answer; one
// that only listens and asks need not.
func isCalled(mf *manifest.Manifest) bool {
	hears := mf.Events.Delivery == manifest.Webhook && len(mf.Events.Subscribes) > 0
	return hears || len(mf.Endpoints) > 0 || len(mf.Pages) > 0 || mf.HealthCheck != nil || mf.Hooks != (manifest.Hooks{})
}

// standing is how long an instance that is never called must have run to count as started.
const standing = 250 * time.Millisecond

// await returns once an instance accepts connections, or, when it is never called,
// has not ended at once; or a fault when it ends before or does not within its time.
func (m *Manager) await(ctx context.Context, one *instance, called bool) error {
	ctx, cancel := context.WithTimeout(ctx, answering)
	defer cancel()
	if !called {
		select {
		case <-one.ended:
			return fault.New(fault.BadGateway, "plugin.not_started", "%s ended as soon as it was started; its log says why.", one.plugin)
		case <-time.After(standing):
			return nil
		}
	}
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		if one.runtime.Probe(ctx, one.target()) == nil {
			return nil
		}
		select {
		case <-one.ended:
			return fault.New(fault.BadGateway, "plugin.not_started", "%s ended as soon as it was started; its log says why.", one.plugin)
		case <-ctx.Done():
			return fault.New(fault.BadGateway, "plugin.not_started", "%s was started but does not answer.", one.plugin)
		case <-time.After(pause):
		}
	}
}

func (one *instance) target() Target { return Target{Plugin: one.plugin, Instance: one.name} }

// attend keeps what an instance writes and notes its end, whoever asked for it.
func (m *Manager) attend(ctx context.Context, one *instance) {
	ctx, done := m.whileUp(ctx)
	var both sync.WaitGroup
	both.Go(func() { m.collect(ctx, one) })
	both.Go(func() {
		exit, err := one.runtime.Wait(ctx, one.name)
		if err != nil {
			return // the core goes, the instance stays
		}
		one.mu.Lock()
		cause := one.cause
		one.mu.Unlock()
		if cause == "" {
			cause = causeFailed
		}
		m.noteEnd(ctx, one, cause, exit, "")
		m.instances.unset(one)
		close(one.ended)
		if cause == causeFailed || cause == causeUnhealthy {
			m.postpone(one.plugin)
			m.Log.WarnContext(ctx, "plugin ended", "plugin", one.plugin, "how", exit.Words())
		}
		m.wake()
	})
	m.attending.Go(func() {
		both.Wait()
		done()
	})
}

// whileUp returns a context for what goes on after the request that began it, as
// long as the manager runs.
func (m *Manager) whileUp(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		select {
		case <-m.down:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// Lines of a plugin are taken as fast as this on the long run, in bytes; beyond
// that the plugin waits, so that none fills the disk's time or the core's.
const (
	linesPerSecond = 1 << 20
	linesAtOnce    = 4 << 20
)

// collect keeps what an instance writes until it has ended.
func (m *Manager) collect(ctx context.Context, one *instance) {
	pace := rate.NewLimiter(linesPerSecond, linesAtOnce)
	err := one.runtime.Logs(ctx, one.name, one.started, func(l journal.Line) {
		_ = pace.WaitN(ctx, len(l.Text)+1)
		l.Instance = one.name
		if err := m.Journal.Add(one.plugin, l); err != nil {
			m.Log.Warn("a plugin's line is lost", "plugin", one.plugin, "error", err)
		}
	})
	if err != nil && ctx.Err() == nil {
		m.Log.Warn("a plugin's output is not read any more", "plugin", one.plugin, "error", err)
	}
}

// noteEnd puts on record how an instance ended.
func (m *Manager) noteEnd(ctx context.Context, one *instance, cause string, exit Exit, detail string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	end := db.PluginRunEndParams{Instance: one.name, Cause: cause, Signal: exit.Signal, Oom: exit.OOM, Detail: detail}
	if exit.Status >= 0 {
		end.ExitCode = new(int32(exit.Status))
	}
	if _, err := db.New(m.Pool).PluginRunEnd(ctx, end); err != nil {
		m.Log.WarnContext(ctx, "the end of an instance is not on record", "plugin", one.plugin, "error", err)
	}
}

// stop ends an instance and returns once that is on record.
func (m *Manager) stop(ctx context.Context, one *instance, cause string, grace time.Duration) {
	one.mu.Lock()
	if one.cause == "" {
		one.cause = cause
	}
	one.mu.Unlock()
	if err := one.runtime.Stop(ctx, one.name, grace); err != nil {
		m.Log.WarnContext(ctx, "not stopped", "plugin", one.plugin, "error", err)
		return
	}
	select {
	case <-one.ended:
	case <-ctx.Done():
	case <-time.After(answering): // its runtime lost sight of it
	}
}

// Words says how it ended.
func (e Exit) Words() string {
	switch {
	case e.OOM:
		return "it needed more memory than its limit and was killed"
	case e.Signal != "":
		return "it was ended by " + e.Signal
	case e.Status < 0:
		return "nobody saw how it ended"
	}
	return fmt.Sprintf("exit status %d", e.Status)
}

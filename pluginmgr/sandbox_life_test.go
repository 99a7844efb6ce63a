//go:build linux

package pluginmgr_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/pluginmgr/image"
	"github.com/vivified/vivified/pluginmgr/journal"
	"github.com/vivified/vivified/pluginmgr/runtimetest"
	"github.com/vivified/vivified/pluginmgr/sandbox"
)

// lifeBoxed is a world whose plugins of the kind sandbox run in one, on this machine.
type lifeBoxed struct {
	*lifeWorld
	dir    string
	images *image.Roots
	digest string // of the image of the plugin under test
	box    *sandbox.Runtime
	lines  *journal.Store
}

// lifeBoxes makes one, or skips the test where the machine cannot run sandboxes.
func lifeBoxes(t *testing.T, timing pluginmgr.Timing) *lifeBoxed {
	t.Helper()
	blobs, digest := runtimetest.Packed(t)
	w := &lifeBoxed{dir: t.TempDir(), digest: digest}
	var err error
	w.images, err = image.Open(filepath.Join(w.dir, "images"), blobs)
	lifeMust(t, err)
	w.lines, err = journal.Open(filepath.Join(w.dir, "logs"), 1<<20)
	lifeMust(t, err)
	t.Cleanup(w.lines.Close)
	w.lifeWorld = lifeNew(t, timing)
	w.box = w.boxes()
	if err := w.box.Able(t.Context()); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { // whatever still runs
		last := w.boxes()
		found, err := last.Recover(context.Background())
		lifeMust(t, err)
		for _, r := range found {
			lifeMust(t, last.Stop(context.Background(), r.Instance, 0))
		}
		last.Close()
	})
	t.Cleanup(func() { w.box.Close() })
	w.use(w.Manager)
	return w
}

// boxes is the runtime, as each core makes it anew.
func (w *lifeBoxed) boxes() *sandbox.Runtime {
	serve := func(l net.Listener, _ string) error {
		s := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
		_ = s.Serve(l)
		return nil
	}
	return sandbox.New(sandbox.Config{Dir: filepath.Join(w.dir, "sandbox"), Images: w.images, Serve: serve, Log: slog.New(slog.NewTextHandler(w.log, nil))})
}

func (w *lifeBoxed) use(m *pluginmgr.Manager) {
	m.Runtimes[manifest.Sandbox], m.Journal = w.box, w.lines
}

// members are those of a manifest whose plugin runs in a sandbox.
func (w *lifeBoxed) members(more map[string]any) map[string]any {
	m := map[string]any{"endpoints": map[string]any{"echo": map[string]any{"path": "/echo"}}, "runtime": map[string]any{"kind": "sandbox", "digest": w.digest}, "resources": map[string]any{"memory_limit": 64, "storage_quota": 8}}
	for k, v := range more {
		m[k] = v
	}
	return m
}

// told asks the running plugin what it was told by its environment.
func (w *lifeBoxed) told(id, path string) (env []string) {
	w.t.Helper()
	answer, err := w.Call(w.ctx(), w.plugin(id), httptest.NewRequest(http.MethodGet, "http://plugin"+path, nil))
	if err != nil {
		w.t.Fatalf("call %s: %v", id, err)
	}
	defer answer.Body.Close()
	var said struct{ Env []string }
	lifeMust(w.t, json.NewDecoder(answer.Body).Decode(&said))
	return said.Env
}

func (w *lifeBoxed) runs(id string) []pluginmgr.Run {
	w.t.Helper()
	runs, err := w.Runs(w.ctx(), id, 100)
	lifeMust(w.t, err)
	return runs
}

// TestBoxedLife: enabling starts the plugin, its socket is its proof, disabling
// stops it, and unregistering leaves nothing.
func TestBoxedLife(t *testing.T) {
	w := lifeBoxes(t, pluginmgr.Timing{Interval: 10 * time.Millisecond, Grace: 5 * time.Second})
	w.run(w.Run)
	w.install("boxed", w.members(nil))
	w.wantState("boxed", policy.Active)
	if env := w.told("boxed", "/echo"); len(env) == 0 {
		t.Error("it does not answer")
	}
	for _, tc := range []struct {
		name, socket, id, code string
		members                map[string]any
	}{
		{"itself, knowing nothing of where it runs", "boxed", "boxed", "", nil},
		{"another plugin at its socket", "boxed", "other", "identity.mismatch", nil},
		{"itself in another way than was installed", "boxed", "boxed", "plugin.manifest", map[string]any{"description": "another"}},
		{"nobody's socket", "nobody", "nobody", "registration.token", nil},
	} {
		doc := w.members(nil)
		delete(doc, "runtime") // of which the plugin knows nothing
		for k, v := range tc.members {
			doc[k] = v
		}
		got, err := w.Register(w.ctx(), pluginmgr.Registration{Manifest: lifeDoc(tc.id, doc), Socket: tc.socket})
		switch {
		case tc.code == "" && (err != nil || got.Tokens.Token == "" || !got.Returned):
			t.Errorf("%s: %+v, %v", tc.name, got, err)
		case tc.code != "" && (err == nil || fault.Of(err).Code != tc.code):
			t.Errorf("%s: %v, want %s", tc.name, err, tc.code)
		}
	}
	w.until("its use is measured", func() bool {
		rows, err := w.Registry.History(w.ctx(), "boxed", time.Now().Add(-time.Hour))
		return err == nil && len(rows) > 0 && strings.Contains(string(rows[len(rows)-1].Metrics), pluginmgr.MetricCPU)
	})
	if p := w.plugin("boxed"); p.Health != registry.Healthy {
		t.Errorf("it answers, and is %s", p.Health)
	}
	lifeMust(t, w.Disable(w.ctx(), "boxed", "tea"))
	if runs := w.runs("boxed"); len(runs) != 1 || runs[0].Cause != "stopped" || runs[0].Exit.Status != 0 {
		t.Errorf("its runs are %+v, want one that was stopped", runs)
	}
	lines, err := w.lines.Read(w.ctx(), "boxed", journal.Query{})
	lifeMust(t, err)
	if len(lines) != 2 || lines[0].Text != "answering" || lines[1].Text != "told to end" {
		t.Errorf("it wrote %+v", lines)
	}
	lifeMust(t, w.Enable(w.ctx(), "boxed", pluginmgr.Enabling{}))
	lifeMust(t, w.Unregister(w.ctx(), "boxed"))
	if left, _ := filepath.Glob(filepath.Join(w.dir, "sandbox", "volumes", "*")); len(left) > 0 {
		t.Errorf("it was unregistered and left %q", left)
	}
}

// TestBoxedBudget: a plugin that ends is started again, with pauses, and
// quarantined when it does so too often; what it wrote stays.
func TestBoxedBudget(t *testing.T) {
	w := lifeBoxes(t, pluginmgr.Timing{Pause: time.Millisecond})
	w.run(w.Run)
	w.install("failing", w.members(nil))
	for range 6 {
		before := w.runs("failing")[0].Instance
		if answer, err := w.Call(w.ctx(), w.plugin("failing"), httptest.NewRequest(http.MethodGet, "http://plugin/exit?code=3", nil)); err == nil {
			answer.Body.Close()
		}
		w.until("it runs again, or is quarantined", func() bool {
			if w.plugin("failing").State == policy.Quarantined {
				return true
			}
			runs := w.runs("failing")
			return runs[0].Instance != before && runs[0].Ended == nil && w.Running("failing")
		})
	}
	w.wantState("failing", policy.Quarantined)
	if why := w.plugin("failing").StateReason; !strings.Contains(why, "6 times") || !strings.Contains(why, "exit status 3") {
		t.Errorf("it is quarantined because: %s", why)
	}
	if lines, err := w.lines.Read(w.ctx(), "failing", journal.Query{Text: "ANSWERING"}); err != nil || len(lines) != 6 {
		t.Errorf("of its six runs %d lines are kept, %v", len(lines), err)
	}
}

// TestBoxedAdopted: a plugin outlives the core that started it.
func TestBoxedAdopted(t *testing.T) {
	w := lifeBoxes(t, pluginmgr.Timing{})
	stop := w.run(w.Run)
	w.install("surviving", w.members(nil))
	w.install("orphaned", w.members(nil))
	before := w.runs("surviving")[0]
	stop()
	w.box.Close()
	_, err := w.db.Pool.Exec(w.ctx(), "UPDATE plugins SET state = 'disabled' WHERE id = 'orphaned'")
	lifeMust(t, err)
	lifeMust(t, w.Registry.Load(w.ctx()))

	w.box = w.boxes()
	c := w.Config
	w.Manager = pluginmgr.New(c)
	w.use(w.Manager)
	w.run(w.Run)
	w.until("the next core takes it up", func() bool { return w.Running("surviving") })
	w.told("surviving", "/echo")
	if after := w.runs("surviving"); len(after) != 1 || after[0].Instance != before.Instance || after[0].Ended != nil {
		t.Errorf("its runs are %+v, want the one of before", after)
	}
	w.until("what was disabled meanwhile has ended", func() bool { r := w.runs("orphaned"); return len(r) == 1 && r[0].Cause == "lost" })
}

// TestBoxedReplaced: the next version takes over once it is healthy; one that
// cannot be started changes nothing.
func TestBoxedReplaced(t *testing.T) {
	w := lifeBoxes(t, pluginmgr.Timing{})
	w.run(w.Run)
	w.install("growing", w.members(nil))
	next := func(version string, runtime map[string]any) *manifest.Manifest {
		runtime["kind"] = "sandbox"
		doc := lifeDoc("growing", w.members(map[string]any{"version": version, "runtime": runtime}))
		m, findings := manifest.Read(doc, w.Registry.ReadOptions())
		lifeMust(t, findings.Err())
		return &m
	}
	first := w.runs("growing")[0].Instance
	lifeRefused(t, "an image that is not there", w.Replace(w.ctx(), "growing", next("2.0.0", map[string]any{"digest": "sha256:" + strings.Repeat("0", 64)})), fault.NotFound, "image.unknown")
	lifeRefused(t, "a program that ends", w.Replace(w.ctx(), "growing", next("2.0.0", map[string]any{"digest": w.digest, "command": []string{"/probe", "exit", "1"}})), fault.BadGateway, "plugin.not_started")
	if p := w.plugin("growing"); p.Version != "1.0.0" || p.State != policy.Active {
		t.Errorf("after two failures it is %s %s", p.Version, p.State)
	}
	w.told("growing", "/echo")

	lifeMust(t, w.Replace(w.ctx(), "growing", next("2.0.0", map[string]any{"digest": w.digest, "env": map[string]any{"EDITION": "second"}})))
	if p := w.plugin("growing"); p.Version != "2.0.0" || p.State != policy.Active {
		t.Errorf("it is %s %s, want 2.0.0 active", p.Version, p.State)
	}
	if env := strings.Join(w.told("growing", "/echo"), " "); !strings.Contains(env, "EDITION=second") {
		t.Errorf("the first version still answers: %s", env)
	}
	for _, r := range w.runs("growing") {
		if r.Instance == first && r.Cause != "replaced" {
			t.Errorf("the first version ended as %q, want replaced", r.Cause)
		}
	}
}

// TestBoxedListener: a plugin that is never called need not answer anywhere.
func TestBoxedListener(t *testing.T) {
	w := lifeBoxes(t, pluginmgr.Timing{})
	w.run(w.Run)
	silent := map[string]any{"endpoints": map[string]any{}, "runtime": map[string]any{"kind": "sandbox", "digest": w.digest, "command": []string{"/probe", "sleep"}}}
	w.install("listener", w.members(silent))
	if !w.Running("listener") {
		t.Error("it does not run")
	}
	silent["runtime"] = map[string]any{"kind": "sandbox", "digest": w.digest, "command": []string{"/probe", "exit", "1"}}
	w.register("brief", w.members(silent))
	lifeRefused(t, "one that ends", w.Enable(w.ctx(), "brief", pluginmgr.Enabling{}), fault.BadGateway, "plugin.not_started")
}

// TestBoxedUnhealthy: one that no longer answers well is started again.
func TestBoxedUnhealthy(t *testing.T) {
	w := lifeBoxes(t, pluginmgr.Timing{Interval: 5 * time.Millisecond, Threshold: 2, Pause: time.Millisecond, Grace: time.Second})
	w.set(func(p *pluginmgr.Policy) { p.Unhealthy = pluginmgr.UnhealthyRestart })
	w.run(w.Run)
	w.install("ailing", w.members(map[string]any{"health_check": map[string]any{"type": "http", "path": "/nowhere"}}))
	w.until("it is restarted for its health", func() bool {
		for _, r := range w.runs("ailing") {
			if r.Cause == "unhealthy" {
				return true
			}
		}
		return false
	})
}

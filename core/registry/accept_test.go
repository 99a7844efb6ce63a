package registry_test

import (
	"sync"
	"testing"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
)

// TestAcceptWhileItRuns: what was read comes into force at one moment, and what
// was declared before keeps the word that was given on it.
func TestAcceptWhileItRuns(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"one", "two"} {
		w.add(t, id, nil)
	}
	w.add(t, "reader", map[string]any{"dependencies": []string{"one"}})
	if err := w.Activate(asCore(t), "reader", registry.Activation{From: policy.Registered, Traits: []string{"handles_internal"}}); err != nil {
		t.Fatal(err) // its dependency was not accepted
	}
	next, findings := manifest.Read(document("reader", map[string]any{
		"version": "2.0.0", "dependencies": []string{"one", "two"}, "traits": []string{"handles_internal", "notifications"},
	}), w.ReadOptions())
	if err := findings.Err(); err != nil {
		t.Fatal(err)
	}
	if err := w.Return(asCore(t), &next, "http://127.0.0.1:1", "127.0.0.1", func(*manifest.Manifest) bool { return true }); err != nil {
		t.Fatal(err)
	}
	p, _ := w.Snapshot().Plugin("reader")
	waits, ok := w.Snapshot().Waiting(p)
	if !ok || !waits.Adds.Has(trait.Notifications) || p.Traits.Has(trait.Notifications) {
		t.Fatalf("what waits: %v, adds %v", ok, w.Snapshot().Traits().Names(waits.Adds))
	}
	a := registry.Acceptance{Plugin: "reader", Manifest: document("reader", nil), Traits: []string{"handles_internal", "notifications"}, Dependencies: []string{"two"}}
	if err := w.Accept(asCore(t), a); fault.Of(err).Code != "plugin.manifest" {
		t.Errorf("another manifest than waits is accepted: %v", err)
	}
	a.Manifest = waits.Manifest.Raw
	if err := w.Accept(asCore(t), a); err != nil {
		t.Fatal(err)
	}
	p, _ = w.Snapshot().Plugin("reader")
	now := time.Now()
	if p.Version != "2.0.0" || p.State != policy.Active || !p.Traits.Has(trait.Notifications) || p.Pending != nil {
		t.Errorf("it runs as %s, %s, with %v", p.Version, p.State, w.Snapshot().Traits().Names(p.Traits))
	}
	if !w.Snapshot().Granted("reader", "two", "x", now) || w.Snapshot().Granted("reader", "one", "x", now) {
		t.Error("the new dependency is not granted, or the one that was refused is")
	}
	if err := w.Accept(asCore(t), a); err != nil || w.rows(t, "plugin.manifest.accept") != 2 {
		t.Errorf("accepting what is in force: %v", err) // such as for traits that were registered since
	}
}

// TestABrokenManifestCanLeave: a manifest that no longer passes quarantines its
// plugin, which can be disabled and unregistered all the same.
func TestABrokenManifestCanLeave(t *testing.T) {
	for name, way := range map[string]func(*world) error{
		"unregistered": func(w *world) error { return w.Remove(asCore(t), "broken", policy.Quarantined) },
		"disabled": func(w *world) error {
			return w.Move(asCore(t), "broken", policy.Quarantined, policy.Disabled, "broken")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.add(t, "broken", nil)
			if err := w.Activate(asCore(t), "broken", registry.Activation{From: policy.Registered, Traits: []string{}}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.db.Pool.Exec(t.Context(), `UPDATE plugins SET manifest = '{"id":"broken"}'`); err != nil {
				t.Fatal(err)
			}
			if err := w.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			p, _ := w.Snapshot().Plugin("broken")
			if p.State != policy.Quarantined || p.Stored != policy.Active {
				t.Fatalf("it is %s, stored as %s", p.State, p.Stored)
			}
			if err := way(w); err != nil {
				t.Fatal(err)
			}
			if p, ok := w.Snapshot().Plugin("broken"); ok && p.Stored != policy.Disabled {
				t.Errorf("it is stored as %s", p.Stored)
			}
		})
	}
}

// TestTwoRegisterOneTrait: one of them is told that the other was faster.
func TestTwoRegisterOneTrait(t *testing.T) {
	w := newWorld(t)
	replicas := []*registry.Registry{w.Registry, w.open(t), w.open(t)}
	got := make([]error, len(replicas))
	var all sync.WaitGroup
	for i, r := range replicas {
		all.Go(func() { got[i] = r.AddTrait(asCore(t), registry.NewTrait{Name: "sees_stock"}) })
	}
	all.Wait()
	made := 0
	for _, err := range got {
		switch {
		case err == nil:
			made++
		case !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.Unprocessable):
			t.Errorf("the slower one is told %v", err)
		}
	}
	if made != 1 {
		t.Errorf("it was registered %d times: %v", made, got)
	}
}

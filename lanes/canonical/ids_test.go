package canonical_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/vivified/vivified/core/canon"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/canonical"
)

// names are what plugins call things, and can be out of reach.
type names struct {
	mu     sync.Mutex
	down   bool
	asked  int                            // while it was down
	global map[string]map[canon.ID]string // plugin → own id → global one
}

func (n *names) set(down bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.down = down
}

func (n *names) refused() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

// Globals implements canonical.IDs.
func (n *names) Globals(_ context.Context, plugin string, ids []canon.ID) (map[canon.ID]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		n.asked++
		return nil, errors.New("away")
	}
	return n.global[plugin], nil
}

// Locals implements canonical.IDs.
func (n *names) Locals(_ context.Context, plugin string, ids []canon.ID) (map[canon.ID]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		n.asked++
		return nil, errors.New("away")
	}
	locals := map[canon.ID]string{}
	for own, global := range n.global[plugin] {
		locals[canon.ID{Model: own.Model, Value: global}] = own.Value
	}
	return locals, nil
}

// TestEverybodyHearsTheirOwnIDs: an event is kept with global ids, and each
// receiver gets those it has, or the global ones; while ids cannot be translated,
// nothing is taken, nothing delivered and nothing lost.
func TestEverybodyHearsTheirOwnIDs(t *testing.T) {
	user := func(id string) canon.ID { return canon.ID{Model: "user", Value: id} }
	n := &names{global: map[string]map[canon.ID]string{"crm": {user("c1"): "g1"}, "desk": {user("d1"): "g1"}}}
	bus, err := canonical.StartBus(canonical.BusConfig{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler), Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldWith(t, bus, canonical.Config{IDs: n})
	w.install(t, `{"id": "crm", "traits": ["handles_internal"], "events": {"publishes": [{"type": "user.moved", "schema": {"type": "object", "properties": {
		"who": {"type": "string", "x-global-id": "user"}, "friends": {"type": "array", "items": {"type": "string", "x-global-id": "user"}}}}}]},
		"security": {"authentication_required": true, "data_classification": ["internal"]}}`)
	for _, id := range []string{"desk", "board"} {
		w.install(t, `{"id": "`+id+`", "traits": ["handles_internal"], "events": {"subscribes": ["user.moved"]},
			"security": {"authentication_required": true, "data_classification": ["internal"]}}`)
	}
	move := func() error {
		_, err := w.lane.Publish(w.as(t.Context(), "crm"), canonical.Publication{Type: "user.moved", Data: []byte(`{"who":"c1","friends":["c2","c1"]}`)})
		return err
	}
	pull := func(id string) string {
		t.Helper()
		events, err := w.lane.Pull(w.as(t.Context(), id), canonical.Listening{}, 1, 30*time.Second)
		if err != nil || len(events) != 1 {
			t.Fatalf("%s pulled %v (%v)", id, events, err)
		}
		return string(events[0].Data)
	}
	n.set(true)
	if err := move(); fault.Of(err).Code != "ids.unavailable" {
		t.Errorf("taken while ids could not be translated: %v", err)
	}
	n.set(false)
	if err := move(); err != nil {
		t.Fatal(err)
	}
	n.set(true)
	go func() { // once the first delivery was put off
		for range time.Tick(time.Millisecond) {
			if n.refused() > 1 || t.Context().Err() != nil {
				n.set(false)
				return
			}
		}
	}()
	for id, want := range map[string]string{"desk": `{"friends":["c2","d1"],"who":"d1"}`, "board": `{"friends":["c2","g1"],"who":"g1"}`} {
		if got := pull(id); got != want {
			t.Errorf("%s got %s, want %s", id, got, want)
		}
	}
}

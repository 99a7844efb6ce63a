package canonical_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/db/dbtest"
	"github.com/vivified/vivified/lanes/canonical"
)

// The plugins of the tests. The publisher marks which fields carry what; the
// clerk may see personal data, the lurker nothing; both are told by webhook. The
// reader and its neighbour, whose name begins like the reader's, listen on streams.
var manifests = []string{
	`{"id": "hr", "traits": ["handles_pii", "audit_required"], "events": {"publishes": [
		{"type": "user.created", "classification": ["pii"], "schema": {"type": "object", "required": ["id"], "properties": {
			"id": {"type": "string"}, "name": {"type": "string", "x-class": "pii"}}}},
		{"type": "user.noted", "classification": ["pii"]}, "plain.said"]},
		"security": {"authentication_required": true, "data_classification": ["pii"]}}`,
	`{"id": "clerk", "traits": ["handles_pii", "audit_required"], "events": {"subscribes": ["user.*"], "delivery": "webhook", "path": "/hook"},
		"security": {"authentication_required": true, "data_classification": ["pii"]}}`,
	`{"id": "lurker", "traits": ["handles_internal"], "events": {"subscribes": ["user.*", "plain.said"], "delivery": "webhook", "path": "/hook"},
		"security": {"authentication_required": true, "data_classification": ["internal"]}}`,
	`{"id": "reader", "traits": ["handles_pii", "audit_required"], "events": {"subscribes": ["plain.said", "user.created"]},
		"security": {"authentication_required": true, "data_classification": ["pii"]}}`,
	`{"id": "reader--b", "traits": ["handles_internal"], "events": {"subscribes": ["plain.said"]},
		"security": {"authentication_required": true, "data_classification": ["internal"]}}`,
}

// world is the lane on a real bus, database and registry. Webhooks arrive in
// memory, where tests wait for them.
type world struct {
	lane     *canonical.Lane
	registry *registry.Registry
	bus      *canonical.Bus
	journal  *journal
	hooks    chan hook
	mu       sync.Mutex
	answers  map[string]int           // plugin → status its webhook answers with
	refused  map[string]string        // plugin → subject its webhook refuses
	gates    map[string]chan struct{} // plugin → what its webhook waits for
}

// hook is one webhook delivery.
type hook struct {
	plugin, path, token string
	header              http.Header
	body                []byte
	event               map[string]any // nil of a body that is no object
}

func newWorld(t *testing.T, limits canonical.Limits) *world {
	t.Helper()
	bus, err := canonical.StartBus(canonical.BusConfig{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler), Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return newWorldOn(t, bus, limits)
}

// newWorldOn is newWorld on a bus that the test chose.
func newWorldOn(t *testing.T, bus *canonical.Bus, limits canonical.Limits) *world {
	t.Helper()
	return newWorldWith(t, bus, canonical.Config{Limits: limits})
}

// newWorldWith is newWorld with more of its lane chosen by the test.
func newWorldWith(t *testing.T, bus *canonical.Bus, c canonical.Config) *world {
	t.Helper()
	t.Cleanup(bus.Close)
	w := &world{bus: bus, journal: &journal{}, hooks: make(chan hook, 1000), answers: map[string]int{}, refused: map[string]string{}, gates: map[string]chan struct{}{}}
	log := slog.New(slog.DiscardHandler)
	pool := dbtest.New(t).Pool
	sealer, err := settings.NewSealer([]byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	if w.registry, err = registry.Open(t.Context(), registry.Config{Pool: pool, Waker: w.bus, Log: log}); err != nil {
		t.Fatal(err)
	}
	for _, text := range manifests {
		w.install(t, text)
	}
	c.Bus, c.Pool, c.Sealer, c.Plugins, c.Record, c.Caller, c.Tokens, c.Log, c.Replica = w.bus, pool, sealer, w.registry, w.journal, w, tokens{}, log, "test"
	c.Gate = gate.New(gate.Config{Policy: w.registry.Policy, Record: w.journal, Log: log})
	if w.lane, err = canonical.Open(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.lane.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the lane ended with %v", err)
		}
	})
	w.until(t, "every subscriber is attached", func() bool {
		s, err := w.lane.Stats(t.Context())
		return err == nil && len(s.Waiting) == 4
	})
	return w
}

func (w *world) install(t *testing.T, text string) {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		t.Fatal(err)
	}
	fields["name"], fields["version"], fields["contracts"] = fields["id"], "1.0.0", []string{}
	raw, _ := json.Marshal(fields)
	m, findings := manifest.Read(raw, w.registry.ReadOptions())
	if err := findings.Err(); err != nil {
		t.Fatalf("manifest of %s: %v", fields["id"], err)
	}
	ctx := actor.With(t.Context(), actor.Core("test"))
	if err := w.registry.Add(ctx, &m, "http://127.0.0.1:1", "127.0.0.1", nil); err != nil {
		t.Fatal(err)
	}
	w.enable(t, m.ID, policy.Registered)
}

func (w *world) enable(t *testing.T, id string, from policy.State) {
	t.Helper()
	p, _ := w.registry.Snapshot().Plugin(id)
	if err := w.registry.Activate(actor.With(t.Context(), actor.Core("test")), id, registry.Activation{From: from, Traits: p.Manifest.DeclaredTraits}); err != nil {
		t.Fatal(err)
	}
}

func (w *world) disable(t *testing.T, id string) {
	t.Helper()
	if err := w.registry.Move(actor.With(t.Context(), actor.Core("test")), id, policy.Active, policy.Disabled, "test"); err != nil {
		t.Fatal(err)
	}
}

// as returns a context in which the plugin acts.
func (w *world) as(ctx context.Context, id string) context.Context {
	return actor.WithTrace(actor.With(ctx, actor.Actor{Kind: actor.Plugin, ID: id, Name: id, Tenant: actor.DefaultTenant}), "0af7651916cd43dd8448eb211c80319c")
}

// publish publishes as hr.
func (w *world) publish(t *testing.T, typ, data string) canonical.Receipt {
	t.Helper()
	r, err := w.lane.Publish(w.as(t.Context(), "hr"), canonical.Publication{Type: typ, Data: json.RawMessage(data)})
	if err != nil {
		t.Fatalf("publish %s: %v", typ, err)
	}
	return r
}

// answer sets what a plugin's webhook answers with.
func (w *world) answer(plugin string, status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[plugin] = status
}

// refuse lets a plugin's webhook refuse what is about a subject; "" lets it take everything.
func (w *world) refuse(plugin, subject string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused[plugin] = subject
}

// hold lets a plugin's webhook work on what it gets until free is called.
func (w *world) hold(plugin string) (free func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	gate := make(chan struct{})
	w.gates[plugin] = gate
	return sync.OnceFunc(func() { close(gate) })
}

// Call implements canonical.Caller.
func (w *world) Call(ctx context.Context, to *registry.Plugin, r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	h := hook{plugin: to.ID, path: r.URL.Path, token: r.Header.Get("Authorization"), header: r.Header, body: body}
	_ = json.Unmarshal(body, &h.event)
	w.hooks <- h
	w.mu.Lock()
	gate := w.gates[to.ID]
	w.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	status := w.answers[to.ID]
	if subject := w.refused[to.ID]; subject != "" && bytes.Contains(body, []byte(`"subject":"`+subject+`"`)) {
		status = http.StatusInternalServerError
	}
	if status == 0 {
		status = http.StatusOK
	}
	return &http.Response{StatusCode: status, Body: http.NoBody}, nil
}

// hook waits for the next webhook.
func (w *world) hook(t *testing.T) hook {
	t.Helper()
	select {
	case h := <-w.hooks:
		return h
	case <-time.After(time.Minute):
		t.Fatal("no webhook arrived")
		return hook{}
	}
}

// until waits for a condition.
func (w *world) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("it never came about that %s", what)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// tokens signs visibly.
type tokens struct{}

// CallToken implements canonical.Tokens.
func (tokens) CallToken(audience, caller, _, trace, method, path string) (string, error) {
	return audience + " from " + caller + " in " + trace + ": " + method + " " + path, nil
}

// journal keeps records in memory, and can refuse to.
type journal struct {
	mu      sync.Mutex
	entries []audit.Entry
	down    bool
	failing policy.Action // of which nothing can be recorded
	refused int
}

// Decide implements gate.Recorder.
func (j *journal) Decide(_ context.Context, e audit.Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.down || j.failing != "" && e.Action == string(j.failing) {
		j.refused++
		return fault.New(fault.Unavailable, "audit.unavailable", "The decision cannot be recorded now.")
	}
	j.entries = append(j.entries, e)
	return nil
}

// Later implements gate.Recorder.
func (j *journal) Later(ctx context.Context, e audit.Entry) { _ = j.Decide(ctx, e) }

func (j *journal) set(down bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.down = down
}

// fail lets no record of an action be made, or lets it be again.
func (j *journal) fail(action policy.Action, failing bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.failing = ""; failing {
		j.failing = action
	}
}

func (j *journal) refusals() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.refused
}

// of returns the entries of an action with an outcome.
func (j *journal) of(action policy.Action, outcome audit.Outcome) []audit.Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	var found []audit.Entry
	for _, e := range j.entries {
		if e.Action == string(action) && e.Outcome == outcome {
			found = append(found, e)
		}
	}
	return found
}

func sorted(s []string) []string { return slices.Sorted(slices.Values(s)) }

package pluginmgr_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db/dbtest"
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/pluginmgr/external"
)

var lifeLoopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// lifeWorld is a plugin manager on a real database, registry and identity, and
// plugins that are real servers on loopback.
type lifeWorld struct {
	*pluginmgr.Manager
	t        *testing.T
	db       *dbtest.DB
	identity *identity.Service
	settings *settings.Settings
	log      *lifeLog

	mu      sync.Mutex
	policy  pluginmgr.Policy
	blocked []string
}

// lifeNew makes a world whose registration is open from loopback.
func lifeNew(t *testing.T, timing pluginmgr.Timing) *lifeWorld {
	t.Helper()
	w := &lifeWorld{t: t, db: dbtest.New(t), log: &lifeLog{}, policy: pluginmgr.Policy{Registration: "open", Networks: lifeLoopback}}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	waker := &lifeWaker{on: map[string][]func(){}}
	key := make([]byte, settings.KeySize)
	rand.Read(key)
	sealer, err := settings.NewSealer(key)
	lifeMust(t, err)
	w.settings, err = settings.New(map[string]string{}, nil)
	lifeMust(t, err)
	lifeMust(t, w.settings.Attach(t.Context(), settings.Config{Pool: w.db.Pool, Sealer: sealer, Waker: waker, Log: log}))
	writer := audit.NewWriter(w.db.Pool, audit.WriterConfig{Replica: "test", Log: log})
	w.run(writer.Run)
	reg, err := registry.Open(t.Context(), registry.Config{Pool: w.db.Pool, Waker: waker, Log: log, Blocked: func() []string {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.blocked
	}})
	lifeMust(t, err)
	w.identity, err = identity.Open(t.Context(), identity.Config{
		Pool: w.db.Pool, Plugins: reg, Sealer: sealer, Record: writer, Issuer: "http://127.0.0.1", Plain: true, Log: log,
		Traits:  func() *trait.Registry { return reg.Snapshot().Traits() },
		Hashing: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	})
	lifeMust(t, err)
	reach := external.New(external.Config{Networks: func() []netip.Prefix { return lifeLoopback }, Own: func() []netip.AddrPort { return nil }})
	t.Cleanup(reach.Close)
	w.Manager = pluginmgr.New(pluginmgr.Config{
		Pool: w.db.Pool, Registry: reg, Principals: w.identity, Settings: w.settings, Runtimes: map[string]pluginmgr.Runtime{manifest.External: reach},
		Policy: func() pluginmgr.Policy {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.policy
		},
		Timing: timing, Replica: "one", Log: log,
	})
	return w
}

// set changes the policy in force.
func (w *lifeWorld) set(change func(*pluginmgr.Policy)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.policy)
}

// run runs a part until the test ends, or until it is stopped before.
func (w *lifeWorld) run(part func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- part(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("a part ended with %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// ctx is a context in which the core acts, asked from loopback.
func (w *lifeWorld) ctx() context.Context { return lifeFrom(w.t, "127.0.0.1") }

func lifeFrom(t *testing.T, peer string) context.Context {
	return actor.WithAddress(actor.With(t.Context(), actor.Core("test")), peer)
}

// lifeDoc is a manifest that passes, with members added or replaced.
func lifeDoc(id string, members map[string]any) []byte {
	m := map[string]any{
		"id": id, "name": id, "version": "1.0.0", "contracts": []string{}, "traits": []string{"handles_internal"},
		"security": map[string]any{"authentication_required": true, "data_classification": []string{"internal"}},
	}
	maps.Copy(m, members)
	raw, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return raw
}

// lifeAt is a manifest member that says where the plugin runs.
func lifeAt(url string) map[string]any { return map[string]any{"kind": "external", "base_url": url} }

// register registers and fails the test when that is refused.
func (w *lifeWorld) register(id string, members map[string]any) pluginmgr.Registered {
	w.t.Helper()
	r, err := w.Register(w.ctx(), pluginmgr.Registration{Manifest: lifeDoc(id, members)})
	if err != nil {
		w.t.Fatalf("register %s: %v", id, err)
	}
	return r
}

// install registers and enables.
func (w *lifeWorld) install(id string, members map[string]any) {
	w.t.Helper()
	w.register(id, members)
	if err := w.Enable(w.ctx(), id, pluginmgr.Enabling{}); err != nil {
		w.t.Fatalf("enable %s: %v", id, err)
	}
}

// plugin returns a plugin as the registry has it now.
func (w *lifeWorld) plugin(id string) *registry.Plugin {
	w.t.Helper()
	p, ok := w.Registry.Snapshot().Plugin(id)
	if !ok {
		w.t.Fatalf("%s is not registered", id)
	}
	return p
}

func (w *lifeWorld) wantState(id string, want policy.State) {
	w.t.Helper()
	if p := w.plugin(id); p.State != want {
		w.t.Errorf("%s is %s (%s), want %s", id, p.State, p.StateReason, want)
	}
}

// refusals returns the audit's denials of an action, newest first.
func (w *lifeWorld) refusals(action string) []audit.Record {
	w.t.Helper()
	page, err := audit.NewStore(w.db.Pool).Search(w.ctx(), audit.Filter{Action: action, Outcome: audit.Deny})
	lifeMust(w.t, err)
	return page.Records
}

// until waits for a condition. It reads the registry anew each time, as every
// replica does now and then, which also gives the watch over health its turn.
func (w *lifeWorld) until(what string, ok func() bool) {
	w.t.Helper()
	tick, late := time.NewTicker(5*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
			lifeMust(w.t, w.Registry.Load(w.t.Context()))
		case <-late:
			w.t.Fatalf("it never came about that %s", what)
		}
	}
}

// lifePlugin is a plugin's server. What is not in answers is answered with 200.
type lifePlugin struct {
	*httptest.Server
	mu      sync.Mutex
	answers map[string]http.HandlerFunc // by path
	heard   []string                    // method and path of each request
}

func lifeServe(t *testing.T, answers map[string]http.HandlerFunc) *lifePlugin {
	t.Helper()
	p := &lifePlugin{answers: answers}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.heard = append(p.heard, r.Method+" "+r.URL.Path)
		p.mu.Unlock()
		if f, ok := p.answers[r.URL.Path]; ok {
			f(w, r)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

// times returns how often a request was heard.
func (p *lifePlugin) times(request string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, h := range p.heard {
		if h == request {
			n++
		}
	}
	return n
}

// lifeStatus answers with a status and a body.
func lifeStatus(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// lifeWaker wakes within this process.
type lifeWaker struct {
	mu sync.Mutex
	on map[string][]func()
}

// Wake implements registry.Waker.
func (k *lifeWaker) Wake(topic string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range k.on[topic] {
		f()
	}
	return nil
}

// OnWake implements registry.Waker.
func (k *lifeWaker) OnWake(_ context.Context, topic string, f func()) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.on[topic] = append(k.on[topic], f)
	return nil
}

// lifeLog keeps what is logged.
type lifeLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *lifeLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lifeLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// lifeRefused checks the kind and code of a refusal.
func lifeRefused(t *testing.T, what string, err error, kind fault.Kind, code string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: not refused, want %s", what, code)
		return
	}
	if f := fault.Of(err); f.Kind != kind || f.Code != code {
		t.Errorf("%s: refused with %v %s (%v), want %v %s", what, f.Kind, f.Code, err, kind, code)
	}
}

func lifeMust(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Package pluginmgr runs the lives of plugins: it lets them register, enables
// and disables them, watches their health, and reaches them for the lanes.
//
// It refuses a manifest that breaks a rule, an id that belongs to another
// registration, a dependency that is not there, and addresses outside the
// plugins' networks. Who may ask for what is decided before it is called.
package pluginmgr

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/pluginmgr/journal"
)

// Principals proves and issues the credentials of plugins. identity.Service is one.
type Principals interface {
	// IssuePluginTokens returns the tokens of a plugin that registered or came back.
	IssuePluginTokens(ctx context.Context, id string) (identity.PluginTokens, error)
	// CheckReturn says whether ReturnPlugin would take a refresh token, and leaves it as it is.
	CheckReturn(ctx context.Context, refresh, id string) error
	// ReturnPlugin takes a refresh token as the proof that a plugin came back, and uses it up.
	ReturnPlugin(ctx context.Context, refresh, id string) (identity.PluginTokens, error)
	// ProveReturn takes a registration token as that proof.
	ProveReturn(ctx context.Context, token, id string) error
	// CheckRegistrationToken says whether a token lets a new plugin in; SpendRegistrationToken does it.
	CheckRegistrationToken(ctx context.Context, token, id string) error
	SpendRegistrationToken(ctx context.Context, q *db.Queries, token, id string) error
	// CallToken signs a request of the core to a plugin.
	CallToken(audience, caller, user, trace, method, path string) (string, error)
}

// Configuration tells whether a plugin's required settings are there.
type Configuration interface {
	// MissingRequired returns the required settings of the plugin that have no value.
	MissingRequired(ctx context.Context, id string, m *manifest.Manifest) ([]string, error)
}

// Policy is how an installation treats plugins. It may change while running.
type Policy struct {
	Registration string // token, approval or open
	AutoEnable   bool   // enable what registers, as far as its dependencies allow
	EgressAuto   bool   // approve declared domains when enabling; development only
	EgressPorts  []int32
	Addresses    map[string]string // plugin id → base URL, before anything a manifest says
	Networks     []netip.Prefix    // where plugins may be reached
	Limits       Limits            // of plugins that say nothing themselves; zero values take the defaults
	Unhealthy    string            // what becomes of a plugin that is unhealthy: alert, restart or disable; default alert
}

// What may become of a plugin that is unhealthy, beside that people are told.
const (
	UnhealthyAlert   = "alert"
	UnhealthyRestart = "restart" // where its runtime can
	UnhealthyDisable = "disable"
)

// Timing is when health is checked. Zero values take the defaults.
type Timing struct {
	Interval  time.Duration // default 30 s
	Timeout   time.Duration // default 5 s
	Threshold int           // failures until unhealthy; default 3
	Heartbeat time.Duration // silence that counts as a failure; default 90 s
	Drain     time.Duration // how long a disabled plugin's calls may finish; default 10 s
	Keep      time.Duration // how long health samples and ended runs are kept; default 7 days
	Grace     time.Duration // how long a plugin may take to end when it is asked to; default 10 s
	Pause     time.Duration // before the first restart of a plugin that failed; then twice as long each time; default 1 s
}

func (t Timing) withDefaults() Timing {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&t.Interval, 30*time.Second)
	set(&t.Timeout, 5*time.Second)
	set(&t.Heartbeat, 90*time.Second)
	set(&t.Drain, 10*time.Second)
	set(&t.Keep, 7*24*time.Hour)
	set(&t.Grace, 10*time.Second)
	set(&t.Pause, firstPause)
	if t.Threshold <= 0 {
		t.Threshold = 3
	}
	return t
}

// Config is what a Manager needs.
type Config struct {
	Pool       *pgxpool.Pool
	Registry   *registry.Registry
	Principals Principals
	Settings   Configuration
	Runtimes   map[string]Runtime // by manifest runtime kind; external must be there
	Policy     func() Policy
	Timing     Timing
	Replica    string         // this replica's name, under which it holds leases
	Journal    *journal.Store // of what plugins write; nil where no runtime starts any
	Ends       bool           // plugins that it started end with it; else they run on and are taken up again
	Log        *slog.Logger
}

// Manager runs the lives of plugins. Safe for concurrent use.
type Manager struct {
	Config
	calls     inFlight
	knocks    *knocks
	instances *instances
	attending sync.WaitGroup // on instances
	up        chan struct{}  // closed by Run once what runs since before is taken up; nothing is started sooner
	down      chan struct{}  // closed when Run ends
	woken     chan struct{}  // holds one value while Run is to look at once
}

// New returns a Manager.
func New(c Config) *Manager {
	c.Timing = c.Timing.withDefaults()
	return &Manager{
		Config: c, calls: inFlight{n: map[string]int{}}, knocks: newKnocks(), instances: newInstances(), up: make(chan struct{}), down: make(chan struct{}), woken: make(chan struct{}, 1),
	}
}

// Call delivers one request to a plugin by its runtime. It is what lanes carry by.
func (m *Manager) Call(ctx context.Context, p *registry.Plugin, r *http.Request) (*http.Response, error) {
	rt, to, err := m.reach(p)
	if err != nil {
		return nil, err
	}
	if p.Manifest.Runtime.Protocol == manifest.ProtocolGRPC {
		if to.Instance != "" {
			return nil, fault.New(fault.Unavailable, "runtime.unavailable", "%s speaks gRPC, which only plugins that run elsewhere do; have it answer HTTP.", p.ID)
		}
		to.GRPC, to.Operation = true, operationOf(p.Manifest, r.Method, r.URL.Path)
	}
	return m.call(ctx, rt, to, r)
}

func (m *Manager) call(ctx context.Context, rt Runtime, to Target, r *http.Request) (*http.Response, error) {
	leave := m.calls.enter(to.key())
	answer, err := rt.Call(ctx, to, r)
	if err != nil {
		leave()
		return nil, err
	}
	answer.Body = &leaving{ReadCloser: answer.Body, leave: leave}
	return answer, nil
}

// key is what calls under way are counted by: an instance, or a plugin that runs elsewhere.
func (t Target) key() string {
	if t.Instance != "" {
		return t.Instance
	}
	return t.Plugin
}

// reach returns how a plugin is reached now.
func (m *Manager) reach(p *registry.Plugin) (Runtime, Target, error) {
	rt, err := m.runtime(p)
	if err != nil {
		return nil, Target{}, err
	}
	if _, starts := rt.(Starter); !starts {
		address, err := m.address(p)
		return rt, Target{Plugin: p.ID, Address: address}, err
	}
	if one := m.instances.of(p.ID); one != nil {
		return rt, one.target(), nil
	}
	return nil, Target{}, fault.New(fault.Unavailable, "target.not_running", "%s does not run on this replica now.", p.ID)
}

// wake has Run look at once.
func (m *Manager) wake() {
	select {
	case m.woken <- struct{}{}:
	default:
	}
}

func (m *Manager) runtime(p *registry.Plugin) (Runtime, error) {
	kind := p.Manifest.Runtime.Kind
	if kind == "" {
		kind = manifest.External
	}
	rt, ok := m.Runtimes[kind]
	if !ok {
		return nil, fault.New(fault.Unavailable, "runtime.unavailable", "This installation has no runtime of kind %q.", kind)
	}
	return rt, nil
}

// hook sends the core's own request to a path of the plugin, signed.
func (m *Manager) hook(ctx context.Context, p *registry.Plugin, method, path string) (*http.Response, error) {
	rt, to, err := m.reach(p)
	if err != nil {
		return nil, err
	}
	return m.hookAt(ctx, rt, to, method, path)
}

// hookAt sends it to one instance, current or not.
func (m *Manager) hookAt(ctx context.Context, rt Runtime, to Target, method, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://"+to.Plugin+path, nil)
	if err != nil {
		return nil, err
	}
	token, err := m.Principals.CallToken(to.Plugin, "core", "", actor.Trace(ctx), method, r.URL.EscapedPath())
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("X-Vivified-Caller", "core")
	return m.call(ctx, rt, to, r)
}

// inFlight counts the requests under way, by the key of their target.
type inFlight struct {
	mu sync.Mutex
	n  map[string]int
	ch map[string]chan struct{} // closed when a plugin has none left
}

func (f *inFlight) enter(id string) (leave func()) {
	f.mu.Lock()
	f.n[id]++
	f.mu.Unlock()
	return sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.n[id]--; f.n[id] > 0 {
			return
		}
		delete(f.n, id)
		if ch, ok := f.ch[id]; ok {
			close(ch)
			delete(f.ch, id)
		}
	})
}

// empty returns a channel that is closed once no request of the plugin is in flight.
func (f *inFlight) empty(id string) <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n[id] == 0 {
		done := make(chan struct{})
		close(done)
		return done
	}
	if f.ch == nil {
		f.ch = map[string]chan struct{}{}
	}
	if f.ch[id] == nil {
		f.ch[id] = make(chan struct{})
	}
	return f.ch[id]
}

// leaving ends a call's count when its answer has been read.
type leaving struct {
	io.ReadCloser
	leave func()
}

func (l *leaving) Close() error {
	defer l.leave()
	return l.ReadCloser.Close()
}

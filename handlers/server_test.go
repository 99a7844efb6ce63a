package handlers_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/alert"
	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/bundle"
	"github.com/vivified/vivified/core/evidence"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/job"
	"github.com/vivified/vivified/core/market"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/retention"
	"github.com/vivified/vivified/core/rulebook"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/siem"
	"github.com/vivified/vivified/core/sso"
	"github.com/vivified/vivified/core/storage"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/db/dbtest"
	"github.com/vivified/vivified/handlers"
	"github.com/vivified/vivified/lanes/canonical"
	"github.com/vivified/vivified/lanes/operator"
	"github.com/vivified/vivified/lanes/proxy"
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/pluginmgr/external"
)

const (
	password = "seven green bottles" // everybody's
	adminAt  = "mara@example.com"
)

// core is a whole core in this process: server, services and lanes over a
// database and a bus of its own. It ends with the test.
type core struct {
	t         testing.TB
	URL       string // of the server
	Server    *handlers.Server
	DB        *dbtest.DB
	Identity  *identity.Service
	SSO       *sso.Service
	Registry  *registry.Registry
	Rules     *rulebook.Rulebook
	Plugins   *pluginmgr.Manager
	Installer *pluginmgr.Installer
	Settings  *settings.Settings
	Keyring   *settings.Keyring
	Audit     *audit.Store
	Gate      *gate.Gate
	Events    *canonical.Lane
	Log       *log
	SetUp     chan struct{} // closed once the first administrator is made
	Alerts    *alert.Service

	heads string
	ways  alert.Ways // of telling people
}

// setting changes a core before it starts.
type setting func(*coreConfig)

type coreConfig struct {
	env     map[string]string
	hosts   map[string]netip.Addr
	open    proxy.Ranges
	waits   time.Duration
	proxies []netip.Prefix
}

// env sets an environment variable of the core.
func env(name, value string) setting {
	return func(c *coreConfig) { c.env[name] = value }
}

// host lets a name resolve to loopback for the proxy lane, and opens that to it.
func host(name string) setting {
	return func(c *coreConfig) {
		c.hosts[name] = netip.MustParseAddr("127.0.0.1")
		c.open[name] = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}
}

// patient has the core wait so long for a client.
func patient(d time.Duration) setting {
	return func(c *coreConfig) { c.waits = d }
}

// newCore starts a core. Plugins may register from loopback without a token,
// unless an edit says otherwise.
func newCore(t testing.TB, edits ...setting) *core {
	t.Helper()
	conf := coreConfig{env: map[string]string{"VIVIFIED_REGISTRATION": "open"}, hosts: map[string]netip.Addr{}, open: proxy.Ranges{}}
	for _, edit := range edits {
		edit(&conf)
	}
	dir := t.TempDir()
	c := &core{t: t, DB: dbtest.New(t), Log: &log{}, SetUp: make(chan struct{}), heads: filepath.Join(dir, "heads.jsonl")}
	logger := slog.New(slog.NewTextHandler(c.Log, nil))
	base, cut := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	run := func(name string, f func(context.Context) error) {
		parts.Go(func() {
			if err := f(base); err != nil && base.Err() == nil {
				t.Errorf("%s ended: %v", name, err)
			}
		})
	}

	master := must(settings.LoadMasterKey(settings.MasterKeySource{DataDir: dir}))(t)
	c.Keyring = must(settings.OpenKeyring(t.Context(), db.New(c.DB.Pool), master))(t)
	c.Keyring.Attach(c.DB.Pool, true, logger)
	sealer := c.Keyring.Sealer()
	bus := must(canonical.StartBus(canonical.BusConfig{Dir: dir, Name: "test", Log: logger}))(t)
	t.Cleanup(bus.Close)
	t.Cleanup(func() { cut(); parts.Wait() })
	c.Settings = must(settings.New(maps.Clone(conf.env), nil))(t)
	if err := c.Settings.Attach(t.Context(), settings.Config{Pool: c.DB.Pool, Sealer: sealer, Waker: bus, Log: logger}); err != nil {
		t.Fatalf("settings: %v", err)
	}
	c.Audit = audit.NewStore(c.DB.Pool)
	writer := audit.NewWriter(c.DB.Pool, audit.WriterConfig{Replica: "test", Log: logger})
	run("audit", writer.Run)
	c.Registry = must(registry.Open(t.Context(), registry.Config{Pool: c.DB.Pool, Waker: bus, Log: logger}))(t)
	run("registry", c.Registry.Run)
	metrics := prometheus.NewRegistry()
	c.Rules = must(rulebook.Open(t.Context(), rulebook.Config{
		Pool: c.DB.Pool, Audit: c.Audit, Waker: bus, Replica: "test", Log: logger, Traits: func() *trait.Registry { return c.Registry.Snapshot().Traits() },
		FourEyes: func() bool { return c.Settings.Bool(settings.PolicyFourEyes) },
	}))(t)
	run("rulebook", c.Rules.Run)
	c.Gate = gate.New(gate.Config{Policy: c.Rules.Policy, Record: writer, Metrics: metrics, Log: logger})

	run("coverage", rulebook.NewCounter(c.DB.Pool, c.Gate, logger).Run)

	listener := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	own := []netip.AddrPort{listener.Addr().(*net.TCPAddr).AddrPort()}
	c.URL = "http://" + listener.Addr().String()
	c.Identity = must(identity.Open(t.Context(), identity.Config{
		Pool: c.DB.Pool, Plugins: c.Registry, Sealer: sealer, Record: writer, Issuer: c.URL, Plain: true, Waker: bus, Log: logger,
		Traits:   func() *trait.Registry { return c.Registry.Snapshot().Traits() },
		FourEyes: func() bool { return c.Settings.Bool(settings.ApprovalFourEyes) },
		Hashing:  &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	}))(t)
	run("identity", c.Identity.Run)
	c.SSO = must(sso.Open(sso.Config{
		Pool: c.DB.Pool, People: c.Identity, Sealer: sealer, Record: writer, Public: c.URL, Log: logger,
		Judge: func(host string, named bool, at netip.AddrPort) error {
			j := proxy.Judge{Own: own}
			if named {
				j.Ranges = proxy.Ranges{host: {netip.MustParsePrefix("127.0.0.0/8")}}
			}
			return j.Address(host, at)
		},
	}))(t)
	run("single sign-on", c.SSO.Run)

	forwarding := siem.New(siem.Config{Pool: c.DB.Pool, Store: c.Audit, Sealer: sealer, Replica: "test", Log: logger})
	run("audit forwarding", forwarding.Run)
	// Its clock is ahead, so that there is something to purge; it purges only when asked.
	keeper := retention.New(retention.Config{
		Pool: c.DB.Pool, Owner: c.DB.OwnerURL, Store: c.Audit, Sign: c.Identity, Folder: filepath.Join(t.TempDir(), "archive"), Replica: "test", Log: logger,
		Keep: func() retention.Keep { return retention.Keep{} }, Now: func() time.Time { return time.Now().AddDate(8, 0, 0) },
		Keys: func(ctx context.Context) (audit.Keys, error) {
			keys, err := identity.PublicKeys(ctx, c.DB.Pool)
			return func(kid string) (ed25519.PublicKey, bool) { k, ok := keys[kid]; return k, ok }, err
		},
	})
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	reach := external.New(external.Config{Networks: func() []netip.Prefix { return loopback }, Own: func() []netip.AddrPort { return own }})
	t.Cleanup(reach.Close)
	c.Plugins = pluginmgr.New(pluginmgr.Config{
		Pool: c.DB.Pool, Registry: c.Registry, Principals: c.Identity, Settings: c.Settings, Runtimes: map[string]pluginmgr.Runtime{"external": reach},
		Policy: func() pluginmgr.Policy {
			return pluginmgr.Policy{Registration: c.Settings.String(settings.Registration), Networks: loopback}
		},
		Replica: "test", Log: logger,
	})
	store := must(bundle.OpenStore(t.TempDir(), bundle.Limits{}))(t)
	t.Cleanup(func() { _ = store.Close() })
	c.Installer = &pluginmgr.Installer{Manager: c.Plugins, Jobs: job.New(job.Config{Pool: c.DB.Pool, Log: logger}), Shelf: market.New(market.Config{
		Pool: c.DB.Pool, Store: store, Options: c.Registry.ReadOptions, Runtimes: c.Plugins.RuntimeKinds, Log: logger,
		Policy: func() market.Policy { return market.Policy{Signatures: c.Settings.Int(settings.MarketplaceSignatures)} },
	})}
	c.Installer.Jobs.Plans = c.Installer.Plans()
	run("jobs", c.Installer.Jobs.Run)
	ids := storage.NewIDMap(c.DB.Pool)
	calls := operator.New(operator.Config{IDs: ids, Plugins: c.Registry, Gate: c.Gate, Caller: c.Plugins, Tokens: c.Identity, Log: logger})
	c.Events = must(canonical.Open(t.Context(), canonical.Config{
		Bus: bus, IDs: ids, Pool: c.DB.Pool, Sealer: sealer, Plugins: c.Registry, Gate: c.Gate, Record: writer, Caller: c.Plugins, Tokens: c.Identity, Log: logger,
		Limits: canonical.Limits{MaxDeliver: 2},
	}))(t)
	egress := proxy.New(proxy.Config{
		Pool: c.DB.Pool, Sealer: sealer,
		Plugins: c.Registry, Gate: c.Gate, Observer: c.Registry, Resolver: names(conf.hosts), Judge: proxy.Judge{Ranges: conf.open, Own: own}, Log: logger,
	})
	run("canonical lane", c.Events.Run)
	run("proxy lane", egress.Run)
	run("operator lane", calls.Run)
	approvals := approval.New(approval.Config{Pool: c.DB.Pool, Registry: c.Registry, People: c.Identity, Manifests: c.Plugins, Rules: c.Rules, Settings: c.Settings, Replica: "test", Log: logger,
		FourEyes: func() bool { return c.Settings.Bool(settings.ApprovalFourEyes) }})
	c.Rules.Show(approvals)

	c.Alerts = alert.New(alert.Config{
		Pool: c.DB.Pool, Store: c.Audit, Plugins: c.Registry, SIEM: forwarding, Public: c.URL, Replica: "test", Log: logger, Ways: func() alert.Ways { return c.ways },
		Admins: func(context.Context) (int, error) { return 2, nil },
	})

	c.Server = handlers.New(handlers.Config{
		IDs:      ids,
		Alerts:   c.Alerts,
		Identity: c.Identity, Registry: c.Registry, Plugins: c.Plugins, Installer: c.Installer, Shelf: c.Installer.Shelf, Jobs: c.Installer.Jobs, Settings: c.Settings, Keyring: c.Keyring, Audit: c.Audit, SIEM: forwarding, Retention: keeper, Proof: c, Gate: c.Gate,
		Evidence: evidence.New(evidence.Config{
			Pool: c.DB.Pool, Audit: c.Audit, Settings: c.Settings, People: c.Identity, SSO: c.SSO, Rules: c.Rules, Plugins: c.Registry, SIEM: forwarding, Signer: c.Identity,
			Heads: c.heads, Address: c.URL, Version: "0.0.0-test",
		}),
		Rules:  c.Rules,
		Events: c.Events, Calls: calls, Egress: egress, Approvals: approvals, SSO: c.SSO, Metrics: metrics, MetricsToken: func() string { return "scrape me" }, Public: c.URL, Signer: c.Identity,
		Ready: func(context.Context) []handlers.Check { return []handlers.Check{{Name: "database", OK: true}} },
		SetUp: sync.OnceFunc(func() { close(c.SetUp) }), Version: "0.0.0-test", Log: logger, Patience: conf.waits, TrustedProxies: conf.proxies,
	})
	served := httptest.NewUnstartedServer(c.Server)
	served.Listener.Close()
	served.Listener = listener
	served.Config = c.Server.HTTP()
	served.Config.BaseContext = func(net.Listener) context.Context { return base }
	served.Start()
	t.Cleanup(func() { cut(); served.Close() }) // streams end with base; Close waits for them
	return c
}

// Verify implements handlers.Proof as the core's command does.
func (c *core) Verify(ctx context.Context) (audit.Report, error) {
	keys, err := identity.PublicKeys(ctx, c.DB.Pool)
	if err != nil {
		return audit.Report{}, err
	}
	v := audit.VerifyConfig{Keys: func(kid string) (ed25519.PublicKey, bool) { k, ok := keys[kid]; return k, ok }}
	if raw, err := os.ReadFile(c.heads); err == nil {
		v.Heads = bytes.NewReader(raw)
	}
	return audit.Verify(ctx, c.DB.Pool, v)
}

// system is a context in which the core itself acts.
func (c *core) system() context.Context {
	ctx := actor.WithAddress(c.t.Context(), "127.0.0.1")
	return actor.With(ctx, actor.Actor{Kind: actor.System, ID: "test", Name: "test", Tenant: actor.DefaultTenant})
}

// records returns the audit's rows that fit a filter, newest first.
func (c *core) records(f audit.Filter) []audit.Record {
	c.t.Helper()
	page, err := c.Audit.Search(c.system(), f)
	if err != nil {
		c.t.Fatalf("search the audit: %v", err)
	}
	return page.Records
}

// eventually waits until something becomes true; what never does fails the test.
func (c *core) eventually(what string, ok func() bool) {
	c.t.Helper()
	tick, late := time.NewTicker(5*time.Millisecond), time.After(10*time.Second)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			c.t.Fatalf("never happened: %s", what)
		}
	}
}

// names resolves from a table.
type names map[string]netip.Addr

// LookupNetIP implements proxy.Resolver.
func (n names) LookupNetIP(_ context.Context, _, name string) ([]netip.Addr, error) {
	if a, ok := n[strings.TrimSuffix(name, ".")]; ok {
		return []netip.Addr{a}, nil
	}
	return nil, errors.New("no such host")
}

// log keeps what the core logs, for tests that look for what must not be there.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

var _ io.Writer = (*log)(nil)

// must returns a value that has to be there, or ends the test.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

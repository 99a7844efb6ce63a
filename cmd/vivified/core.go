package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/bundle"
	"github.com/vivified/vivified/core/evidence"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/rulebook"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/siem"
	"github.com/vivified/vivified/core/storage"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/handlers"
	"github.com/vivified/vivified/lanes/canonical"
	"github.com/vivified/vivified/lanes/operator"
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/pluginmgr/external"
)

// core is everything that runs in one process.
type core struct {
	dataDir  string
	owner    string // connection string of the database's owner
	public   string // address people and plugins use
	identity *identity.Service
	server   *handlers.Server
	serving  chan struct{} // closed once there is a server
	gone     chan struct{} // closed when the core ends
	bundles  *bundle.Store
	failed   chan error
	stops    []func() // in the order of their start; ended in reverse
	log      *slog.Logger
}

// run starts a long-lived part. Its end by itself is the core's failure.
func (c *core) run(name string, f func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := f(ctx)
		if ctx.Err() == nil {
			select {
			case c.failed <- fmt.Errorf("%s ended: %w", name, orUnknown(err)):
			default:
			}
		} else if err != nil && !errors.Is(err, context.Canceled) {
			c.log.Warn("part ended badly", "part", name, "error", err)
		}
	}()
	c.stops = append(c.stops, func() { cancel(); <-done })
}

func orUnknown(err error) error {
	if err == nil {
		return errors.New("for no reason given")
	}
	return err
}

// close ends every part, the last started first.
func (c *core) close() {
	close(c.gone)
	for i := len(c.stops) - 1; i >= 0; i-- {
		c.stops[i]()
	}
	c.stops = nil
}

// build starts all parts in the order in which they need each other.
func build(ctx context.Context, conf *settings.Settings, env map[string]string, at net.Addr, secure bool, log *slog.Logger) (_ *core, err error) {
	c := &core{failed: make(chan error, 1), serving: make(chan struct{}), gone: make(chan struct{}), log: log}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.dataDir, err = dataDir(conf); err != nil {
		return nil, err
	}
	c.public = publicURL(conf, at, secure)
	master, err := settings.LoadMasterKey(settings.MasterKeySource{
		Value: env["VIVIFIED_MASTER_KEY"], File: env["VIVIFIED_MASTER_KEY_FILE"], Command: env["VIVIFIED_MASTER_KEY_COMMAND"], DataDir: c.dataDir,
	})
	if err != nil {
		return nil, err
	}
	replica := replicaName(conf)
	pool, bus, keyring, err := c.stores(ctx, conf, env, master, replica)
	if err != nil {
		return nil, err
	}
	c.run("sealing keys", keyring.Run)
	sealer := keyring.Sealer()
	if err := conf.Attach(ctx, settings.Config{Pool: pool, Sealer: sealer, Waker: bus, Log: log}); err != nil {
		return nil, err
	}
	own := ownListeners(ctx, conf, at)
	if address := bus.Address(); address.IsValid() {
		own = append(own, address)
	}

	store := audit.NewStore(pool)
	heads := filepath.Join(c.dataDir, "audit-heads.jsonl")
	copies, err := headCopies(conf, replica, log)
	if err != nil {
		return nil, err
	}
	for _, one := range copies { // before what they copy, so that they end after it
		c.run("copies of signed heads", one.Run)
	}
	signer := &lateSigner{ready: make(chan struct{})}
	watch := &headsWatch{replica: replica}
	headWriter := audit.NewHeadWriter(store, signer, audit.HeadWriterConfig{Path: heads, Copies: copies, Every: conf.Duration(settings.AuditHeadsInterval), Told: watch.told, Log: log})
	c.run("signed heads", signer.before(headWriter.Run))
	writer := audit.NewWriter(pool, audit.WriterConfig{Replica: replica, Batch: conf.Int(settings.AuditGroupSize), Log: log})
	c.run("audit", writer.Run)

	plugins, err := registry.Open(ctx, registry.Config{Pool: pool, Waker: bus, Blocked: func() []string { return conf.Strings(settings.BlockedDomains) }, Log: log})
	if err != nil {
		return nil, err
	}
	c.run("registry", plugins.Run)
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	traits := func() *trait.Registry { return plugins.Snapshot().Traits() }
	book, err := rulebook.Open(ctx, rulebook.Config{
		Pool: pool, Audit: store, Traits: traits, FourEyes: func() bool { return conf.Bool(settings.PolicyFourEyes) }, Waker: bus, Replica: replica, Log: log,
	})
	if err != nil {
		return nil, err
	}
	c.run("rulebook", book.Run)
	door := gate.New(gate.Config{Policy: book.Policy, Record: writer, Metrics: metrics, Log: log})
	watch.record = door.Record
	c.run("rule coverage", rulebook.NewCounter(pool, door, log).Run)
	people, err := identity.Open(ctx, identity.Config{
		Pool: pool, Plugins: plugins, Sealer: sealer, Record: writer, Issuer: c.public, Traits: traits,
		Waker: bus, Plain: !secure, SetupToken: conf.String(settings.SetupToken), IdlePHI: conf.Duration(settings.SessionIdlePHI),
		Idle: conf.Duration(settings.SessionIdle), Absolute: conf.Duration(settings.SessionAbsolute), Log: log,
		Demands: func() identity.Demands {
			return identity.Demands{
				SecondFactor: conf.String(settings.SecondFactor), Grace: conf.Duration(settings.SecondFactorGrace),
				Fresh: conf.Duration(settings.StepUp), BreakGlass: conf.Duration(settings.BreakGlassSession),
			}
		},
		FourEyes:   func() bool { return conf.Bool(settings.ApprovalFourEyes) },
		KeyLife:    func() time.Duration { return conf.Duration(settings.KeyLife) },
		LocalLogin: func() bool { return conf.Bool(settings.AuthLocalLogin) || conf.Bool(settings.AuthLocalLoginRescue) },
	})
	if err != nil {
		return nil, err
	}
	c.identity = people
	signOn, err := singleSignOn(ctx, conf, pool, people, sealer, writer, c.public, own, log)
	if err != nil {
		return nil, err
	}
	c.run("single sign-on", signOn.Run)
	signer.set(people)
	c.run("identity", people.Run)
	c.run("settings", conf.Run)

	forwarding := siem.New(siem.Config{Pool: pool, Store: store, Sealer: sealer, Replica: replica, Log: log})
	c.run("audit forwarding", forwarding.Run)
	keeper, err := c.retention(conf, pool, store, people, replica)
	if err != nil {
		return nil, err
	}
	c.run("audit retention", keeper.Run)

	networks := pluginNetworks(conf, at)
	reach := external.New(external.Config{Networks: func() []netip.Prefix { return networks }, Own: func() []netip.AddrPort { return own }})
	runtimes, lines, err := c.runtimes(conf, reach)
	if err != nil {
		return nil, err
	}
	manager := pluginmgr.New(pluginmgr.Config{
		Pool: pool, Registry: plugins, Principals: people, Settings: conf, Runtimes: runtimes, Journal: lines, Ends: !conf.Bool(settings.PluginsOutlive),
		Policy: func() pluginmgr.Policy { return pluginPolicy(conf, networks) }, Replica: replica, Log: log,
		Timing: pluginmgr.Timing{
			Interval: conf.Duration(settings.HealthInterval), Timeout: conf.Duration(settings.HealthTimeout), Threshold: conf.Int(settings.HealthThreshold),
			Heartbeat: conf.Duration(settings.HeartbeatTimeout), Drain: conf.Duration(settings.DrainTimeout),
		},
	})
	ids := storage.NewIDMap(pool)
	calls := operator.New(operator.Config{
		Plugins: plugins, Gate: door, Caller: manager, Tokens: people, IDs: ids, Log: log,
		Limits: operator.Limits{
			Timeout: conf.Duration(settings.OperatorTimeout), Longest: conf.Duration(settings.OperatorTimeoutMax), Drain: conf.Duration(settings.DrainTimeout), Body: int64(conf.Int(settings.LimitBodyBytes)),
			Rate: conf.Int(settings.LimitPluginRate), InFlight: conf.Int(settings.LimitPluginInFlight),
		},
	})
	keepTypes, err := conf.Durations(settings.EventRetentionTypes)
	if err != nil {
		return nil, err
	}
	events, err := canonical.Open(ctx, canonical.Config{
		Bus: bus, Pool: pool, Sealer: sealer, Plugins: plugins, Gate: door, Record: writer, Caller: manager, Tokens: people, Log: log,
		IDs: ids, Guests: people, Callout: calloutOf(conf), Replica: replica,
		Limits: canonical.Limits{
			Keep: conf.Duration(settings.EventRetention), KeepTypes: keepTypes, MaxDeliver: conf.Int(settings.EventMaxDeliver), MaxAge: conf.Duration(settings.EventMaxAge),
			Rate: conf.Int(settings.LimitPluginRate), InFlight: conf.Int(settings.LimitPluginInFlight),
		},
	})
	if err != nil {
		return nil, err
	}
	egress, err := outside(conf, pool, plugins, door, sealer, own, log)
	if err != nil {
		return nil, err
	}
	c.run("canonical lane", events.Run)
	c.run("proxy lane", egress.Run)
	c.run("operator lane", calls.Run)
	c.run("plugin manager", manager.Run)
	installer := c.marketplace(conf, pool, plugins, manager, log)
	approvals := approval.New(approval.Config{
		Pool: pool, Registry: plugins, People: people, Manifests: manager, Rules: book, Settings: conf, Replica: replica, Log: log,
		Life:     func() time.Duration { return conf.Duration(settings.ApprovalLife) },
		OwnWord:  func() bool { return conf.Bool(settings.ApprovalOwnLastAdmin) },
		FourEyes: func() bool { return conf.Bool(settings.ApprovalFourEyes) },
	})
	book.Show(approvals)
	c.run("approvals", approvals.Run)
	alerts, err := watchful(conf, pool, store, plugins, people, forwarding, calls, c.public, replica, log)
	if err != nil {
		return nil, err
	}
	c.run("alerts", alerts.Run)

	c.server = handlers.New(handlers.Config{
		Rules:    book,
		Identity: people, Registry: plugins, Plugins: manager, Installer: installer, Shelf: installer.Shelf, Jobs: installer.Jobs, Settings: conf, Keyring: keyring, Audit: store, Gate: door, Events: events, IDs: ids, Calls: calls, Egress: egress,
		Approvals: approvals, SSO: signOn, Alerts: alerts,
		SIEM: forwarding, Retention: keeper, Proof: proof{pool: pool, heads: heads},
		Evidence: evidence.New(evidence.Config{
			Pool: pool, Audit: store, Settings: conf, People: people, SSO: signOn, Rules: book, Plugins: plugins, SIEM: forwarding, Signer: people,
			Heads: heads, Copies: copies, Address: c.public, Version: version, Secure: secure, KeyOutside: master.Outside(),
		}),
		Ready:   func(ctx context.Context) []handlers.Check { return ready(ctx, pool, bus, writer) },
		Metrics: metrics, MetricsToken: func() string { return conf.String(settings.MetricsToken) }, Secure: secure, TrustedProxies: conf.Prefixes(settings.TrustedProxies),
		Public: c.public, SetUp: func() { _ = removeIfThere(filepath.Join(c.dataDir, setupLink)) },
		Signer: people, Version: version, Log: log,
	})
	close(c.serving)
	registerMetrics(metrics, plugins, calls, egress, writer)
	return c, nil
}

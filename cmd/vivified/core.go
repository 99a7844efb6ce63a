package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/evidence"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/retention"
	"github.com/vivified/vivified/core/rulebook"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/siem"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/handlers"
	"github.com/vivified/vivified/lanes/canonical"
	"github.com/vivified/vivified/lanes/operator"
	"github.com/vivified/vivified/lanes/proxy"
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
	for i := len(c.stops) - 1; i >= 0; i-- {
		c.stops[i]()
	}
	c.stops = nil
}

// build starts all parts in the order in which they need each other.
func build(ctx context.Context, conf *settings.Settings, env map[string]string, at net.Addr, secure bool, log *slog.Logger) (_ *core, err error) {
	c := &core{failed: make(chan error, 1), log: log}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if c.dataDir, err = dataDir(conf); err != nil {
		return nil, err
	}
	c.public = publicURL(conf, at, secure)
	sealer, err := settings.LoadMasterKey(env["VIVIFIED_MASTER_KEY"], env["VIVIFIED_MASTER_KEY_FILE"], c.dataDir)
	if err != nil {
		return nil, err
	}
	replica := replicaName(conf)
	pool, bus, err := c.stores(ctx, conf, env, sealer, replica)
	if err != nil {
		return nil, err
	}
	if err := conf.Attach(ctx, settings.Config{Pool: pool, Sealer: sealer, Waker: bus, Log: log}); err != nil {
		return nil, err
	}
	own := ownListeners(ctx, conf, at)

	store := audit.NewStore(pool)
	heads := filepath.Join(c.dataDir, "audit-heads.jsonl")
	signer := &lateSigner{ready: make(chan struct{})}
	headWriter := audit.NewHeadWriter(store, signer, audit.HeadWriterConfig{Path: heads, Every: conf.Duration(settings.AuditHeadsInterval), Log: log})
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
	c.stops = append(c.stops, reach.Close)
	manager := pluginmgr.New(pluginmgr.Config{
		Pool: pool, Registry: plugins, Principals: people, Settings: conf, Runtimes: map[string]pluginmgr.Runtime{"external": reach},
		Policy: func() pluginmgr.Policy { return pluginPolicy(conf, networks) }, Replica: replica, Log: log,
		Timing: pluginmgr.Timing{
			Interval: conf.Duration(settings.HealthInterval), Timeout: conf.Duration(settings.HealthTimeout), Threshold: conf.Int(settings.HealthThreshold),
			Heartbeat: conf.Duration(settings.HeartbeatTimeout), Drain: conf.Duration(settings.DrainTimeout),
		},
	})
	calls := operator.New(operator.Config{
		Plugins: plugins, Gate: door, Caller: manager, Tokens: people, Log: log,
		Limits: operator.Limits{
			Timeout: conf.Duration(settings.OperatorTimeout), Longest: conf.Duration(settings.OperatorTimeoutMax), Drain: conf.Duration(settings.DrainTimeout), Body: int64(conf.Int(settings.LimitBodyBytes)),
			Rate: conf.Int(settings.LimitPluginRate), InFlight: conf.Int(settings.LimitPluginInFlight),
		},
	})
	events, err := canonical.Open(ctx, canonical.Config{
		Bus: bus, Pool: pool, Sealer: sealer, Plugins: plugins, Gate: door, Record: writer, Caller: manager, Tokens: people, Log: log,
		Limits: canonical.Limits{
			Keep: conf.Duration(settings.EventRetention), MaxDeliver: conf.Int(settings.EventMaxDeliver), MaxAge: conf.Duration(settings.EventMaxAge),
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
	approvals := approval.New(approval.Config{
		Pool: pool, Registry: plugins, People: people, Manifests: manager, Replica: replica, Log: log,
		Life:    func() time.Duration { return conf.Duration(settings.ApprovalLife) },
		OwnWord: func() bool { return conf.Bool(settings.ApprovalOwnLastAdmin) },
	})
	c.run("approvals", approvals.Run)

	c.server = handlers.New(handlers.Config{
		Rules:    book,
		Identity: people, Registry: plugins, Plugins: manager, Settings: conf, Audit: store, Gate: door, Events: events, Calls: calls, Egress: egress,
		Approvals: approvals, SSO: signOn,
		SIEM: forwarding, Retention: keeper, Proof: proof{pool: pool, heads: heads},
		Evidence: evidence.New(evidence.Config{
			Pool: pool, Audit: store, Settings: conf, People: people, SSO: signOn, Rules: book, Plugins: plugins, SIEM: forwarding, Signer: people,
			Heads: heads, Address: c.public, Version: version, Secure: secure, KeyOutside: env["VIVIFIED_MASTER_KEY"] != "" || env["VIVIFIED_MASTER_KEY_FILE"] != "",
		}),
		Ready:   func(ctx context.Context) []handlers.Check { return ready(ctx, pool, bus, writer) },
		Metrics: metrics, MetricsToken: func() string { return conf.String(settings.MetricsToken) }, Secure: secure, TrustedProxies: conf.Prefixes(settings.TrustedProxies),
		Public: c.public, SetUp: func() { _ = removeIfThere(filepath.Join(c.dataDir, setupLink)) },
		Signer: people, Version: version, Log: log,
	})
	registerMetrics(metrics, plugins, calls, egress, writer)
	return c, nil
}

// stores starts database and bus, side by side.
func (c *core) stores(ctx context.Context, conf *settings.Settings, env map[string]string, sealer *settings.Sealer, replica string) (*pgxpool.Pool, *canonical.Bus, error) {
	var bus *canonical.Bus
	var busErr error
	var started sync.WaitGroup
	started.Go(func() {
		bus, busErr = canonical.StartBus(canonical.BusConfig{
			URL: conf.String(settings.NATSURL), Dir: c.dataDir, Key: hex.EncodeToString(sealer.Derive("nats/jetstream", 32)), Name: replica, Log: c.log,
		})
	})
	pool, err := c.database(ctx, conf, env, sealer, replica)
	started.Wait()
	if bus != nil {
		c.stops = append(c.stops, bus.Close)
	}
	if err := errors.Join(err, busErr); err != nil {
		return nil, nil, err
	}
	return pool, bus, nil
}

// database makes the database ready and connects to it under the role that may
// neither change nor delete what was recorded.
func (c *core) database(ctx context.Context, conf *settings.Settings, env map[string]string, sealer *settings.Sealer, replica string) (*pgxpool.Pool, error) {
	owner := conf.String(settings.DatabaseURL)
	if owner == "" {
		private := &db.Private{Dir: c.dataDir, Bin: env["PG_BIN"], Log: c.log.With("part", "postgres")}
		if err := private.Start(ctx); err != nil {
			return nil, err
		}
		c.run("database", private.Run)
		owner = private.URL()
	}
	password := base64.RawURLEncoding.EncodeToString(sealer.Derive("postgres/"+db.AppRole, 24))
	app, err := db.Setup(ctx, owner, password)
	if err != nil {
		return nil, err
	}
	c.owner = owner
	c.run("audit partitions", func(ctx context.Context) error { return partitions(ctx, owner, c.log) })
	pool, err := db.OpenConfig(ctx, db.Config{URL: app, Name: replica})
	if err != nil {
		return nil, err
	}
	c.stops = append(c.stops, pool.Close)
	return pool, nil
}

// retention builds what archives and purges the audit.
func (c *core) retention(conf *settings.Settings, pool *pgxpool.Pool, store *audit.Store, sign audit.Signer, replica string) (*retention.Service, error) {
	config := retention.Config{
		Pool: pool, Owner: c.owner, Store: store, Sign: sign, Folder: filepath.Join(c.dataDir, "archive"), Replica: replica, Log: c.log,
		Keys: func(ctx context.Context) (audit.Keys, error) {
			keys, err := identity.PublicKeys(ctx, pool)
			return func(kid string) (ed25519.PublicKey, bool) { k, ok := keys[kid]; return k, ok }, err
		},
		Keep: func() retention.Keep {
			return retention.Keep{
				PHI: conf.Int(settings.AuditKeepPHI), PII: conf.Int(settings.AuditKeepPII), Confidential: conf.Int(settings.AuditKeepConfidential),
				Security: conf.Int(settings.AuditKeepSecurity), Other: conf.Int(settings.AuditKeepOther),
			}
		},
	}
	if address := conf.String(settings.AuditArchiveBucket); address != "" {
		bucket, err := retention.NewBucket(address, conf.String(settings.AuditArchiveRegion), conf.String(settings.AuditArchiveKey), conf.String(settings.AuditArchiveSecret))
		if err != nil {
			return nil, err
		}
		config.Bucket = bucket
	}
	return retention.New(config), nil
}

// partitions keeps the audit's months ahead of the calendar.
func partitions(ctx context.Context, owner string, log *slog.Logger) error {
	tick := time.NewTicker(6 * time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		pool, err := db.Open(ctx, owner)
		if err == nil {
			err = db.EnsureAuditPartitions(ctx, pool, time.Now(), 3)
			pool.Close()
		}
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "audit partitions not made ahead; trying again", "error", err)
		}
	}
}

// outside builds the proxy lane.
func outside(conf *settings.Settings, pool *pgxpool.Pool, plugins *registry.Registry, door *gate.Gate, sealer *settings.Sealer, own []netip.AddrPort, log *slog.Logger) (*proxy.Lane, error) {
	var raw json.RawMessage
	if err := conf.JSON(settings.ProxyPrivateRanges, &raw); err != nil {
		return nil, err
	}
	ranges, err := proxy.ParseRanges(raw) // refuses more than the setting's form does, such as a metadata service
	if err != nil {
		return nil, fault.New(fault.Invalid, "settings.invalid", "proxy_private_ranges: %v.", err).Because(err)
	}
	roots, err := proxy.Roots(conf.String(settings.ProxyCAFile))
	if err != nil {
		return nil, err
	}
	return proxy.New(proxy.Config{
		Plugins: plugins, Gate: door, Observer: plugins, Resolver: proxy.NewResolver(resolver(conf.String(settings.DNS))),
		Judge: proxy.Judge{Ranges: ranges, Own: own}, Roots: roots, HashKey: sealer.Derive("proxy/query", 32), Pool: pool, Sealer: sealer, Log: log,
		Limits: proxy.Limits{
			Body: int64(conf.Int(settings.LimitProxyBytes)), Timeout: conf.Duration(settings.ProxyTimeout),
			Rate: conf.Int(settings.LimitPluginRate), InFlight: conf.Int(settings.LimitPluginInFlight),
		},
	}), nil
}

func resolver(address string) netip.AddrPort {
	if ap, err := netip.ParseAddrPort(address); err == nil {
		return ap
	}
	if a, err := netip.ParseAddr(address); err == nil {
		return netip.AddrPortFrom(a, 53)
	}
	return netip.AddrPort{}
}

func dataDir(conf *settings.Settings) (string, error) {
	dir, err := filepath.Abs(conf.String(settings.DataDir))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make the data directory: %w", err)
	}
	return dir, nil
}

func publicURL(conf *settings.Settings, at net.Addr, secure bool) string {
	if u := conf.String(settings.PublicURL); u != "" {
		return strings.TrimSuffix(u, "/")
	}
	scheme := "http"
	if secure {
		scheme = "https"
	}
	return scheme + "://" + at.String()
}

func replicaName(conf *settings.Settings) string {
	if name := conf.String(settings.Replica); name != "" {
		return name
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "core"
	}
	return host
}

// pluginNetworks are where plugins may be reached: loopback when nothing is
// said and the core itself listens there, else nowhere.
func pluginNetworks(conf *settings.Settings, at net.Addr) []netip.Prefix {
	if n := conf.Prefixes(settings.PluginNetworks); len(n) > 0 {
		return n
	}
	if tcp, ok := at.(*net.TCPAddr); ok && tcp.IP.IsLoopback() {
		return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	return nil
}

func pluginPolicy(conf *settings.Settings, networks []netip.Prefix) pluginmgr.Policy {
	p := pluginmgr.Policy{
		Registration: conf.String(settings.Registration), AutoEnable: conf.Bool(settings.AutoEnable), EgressAuto: conf.Bool(settings.EgressAutoApprove),
		Networks: networks, Addresses: map[string]string{},
	}
	_ = conf.JSON(settings.PluginAddresses, &p.Addresses) // its form was checked when it was set
	for _, port := range conf.Strings(settings.EgressAutoApprovePorts) {
		if n, err := strconv.ParseInt(port, 10, 32); err == nil {
			p.EgressPorts = append(p.EgressPorts, int32(n))
		}
	}
	return p
}

// ownListeners are addresses that no lane may lead to: the core's, its
// database's and its bus's.
func ownListeners(ctx context.Context, conf *settings.Settings, at net.Addr) []netip.AddrPort {
	var own []netip.AddrPort
	if tcp, ok := at.(*net.TCPAddr); ok {
		own = append(own, tcp.AddrPort())
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for raw, port := range map[string]uint16{conf.String(settings.DatabaseURL): 5432, conf.String(settings.NATSURL): 4222} {
		u, err := url.Parse(raw)
		if err != nil || u.Hostname() == "" {
			continue
		}
		if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
			port = uint16(n)
		}
		addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
		if err != nil {
			continue
		}
		for _, a := range addrs {
			own = append(own, netip.AddrPortFrom(a.Unmap(), port))
		}
	}
	return own
}

// ready says whether everything the core needs answers.
func ready(ctx context.Context, pool *pgxpool.Pool, bus *canonical.Bus, writer *audit.Writer) []handlers.Check {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	check := func(name string, err error) handlers.Check {
		if err != nil {
			return handlers.Check{Name: name, Why: err.Error()}
		}
		return handlers.Check{Name: name, OK: true}
	}
	var recording error
	if !writer.Stats().Up {
		recording = errors.New("decisions cannot be recorded")
	}
	return []handlers.Check{check("database", pool.Ping(ctx)), check("bus", bus.Ready()), check("audit", recording)}
}

// lateSigner signs heads. What writes them starts before there are keys to sign
// with, because it has to end after everything that is recorded.
type lateSigner struct {
	ready chan struct{} // closed when sign is set
	sign  audit.Signer
}

// set is called once.
func (s *lateSigner) set(sign audit.Signer) {
	s.sign = sign
	close(s.ready)
}

// before runs what needs signatures once there are keys.
func (s *lateSigner) before(run func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-s.ready:
			return run(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// Sign implements audit.Signer. It is called only once ready is closed.
func (s *lateSigner) Sign(message []byte) (string, []byte, error) { return s.sign.Sign(message) }

// proof verifies the audit of this installation against its signed heads.
type proof struct {
	pool  *pgxpool.Pool
	heads string
}

// Verify implements handlers.Proof.
func (p proof) Verify(ctx context.Context) (audit.Report, error) {
	return verifyDatabase(ctx, p.pool, p.heads)
}

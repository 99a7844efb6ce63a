package approval_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/rulebook"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/db/dbtest"
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/pluginmgr/external"
)

// world is the approvals of a core over a database of its own, with a clock that
// the test moves.
type world struct {
	*approval.Service
	t        *testing.T
	db       *dbtest.DB
	people   *identity.Service
	registry *registry.Registry
	plugins  *pluginmgr.Manager
	conf     *settings.Settings
	rules    *rulebook.Rulebook

	mu      sync.Mutex
	ahead   time.Duration // of the real time
	ownWord bool
}

// deaf is a bus with one replica on it.
type deaf struct{}

func (deaf) Wake(string) error                            { return nil }
func (deaf) OnWake(context.Context, string, func()) error { return nil }
func (w *world) now() time.Time                           { w.mu.Lock(); defer w.mu.Unlock(); return time.Now().Add(w.ahead) }
func (w *world) later(d time.Duration)                    { w.mu.Lock(); defer w.mu.Unlock(); w.ahead += d }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, db: dbtest.New(t), ownWord: true}
	quiet := slog.New(slog.DiscardHandler)
	key := make([]byte, settings.KeySize)
	rand.Read(key)
	sealer := must(settings.NewSealer(key))(t)
	conf := must(settings.New(map[string]string{}, nil))(t)
	if err := conf.Attach(t.Context(), settings.Config{Pool: w.db.Pool, Sealer: sealer, Waker: deaf{}, Log: quiet}); err != nil {
		t.Fatal(err)
	}
	writer := audit.NewWriter(w.db.Pool, audit.WriterConfig{Replica: "test", Log: quiet})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- writer.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the audit's writer ended with %v", err)
		}
	})
	w.registry = must(registry.Open(t.Context(), registry.Config{Pool: w.db.Pool, Waker: deaf{}, Log: quiet}))(t)
	w.people = must(identity.Open(t.Context(), identity.Config{
		Pool: w.db.Pool, Plugins: w.registry, Sealer: sealer, Record: writer, Issuer: "http://127.0.0.1", Plain: true, Log: quiet, Now: w.now,
		FourEyes: func() bool { return conf.Bool(settings.ApprovalFourEyes) },
		Traits:   func() *trait.Registry { return w.registry.Snapshot().Traits() },
		Hashing:  &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	}))(t)
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	reach := external.New(external.Config{Networks: func() []netip.Prefix { return loopback }, Own: func() []netip.AddrPort { return nil }})
	t.Cleanup(reach.Close)
	w.plugins = pluginmgr.New(pluginmgr.Config{
		Pool: w.db.Pool, Registry: w.registry, Principals: w.people, Settings: conf, Runtimes: map[string]pluginmgr.Runtime{manifest.External: reach},
		Policy: func() pluginmgr.Policy { return pluginmgr.Policy{Registration: "open", Networks: loopback} }, Replica: "test", Log: quiet,
	})
	w.conf = conf
	w.rules = must(rulebook.Open(t.Context(), rulebook.Config{
		Pool: w.db.Pool, Audit: audit.NewStore(w.db.Pool), Waker: deaf{}, Replica: "test", Log: quiet,
		Traits:   func() *trait.Registry { return w.registry.Snapshot().Traits() },
		FourEyes: func() bool { return conf.Bool(settings.PolicyFourEyes) },
	}))(t)
	w.Service = approval.New(approval.Config{
		Pool: w.db.Pool, Registry: w.registry, People: w.people, Manifests: w.plugins, Rules: w.rules, Settings: conf, Replica: "test", Log: quiet, Now: w.now,
		OwnWord:  func() bool { w.mu.Lock(); defer w.mu.Unlock(); return w.ownWord },
		FourEyes: func() bool { return conf.Bool(settings.ApprovalFourEyes) },
	})
	w.rules.Show(w.Service)
	return w
}

func (w *world) core() context.Context {
	return actor.WithAddress(actor.With(w.t.Context(), actor.Core("test")), "127.0.0.1")
}

// person makes somebody with roles and direct traits, and returns a context in
// which they act.
func (w *world) person(name string, roles []string, traits ...string) context.Context {
	w.t.Helper()
	in := identity.Invitation{Email: name + "@example.com", Name: name}
	for _, r := range roles {
		in.Roles = append(in.Roles, identity.RoleGrant{Role: r})
	}
	link := must(w.people.Invite(w.core(), in))(w.t)
	u := must(w.people.AcceptInvitation(w.core(), link.Secret, "", "seven green bottles"))(w.t)
	for _, name := range traits {
		must(w.people.GrantTrait(w.core(), u.ID, identity.TraitGrant{Trait: name}))(w.t)
	}
	return w.as(u.ID.String())
}

// as returns a context in which a person acts with what they hold now.
func (w *world) as(id string) context.Context {
	w.t.Helper()
	u := must(w.people.User(w.core(), uuid.MustParse(id)))(w.t)
	return actor.With(w.t.Context(), u.Actor(actor.Credential{Kind: identity.CredentialSession}))
}

func me(ctx context.Context) string { return actor.From(ctx).ID }

// plugin registers and enables a plugin, or has it come back with another manifest.
func (w *world) plugin(id string, members map[string]any) {
	w.t.Helper()
	m := map[string]any{
		"id": id, "name": id, "version": "1.0.0", "contracts": []string{}, "traits": []string{"handles_internal"},
		"security": map[string]any{"authentication_required": true, "data_classification": []string{"internal"}},
		"runtime":  map[string]any{"kind": "external", "base_url": "http://127.0.0.1:9"},
	}
	for name, value := range members {
		m[name] = value
	}
	raw := must(json.Marshal(m))(w.t)
	registered := must(w.plugins.Register(w.core(), pluginmgr.Registration{Manifest: raw}))(w.t)
	if !registered.Returned {
		if err := w.plugins.Enable(w.core(), id, pluginmgr.Enabling{}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func outgoing(more map[string]any, domains ...string) map[string]any {
	m := map[string]any{"traits": []string{"handles_internal", "external_service"}, "allowed_domains": domains}
	for name, value := range more {
		m[name] = value
	}
	return m
}

// waiting returns what waits, by what it is for.
func (w *world) waiting() map[string]approval.Request {
	w.t.Helper()
	if err := w.Gather(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	all := map[string]approval.Request{}
	ctx := actor.With(w.t.Context(), actor.Actor{Kind: actor.User, ID: uuid.NewString(), Tenant: actor.DefaultTenant, Traits: trait.SetOf(trait.Approver)})
	for _, r := range must(w.List(ctx, approval.Filter{State: approval.Waiting, Limit: 100}))(w.t).Requests {
		all[string(r.Kind)+" "+r.Subject+" "+r.Object] = r
	}
	return all
}

// rows counts the audit's rows of an action.
func (w *world) rows(action string) (n int) {
	w.t.Helper()
	if err := w.db.Pool.QueryRow(w.t.Context(), "SELECT count(*) FROM audit_log WHERE action = $1", action).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// code is what an error is called; "" for none.
func code(err error) string {
	if err == nil {
		return ""
	}
	return fault.Of(err).Code
}

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

// observe notes that a plugin asked for a host and was refused.
func (w *world) observe(plugin, host, rule string) {
	w.t.Helper()
	if err := db.New(w.db.Pool).EgressObserve(w.t.Context(), db.EgressObserveParams{PluginID: plugin, Domain: host, Rule: rule}); err != nil {
		w.t.Fatal(err)
	}
}

package pluginmgr

import (
	"context"
	"encoding/json"
	"net/netip"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/time/rate"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/db"
)

// Registration is what a plugin that knocks brings along.
type Registration struct {
	Manifest          []byte
	Format            manifest.Format
	RegistrationToken string
	RefreshToken      string
	Socket            string // the plugin through whose socket it came, which is proof enough; or empty
}

// Registered is the answer to a plugin that may come in.
type Registered struct {
	PluginID         string
	Tokens           identity.PluginTokens
	HealthMonitoring bool
	Returned         bool // it was known already
}

// Register lets a plugin in, or back in. Registering never activates, except
// where the policy enables automatically. Errors are faults: Invalid for the
// manifest, Unauthenticated for its proof, Conflict for an id of another
// registration, Denied while quarantined, TooMany.
func (m *Manager) Register(ctx context.Context, r Registration) (Registered, error) {
	peer := actor.Address(ctx)
	if err := m.knocks.allow(peer); err != nil {
		return Registered{}, err
	}
	o := m.Registry.ReadOptions()
	o.Format = r.Format
	mf, findings := manifest.Read(r.Manifest, o)
	if err := findings.Err(); err != nil {
		return Registered{}, m.refused(ctx, mf.ID, err)
	}
	if r.Socket != "" {
		return m.settleIn(ctx, &mf, r.Socket)
	}
	ctx = actor.With(ctx, actor.Actor{Kind: actor.Plugin, ID: mf.ID, Name: mf.Name, Tenant: actor.DefaultTenant})
	tokens, returning, err := m.letIn(ctx, &mf, r, peer)
	if err != nil {
		return Registered{}, m.refused(ctx, mf.ID, err)
	}
	if m.Policy().AutoEnable {
		m.tryEnable(ctx, mf.ID)
	}
	return Registered{PluginID: mf.ID, Tokens: tokens, HealthMonitoring: mf.HealthCheck != nil, Returned: returning}, nil
}

// settleIn gives tokens to a plugin that the core started. It is registered already,
// by whoever installed it, and its manifest is the one that was installed: what the
// plugin says must be the same but for where it runs, which it need not know.
func (m *Manager) settleIn(ctx context.Context, mf *manifest.Manifest, socket string) (Registered, error) {
	known, ok := m.Registry.Snapshot().Plugin(socket)
	var err error
	switch {
	case !ok:
		err = fault.New(fault.Unauthenticated, "registration.token", "The plugin of this socket is not installed any more.")
	case mf.ID != socket:
		err = fault.New(fault.Denied, "identity.mismatch", "The manifest names another plugin than the socket is of.")
	case known.Stored == policy.Quarantined:
		err = fault.New(fault.Denied, "plugin.quarantined", "%s is quarantined; an administrator decides when it may come back.", known.ID)
	case !alike(mf, known.Manifest) && (known.Pending == nil || !alike(mf, known.Pending)):
		err = fault.New(fault.Conflict, "plugin.manifest", "%s brings another manifest than the one that was installed; install it anew.", known.ID)
	}
	ctx = actor.With(ctx, actor.Actor{Kind: actor.Plugin, ID: socket, Name: socket, Tenant: actor.DefaultTenant})
	if err != nil {
		return Registered{}, m.refused(ctx, mf.ID, err)
	}
	tokens, err := m.Principals.IssuePluginTokens(ctx, known.ID)
	if err != nil {
		return Registered{}, err
	}
	return Registered{PluginID: known.ID, Tokens: tokens, HealthMonitoring: true, Returned: true}, nil
}

// alike reports whether two manifests say the same but for the runtime.
func alike(a, b *manifest.Manifest) bool {
	without := func(raw json.RawMessage) string {
		var m map[string]json.RawMessage
		if json.Unmarshal(raw, &m) != nil {
			return ""
		}
		delete(m, "runtime")
		text, err := json.Marshal(m)
		if err != nil {
			return ""
		}
		return string(text)
	}
	x, y := without(a.Raw), without(b.Raw)
	return x != "" && x == y
}

func (m *Manager) letIn(ctx context.Context, mf *manifest.Manifest, r Registration, peer string) (tokens identity.PluginTokens, returning bool, err error) {
	address, err := m.addressOf(mf, peer)
	if err != nil {
		return tokens, false, err
	}
	known, returning := m.Registry.Snapshot().Plugin(mf.ID)
	if !returning {
		if err := m.admit(ctx, mf, r, address, peer); err != nil {
			return tokens, false, err
		}
		tokens, err = m.Principals.IssuePluginTokens(ctx, mf.ID)
		return tokens, false, err
	}
	if known.Stored == policy.Quarantined {
		return tokens, true, fault.New(fault.Denied, "plugin.quarantined", "%s is quarantined; an administrator decides when it may come back.", known.ID)
	}
	switch {
	case r.RefreshToken != "":
		err = m.Principals.CheckReturn(ctx, r.RefreshToken, known.ID)
	case r.RegistrationToken != "":
		err = m.Principals.ProveReturn(ctx, r.RegistrationToken, known.ID)
	case m.Policy().Registration == "open" && isLoopback(peer):
	default:
		err = fault.New(fault.Conflict, "plugin.duplicate", "The id %q belongs to another registration; if it is yours, send its refresh or registration token.", known.ID)
	}
	if err != nil {
		return tokens, true, err
	}
	wider := func(inForce *manifest.Manifest) bool {
		return len(Widenings(m.Registry.Snapshot().Traits(), inForce, mf)) > 0
	}
	if err := m.Registry.Return(ctx, mf, address, peer, wider); err != nil {
		return tokens, true, err
	}
	// Spent last: a plugin whose return fails can try again with what it has.
	if r.RefreshToken != "" {
		tokens, err = m.Principals.ReturnPlugin(ctx, r.RefreshToken, known.ID)
	} else {
		tokens, err = m.Principals.IssuePluginTokens(ctx, known.ID)
	}
	return tokens, true, err
}

// admit takes in a plugin nobody knew.
func (m *Manager) admit(ctx context.Context, mf *manifest.Manifest, r Registration, address, peer string) error {
	switch m.Policy().Registration {
	case "open", "approval":
		return m.Registry.Add(ctx, mf, address, peer, nil)
	case "token":
	default:
		return fault.New(fault.Denied, "registration.closed", "This installation takes no new plugins.")
	}
	if r.RegistrationToken == "" {
		return fault.New(fault.Unauthenticated, "registration.token", "Registering needs a token in X-Registration-Token; an administrator makes one.")
	}
	if err := m.Principals.CheckRegistrationToken(ctx, r.RegistrationToken, mf.ID); err != nil {
		return err
	}
	return m.Registry.Add(ctx, mf, address, peer, func(q *db.Queries) error {
		return m.Principals.SpendRegistrationToken(ctx, q, r.RegistrationToken, mf.ID)
	})
}

func isLoopback(peer string) bool {
	ip, err := netip.ParseAddr(peer)
	return err == nil && ip.Unmap().IsLoopback()
}

// refused records that a plugin was not let in, and returns why.
func (m *Manager) refused(ctx context.Context, id string, err error) error {
	f := fault.Of(err)
	if f.Kind == fault.Unavailable || f.Kind == fault.Internal {
		return err
	}
	detail := map[string]any{"sentence": f.Sentence}
	if len(f.Violations) > 0 {
		rules := make([]string, 0, len(f.Violations))
		for _, v := range f.Violations {
			rules = append(rules, v.Rule)
		}
		detail["rules"] = rules
	}
	if len(id) > 128 {
		id = id[:128]
	}
	e := audit.Entry{ID: uuid.Must(uuid.NewV7()), Action: "plugin.register", Object: id, Outcome: audit.Deny, Rule: f.Code, Detail: detail}
	rec := db.InTx(ctx, m.Pool, func(q *db.Queries) error { return audit.Append(ctx, q, e) })
	if rec != nil {
		return fault.New(fault.Unavailable, "audit.unavailable", "The refusal cannot be recorded now; try again shortly.").Because(rec)
	}
	refused := *f
	refused.Decision = e.ID.String()
	return &refused
}

// knocks bounds how often one address may try to register, since anyone may.
type knocks struct {
	mu sync.Mutex
	by map[string]*rate.Limiter
}

func newKnocks() *knocks { return &knocks{by: map[string]*rate.Limiter{}} }

func (k *knocks) allow(peer string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	l, ok := k.by[peer]
	if !ok {
		if len(k.by) >= 4096 {
			clear(k.by)
		}
		l = rate.NewLimiter(10, 200)
		k.by[peer] = l
	}
	if l.Allow() {
		return nil
	}
	f := fault.New(fault.TooMany, "registration.rate", "Too many registrations from this address; wait a moment.")
	f.RetryAfter = time.Second
	return f
}

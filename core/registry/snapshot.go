package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// Health is what checks and heartbeats say of a plugin.
type Health string

// The health of a plugin.
const (
	Unknown   Health = "unknown"
	Healthy   Health = "healthy"
	Degraded  Health = "degraded"
	Unhealthy Health = "unhealthy"
)

// Plugin is one registered plugin. It belongs to a Snapshot and must not be changed.
type Plugin struct {
	ID             string
	Name           string
	Version        string
	Tenant         string
	State          policy.State
	Stored         policy.State // as kept; another than State where its manifest no longer passes, which quarantines it
	StateReason    string
	Health         Health
	HealthDetail   string
	HealthFailures int
	HealthAt       *time.Time
	Manifest       *manifest.Manifest // in force
	Pending        *manifest.Manifest // wider, waiting for an administrator; or nil
	Traits         trait.Set          // accepted ones: what counts in decisions
	Address        string             // base URL
	Generation     int64              // tokens of an older one are void
	ConfigVersion  int64
	RegisteredAt   time.Time
	EnabledAt      *time.Time
	LastHeartbeat  *time.Time

	raw, rawPending json.RawMessage // as stored, to tell whether the parsed form is still good
}

// Party returns the plugin as the policy sees it.
func (p *Plugin) Party() policy.Party {
	return policy.Party{Kind: actor.Plugin, ID: p.ID, Name: p.Name, Tenant: p.Tenant, State: p.State, Traits: p.Traits}
}

// Level returns how much of the plugin's traffic is recorded.
func (p *Plugin) Level() audit.Level {
	if lv, ok := audit.ParseLevel(p.Manifest.Compliance.AuditLevel); ok {
		return lv
	}
	return audit.Detailed
}

// Approval is an administrator's word on one domain of one plugin.
type Approval struct {
	db.EgressApproval
}

// InForce reports whether the approval has not ended at that time.
func (a *Approval) InForce(at time.Time) bool { return a.ExpiresAt == nil || at.Before(*a.ExpiresAt) }

// Judge says whether the approval covers a request. An empty list of methods or
// paths covers all of them; an empty list of ports covers 80 and 443. Plain http
// is covered only where port 80, or the very port asked for, is listed.
func (a *Approval) Judge(scheme, method, path string, port int, at time.Time) policy.Egress {
	switch {
	case !a.InForce(at):
		return policy.Expired
	case len(a.Methods) > 0 && !slices.Contains(a.Methods, method):
		return policy.MethodNotApproved
	case len(a.PathPrefixes) > 0 && !slices.ContainsFunc(a.PathPrefixes, func(p string) bool { return under(path, p) }):
		return policy.PathNotApproved
	case len(a.Ports) == 0 && port != 443 && port != 80, len(a.Ports) > 0 && !slices.Contains(a.Ports, int32(port)):
		return policy.PortNotApproved
	case scheme == "http" && !slices.Contains(a.Ports, int32(port)):
		return policy.PlainNotApproved
	}
	return policy.Approved
}

// under reports whether path is prefix or lies below it; /api covers /api and /api/x, not /apix.
func under(path, prefix string) bool {
	rest, ok := bytes.CutPrefix([]byte(path), []byte(prefix))
	return ok && prefix != "" && (len(rest) == 0 || prefix[len(prefix)-1] == '/' || rest[0] == '/' || rest[0] == '?')
}

type pair struct{ a, b string }

// right is what one grant allows, until it ends.
type right struct {
	operations []string   // empty: all
	ends       *time.Time // nil: never
}

// Snapshot is the state of all plugins at one moment. It is immutable.
type Snapshot struct {
	traits    *trait.Registry
	policy    *policy.Policy
	plugins   []*Plugin // by id
	byID      map[string]*Plugin
	grants    []Given
	granted   map[pair][]right // caller, target
	approvals []*Approval
	approved  map[pair]*Approval // plugin, domain
	custom    int                // how many custom traits the registry of traits has
	revision  int64              // how many changes had been recorded
}

// Traits returns the registry of traits, custom ones included.
func (s *Snapshot) Traits() *trait.Registry { return s.traits }

// Plugin returns the plugin with that id.
func (s *Snapshot) Plugin(id string) (*Plugin, bool) { p, ok := s.byID[id]; return p, ok }

// Plugins returns all plugins, by id.
func (s *Snapshot) Plugins() []*Plugin { return s.plugins }

// Grants returns the operator grants that were in force when the snapshot was read.
func (s *Snapshot) Grants() []Given { return s.grants }

// Approvals returns all egress approvals, expired ones too.
func (s *Snapshot) Approvals() []*Approval { return s.approvals }

// Granted reports whether caller may use the operation of target at that time.
func (s *Snapshot) Granted(caller, target, operation string, at time.Time) bool {
	for _, r := range s.granted[pair{caller, target}] {
		if (r.ends == nil || at.Before(*r.ends)) && (len(r.operations) == 0 || slices.Contains(r.operations, operation)) {
			return true
		}
	}
	return false
}

// Approval returns the word on a domain of a plugin.
func (s *Snapshot) Approval(plugin, domain string) (*Approval, bool) {
	a, ok := s.approved[pair{plugin, domain}]
	return a, ok
}

// Implementing returns the plugins that implement a contract, by id.
func (s *Snapshot) Implementing(contract string) []*Plugin {
	var found []*Plugin
	for _, p := range s.plugins {
		if slices.Contains(p.Manifest.Contracts, contract) {
			found = append(found, p)
		}
	}
	return found
}

// read builds a snapshot from the tables. Manifests that did not change keep
// their parsed form, so that lanes may key what they compile by its pointer.
func read(ctx context.Context, q *db.Queries, last *Snapshot, blocked []string) (*Snapshot, error) {
	s := &Snapshot{byID: map[string]*Plugin{}, granted: map[pair][]right{}, approved: map[pair]*Approval{}}
	var err error
	if s.revision, err = q.RegistryRevision(ctx); err != nil {
		return nil, err
	}
	if err := s.readTraits(ctx, q, last); err != nil {
		return nil, err
	}
	options := manifest.Options{Traits: s.traits, Blocked: blocked}
	rows, err := q.PluginList(ctx)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		p := s.plugin(row, last, options)
		s.plugins = append(s.plugins, p)
		s.byID[p.ID] = p
	}
	if s.grants, err = q.GrantList(ctx); err != nil {
		return nil, err
	}
	for _, g := range s.grants {
		at := pair{g.Caller, g.Target}
		s.granted[at] = append(s.granted[at], right{g.Operations, g.ExpiresAt})
	}
	approvals, err := q.EgressList(ctx)
	if err != nil {
		return nil, err
	}
	for _, row := range approvals {
		a := &Approval{row}
		s.approvals = append(s.approvals, a)
		s.approved[pair{row.PluginID, row.Domain}] = a
	}
	return s, nil
}

func (s *Snapshot) readTraits(ctx context.Context, q *db.Queries, last *Snapshot) error {
	rows, err := q.CustomTraitList(ctx)
	if err != nil {
		return err
	}
	if last != nil && last.custom == len(rows) { // custom traits are only ever added
		s.traits, s.policy, s.custom = last.traits, last.policy, last.custom
		return nil
	}
	if s.traits, err = traitsOf(rows); err != nil {
		return err
	}
	s.policy, s.custom = policy.New(s.traits), len(rows)
	return nil
}

// traitsOf returns the registry of traits with those of administrators.
func traitsOf(rows []db.CustomTrait) (*trait.Registry, error) {
	known := trait.Builtin()
	for _, row := range rows {
		t, err := customTrait(known, row)
		if err != nil {
			return nil, err
		}
		if known, err = known.With([]trait.Trait{t}); err != nil {
			return nil, fmt.Errorf("custom trait %s: %w", row.Name, err)
		}
	}
	return known, nil
}

func (s *Snapshot) plugin(row db.Plugin, last *Snapshot, options manifest.Options) *Plugin {
	p := &Plugin{
		ID: row.ID, Name: row.Name, Version: row.Version, Tenant: row.TenantID, State: policy.State(row.State), Stored: policy.State(row.State), StateReason: row.StateReason,
		Health: Health(row.Health), HealthDetail: row.HealthDetail, HealthFailures: int(row.HealthFailures), HealthAt: row.HealthAt,
		Address: row.Address, Generation: row.Generation, ConfigVersion: row.ConfigVersion,
		RegisteredAt: row.RegisteredAt, EnabledAt: row.EnabledAt, LastHeartbeat: row.LastHeartbeat,
		raw: row.Manifest, rawPending: row.PendingManifest,
	}
	var before *Plugin
	if last != nil && last.traits == s.traits {
		before = last.byID[row.ID]
	}
	if before != nil && bytes.Equal(before.raw, row.Manifest) {
		p.Manifest = before.Manifest
	} else {
		m, err := stored(row.Manifest, options)
		if err != nil {
			// A manifest that an older version accepted and this one does not takes its
			// plugin out of service, and no other.
			m, p.State = &manifest.Manifest{ID: row.ID, Name: row.Name, Version: row.Version, Raw: row.Manifest}, policy.Quarantined
			p.StateReason = "Its manifest no longer passes: " + err.Error()
		}
		p.Manifest = m
	}
	switch {
	case len(row.PendingManifest) == 0:
	case before != nil && before.Pending != nil && bytes.Equal(before.rawPending, row.PendingManifest):
		p.Pending = before.Pending
	default:
		if m, err := stored(row.PendingManifest, options); err == nil {
			p.Pending = m
		}
	}
	accepted, _ := s.traits.Parse(row.AcceptedTraits)
	p.Traits = accepted
	return p
}

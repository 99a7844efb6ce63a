package registry

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/db"
)

// moves lists the states each state may become. Unregistering is leaving the table.
var moves = map[policy.State][]policy.State{
	policy.Registered:  {policy.Active, policy.Quarantined},
	policy.Active:      {policy.Disabled, policy.Unhealthy, policy.Quarantined},
	policy.Unhealthy:   {policy.Active, policy.Disabled, policy.Quarantined},
	policy.Disabled:    {policy.Active, policy.Quarantined},
	policy.Quarantined: {policy.Disabled},
}

// leaves are the states a plugin may be unregistered from.
var leaves = []policy.State{policy.Registered, policy.Disabled, policy.Quarantined}

// CanMove reports whether a plugin in state from may become to.
func CanMove(from, to policy.State) bool { return slices.Contains(moves[from], to) }

// CanLeave reports whether a plugin in state from may be unregistered.
func CanLeave(from policy.State) bool { return slices.Contains(leaves, from) }

// Add registers a new plugin in state registered, or returns a Conflict fault
// when the id is taken. admit, which may be nil, spends what lets the plugin in,
// in the same transaction: a registration that fails spends nothing.
func (r *Registry) Add(ctx context.Context, m *manifest.Manifest, address, from string, admit func(q *db.Queries) error) error {
	err := db.InTx(ctx, r.pool, func(q *db.Queries) error {
		if err := q.PluginLockIDs(ctx); err != nil {
			return err
		}
		kin, err := q.PluginKin(ctx, m.ID)
		if err == nil {
			return fault.New(fault.Conflict, "plugin.duplicate", "The id %q is too like that of %q: no id may be the beginning of another's, up to a dot.", m.ID, kin)
		}
		if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		n, err := q.PluginInsert(ctx, db.PluginInsertParams{
			ID: m.ID, TenantID: actor.From(ctx).Tenant, Kind: string(m.Kind), Name: m.Name, Version: m.Version, Manifest: m.Raw, Address: address, RegisteredFrom: from,
		})
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "plugin.duplicate", "The id %q belongs to another registration.", m.ID)
		}
		if admit != nil {
			if err := admit(q); err != nil {
				return err
			}
		}
		return audit.Append(ctx, q, audit.Entry{Plugin: m.ID, Action: "plugin.register", Object: m.ID, Outcome: audit.OK, Classes: m.Security.Classes, After: m.Raw})
	})
	if err != nil {
		return err
	}
	r.publish(ctx)
	return nil
}

// Return notes that a plugin came back, perhaps from another address or with
// another manifest. One that asks for no more than the one in force replaces it,
// and what it gave up is gone; one that is wider, or follows one that cannot be
// read any more, waits. A quarantined plugin does not come back.
func (r *Registry) Return(ctx context.Context, m *manifest.Manifest, address, from string, wider func(inForce *manifest.Manifest) bool) error {
	err := db.InTx(ctx, r.pool, func(q *db.Queries) error {
		row, err := q.PluginLock(ctx, m.ID)
		if err != nil {
			return missing(err, m.ID)
		}
		if policy.State(row.State) == policy.Quarantined {
			return fault.New(fault.Denied, "plugin.quarantined", "%s is quarantined; an administrator decides when it may come back.", m.ID)
		}
		inForce, unreadable := stored(row.Manifest, r.ReadOptions())
		if err := q.PluginSetAddress(ctx, db.PluginSetAddressParams{ID: m.ID, Address: address, RegisteredFrom: from}); err != nil {
			return err
		}
		entry := audit.Entry{Plugin: m.ID, Action: "plugin.return", Object: m.ID, Outcome: audit.OK, Detail: map[string]any{"address": address, "version": m.Version}}
		switch {
		case same(row.Manifest, m.Raw):
			if row.PendingManifest != nil {
				err = q.PluginSetPending(ctx, nil, m.ID)
			}
		case unreadable != nil || wider(inForce):
			entry.Action, entry.Before, entry.After = "plugin.manifest.waits", row.Manifest, m.Raw
			err = q.PluginSetPending(ctx, m.Raw, m.ID)
		default:
			entry.Action, entry.Before, entry.After = "plugin.manifest", row.Manifest, m.Raw
			if err = q.PluginSetManifest(ctx, db.PluginSetManifestParams{ID: m.ID, Manifest: m.Raw, Name: m.Name, Version: m.Version}); err == nil {
				err = r.narrow(ctx, q, row, m)
			}
		}
		if err != nil {
			return err
		}
		return audit.Append(ctx, q, entry)
	})
	if err != nil {
		return err
	}
	r.publish(ctx)
	return nil
}

// narrow takes from a plugin what its new manifest does not ask for any more:
// accepted traits, and grants to plugins it no longer depends on.
func (r *Registry) narrow(ctx context.Context, q *db.Queries, row db.Plugin, m *manifest.Manifest) error {
	snap := r.Snapshot()
	asks := snap.traits.Names(m.Traits)
	keep := slices.DeleteFunc(slices.Clone(row.AcceptedTraits), func(name string) bool { return !slices.Contains(asks, name) })
	if len(keep) < len(row.AcceptedTraits) {
		if err := q.PluginAccept(ctx, list(keep), m.ID); err != nil {
			return err
		}
	}
	for _, g := range snap.grants {
		if g.Caller != m.ID || g.Source != "dependency" || slices.ContainsFunc(m.Dependencies, func(d manifest.Dependency) bool {
			target, ok := snap.byID[g.Target]
			return d.ID == g.Target || ok && d.ID == "" && slices.Contains(target.Manifest.Contracts, d.Contract)
		}) {
			continue
		}
		if _, err := q.GrantDelete(ctx, g.ID); err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
	}
	return nil
}

// Move takes a plugin from the state its caller saw to another, with the reason
// people are shown, or returns a Conflict fault. Becoming quarantined voids its tokens.
func (r *Registry) Move(ctx context.Context, id string, from, to policy.State, reason string) error {
	if !CanMove(from, to) {
		return fault.New(fault.Conflict, "plugin.state", "%s is %s and cannot become %s.", id, from, to)
	}
	kept := r.kept(id, from)
	err := db.InTx(ctx, r.pool, func(q *db.Queries) error {
		if err := r.move(ctx, q, id, move{from, kept, to}, reason); err != nil {
			return err
		}
		if to == policy.Quarantined {
			return q.PluginRevoke(ctx, id)
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.publish(ctx)
	return nil
}

// kept is the state under which a plugin is stored that its caller saw in state
// seen: a manifest that no longer passes quarantines it for everybody, and yet
// it has to leave from where it stands.
func (r *Registry) kept(id string, seen policy.State) policy.State {
	if p, ok := r.Snapshot().Plugin(id); ok && p.State == seen {
		return p.Stored
	}
	return seen
}

// move is a plugin's way from one state to another.
type move struct{ seen, kept, to policy.State }

func (r *Registry) move(ctx context.Context, q *db.Queries, id string, m move, reason string) error {
	n, err := q.PluginSetState(ctx, db.PluginSetStateParams{ID: id, FromState: string(m.kept), ToState: string(m.to), Reason: reason})
	if err != nil {
		return err
	}
	if n == 0 {
		return fault.New(fault.Conflict, "plugin.state", "%s changed meanwhile; look again.", id).Because(errMoved)
	}
	detail := map[string]any{"from": m.seen, "to": m.to}
	if reason != "" {
		detail["reason"] = reason
	}
	return audit.Append(ctx, q, audit.Entry{Plugin: id, Action: actions[m.to], Object: id, Outcome: audit.OK, Detail: detail})
}

// actions names the move into each state in the audit.
var actions = map[policy.State]string{
	policy.Active: "plugin.enable", policy.Disabled: "plugin.disable", policy.Unhealthy: "plugin.unhealthy", policy.Quarantined: "plugin.quarantine",
}

// Activation is what an administrator accepts when enabling a plugin.
type Activation struct {
	From         policy.State
	Manifest     json.RawMessage // what was checked and is accepted; nil: whatever is there
	Traits       []string        // accepted traits, by name
	Dependencies []string        // plugin ids it may call from now on
	Egress       []Approved      // approved along with it, in development
	AcceptWaits  bool            // put the waiting manifest in force
}

// Approved is an egress approval to be given.
type Approved struct {
	Plugin       string     `json:"plugin"`
	Domain       string     `json:"domain"`
	Methods      []string   `json:"methods,omitempty"`
	PathPrefixes []string   `json:"path_prefixes,omitempty"`
	Ports        []int32    `json:"ports,omitempty"`
	Rate         *int32     `json:"rate,omitempty"`  // requests a minute
	Bytes        *int64     `json:"bytes,omitempty"` // body bytes a request, each way
	Reason       string     `json:"reason,omitempty"`
	Source       string     `json:"-"` // admin or auto
	Ahead        bool       `json:"-"` // before the manifest declares the domain: it counts from then on
	ExpiresAt    *time.Time `json:"expires_at,omitempty"`
}

// Activate makes a plugin active: its traits count, its dependencies become
// grants, and its state moves, all or nothing.
func (r *Registry) Activate(ctx context.Context, id string, a Activation) error {
	if !CanMove(a.From, policy.Active) {
		return fault.New(fault.Conflict, "plugin.state", "%s is %s and cannot become active.", id, a.From)
	}
	err := db.InTx(ctx, r.pool, func(q *db.Queries) error {
		row, err := q.PluginLock(ctx, id)
		if err != nil {
			return missing(err, id)
		}
		accepts := row.Manifest
		if a.AcceptWaits && row.PendingManifest != nil {
			accepts = row.PendingManifest
		}
		if a.Manifest != nil && !same(a.Manifest, accepts) {
			return fault.New(fault.Conflict, "plugin.state", "%s came with another manifest meanwhile; look again.", id)
		}
		if a.AcceptWaits && row.PendingManifest != nil {
			if err := r.acceptWaiting(ctx, q, row); err != nil {
				return err
			}
		}
		if err := q.PluginAccept(ctx, list(a.Traits), id); err != nil {
			return err
		}
		if err := q.GrantDropDependencies(ctx, id); err != nil {
			return err
		}
		for _, target := range a.Dependencies {
			if _, err := q.GrantPut(ctx, db.GrantPutParams{
				ID: uuid.Must(uuid.NewV7()), Caller: id, Target: target, Operations: []string{}, Source: "dependency",
				Reason: "dependency accepted at enable time", GrantedBy: actor.From(ctx).ID,
			}); err != nil {
				return err
			}
		}
		for _, e := range a.Egress {
			if _, err := r.approve(ctx, q, e); err != nil {
				return err
			}
		}
		if err := q.PluginForgetHealth(ctx, id); err != nil {
			return err
		}
		return r.move(ctx, q, id, move{a.From, a.From, policy.Active}, "")
	})
	if err != nil {
		return err
	}
	r.publish(ctx)
	return nil
}

func (r *Registry) acceptWaiting(ctx context.Context, q *db.Queries, row db.Plugin) error {
	m, err := stored(row.PendingManifest, r.ReadOptions())
	if err != nil {
		return err
	}
	if err := q.PluginSetManifest(ctx, db.PluginSetManifestParams{ID: row.ID, Manifest: row.PendingManifest, Name: m.Name, Version: m.Version}); err != nil {
		return err
	}
	return audit.Append(ctx, q, audit.Entry{Plugin: row.ID, Action: "plugin.manifest.accept", Object: row.ID, Outcome: audit.OK, Before: row.Manifest, After: row.PendingManifest})
}

// Remove forgets a plugin that is not in use, with its tokens, grants,
// approvals and settings.
func (r *Registry) Remove(ctx context.Context, id string, from policy.State) error {
	if !CanLeave(from) {
		return fault.New(fault.Conflict, "plugin.state", "%s is %s; disable or quarantine it before it is unregistered.", id, from)
	}
	kept := r.kept(id, from)
	err := db.InTx(ctx, r.pool, func(q *db.Queries) error {
		row, err := q.PluginLock(ctx, id)
		if err != nil {
			return missing(err, id)
		}
		n, err := q.PluginDelete(ctx, id, string(kept))
		if err != nil {
			return err
		}
		if n == 0 {
			return fault.New(fault.Conflict, "plugin.state", "%s changed meanwhile; look again.", id)
		}
		if err := q.SettingDeleteScope(ctx, "plugin:"+id); err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Plugin: id, Action: "plugin.unregister", Object: id, Outcome: audit.OK, Before: row.Manifest})
	})
	if err != nil {
		return err
	}
	r.publish(ctx)
	return nil
}

func missing(err error, id string) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return unknown(id)
	}
	return err
}

// same reports whether two stored manifests say the same; jsonb has put both in one form.
func same(a, b json.RawMessage) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return string(p) == string(q)
}

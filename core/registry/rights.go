package registry

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// Grant allows one plugin to call operations of another.
type Grant struct {
	Caller     string     `json:"caller"`
	Target     string     `json:"target"`
	Operations []string   `json:"operations,omitempty"` // empty: every declared one
	Reason     string     `json:"reason,omitempty"`
	ExpiresAt  *time.Time `json:"expires_at,omitempty"`
}

// Give grants operator calls, or changes the grant that is there.
func (r *Registry) Give(ctx context.Context, g Grant) (row Given, err error) {
	err = db.InTx(ctx, r.pool, func(q *db.Queries) error {
		row, err = r.GiveIn(ctx, q, g)
		return err
	})
	if err != nil {
		return Given{}, err
	}
	r.publish(ctx)
	return row, nil
}

// GiveIn does what Give does in the transaction of q; call Announce once that is
// committed.
func (r *Registry) GiveIn(ctx context.Context, q *db.Queries, g Grant) (Given, error) {
	snap := r.Snapshot()
	if _, ok := snap.Plugin(g.Caller); !ok {
		return Given{}, unknown(g.Caller)
	}
	target, ok := snap.Plugin(g.Target)
	if !ok {
		return Given{}, unknown(g.Target)
	}
	for _, op := range g.Operations {
		if !slices.ContainsFunc(target.Manifest.Endpoints, func(e endpoint) bool { return e.Name == op }) {
			return Given{}, fault.New(fault.Unprocessable, "operator.endpoint", "%s declares no operation %q.", g.Target, op)
		}
	}
	if err := future(g.ExpiresAt); err != nil {
		return Given{}, err
	}
	if g.Operations == nil {
		g.Operations = []string{}
	}
	row, err := q.GrantPut(ctx, db.GrantPutParams{
		ID: uuid.Must(uuid.NewV7()), Caller: g.Caller, Target: g.Target, Operations: g.Operations, Source: "admin",
		Reason: g.Reason, GrantedBy: actor.From(ctx).ID, ExpiresAt: g.ExpiresAt,
	})
	if err != nil {
		return Given{}, err
	}
	return row, audit.Append(ctx, q, audit.Entry{Plugin: g.Caller, Target: g.Target, Action: "grant.give", Object: g.Caller + "/" + g.Target, Outcome: audit.OK, Detail: g})
}

// Announce makes seen, here and on every replica, what was committed through one
// of the methods that take a transaction.
func (r *Registry) Announce(ctx context.Context) { r.publish(ctx) }

// Withdraw takes a grant away.
func (r *Registry) Withdraw(ctx context.Context, id uuid.UUID) error {
	return r.drop(ctx, "grant", func(q *db.Queries) (audit.Entry, error) {
		g, err := q.GrantDelete(ctx, id)
		return audit.Entry{Plugin: g.Caller, Target: g.Target, Action: "grant.withdraw", Object: g.Caller + "/" + g.Target, Outcome: audit.OK}, err
	})
}

// Approve approves egress to a domain that the plugin's manifest declares.
func (r *Registry) Approve(ctx context.Context, a Approved) error {
	err := db.InTx(ctx, r.pool, func(q *db.Queries) error {
		_, err := r.ApproveIn(ctx, q, a)
		return err
	})
	if err != nil {
		return err
	}
	r.publish(ctx)
	return nil
}

// ApproveIn does what Approve does in the transaction of q, and returns the
// approval; call Announce once that is committed.
func (r *Registry) ApproveIn(ctx context.Context, q *db.Queries, a Approved) (Approval, error) {
	a, err := a.checked()
	if err != nil {
		return Approval{}, err
	}
	p, ok := r.Snapshot().Plugin(a.Plugin)
	if !ok {
		return Approval{}, unknown(a.Plugin)
	}
	if !a.Ahead && !slices.Contains(p.Manifest.AllowedDomains, a.Domain) {
		return Approval{}, fault.New(fault.Unprocessable, "proxy.domain", "The manifest of %s does not list %s among its allowed domains; only declared domains can be approved.", a.Plugin, a.Domain)
	}
	if err := future(a.ExpiresAt); err != nil {
		return Approval{}, err
	}
	return r.approve(ctx, q, a)
}

func (r *Registry) approve(ctx context.Context, q *db.Queries, a Approved) (Approval, error) {
	if a.Source == "" {
		a.Source = "admin"
	}
	row, err := q.EgressPut(ctx, db.EgressPutParams{
		ID: uuid.Must(uuid.NewV7()), PluginID: a.Plugin, Domain: a.Domain, Methods: list(a.Methods), PathPrefixes: list(a.PathPrefixes), Ports: list(a.Ports),
		Rate: a.Rate, Bytes: a.Bytes, Reason: a.Reason, Source: a.Source, ApprovedBy: actor.From(ctx).ID, ExpiresAt: a.ExpiresAt,
	})
	if err != nil {
		return Approval{}, err
	}
	return Approval{row}, audit.Append(ctx, q, audit.Entry{Plugin: a.Plugin, Action: "egress.approve", Object: a.Plugin + "/" + a.Domain, Outcome: audit.OK, Rule: a.Source, Detail: a})
}

// Revoke withdraws an egress approval.
func (r *Registry) Revoke(ctx context.Context, id uuid.UUID) error {
	return r.drop(ctx, "approval", func(q *db.Queries) (audit.Entry, error) {
		a, err := q.EgressDelete(ctx, id)
		return audit.Entry{Plugin: a.PluginID, Action: "egress.withdraw", Object: a.PluginID + "/" + a.Domain, Outcome: audit.OK}, err
	})
}

func (r *Registry) drop(ctx context.Context, what string, del func(*db.Queries) (audit.Entry, error)) error {
	err := db.InTx(ctx, r.pool, func(q *db.Queries) error {
		e, err := del(q)
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.New(fault.NotFound, what+".unknown", "There is no such %s.", what)
		}
		if err != nil {
			return err
		}
		return audit.Append(ctx, q, e)
	})
	if err != nil {
		return err
	}
	r.publish(ctx)
	return nil
}

// Observe counts a domain that a plugin asked for and was refused or let through by rule.
func (r *Registry) Observe(ctx context.Context, plugin, domain, rule string) error {
	return db.Fault(db.New(r.pool).EgressObserve(ctx, db.EgressObserveParams{PluginID: plugin, Domain: domain, Rule: rule}))
}

// Observed returns the domains plugins asked for, newest first.
func (r *Registry) Observed(ctx context.Context, most int32) ([]Observed, error) {
	rows, err := db.New(r.pool).EgressObserved(ctx, most)
	return rows, db.Fault(err)
}

// AddTrait registers a trait of the administrators' own.
func (r *Registry) AddTrait(ctx context.Context, t NewTrait) error {
	if t.Icon == "" {
		t.Icon = "tag"
	}
	if t.Label == "" {
		t.Label = t.Name
	}
	if len(t.Assignable) == 0 {
		t.Assignable = []string{"user", "plugin"}
	}
	row := db.CustomTrait{Name: t.Name, Label: t.Label, Icon: t.Icon, Description: t.Description, Prerequisites: t.Prerequisites, Conflicts: t.Conflicts, Assignable: t.Assignable, Sensitive: t.Sensitive}
	err := db.InTx(ctx, r.pool, func(q *db.Queries) error {
		if err := q.CustomTraitLock(ctx); err != nil {
			return err
		}
		rows, err := q.CustomTraitList(ctx)
		if err != nil {
			return err
		}
		known, err := traitsOf(rows)
		if err != nil {
			return err
		}
		if _, _, seen := r.Snapshot().traits.Lookup(t.Name); !seen && slices.ContainsFunc(rows, func(o db.CustomTrait) bool { return o.Name == t.Name }) {
			return fault.New(fault.Conflict, "trait.duplicate", "Somebody else registered a trait %q meanwhile; look again.", t.Name)
		}
		made, err := customTrait(known, row)
		if err != nil {
			return err
		}
		if _, err := known.With([]trait.Trait{made}); err != nil {
			return refusedTrait(err)
		}
		if err := q.CustomTraitInsert(ctx, db.CustomTraitInsertParams{
			Name: t.Name, Label: t.Label, Icon: t.Icon, Description: t.Description, Prerequisites: list(t.Prerequisites), Conflicts: list(t.Conflicts),
			Assignable: list(t.Assignable), Sensitive: t.Sensitive, CreatedBy: actor.From(ctx).ID,
		}); err != nil {
			return err
		}
		return audit.Append(ctx, q, audit.Entry{Action: "trait.register", Object: t.Name, Outcome: audit.OK, Detail: t})
	})
	if err != nil {
		return err
	}
	r.publish(ctx)
	return nil
}

// refusedTrait returns an Unprocessable fault with everything that is wrong with
// a custom trait.
func refusedTrait(err error) error {
	bad, ok := errors.AsType[trait.RefusedError](err)
	if !ok {
		return err
	}
	f := fault.New(fault.Unprocessable, bad[0].Rule, "%s", bad[0].Message)
	for _, r := range bad {
		f.Violations = append(f.Violations, fault.Violation{Rule: r.Rule, Message: r.Message})
	}
	return f
}

// NewTrait describes a trait to be registered.
type NewTrait struct {
	Name          string   `json:"name"`
	Label         string   `json:"label,omitempty"`
	Icon          string   `json:"icon,omitempty"` // a Lucide icon name
	Description   string   `json:"description,omitempty"`
	Prerequisites []string `json:"prerequisites,omitempty"`
	Conflicts     []string `json:"conflicts,omitempty"`
	Assignable    []string `json:"assignable,omitempty"` // user, plugin, data
	Sensitive     bool     `json:"sensitive,omitempty"`
}

var assignable = map[string]trait.Assignable{"user": trait.ToUser, "plugin": trait.ToPlugin, "data": trait.ToData}

func customTrait(known *trait.Registry, row db.CustomTrait) (trait.Trait, error) {
	t := trait.Trait{Name: row.Name, Category: "custom", Label: row.Label, Icon: row.Icon, Description: row.Description, Sensitive: row.Sensitive, Custom: true}
	for _, a := range row.Assignable {
		flag, ok := assignable[a]
		if !ok {
			return t, fault.New(fault.Unprocessable, "trait.assignable", "A trait is assignable to user, plugin or data, not to %q.", a)
		}
		t.Assignable |= flag
	}
	for from, into := range map[*[]string]*[]trait.ID{&row.Prerequisites: &t.Prerequisites, &row.Conflicts: &t.Conflicts} {
		for _, name := range *from {
			other, _, ok := known.Lookup(name)
			if !ok {
				return t, fault.New(fault.Unprocessable, "trait.unknown", "There is no trait %q.", name)
			}
			*into = append(*into, other.ID)
		}
	}
	return t, nil
}

func future(t *time.Time) error {
	if t != nil && !t.After(time.Now()) {
		return fault.New(fault.Unprocessable, "expires.past", "The expiry %s has already passed.", t.UTC().Format(time.RFC3339))
	}
	return nil
}

// list gives an empty array for what would be NULL.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

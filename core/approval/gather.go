package approval

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// Gather raises the requests that plugins give cause for, as those plugins: a
// manifest that waits, a host that is declared and not approved, one that was
// asked for without being declared. It withdraws those whose cause is gone. What
// was refused once is not raised again for the same cause.
func (s *Service) Gather(ctx context.Context) error {
	ctx = actor.With(ctx, actor.Core("approvals"))
	q := db.New(s.Pool)
	rows, err := q.ApprovalLatest(ctx, actor.DefaultTenant, []string{string(Egress), string(Widening)})
	if err != nil {
		return db.Fault(err)
	}
	observed, err := q.EgressObservedOf(ctx, "", mostObserved)
	if err != nil {
		return db.Fault(err)
	}
	g := gathering{s: s, snap: s.Registry.Snapshot(), latest: map[key]db.Approval{}, seen: map[key]db.EgressObserved{}, causes: map[key]bool{}}
	for _, row := range rows {
		g.latest[key{Kind(row.Kind), row.Subject, row.Object}] = row
	}
	for _, o := range observed {
		g.seen[key{Egress, o.PluginID, o.Domain}] = o
	}
	for _, p := range g.snap.Plugins() {
		if err := errors.Join(g.manifest(ctx, p), g.hosts(ctx, p)); err != nil {
			return err
		}
	}
	return g.withdraw(ctx)
}

// mostObserved bounds how many hosts that plugins asked for are looked at, the
// latest first.
const mostObserved = 1000

type key struct {
	kind            Kind
	subject, object string
}

// gathering is one look at all plugins.
type gathering struct {
	s      *Service
	snap   *registry.Snapshot
	latest map[key]db.Approval
	seen   map[key]db.EgressObserved
	causes map[key]bool // what there is cause for
}

// manifest raises a request for what of a plugin waits to be accepted.
func (g *gathering) manifest(ctx context.Context, p *registry.Plugin) error {
	w, ok := g.snap.Waiting(p)
	if !ok || !runs(p) {
		return nil
	}
	k := key{Widening, p.ID, w.Digest}
	g.causes[k] = true
	if last, ok := g.latest[k]; ok && last.State != string(Expired) {
		return nil
	}
	why := "Version " + w.Manifest.Version + " asks for more than version " + p.Version + "."
	if p.Pending == nil {
		why = "Traits that its manifest asks for were registered after it was accepted."
	}
	return g.raise(ctx, k, g.s.widening(p, w), why, p)
}

// hosts raises requests for the hosts of a plugin that nobody spoke of.
func (g *gathering) hosts(ctx context.Context, p *registry.Plugin) error {
	if !runs(p) || !p.Traits.Has(trait.ExternalService) {
		return nil
	}
	now := g.s.now()
	open := func(host string) bool { a, ok := g.snap.Approval(p.ID, host); return ok && a.InForce(now) }
	for _, host := range p.Manifest.AllowedDomains {
		k := key{Egress, p.ID, host}
		if open(host) {
			continue
		}
		g.causes[k] = true
		if g.due(k) {
			if err := g.raise(ctx, k, Terms{}, "Its manifest declares this host.", p); err != nil {
				return err
			}
		}
	}
	for k, o := range g.seen {
		if k.subject != p.ID || o.LastRule != "proxy.domain" || slices.Contains(p.Manifest.AllowedDomains, k.object) || open(k.object) {
			continue
		}
		g.causes[k] = true
		if g.due(k) {
			if err := g.raise(ctx, k, Terms{Learned: true}, "It asked for this host, which its manifest does not declare.", p); err != nil {
				return err
			}
		}
	}
	return nil
}

// due reports whether a request for a host is to be raised: nobody spoke of it
// yet, or what they gave is over and the plugin asked for it since.
func (g *gathering) due(k key) bool {
	last, ok := g.latest[k]
	if !ok {
		return true
	}
	switch State(last.State) {
	case Waiting, Denied:
		return false
	}
	o, asked := g.seen[k]
	return asked && last.DecidedAt != nil && o.LastSeen.After(*last.DecidedAt)
}

// raise keeps a request in the name of a plugin.
func (g *gathering) raise(ctx context.Context, k key, t Terms, why string, p *registry.Plugin) error {
	who := actor.Actor{Kind: actor.Plugin, ID: p.ID, Name: p.Name, Tenant: actor.DefaultTenant}
	_, _, err := g.s.put(actor.With(ctx, who), Ask{Kind: k.kind, Subject: k.subject, Object: k.object, Terms: t, Reason: why}, who)
	return err
}

// withdraw ends the requests that plugins raised and have no cause for any more.
// Those that people asked for stay theirs, unless nothing is left to decide.
func (g *gathering) withdraw(ctx context.Context) error {
	for k, row := range g.latest {
		if row.State != string(Waiting) || g.causes[k] || k.kind == Egress && row.AskedBy != k.subject {
			continue
		}
		err := g.s.close(ctx, row, Withdrawn, "What it was raised for is gone, or was decided elsewhere.", g.s.now())
		if err != nil {
			return err
		}
	}
	return nil
}

// close ends a request that still waits, and records it.
func (s *Service) close(ctx context.Context, row db.Approval, to State, reason string, at time.Time) error {
	return db.InTx(ctx, s.Pool, func(q *db.Queries) error {
		now, err := q.ApprovalLock(ctx, row.TenantID, row.ID)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && now.State != string(Waiting) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := end(ctx, q, row, to, actor.From(ctx).ID, reason, at); err != nil {
			return err
		}
		return s.record(ctx, q, closings[to], requestOf(row, nil), reason, nil)
	})
}

// closings names the end of a request that nobody decided in the audit.
var closings = map[State]string{Withdrawn: "approval.withdraw", Expired: "approval.expired"}

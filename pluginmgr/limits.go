package pluginmgr

import (
	"cmp"
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/db"
)

// usual are the limits where neither manifest nor operator say others.
var usual = Limits{Memory: 256 << 20, CPU: 1, PIDs: 128, Storage: 256 << 20}

// limits returns what an instance may use.
func (m *Manager) limits(r manifest.Resources) Limits {
	o := m.Policy().Limits
	return Limits{
		Memory: cmp.Or(r.Memory, o.Memory, usual.Memory), CPU: cmp.Or(r.CPU, o.CPU, usual.CPU),
		PIDs: cmp.Or(r.PIDs, o.PIDs, usual.PIDs), Storage: cmp.Or(r.Storage, o.Storage, usual.Storage),
	}
}

// waived reports whether a plugin may run without limits that are in force.
func (m *Manager) waived(ctx context.Context, id string) (bool, error) {
	_, err := db.New(m.Pool).PluginWaived(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, db.Fault(err)
}

// Waive lets a plugin run on a machine that does not hold it to its limits, or
// takes that back. It counts from its next start. Errors are faults: Invalid
// without a reason.
func (m *Manager) Waive(ctx context.Context, id, reason string, on bool) error {
	p, err := m.plugin(id)
	if err != nil {
		return err
	}
	if on && reason == "" {
		return fault.New(fault.Unprocessable, "reason.missing", "Say why %s may run without limits; whoever wonders later reads it.", id)
	}
	return db.InTx(ctx, m.Pool, func(q *db.Queries) error {
		e := audit.Entry{
			Plugin: id, Action: "plugin.waive", Object: id, Outcome: audit.OK, Classes: p.Manifest.Security.Classes,
			Detail: map[string]any{"waived": on, "reason": reason},
		}
		if !on {
			if n, err := q.PluginWaiverDrop(ctx, id); err != nil || n == 0 {
				return err
			}
			return audit.Append(ctx, q, e)
		}
		if err := q.PluginWaive(ctx, db.PluginWaiveParams{PluginID: id, Reason: reason, GivenBy: actor.From(ctx).ID}); err != nil {
			return err
		}
		return audit.Append(ctx, q, e)
	})
}

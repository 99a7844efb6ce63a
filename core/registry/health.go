package registry

import (
	"context"
	"encoding/json"
	"time"

	"github.com/vivified/vivified/db"
)

// Sample is one result of a health check or heartbeat.
type Sample struct {
	At       time.Time
	Health   Health
	Detail   string // one sentence; why it is not healthy
	Failures int    // in a row
	Latency  time.Duration
	Metrics  map[string]float64 // numbers from the health body
}

// Note keeps a health sample and makes it the plugin's health.
func (r *Registry) Note(ctx context.Context, id string, s Sample) error {
	metrics, err := json.Marshal(s.Metrics)
	if err != nil || s.Metrics == nil {
		metrics = []byte("{}")
	}
	err = db.InTx(ctx, r.pool, func(q *db.Queries) error {
		if err := q.PluginSetHealth(ctx, db.PluginSetHealthParams{ID: id, Health: string(s.Health), Detail: s.Detail, Failures: int32(s.Failures)}); err != nil {
			return err
		}
		return q.PluginHealthAdd(ctx, db.PluginHealthAddParams{
			PluginID: id, At: s.At, Health: string(s.Health), Detail: s.Detail, LatencyUs: s.Latency.Microseconds(), Metrics: metrics,
		})
	})
	if err != nil {
		return err
	}
	before, ok := r.Snapshot().Plugin(id)
	if ok && (before.Health != s.Health || before.HealthFailures != s.Failures || before.HealthDetail != s.Detail) {
		r.publish(ctx)
	}
	return nil
}

// Beat notes a heartbeat. It wakes nobody: the time is read with the next refresh.
func (r *Registry) Beat(ctx context.Context, id string) error {
	return db.Fault(db.New(r.pool).PluginBeat(ctx, id))
}

// History returns the health samples of a plugin since a time, oldest first.
func (r *Registry) History(ctx context.Context, id string, since time.Time) ([]HealthRow, error) {
	rows, err := db.New(r.pool).PluginHealthSince(ctx, id, since)
	return rows, db.Fault(err)
}

// Trim drops health samples older than a time.
func (r *Registry) Trim(ctx context.Context, before time.Time) (int64, error) {
	n, err := db.New(r.pool).PluginHealthTrim(ctx, before)
	return n, db.Fault(err)
}

package pluginmgr

import (
	"context"
	"time"

	"github.com/vivified/vivified/db"
)

// Run is one run of a plugin that the core starts.
type Run struct {
	Instance string
	Replica  string
	Runtime  string
	Version  string
	Image    string
	Started  time.Time
	Ended    *time.Time // nil: it runs
	Cause    string     // why it ended: stopped, replaced, failed, unhealthy, lost; empty while it runs
	Exit     Exit
	Detail   string // what is known beside that
}

// Words says how it ended.
func (r Run) Words() string {
	switch {
	case r.Ended == nil:
		return "it runs"
	case r.Detail != "":
		return r.Detail
	}
	return r.Exit.Words()
}

// RunOf reads a run as it is stored.
func RunOf(row db.PluginRun) Run {
	r := Run{
		Instance: row.Instance, Replica: row.Replica, Runtime: row.Runtime, Version: row.Version, Image: row.Image, Started: row.StartedAt, Ended: row.EndedAt,
		Cause: row.Cause, Exit: Exit{Status: -1, Signal: row.Signal, OOM: row.Oom}, Detail: row.Detail,
	}
	if row.ExitCode != nil {
		r.Exit.Status = int(*row.ExitCode)
	}
	if row.EndedAt != nil {
		r.Exit.At = *row.EndedAt
	}
	return r
}

// Runs returns the latest runs of a plugin, newest first; none for one that runs
// elsewhere.
func (m *Manager) Runs(ctx context.Context, id string, most int) ([]Run, error) {
	rows, err := db.New(m.Pool).PluginRunList(ctx, id, int32(most))
	if err != nil {
		return nil, db.Fault(err)
	}
	runs := make([]Run, 0, len(rows))
	for _, row := range rows {
		runs = append(runs, RunOf(row))
	}
	return runs, nil
}

// Running reports whether a plugin that the core starts runs on this replica.
func (m *Manager) Running(id string) bool { return m.instances.of(id) != nil }

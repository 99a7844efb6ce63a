package pluginmgr

import (
	"context"
	"fmt"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/pluginmgr/journal"
)

// Starts reports whether the core runs a plugin itself, so that it has its output.
func (m *Manager) Starts(p *registry.Plugin) bool {
	_, ok := m.starter(p.Manifest)
	return ok && m.Journal != nil
}

// Lines returns the newest lines of a plugin that fit, oldest first. Nobody can
// know what a plugin writes: its lines are of every class that it handles, and a
// look at those of a plugin with data about people is recorded. Whether whoever
// acts in ctx may look is decided before. Errors are faults: NotFound for a plugin
// that runs elsewhere.
func (m *Manager) Lines(ctx context.Context, id string, q journal.Query) ([]journal.Line, error) {
	if err := m.looked(ctx, id); err != nil {
		return nil, err
	}
	lines, err := m.Journal.Read(ctx, id, q)
	if err != nil {
		return nil, fmt.Errorf("read the log of %s: %w", id, err)
	}
	return lines, nil
}

// Follow calls take with every line of a plugin that fits and has a higher number
// than after, as they come, until ctx ends or take fails.
func (m *Manager) Follow(ctx context.Context, id string, q journal.Query, after uint64, take func(journal.Line) error) error {
	if err := m.looked(ctx, id); err != nil {
		return err
	}
	return m.Journal.Follow(ctx, id, q, after, take)
}

// LastLine returns the number of the newest line of a plugin; 0 for none.
func (m *Manager) LastLine(id string) (uint64, error) { return m.Journal.Last(id) }

// looked records a look at lines that may hold data about people.
func (m *Manager) looked(ctx context.Context, id string) error {
	p, err := m.plugin(id)
	if err != nil {
		return err
	}
	if !m.Starts(p) {
		return fault.New(fault.NotFound, "logs.elsewhere", "%s does not run in the core's care, so its output is where it runs.", id)
	}
	c := p.Manifest.Security.Classes
	if !c.Has(trait.PHI) && !c.Has(trait.PII) && !c.Has(trait.Confidential) {
		return nil
	}
	return db.InTx(ctx, m.Pool, func(q *db.Queries) error {
		return audit.Append(ctx, q, audit.Entry{Plugin: id, Action: "plugin.logs", Object: id, Outcome: audit.OK, Classes: c})
	})
}

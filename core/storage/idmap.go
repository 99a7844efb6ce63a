// Package storage keeps for plugins what they may not lose. So far that is the id
// map: what each plugin calls a thing, and what everybody else calls it.
//
// It refuses ids of no form, and a second name of one plugin for the same thing.
package storage

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/canon"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// IDMap translates between plugins' own ids and global ones. Safe for concurrent use.
type IDMap struct{ pool *pgxpool.Pool }

// NewIDMap returns the map.
func NewIDMap(pool *pgxpool.Pool) *IDMap { return &IDMap{pool} }

// Binding is what one plugin calls one thing.
type Binding struct {
	Plugin, Model, Local, Global string
	At                           time.Time
}

// maxID is how long an id may be, in bytes.
const maxID = 256

// check returns an Invalid fault for what is no id of a model.
func check(model, id string) error {
	if !canon.IsModel(model) {
		return fault.New(fault.Invalid, "ids.model", "A model is named like user: lower-case letters, digits, dots, hyphens and underscores.")
	}
	if id == "" || len(id) > maxID || !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl) {
		return fault.New(fault.Invalid, "ids.form", "An id is text of 1 to 256 bytes without control characters.")
	}
	return nil
}

// Bind notes that a plugin of a tenant calls a thing local: the thing of that
// global id, or, where that is empty, the one it stands for already, or a new one.
// Errors are faults: Invalid, Conflict when the plugin calls that thing otherwise.
func (m *IDMap) Bind(ctx context.Context, tenant, plugin, model, local, global string) (Binding, error) {
	if err := check(model, local); err != nil {
		return Binding{}, err
	}
	if global != "" {
		if err := check(model, global); err != nil {
			return Binding{}, err
		}
	} else if b, err := m.Get(ctx, plugin, model, local); !fault.Is(err, fault.NotFound) {
		return b, err
	} else {
		global = uuid.Must(uuid.NewV7()).String()
	}
	var b Binding
	err := db.InTx(ctx, m.pool, func(q *db.Queries) error {
		row, err := q.IDBind(ctx, db.IDBindParams{TenantID: tenant, Model: model, PluginID: plugin, LocalID: local, GlobalID: global})
		if db.Violates(err, "id_map_plugin_id_model_global_id_key") {
			return fault.New(fault.Conflict, "ids.bound", "This plugin has another id for that thing; unbind it first.")
		}
		if err != nil {
			return err
		}
		b = bindingOf(row)
		return audit.Append(ctx, q, record("id.bind", b))
	})
	return b, db.Fault(err)
}

// Get returns what a plugin's own id stands for. The error is a NotFound fault.
func (m *IDMap) Get(ctx context.Context, plugin, model, local string) (Binding, error) {
	row, err := db.New(m.pool).IDGet(ctx, db.IDGetParams{PluginID: plugin, Model: model, LocalID: local})
	if errors.Is(err, pgx.ErrNoRows) {
		return Binding{}, unknown()
	}
	return bindingOf(row), db.Fault(err)
}

// Unbind forgets a plugin's own id. The error is a NotFound fault.
func (m *IDMap) Unbind(ctx context.Context, plugin, model, local string) error {
	err := db.InTx(ctx, m.pool, func(q *db.Queries) error {
		row, err := q.IDUnbind(ctx, db.IDUnbindParams{PluginID: plugin, Model: model, LocalID: local})
		if errors.Is(err, pgx.ErrNoRows) {
			return unknown()
		}
		if err != nil {
			return err
		}
		return audit.Append(ctx, q, record("id.unbind", bindingOf(row)))
	})
	return db.Fault(err)
}

// Of returns what the plugins of a tenant call one thing, by plugin.
func (m *IDMap) Of(ctx context.Context, tenant, model, global string) ([]Binding, error) {
	rows, err := db.New(m.pool).IDsOf(ctx, db.IDsOfParams{TenantID: tenant, Model: model, GlobalID: global})
	if err != nil {
		return nil, db.Fault(err)
	}
	all := make([]Binding, len(rows))
	for i, row := range rows {
		all[i] = bindingOf(row)
	}
	return all, nil
}

// Globals returns what some of a plugin's own ids stand for, as far as it bound them.
func (m *IDMap) Globals(ctx context.Context, plugin string, ids []canon.ID) (map[canon.ID]string, error) {
	models, values := columns(ids)
	rows, err := db.New(m.pool).IDsGlobal(ctx, db.IDsGlobalParams{PluginID: plugin, Models: models, Ids: values})
	if err != nil {
		return nil, db.Fault(err)
	}
	found := make(map[canon.ID]string, len(rows))
	for _, row := range rows {
		found[canon.ID{Model: row.Model, Value: row.LocalID}] = row.GlobalID
	}
	return found, nil
}

// Locals returns what a plugin calls some things, as far as it bound them.
func (m *IDMap) Locals(ctx context.Context, plugin string, ids []canon.ID) (map[canon.ID]string, error) {
	models, values := columns(ids)
	rows, err := db.New(m.pool).IDsLocal(ctx, db.IDsLocalParams{PluginID: plugin, Models: models, Ids: values})
	if err != nil {
		return nil, db.Fault(err)
	}
	found := make(map[canon.ID]string, len(rows))
	for _, row := range rows {
		found[canon.ID{Model: row.Model, Value: row.GlobalID}] = row.LocalID
	}
	return found, nil
}

func columns(ids []canon.ID) (models, values []string) {
	for _, id := range ids {
		models, values = append(models, id.Model), append(values, id.Value)
	}
	return models, values
}

func unknown() *fault.Fault {
	return fault.New(fault.NotFound, "ids.unknown", "The plugin has bound no such id.")
}

func bindingOf(row db.IDMap) Binding {
	return Binding{Plugin: row.PluginID, Model: row.Model, Local: row.LocalID, Global: row.GlobalID, At: row.BoundAt}
}

// record names the thing by its global id: the plugin's own may tell whose it is.
func record(action string, b Binding) audit.Entry {
	return audit.Entry{Plugin: b.Plugin, Action: action, Object: b.Model + "/" + b.Global, Outcome: audit.OK, Detail: map[string]any{"model": b.Model, "global_id": b.Global}}
}

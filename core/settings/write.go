package settings

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// write is one transaction that changes settings of one scope: open, put, close.
type write struct {
	q          *db.Queries
	sealer     *Sealer
	scope      string
	plugin     string // whose settings, "" for the core's
	object     string // what the audit calls the scope: "settings/", "<plugin>/config"
	by, reason string
	version    int64 // of every row written; 0: each key counts by itself

	list    []db.Setting
	entries []audit.Entry
}

// put is one key's new value; nil unsets it.
type put struct {
	key    string
	secret bool
	value  json.RawMessage
}

// open waits until nobody else changes the scope, and reads it.
func (w *write) open(ctx context.Context) error {
	if w.object == "" {
		w.object = "settings/"
	}
	if err := w.q.SettingLock(ctx, w.scope); err != nil {
		return err
	}
	list, err := w.q.SettingList(ctx, w.scope)
	w.list = list
	return err
}

// compare refuses changes to values that are not those their authors saw.
func (w *write) compare(changes []Change) error {
	for _, c := range changes {
		var version int64
		if row := w.row(c.Key.String()); row != nil {
			version = row.Version
		}
		if c.Version != nil && *c.Version != version {
			return fault.New(fault.Conflict, "settings.version", "%s changed meanwhile: it has version %d, not %d; look again.", c.Key, version, *c.Version)
		}
	}
	return nil
}

// row returns what is set for key, or nil.
func (w *write) row(key string) *db.Setting {
	i := slices.IndexFunc(w.list, func(r db.Setting) bool { return r.Key == key })
	if i < 0 {
		return nil
	}
	return &w.list[i]
}

// put writes one key with its history, unless nothing changes.
func (w *write) put(ctx context.Context, p put) error {
	old, err := w.stored(w.row(p.key))
	if err != nil {
		return err
	}
	if old.is(p) {
		return nil
	}
	version := w.version
	if version == 0 {
		last, err := w.q.SettingVersionLast(ctx, w.scope, p.key)
		if err != nil {
			return err
		}
		version = last + 1
	}
	if err := w.store(ctx, p, version); err != nil {
		return err
	}
	secret := p.secret || old.secret
	before, after := w.record(p.key, secret, old.value), w.record(p.key, secret, p.value)
	w.entries = append(w.entries, w.entry(p.key, secret, version, before, after))
	return w.q.SettingHistoryAdd(ctx, db.SettingHistoryAddParams{
		Scope: w.scope, Key: p.key, Before: before, After: after, Secret: secret, Version: version, SetBy: w.by, Reason: w.reason,
	})
}

// store writes the row of p, or deletes it.
func (w *write) store(ctx context.Context, p put, version int64) error {
	if p.value == nil {
		return w.q.SettingDelete(ctx, w.scope, p.key)
	}
	row := db.SettingPutParams{Scope: w.scope, Key: p.key, Value: p.value, Version: version, SetBy: w.by, Reason: w.reason}
	if p.secret {
		sealed, err := w.sealer.Seal(p.value, aadOf(w.scope, p.key))
		if err != nil {
			return err
		}
		row.Value, row.Sealed = nil, sealed
	}
	return w.q.SettingPut(ctx, row)
}

// close appends the audit records, last: see [audit.Append].
func (w *write) close(ctx context.Context) error {
	for _, e := range w.entries {
		if err := audit.Append(ctx, w.q, e); err != nil {
			return err
		}
	}
	return nil
}

// stored is a row in clear.
type stored struct {
	value  json.RawMessage // nil: there is none, or it cannot be opened
	lost   bool            // it is there and cannot be opened
	secret bool
}

// stored reads a row; a secret that does not open any more can be replaced.
func (w *write) stored(row *db.Setting) (stored, error) {
	switch {
	case row == nil:
		return stored{}, nil
	case row.Sealed == nil:
		compact, err := compactJSON(row.Value)
		return stored{value: compact}, err
	}
	plain, err := w.sealer.Open(row.Sealed, aadOf(row.Scope, row.Key))
	return stored{value: plain, lost: err != nil, secret: true}, nil
}

// is reports whether p would change nothing.
func (o stored) is(p put) bool {
	return !o.lost && (o.value == nil) == (p.value == nil) && (o.value == nil || o.secret == p.secret) && bytes.Equal(o.value, p.value)
}

// record returns a value as history and audit keep it: a secret as its digest,
// which is equal for equal values of one key and tells nothing else.
func (w *write) record(key string, secret bool, value json.RawMessage) json.RawMessage {
	if value == nil || !secret {
		return value
	}
	return encodeJSON(map[string]any{"digest": w.sealer.Digest("settings\x00"+w.scope+"\x00"+key, value)})
}

// compactJSON normalises what PostgreSQL hands back: jsonb puts spaces in and
// orders members its own way.
func compactJSON(raw json.RawMessage) (json.RawMessage, error) {
	v, err := decodeJSON(raw)
	if err != nil {
		return nil, err
	}
	return encodeJSON(v), nil
}

// aadOf binds a sealed setting to its place: a row copied elsewhere does not open.
func aadOf(scope, key string) []byte { return []byte("settings\x00" + scope + "\x00" + key) }

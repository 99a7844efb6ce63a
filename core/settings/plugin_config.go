package settings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/db"
)

// What the settings of one plugin may hold.
const (
	maxPluginConfig = 256 << 10 // bytes of JSON
	maxSecrets      = 200       // sealed one by one
	maxPointer      = 1000      // bytes: an index entry of PostgreSQL must not exceed 2,704
)

// PluginConfig is the settings of a plugin.
type PluginConfig struct {
	Enabled  bool            `json:"enabled"`
	Settings json.RawMessage `json:"settings"`
	Version  int64           `json:"version"` // rises with every change; 0: never set
}

// How a plugin's settings lie in the table: one row for each member of the
// document without its secrets, and one sealed row for each secret, under their
// JSON Pointers. So history and audit say what changed, member by member.

// scopeOf is the scope of a plugin's settings.
func scopeOf(id string) string { return "plugin:" + id }

// PluginConfig returns the settings of a plugin for people: of a secret that has
// a value {"set": true, "set_at": time}, whether it was sealed or the manifest m
// calls it secret only now. A plugin nobody knows is NotFound.
func (s *Settings) PluginConfig(ctx context.Context, id string, m *manifest.Manifest) (PluginConfig, error) {
	schema, err := compile(m.ConfigSchema)
	if err != nil {
		return PluginConfig{}, err
	}
	c, rows, err := s.pluginRows(ctx, id)
	if err != nil {
		return PluginConfig{}, err
	}
	doc := map[string]any{}
	var when time.Time
	for _, r := range rows {
		when = later(when, r.SetAt)
		if r.Sealed != nil {
			insert(doc, r.Key, setAt(r.SetAt))
		} else if err := insertRaw(doc, r.Key, r.Value); err != nil {
			return PluginConfig{}, err
		}
	}
	_, plain := split(doc, schema.any, "")
	for pointer, v := range plain {
		if !isShown(v) {
			insert(doc, pointer, setAt(when))
		}
	}
	c.Settings = encodeJSON(doc)
	return c, nil
}

// setAt stands for a secret, wherever people look.
func setAt(at time.Time) map[string]any {
	return map[string]any{"set": true, "set_at": at.UTC().Format(time.RFC3339)}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// OwnConfig returns the settings of the plugin that acts in ctx, secrets in
// clear and defaults filled in. It answers nobody else: Denied config.own.
func (s *Settings) OwnConfig(ctx context.Context, m *manifest.Manifest) (PluginConfig, error) {
	who := actor.From(ctx)
	if who.Kind != actor.Plugin || who.ID != m.ID {
		return PluginConfig{}, fault.New(fault.Denied, "config.own", "A plugin's settings are told to that plugin alone.")
	}
	schema, err := compile(m.ConfigSchema)
	if err != nil {
		return PluginConfig{}, err
	}
	c, rows, err := s.pluginRows(ctx, who.ID)
	if err != nil {
		return PluginConfig{}, err
	}
	b, err := s.attached()
	if err != nil {
		return PluginConfig{}, err
	}
	whole, err := assemble(rows, b.Sealer)
	if err != nil {
		return PluginConfig{}, err
	}
	c.Settings = encodeJSON(fill(whole, schema.sure))
	return c, nil
}

// MissingRequired returns the required settings of a plugin that have no value
// and no default, as JSON Pointers: with any of them it cannot be enabled.
func (s *Settings) MissingRequired(ctx context.Context, id string, m *manifest.Manifest) ([]string, error) {
	schema, err := compile(m.ConfigSchema)
	if err != nil {
		return nil, err
	}
	_, rows, err := s.pluginRows(ctx, id)
	if err != nil {
		return nil, err
	}
	b, err := s.attached()
	if err != nil {
		return nil, err
	}
	whole, err := assemble(rows, b.Sealer)
	if err != nil {
		return nil, err
	}
	found, err := schema.check(fill(whole, schema.sure))
	if err != nil {
		return nil, err
	}
	var pointers []string
	for _, v := range slices.Concat(found.missing, found.secrets) {
		pointers = append(pointers, v.Path)
	}
	slices.Sort(pointers)
	return slices.Compact(pointers), nil
}

// pluginRows reads what is stored of a plugin's settings.
func (s *Settings) pluginRows(ctx context.Context, id string) (PluginConfig, []db.Setting, error) {
	b, err := s.attached()
	if err != nil {
		return PluginConfig{}, nil, err
	}
	q := db.New(b.Pool)
	state, err := q.PluginConfigState(ctx, id)
	if err != nil {
		return PluginConfig{}, nil, unknownPlugin(id, err)
	}
	rows, err := q.PluginConfigList(ctx, id)
	if err != nil {
		return PluginConfig{}, nil, broken("read the settings of "+id, err)
	}
	plainFirst(rows)
	return PluginConfig{Enabled: isEnabled(state.State), Version: state.ConfigVersion}, rows, nil
}

// plainFirst puts what a secret may lie in before the secrets.
func plainFirst(rows []db.Setting) {
	slices.SortStableFunc(rows, func(a, b db.Setting) int { return min(len(a.Sealed), 1) - min(len(b.Sealed), 1) })
}

// isEnabled reports whether an administrator wants the plugin to work: an
// unhealthy one is enabled and fails.
func isEnabled(state string) bool { return state == "active" || state == "unhealthy" }

func unknownPlugin(id string, err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return fault.New(fault.NotFound, "plugin.unknown", "There is no plugin %q.", clip(id))
	}
	return broken("read the settings of "+id, err)
}

// assemble returns the whole document that rows hold.
func assemble(rows []db.Setting, sealer *Sealer) (map[string]any, error) {
	doc := map[string]any{}
	for _, r := range rows {
		raw := r.Value
		if r.Sealed != nil {
			plain, err := sealer.Open(r.Sealed, aadOf(r.Scope, r.Key))
			if err != nil {
				return nil, err
			}
			raw = plain
		}
		if err := insertRaw(doc, r.Key, raw); err != nil {
			return nil, err
		}
	}
	return doc, nil
}

func insertRaw(doc map[string]any, pointer string, raw json.RawMessage) error {
	v, err := decodeJSON(raw)
	if err == nil && !insert(doc, pointer, v) {
		err = fmt.Errorf("nothing holds %s", pointer)
	}
	if err != nil {
		return fmt.Errorf("read a plugin's settings: %w", err)
	}
	return nil
}

// disassemble returns the rows of a whole document.
func disassemble(whole any, at place) []put {
	without, secrets := split(whole, at, "")
	members := without.(map[string]any)
	rows := make([]put, 0, len(members)+len(secrets))
	for _, name := range slices.Sorted(maps.Keys(members)) {
		rows = append(rows, put{key: "/" + escape(name), value: encodeJSON(members[name])})
	}
	for _, pointer := range slices.Sorted(maps.Keys(secrets)) {
		rows = append(rows, put{key: pointer, secret: true, value: encodeJSON(secrets[pointer])})
	}
	return rows
}

// PluginChanged returns a channel that is closed when the settings of some plugin
// change next, here or on another replica: whoever carries them looks then.
func (s *Settings) PluginChanged() <-chan struct{} {
	s.carryMu.Lock()
	defer s.carryMu.Unlock()
	if s.carry == nil {
		s.carry = make(chan struct{})
	}
	return s.carry
}

// tellCarriers closes what PluginChanged returned.
func (s *Settings) tellCarriers() {
	s.carryMu.Lock()
	defer s.carryMu.Unlock()
	if s.carry != nil {
		close(s.carry)
		s.carry = nil
	}
}

// PluginVersion returns the version of a plugin's settings.
func (s *Settings) PluginVersion(ctx context.Context, id string) (int64, error) {
	b, err := s.attached()
	if err != nil {
		return 0, err
	}
	state, err := db.New(b.Pool).PluginConfigState(ctx, id)
	if err != nil {
		return 0, unknownPlugin(id, err)
	}
	return state.ConfigVersion, nil
}

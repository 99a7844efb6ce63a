package settings

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/db"
)

// maxUndone bounds how many changes one restoring takes back.
const maxUndone = 2000

// RestorePluginConfig sets a plugin's settings to what they were at a version, as
// a new change. Secrets stay as they are: history does not know them. The
// schema in force judges the result; NotFound settings.history when there is no
// such version, or it is too long ago.
func (s *Settings) RestorePluginConfig(ctx context.Context, m *manifest.Manifest, version int64, reason string) (PluginConfig, error) {
	b, err := s.attached()
	if err != nil {
		return PluginConfig{}, err
	}
	now, err := s.PluginConfig(ctx, m.ID, m)
	if err != nil {
		return PluginConfig{}, err
	}
	if version < 0 || version >= now.Version {
		return PluginConfig{}, fault.New(fault.NotFound, "settings.history", "The settings of %s have no earlier version %d.", m.ID, version)
	}
	v, err := decodeJSON(now.Settings)
	if err != nil {
		return PluginConfig{}, err
	}
	doc, _ := v.(map[string]any)
	later, err := db.New(b.Pool).SettingHistorySince(ctx, db.SettingHistorySinceParams{Scope: scopeOf(m.ID), Version: version, Most: maxUndone + 1})
	if err != nil {
		return PluginConfig{}, broken("read the history of "+m.ID, err)
	}
	if len(later) > maxUndone {
		return PluginConfig{}, fault.New(fault.NotFound, "settings.history", "Version %d is more than %d changes ago.", version, maxUndone)
	}
	if err := undo(doc, later); err != nil {
		return PluginConfig{}, err
	}
	if reason == "" {
		reason = fmt.Sprintf("restored version %d", version)
	}
	return s.SetPluginConfig(ctx, m, encodeJSON(doc), &now.Version, reason)
}

// undo takes changes back, the newest first. Rows of the document without its
// secrets are its members, so each of them stands at the top.
func undo(doc map[string]any, changes []db.SettingsHistory) error {
	for _, c := range changes {
		if c.Secret {
			continue
		}
		name := unescape(c.Key[1:])
		if c.Before == nil {
			delete(doc, name)
			continue
		}
		v, err := decodeJSON(json.RawMessage(c.Before))
		if err != nil {
			return fmt.Errorf("read the history of a plugin's settings: %w", err)
		}
		doc[name] = v
	}
	return nil
}

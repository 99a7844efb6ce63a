package settings

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// SetPluginConfig replaces the settings of the plugin whose manifest is m by doc,
// a JSON object, with history and audit, and returns them as people see them. A
// secret that doc leaves out keeps its value, null clears it. version, when not
// nil, is the one the author saw. Nothing different: nothing happens.
//
// What the schema refuses is Unprocessable config.invalid with a violation for
// each broken rule. A required secret may be absent: somebody else may have it;
// until it is given the plugin cannot be enabled, see [Settings.MissingRequired].
// Other faults: Denied settings.edit, Conflict config.version, NotFound
// plugin.unknown, TooLarge config.too_large, Invalid config.malformed.
func (s *Settings) SetPluginConfig(ctx context.Context, m *manifest.Manifest, doc json.RawMessage, version *int64, reason string) (PluginConfig, error) {
	b, err := s.attached()
	if err != nil {
		return PluginConfig{}, err
	}
	if err := mayConfigure(ctx, m.ID); err != nil {
		return PluginConfig{}, err
	}
	schema, err := compile(m.ConfigSchema)
	if err != nil {
		return PluginConfig{}, err
	}
	if _, err := readPluginConfig(doc, reason); err != nil {
		return PluginConfig{}, err
	}
	changed := false
	err = db.InTx(ctx, b.Pool, func(q *db.Queries) error {
		next, err := readPluginConfig(doc, reason) // anew: it is completed in place
		if err != nil {
			return err
		}
		c := &configChange{id: m.ID, schema: schema, declared: m.ConfigSchema, next: next, version: version}
		c.write = write{q: q, sealer: b.Sealer, scope: scopeOf(m.ID), plugin: m.ID, object: m.ID + "/config", by: actor.From(ctx).ID, reason: reason}
		changed, err = c.run(ctx)
		return err
	})
	if err != nil {
		return PluginConfig{}, broken("change the settings of "+m.ID, err)
	}
	if changed {
		s.tellCarriers()
		s.wake(ctx, b, TopicPlugins)
	}
	return s.PluginConfig(ctx, m.ID, m)
}

// mayConfigure refuses whoever is neither a person with a trait for it nor the core.
func mayConfigure(ctx context.Context, id string) error {
	who := actor.From(ctx)
	if who.Kind == actor.System || who.Kind == actor.User && (who.Has(trait.ConfigManager) || who.Has(trait.PluginManager)) {
		return nil
	}
	return fault.New(fault.Denied, "settings.edit", "Changing the settings of %s needs the trait config_manager or plugin_manager.", id)
}

// readPluginConfig reads what somebody sent.
func readPluginConfig(doc json.RawMessage, reason string) (map[string]any, error) {
	if len(doc) > maxPluginConfig {
		return nil, fault.New(fault.TooLarge, "config.too_large", "The settings of a plugin are at most %d bytes.", maxPluginConfig)
	}
	v, err := decodeJSON(doc)
	if err != nil {
		return nil, fault.New(fault.Invalid, "config.malformed", "The settings cannot be read as JSON.").Because(err)
	}
	next, ok := v.(map[string]any)
	if !ok {
		return nil, fault.New(fault.Unprocessable, "config.invalid", "The settings of a plugin are a JSON object.")
	}
	var p problems
	p.reason(reason)
	return next, p.err(fault.Unprocessable, "config.invalid")
}

// configChange is one change of a plugin's settings.
type configChange struct {
	write
	id       string
	schema   *schema
	declared json.RawMessage // the same as it was written
	next     map[string]any
	version  *int64
}

// run makes the change and reports whether there was anything to change.
func (c *configChange) run(ctx context.Context) (bool, error) {
	state, err := c.q.PluginConfigLock(ctx, c.id)
	if err != nil {
		return false, unknownPlugin(c.id, err)
	}
	if c.version != nil && *c.version != state.ConfigVersion {
		return false, fault.New(fault.Conflict, "config.version", "The settings of %s changed meanwhile: they have version %d, not %d; look again.", c.id, state.ConfigVersion, *c.version)
	}
	if err := c.q.PluginConfigTrim(ctx, c.id); err != nil {
		return false, err
	}
	if err := c.open(ctx); err != nil {
		return false, err
	}
	plainFirst(c.list)
	readable := slices.DeleteFunc(slices.Clone(c.list), func(r db.Setting) bool {
		_, err := c.sealer.Open(r.Sealed, aadOf(r.Scope, r.Key))
		return r.Sealed != nil && err != nil // lost: it can only be given anew
	})
	last, err := assemble(readable, c.sealer)
	if err != nil {
		return false, err
	}
	before := clone(last)
	whole := keep(c.next, last, c.schema.any)
	if err := lockedChanges(c.declared, before, whole, actor.From(ctx)); err != nil {
		return false, err
	}
	rows, err := c.judge(whole)
	if err != nil {
		return false, err
	}
	c.write.version = state.ConfigVersion + 1
	for _, old := range c.list {
		if !slices.ContainsFunc(rows, func(p put) bool { return p.key == old.Key }) {
			rows = append(rows, put{key: old.Key, secret: old.Sealed != nil})
		}
	}
	for _, p := range rows {
		if err := c.put(ctx, p); err != nil {
			return false, err
		}
	}
	if len(c.entries) == 0 {
		return false, nil
	}
	if err := c.q.PluginConfigBump(ctx, c.write.version, c.id); err != nil {
		return false, err
	}
	return true, c.close(ctx)
}

// judge returns the rows of a whole document, or everything the schema has
// against it but required secrets that are not there.
func (c *configChange) judge(whole any) ([]put, error) {
	found, err := c.schema.check(fill(whole, c.schema.sure))
	if err != nil {
		return nil, err
	}
	p := problems(slices.Concat(found.broken, found.missing))
	rows := disassemble(whole, c.schema.any)
	sealed := 0
	for _, r := range rows {
		if r.secret {
			sealed++
		}
		if len(r.key) > maxPointer {
			p.add("config.name", clip(r.key), "A name in the settings is too long.")
		}
	}
	if sealed > maxSecrets {
		p.add("config.secrets", "", "The settings of a plugin hold at most %d secrets.", maxSecrets)
	}
	return rows, p.err(fault.Unprocessable, "config.invalid")
}

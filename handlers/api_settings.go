package handlers

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/pluginmgr"
)

// showConfig handles GET /admin/config: a flat map of what the caller may see,
// or, with ?origin=1, every layer of it.
func (s *Server) showConfig(c echo.Context) error {
	values := s.Settings.List(actor.From(c.Request().Context()).Traits)
	if c.QueryParam("origin") == "1" {
		return noStore(c, http.StatusOK, map[string]any{"items": values})
	}
	flat := map[string]json.RawMessage{}
	for _, v := range values {
		flat[v.Key.String()] = v.Value
	}
	return noStore(c, http.StatusOK, flat)
}

// change is one setting as PUT and POST /admin/config take it.
type change struct {
	Key     string          `json:"key"`
	Value   json.RawMessage `json:"value"`
	Version *int64          `json:"version"`
}

// setConfig handles PUT /admin/config (one key) and POST /admin/config (several, all or none).
func (s *Server) setConfig(c echo.Context) error {
	var in struct {
		Key     string          `json:"key"`
		Value   json.RawMessage `json:"value"`
		Version *int64          `json:"version"`
		Reason  string          `json:"reason"`
		Changes []change        `json:"changes"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	if in.Key != "" {
		in.Changes = append(in.Changes, change{in.Key, in.Value, in.Version})
	}
	if len(in.Changes) == 0 {
		return fault.New(fault.Unprocessable, "config.empty", "Say which key is to change, with key and value, or several under changes.")
	}
	var changes []settings.Change
	var keys []settings.Key
	for _, ch := range in.Changes {
		key, err := settings.ParseKey(ch.Key)
		if err != nil {
			return err
		}
		changes = append(changes, settings.Change{Key: key, Value: ch.Value, Version: ch.Version})
		keys = append(keys, key)
	}
	ctx := c.Request().Context()
	if err := s.Gate.Admit(ctx, "config.write", in.Changes[0].Key, settings.Requires(keys...)); err != nil {
		return err
	}
	if err := s.Settings.Set(ctx, changes, in.Reason); err != nil {
		return err
	}
	return s.showConfig(c)
}

// configHistory handles GET /admin/config/history.
func (s *Server) configHistory(c echo.Context) error {
	limit, err := pageSize(c, 50, 200)
	if err != nil {
		return err
	}
	var before int64
	if raw := c.QueryParam("cursor"); raw != "" {
		if before, err = strconv.ParseInt(raw, 10, 64); err != nil || before < 0 {
			return fault.New(fault.Invalid, "query.cursor", "The cursor is the one of the page before.")
		}
	}
	var keys []settings.Key
	if name := c.QueryParam("key"); name != "" {
		key, err := settings.ParseKey(name)
		if err != nil {
			return err
		}
		keys = append(keys, key)
	}
	items, err := s.Settings.History(c.Request().Context(), actor.From(c.Request().Context()).Traits, before, limit, keys...)
	if err != nil {
		return err
	}
	next := ""
	if len(items) == limit {
		next = strconv.FormatInt(items[len(items)-1].ID, 10)
	}
	if items == nil {
		items = []settings.Past{}
	}
	return noStore(c, http.StatusOK, map[string]any{"items": items, "next_cursor": next})
}

// restoreConfig handles POST /admin/config/history/:id/restore.
func (s *Server) restoreConfig(c echo.Context) error {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil {
		return fault.New(fault.NotFound, "config.change", "There is no such change.")
	}
	var in struct {
		Reason string `json:"reason"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	if err := s.Settings.Restore(c.Request().Context(), id, in.Reason); err != nil {
		return err
	}
	return s.showConfig(c)
}

// pluginConfig handles GET /plugins/:id/config: in full for the plugin itself,
// without secrets for people.
func (s *Server) pluginConfig(c echo.Context) error {
	ctx := c.Request().Context()
	who := actor.From(ctx)
	if who.Kind == actor.Plugin && c.Param("id") != who.ID {
		return fault.New(fault.Denied, "identity.mismatch", "A plugin reads its own settings only.")
	}
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	var conf settings.PluginConfig
	if who.Kind == actor.Plugin {
		conf, err = s.Settings.OwnConfig(ctx, p.Manifest)
	} else {
		conf, err = s.Settings.PluginConfig(ctx, p.ID, p.Manifest)
	}
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, conf)
}

// setPluginConfig handles PUT /plugins/:id/config.
func (s *Server) setPluginConfig(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	var in struct {
		Enabled  *bool           `json:"enabled"`
		Settings json.RawMessage `json:"settings"`
		Version  *int64          `json:"version"`
		Reason   string          `json:"reason"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	ctx := c.Request().Context()
	action := "plugin.enable"
	if in.Enabled != nil && !*in.Enabled {
		action = "plugin.disable"
	}
	if in.Enabled != nil {
		if err := s.Gate.Admit(ctx, action, p.ID, trait.SetOf(trait.PluginManager)); err != nil {
			return err
		}
	}
	if in.Settings != nil {
		if _, err := s.Settings.SetPluginConfig(ctx, p.Manifest, in.Settings, in.Version, in.Reason); err != nil {
			return err
		}
	}
	switch active := p.State == policy.Active || p.State == policy.Unhealthy; {
	case in.Enabled == nil || *in.Enabled == active:
	case *in.Enabled:
		err = s.Plugins.Enable(ctx, p.ID, pluginmgr.Enabling{})
	default:
		err = s.Plugins.Disable(ctx, p.ID, in.Reason)
	}
	if err != nil {
		return err
	}
	conf, err := s.Settings.PluginConfig(ctx, p.ID, p.Manifest)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, conf)
}

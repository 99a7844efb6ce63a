package handlers

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/settings"
)

// pluginConfigHistory handles GET /plugins/:id/config/history.
func (s *Server) pluginConfigHistory(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	limit, err := pageSize(c, 50, 200)
	if err != nil {
		return err
	}
	var before int64
	if at := number64(c.QueryParam("cursor")); at != nil {
		before = *at
	}
	items, err := s.Settings.PluginHistory(c.Request().Context(), p.ID, before, limit)
	if err != nil {
		return err
	}
	next := ""
	if len(items) == limit {
		next = strconv.FormatInt(items[len(items)-1].ID, 10)
	}
	return noStore(c, http.StatusOK, map[string]any{"items": items, "next_cursor": next})
}

// restorePluginConfig handles POST /plugins/:id/config/restore.
func (s *Server) restorePluginConfig(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	var in struct {
		Version int64  `json:"version"`
		Reason  string `json:"reason"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	conf, err := s.Settings.RestorePluginConfig(c.Request().Context(), p.Manifest, in.Version, in.Reason)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, conf)
}

// configKeepalive is how often a stream of versions says that it is there.
const configKeepalive = 15 * time.Second

// pluginConfigStream handles GET /plugins/:id/config/stream: the version of the
// plugin's settings, at once and after every change.
func (s *Server) pluginConfigStream(c echo.Context) error {
	who := actor.From(c.Request().Context())
	if c.Param("id") != who.ID {
		return fault.New(fault.Denied, "identity.mismatch", "A plugin reads its own settings only.")
	}
	ctx, stop := s.whileGood(c.Request().Context())
	defer stop()
	out, last := sse(c), int64(-1)
	alive := time.NewTicker(configKeepalive)
	defer alive.Stop()
	for {
		changed := s.Settings.PluginChanged() // before the look: what comes after it is heard
		version, err := s.Settings.PluginVersion(ctx, who.ID)
		switch {
		case err != nil && !out.open:
			return err
		case err == nil && version != last:
			last = version
			if err := out.send(strconv.FormatInt(version, 10), "config", fmtVersion(version)); err != nil {
				return nil // it hung up
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-alive.C:
			if err := out.comment("here"); err != nil {
				return nil
			}
		}
	}
}

func fmtVersion(version int64) []byte {
	return []byte(`{"version":` + strconv.FormatInt(version, 10) + `}`)
}

// listSecrets handles GET /admin/secrets: where secrets are set, and none of them.
func (s *Server) listSecrets(c echo.Context) error {
	ctx := c.Request().Context()
	list, err := s.Settings.Secrets(ctx, actor.From(ctx).Traits)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, map[string]any{"items": list})
}

// exportConfig handles GET /admin/config/export.
func (s *Server) exportConfig(c echo.Context) error {
	ctx := c.Request().Context()
	text, err := s.Settings.Export(ctx, actor.From(ctx).Traits, s.manifests())
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", `attachment; filename="vivified-settings.yaml"`)
	return c.Blob(http.StatusOK, "application/yaml", text)
}

// manifests are those of every plugin, by id.
func (s *Server) manifests() []*manifest.Manifest {
	byID := map[string]*manifest.Manifest{}
	for _, p := range s.Registry.Snapshot().Plugins() {
		byID[p.ID] = p.Manifest
	}
	var list []*manifest.Manifest
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		list = append(list, byID[id])
	}
	return list
}

// importConfig handles POST /admin/config/import. The settings of the
// installation change all or none; then plugin by plugin.
func (s *Server) importConfig(c echo.Context) error {
	var in struct {
		Document string `json:"document"`
		DryRun   bool   `json:"dry_run"`
		Reason   string `json:"reason"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	ctx := c.Request().Context()
	doc, err := s.Settings.ReadImport([]byte(in.Document))
	if err != nil {
		return err
	}
	changes, done := s.Settings.Changes(doc), settings.Imported{Settings: []string{}, Plugins: []string{}}
	var keys []settings.Key
	for _, change := range changes {
		keys = append(keys, change.Key)
		done.Settings = append(done.Settings, change.Key.String())
	}
	if len(keys) > 0 {
		if err := s.Gate.Admit(ctx, "config.write", "import", settings.Requires(keys...)); err != nil {
			return err
		}
	}
	snap := s.Registry.Snapshot()
	for _, id := range slices.Sorted(maps.Keys(doc.Plugins)) {
		p, ok := snap.Plugin(id)
		if !ok {
			return fault.New(fault.Unprocessable, "settings.import", "There is no plugin %q here; take it out of the document, or register it first.", id)
		}
		if _, err := s.Settings.Candidate(ctx, p.Manifest, doc.Plugins[id]); err != nil && !onlyMissing(err) {
			return err
		}
		done.Plugins = append(done.Plugins, id)
	}
	if in.DryRun {
		return noStore(c, http.StatusOK, done)
	}
	if len(changes) > 0 {
		if err := s.Settings.Set(ctx, changes, in.Reason); err != nil {
			return err
		}
	}
	for _, id := range done.Plugins {
		p, _ := snap.Plugin(id)
		if _, err := s.Settings.SetPluginConfig(ctx, p.Manifest, json.RawMessage(doc.Plugins[id]), nil, in.Reason); err != nil {
			return err
		}
	}
	return noStore(c, http.StatusOK, done)
}

// onlyMissing reports whether settings lack only what may follow: secrets.
func onlyMissing(err error) bool {
	f := fault.Of(err)
	return len(f.Violations) > 0 && !slices.ContainsFunc(f.Violations, func(v fault.Violation) bool { return v.Rule != "config.required" })
}

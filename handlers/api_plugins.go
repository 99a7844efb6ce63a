package handlers

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/pluginmgr"
)

// register handles POST /plugins/register.
func (s *Server) register(c echo.Context) error {
	r := c.Request()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	done, err := s.Plugins.Register(r.Context(), pluginmgr.Registration{
		Manifest: body, Format: manifest.FormatOf("", r.Header.Get("Content-Type")),
		RegistrationToken: r.Header.Get("X-Registration-Token"), RefreshToken: r.Header.Get("X-Refresh-Token"), Socket: actor.Socket(r.Context()),
	})
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, map[string]any{
		"status": "registered", "plugin_id": done.PluginID, "token": done.Tokens.Token, "expires_in": int(done.Tokens.ExpiresIn.Seconds()),
		"refresh_token": done.Tokens.RefreshToken, "health_monitoring": done.HealthMonitoring,
	})
}

// token handles POST /plugins/token.
func (s *Server) token(c echo.Context) error {
	var in struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	got, err := s.Identity.RefreshPlugin(c.Request().Context(), in.RefreshToken)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, map[string]any{"token": got.Token, "expires_in": int(got.ExpiresIn.Seconds()), "refresh_token": got.RefreshToken})
}

// heartbeat handles POST /plugins/heartbeat and POST /plugins/:id/heartbeat.
func (s *Server) heartbeat(c echo.Context) error {
	ctx := c.Request().Context()
	who := actor.From(ctx)
	if id := c.Param("id"); id != "" && id != who.ID {
		return fault.New(fault.Denied, "identity.mismatch", "A plugin sends heartbeats for itself only.")
	}
	var beat struct {
		pluginmgr.Beat
		PluginID string `json:"plugin_id"`
	}
	if err := bind(c, &beat); err != nil {
		return err
	}
	if beat.PluginID != "" && beat.PluginID != who.ID {
		return fault.New(fault.Denied, "identity.mismatch", "The body names another plugin than the credential does.")
	}
	if err := s.Plugins.Heartbeat(ctx, who.ID, beat.Beat); err != nil {
		return err
	}
	version := int64(0)
	if p, ok := s.Registry.Snapshot().Plugin(who.ID); ok {
		version = p.ConfigVersion
	}
	return c.JSON(http.StatusOK, map[string]any{"status": "ok", "config_version": version})
}

// pluginView is a plugin as the API shows it. It never carries credentials.
type pluginView struct {
	Manifest      any        `json:"manifest"`
	Pending       any        `json:"pending_manifest,omitempty"`
	Widenings     []string   `json:"widenings,omitempty"`
	Waiting       *waiting   `json:"waiting,omitempty"`
	Status        string     `json:"status"`
	StatusReason  string     `json:"status_reason,omitempty"`
	RegisteredAt  time.Time  `json:"registered_at"`
	EnabledAt     *time.Time `json:"enabled_at,omitempty"`
	LastHeartbeat *time.Time `json:"last_heartbeat"`
	Health        string     `json:"health"`
	HealthDetail  string     `json:"health_detail,omitempty"`
	Traits        []string   `json:"traits"` // accepted: what counts
	Address       string     `json:"address,omitempty"`
}

// waiting is what of a plugin waits to be accepted.
type waiting struct {
	Digest  string   `json:"digest"` // to be sent when it is accepted
	Version string   `json:"version"`
	Adds    []string `json:"adds"`
}

func (s *Server) pluginView(p *registry.Plugin) pluginView {
	v := pluginView{
		Manifest: p.Manifest.Raw, Status: string(p.State), StatusReason: p.StateReason, RegisteredAt: p.RegisteredAt.UTC(), EnabledAt: p.EnabledAt,
		LastHeartbeat: p.LastHeartbeat, Health: string(p.Health), HealthDetail: p.HealthDetail,
		Traits: s.Registry.Snapshot().Traits().Names(p.Traits), Address: p.Address,
	}
	if w, ok := s.Registry.Snapshot().Waiting(p); ok {
		v.Waiting = &waiting{w.Digest, w.Manifest.Version, s.Plugins.Widens(p.ID)}
	}
	if p.Pending != nil {
		v.Pending, v.Widenings = p.Pending.Raw, pluginmgr.Widenings(s.Registry.Snapshot().Traits(), p.Manifest, p.Pending)
	}
	return v
}

// listPlugins handles GET /plugins and GET /admin/plugins.
func (s *Server) listPlugins(c echo.Context) error {
	list := []pluginView{}
	for _, p := range s.Registry.Snapshot().Plugins() {
		list = append(list, s.pluginView(p))
	}
	return c.JSON(http.StatusOK, map[string]any{"plugins": list})
}

// showPlugin handles GET /plugins/:id.
func (s *Server) showPlugin(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, s.pluginView(p))
}

func (s *Server) pluginOf(c echo.Context) (*registry.Plugin, error) {
	p, ok := s.Registry.Snapshot().Plugin(c.Param("id"))
	if !ok {
		return nil, fault.New(fault.NotFound, "plugin.unknown", "No plugin is registered under the id %q.", c.Param("id"))
	}
	return p, nil
}

// movePlugin handles POST /plugins/:id/enable, disable and quarantine, and DELETE /plugins/:id.
func (s *Server) movePlugin(c echo.Context) error {
	var in struct {
		Accept         []string `json:"accept"`
		AcceptManifest bool     `json:"accept_manifest"`
		Reason         string   `json:"reason"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	ctx, id := c.Request().Context(), c.Param("id")
	var err error
	switch {
	case c.Request().Method == http.MethodDelete:
		if err := s.Plugins.Unregister(ctx, id); err != nil {
			return err
		}
		return c.JSON(http.StatusOK, map[string]string{"status": "unregistered", "plugin_id": id})
	case strings.HasSuffix(c.Path(), "/enable"):
		err = s.Plugins.Enable(ctx, id, pluginmgr.Enabling{Accept: in.Accept, AcceptManifest: in.AcceptManifest})
	case strings.HasSuffix(c.Path(), "/disable"):
		err = s.Plugins.Disable(ctx, id, in.Reason)
	default:
		err = s.Plugins.Quarantine(ctx, id, in.Reason)
	}
	if err != nil {
		return err
	}
	return s.showPlugin(c)
}

// impact handles GET /plugins/:id/impact.
func (s *Server) impact(c echo.Context) error {
	action := c.QueryParam("action")
	switch action {
	case "enable", "disable", "quarantine", "unregister":
	default:
		return fault.New(fault.Invalid, "impact.action", "The action is enable, disable, quarantine or unregister.")
	}
	i, err := s.Plugins.Impact(c.Param("id"), action)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, i)
}

// pluginHealth handles GET /plugins/:id/health.
func (s *Server) pluginHealth(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	samples, err := s.Registry.History(c.Request().Context(), p.ID, time.Now().Add(-24*time.Hour))
	if err != nil {
		return err
	}
	type sample struct {
		At      time.Time `json:"at"`
		Health  string    `json:"health"`
		Detail  string    `json:"detail,omitempty"`
		Latency float64   `json:"latency_ms"`
		Metrics any       `json:"metrics"`
	}
	history := []sample{}
	for _, x := range samples {
		history = append(history, sample{x.At.UTC(), x.Health, x.Detail, float64(x.LatencyUs) / 1000, x.Metrics})
	}
	return c.JSON(http.StatusOK, map[string]any{
		"plugin_id": p.ID, "health": p.Health, "detail": p.HealthDetail, "failures": p.HealthFailures, "checked_at": p.HealthAt,
		"last_heartbeat": p.LastHeartbeat, "history": history,
	})
}

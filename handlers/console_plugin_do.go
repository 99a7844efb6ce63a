package handlers

import (
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/views"
)

// enablePlugin handles POST /console/plugins/:id/enable.
func (s *Server) enablePlugin(c echo.Context) error {
	p, in, err := s.pluginForm(c)
	if err != nil {
		return err
	}
	e := pluginmgr.Enabling{}
	if in.Get("choose") != "" {
		e.Accept = append([]string{}, in["accept"]...) // none chosen is not all of them
	}
	if err := s.Plugins.Enable(c.Request().Context(), p.ID, e); err != nil {
		return err
	}
	return s.done(c, flash{Text: p.Name + " is enabled.", Undo: views.PluginPath(p.ID, "disable")}, back(c, views.PluginPath(p.ID)))
}

// acceptManifest handles POST /console/plugins/:id/accept: puts in force what the
// person was shown, while the plugin goes on running.
func (s *Server) acceptManifest(c echo.Context) error {
	p, in, err := s.pluginForm(c)
	if err != nil {
		return err
	}
	w, ok := s.Registry.Snapshot().Waiting(p)
	if !ok {
		return nothingWaits(p)
	}
	a := approval.Ask{Kind: approval.Widening, Subject: p.ID, Object: in.Get("digest"), Reason: in.Get("reason")}
	if _, err := s.Approvals.Give(c.Request().Context(), a); err != nil {
		return err
	}
	return s.done(c, flash{Text: p.Name + " runs under the manifest of version " + w.Manifest.Version + "."}, back(c, views.PluginPath(p.ID)))
}

func nothingWaits(p *registry.Plugin) error {
	return fault.New(fault.Conflict, "plugin.state", "No manifest of %s waits any more; look again.", p.ID)
}

// disablePlugin handles POST /console/plugins/:id/disable, which also lets a
// plugin out of quarantine.
func (s *Server) disablePlugin(c echo.Context) error {
	p, in, err := s.pluginForm(c)
	if err != nil {
		return err
	}
	if err := s.Plugins.Disable(c.Request().Context(), p.ID, strings.TrimSpace(in.Get("reason"))); err != nil {
		return err
	}
	told := flash{Text: p.Name + " is disabled.", Undo: views.PluginPath(p.ID, "enable")}
	if p.State == policy.Quarantined {
		told = flash{Text: p.Name + " is out of quarantine, and disabled."}
	}
	return s.done(c, told, back(c, views.PluginPath(p.ID)))
}

// quarantinePlugin handles POST /console/plugins/:id/quarantine.
func (s *Server) quarantinePlugin(c echo.Context) error {
	p, in, err := s.pluginForm(c)
	if err != nil {
		return err
	}
	if err := s.Plugins.Quarantine(c.Request().Context(), p.ID, strings.TrimSpace(in.Get("reason"))); err != nil {
		return err
	}
	return s.done(c, flash{Text: p.Name + " is in quarantine."}, back(c, views.PluginPath(p.ID)))
}

// unregisterPlugin handles POST /console/plugins/:id/unregister.
func (s *Server) unregisterPlugin(c echo.Context) error {
	p, in, err := s.pluginForm(c)
	if err != nil {
		return err
	}
	if strings.TrimSpace(in.Get("typed")) != p.ID {
		return s.confirmUnregister(c, statuses[fault.Unprocessable], p, "What was typed is not "+p.ID+"; nothing was changed.")
	}
	if err := s.Plugins.Unregister(c.Request().Context(), p.ID); err != nil {
		return err
	}
	to := back(c, views.PathPlugins)
	if to == views.PluginPath(p.ID) || strings.HasPrefix(to, views.PluginPath(p.ID)+"/") || strings.HasPrefix(to, views.PluginPath(p.ID)+"?") {
		to = views.PathPlugins // its own page went with it
	}
	return s.done(c, flash{Text: p.Name + " is unregistered."}, to)
}

// withdrawPluginGrant handles POST /console/plugins/:id/grants/:grant/withdraw.
func (s *Server) withdrawPluginGrant(c echo.Context) error {
	p, _, err := s.pluginForm(c)
	if err != nil {
		return err
	}
	id, err := idParam(c, "grant")
	if err != nil {
		return err
	}
	if err := s.Registry.Withdraw(c.Request().Context(), id); err != nil {
		return err
	}
	return s.done(c, flash{Text: "The grant is withdrawn."}, back(c, views.PluginPath(p.ID, "permissions")))
}

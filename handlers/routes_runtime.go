package handlers

import "github.com/vivified/vivified/core/trait"

// runtimeRoutes are about plugins that the core runs itself: what they write, their
// runs, and the limits they may go without.
func (s *Server) runtimeRoutes() []route {
	watch, manage := []trait.ID{trait.SystemMonitor}, []trait.ID{trait.PluginManager}
	return []route{
		{method: get, path: "/plugins/:id/logs", who: users, needs: watch, action: "plugin.logs", handler: s.pluginLogs},
		{method: get, path: "/plugins/:id/logs/stream", who: users, needs: watch, action: "plugin.logs", handler: s.streamLogs, slow: true},
		{method: get, path: "/plugins/:id/runs", who: users, needs: watch, action: "plugin.view", handler: s.pluginRuns},
		{method: put, path: "/plugins/:id/limits/waiver", who: users, needs: manage, action: "plugin.waive", handler: s.waiveLimits, fresh: true},
		{method: del, path: "/plugins/:id/limits/waiver", who: users, needs: manage, action: "plugin.waive", handler: s.waiveLimits, fresh: true},
	}
}

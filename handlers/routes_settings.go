package handlers

import "github.com/vivified/vivified/core/trait"

// settingsAPI is the API of what this installation is configured by.
func (s *Server) settingsAPI() []route {
	chief, manage := []trait.ID{trait.Admin}, []trait.ID{trait.ConfigManager}
	return []route{
		{method: get, path: "/plugins/:id/config/history", who: users, needs: manage, action: "config.read", handler: s.pluginConfigHistory},
		{method: post, path: "/plugins/:id/config/restore", who: users, needs: manage, action: "config.write", handler: s.restorePluginConfig, fresh: true},
		{method: get, path: "/plugins/:id/config/stream", who: plugins, action: "config.read", handler: s.pluginConfigStream, slow: true},
		{method: get, path: "/admin/secrets", who: users, needs: manage, action: "config.read", handler: s.listSecrets},
		{method: get, path: "/admin/config/export", who: users, needs: manage, action: "config.read", handler: s.exportConfig},
		{method: post, path: "/admin/config/import", who: users, needs: manage, action: "config.write", handler: s.importConfig, body: 2 << 20, fresh: true},
		{method: get, path: "/admin/master-key", who: users, needs: chief, action: "master_key.view", handler: s.showMasterKey},
		{method: post, path: "/admin/master-key/rotate", who: users, needs: chief, action: "master_key.rotate", handler: s.rotateMasterKey, fresh: true, slow: true},
	}
}

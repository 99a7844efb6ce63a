package handlers

import "github.com/vivified/vivified/core/trait"

// settingsAPI is the API of what this installation is configured by.
func (s *Server) settingsAPI() []route {
	chief := []trait.ID{trait.Admin}
	return []route{
		{method: get, path: "/admin/master-key", who: users, needs: chief, action: "master_key.view", handler: s.showMasterKey},
		{method: post, path: "/admin/master-key/rotate", who: users, needs: chief, action: "master_key.rotate", handler: s.rotateMasterKey, fresh: true, slow: true},
	}
}

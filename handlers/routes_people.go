package handlers

import "github.com/vivified/vivified/core/trait"

// peopleAPI is the part of the table by which programs look after people, what
// they may, and the keys that prove who asks.
func (s *Server) peopleAPI() []route {
	people, chief := []trait.ID{trait.UserManager}, []trait.ID{trait.Admin}
	const user, group = "/admin/users/:id", "/admin/groups/:id"
	return []route{
		{method: post, path: "/admin/users/bulk", who: users, needs: people, action: "user.change", handler: s.changeUsers, slow: true, fresh: true},
		{method: put, path: user + "/roles/:role", who: users, needs: people, action: "user.grant", handler: s.giveRole, fresh: true},
		{method: del, path: user + "/roles/:role", who: users, needs: people, action: "user.grant", handler: s.takeRole, fresh: true},
		{method: get, path: user + "/sessions", who: users, needs: people, action: "user.view", handler: s.listSessions},
		{method: del, path: user + "/sessions", who: users, needs: people, action: "user.change", handler: s.endSessions},
		{method: del, path: user + "/sessions/:session", who: users, needs: people, action: "user.change", handler: s.endOneSession},
		{method: post, path: user + "/link", who: users, needs: people, action: "user.invite", handler: s.resendInvitation, fresh: true},
		{method: get, path: "/admin/invitations", who: users, needs: people, action: "user.list", handler: s.listInvitations},
		{method: post, path: "/admin/invitations", who: users, needs: people, action: "user.invite", handler: s.inviteUsers, slow: true, fresh: true},
		{method: del, path: "/admin/invitations/:id", who: users, needs: people, action: "user.invite", handler: s.withdrawInvitation},
		{method: post, path: "/admin/view-as", who: users, needs: people, action: "view_as.start", handler: s.viewAs, fresh: true},
		{method: del, path: "/admin/view-as", who: users, handler: s.stopViewing},

		{method: get, path: "/admin/groups", who: users, needs: people, action: "group.view", handler: s.listGroups},
		{method: post, path: "/admin/groups", who: users, needs: people, action: "group.change", handler: s.createGroup, fresh: true},
		{method: get, path: group, who: users, needs: people, action: "group.view", handler: s.showGroup},
		{method: patch, path: group, who: users, needs: people, action: "group.change", handler: s.changeGroup, fresh: true},
		{method: del, path: group, who: users, needs: people, action: "group.change", handler: s.deleteGroup, fresh: true},
		{method: put, path: group + "/members/:user", who: users, needs: people, action: "group.change", handler: s.joinGroup, fresh: true},
		{method: del, path: group + "/members/:user", who: users, needs: people, action: "group.change", handler: s.leaveGroup, fresh: true},

		{method: get, path: "/admin/expiring-grants", who: users, needs: people, action: "user.list", handler: s.listExpiring},
		{method: get, path: "/admin/roles", who: users, needs: people, action: "user.view", handler: s.listRoles},
		{method: post, path: "/admin/roles", who: users, needs: people, action: "role.change", handler: s.createRole, fresh: true},
		{method: patch, path: "/admin/roles/:role", who: users, needs: people, action: "role.change", handler: s.changeRole, fresh: true},
		{method: del, path: "/admin/roles/:role", who: users, needs: people, action: "role.change", handler: s.deleteRole, fresh: true},

		{method: get, path: "/admin/api-keys", who: users, handler: s.listKeys},
		{method: post, path: "/admin/api-keys", who: users, handler: s.createKey, fresh: true},
		{method: post, path: "/admin/api-keys/:id/rotate", who: users, handler: s.rotateKey, fresh: true},
		{method: del, path: "/admin/api-keys/:id", who: users, handler: s.revokeKey},

		{method: get, path: "/admin/signing-keys", who: users, needs: chief, action: "signing_key.view", handler: s.listSigningKeys},
		{method: post, path: "/admin/signing-keys", who: users, needs: chief, action: "signing_key.rotate", handler: s.rotateSigningKey, fresh: true},
		{method: del, path: "/admin/signing-keys/:key", who: users, needs: chief, action: "signing_key.revoke", handler: s.revokeSigningKey, fresh: true},

		{method: get, path: "/admin/features", who: users, handler: s.features},
	}
}

package handlers

import (
	"net/http"

	vivifiedv1 "github.com/vivified/vivified/contract/vivified/v1"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
)

const (
	get    = http.MethodGet
	post   = http.MethodPost
	put    = http.MethodPut
	patch  = http.MethodPatch
	del    = http.MethodDelete
	event  = 2 << 20     // bytes of a publish request
	upload = 256<<10 + 1 // bytes of a manifest, and one more to notice
	margin = 64 << 10    // bytes for what is around a body
)

// routes is the whole surface of the core. The published contract is held
// against it by a test.
func (s *Server) routes() []route {
	view, manage := []trait.ID{trait.Viewer}, []trait.ID{trait.PluginManager}
	watch := []trait.ID{trait.EventViewer}
	people, auditors, admins := []trait.ID{trait.UserManager}, []trait.ID{trait.AuditViewer}, []trait.ID{trait.Admin}
	forwarders := []trait.ID{trait.AuditViewer, trait.ConfigManager}
	keepers := []trait.ID{trait.AuditViewer, trait.Admin}
	// The lanes bound what they carry themselves; the rest is for what is around it.
	carry, outside := int64(s.Settings.Int(settings.LimitBodyBytes)), int64(s.Settings.Int(settings.LimitProxyBytes))
	table := []route{
		{method: get, path: "/health", who: anyone, handler: s.health},
		{method: get, path: "/health/live", who: anyone, handler: s.live},
		{method: get, path: "/health/ready", who: anyone, handler: s.ready},
		{method: get, path: "/metrics", who: anyone, handler: s.metrics},
		{method: get, path: "/.well-known/jwks.json", who: anyone, handler: s.jwks},
		{method: post, path: "/auth/login", who: anyone, action: "auth.login", handler: s.logIn, body: 16 << 10},
		{method: get, path: "/auth/me", who: users, handler: s.me, enrols: true},
		{method: post, path: "/auth/logout", who: users, handler: s.logout, enrols: true},
		{method: get, path: "/auth/factors", who: users, handler: s.showFactors, enrols: true},
		{method: post, path: "/auth/factors/totp", who: users, handler: s.beginTOTP, body: 16 << 10, fresh: true, enrols: true},
		{method: post, path: "/auth/factors/totp/confirm", who: users, handler: s.confirmTOTP, body: 16 << 10, fresh: true, enrols: true},
		{method: del, path: "/auth/factors/totp", who: users, handler: s.removeTOTP, fresh: true},
		{method: post, path: "/auth/factors/passkeys/challenge", who: users, handler: s.challengePasskey, body: 16 << 10, fresh: true, enrols: true},
		{method: post, path: "/auth/factors/passkeys", who: users, handler: s.addPasskey, body: 64 << 10, fresh: true, enrols: true},
		{method: patch, path: "/auth/factors/passkeys/:id", who: users, handler: s.renamePasskey, body: 16 << 10},
		{method: del, path: "/auth/factors/passkeys/:id", who: users, handler: s.removePasskey, fresh: true},
		{method: post, path: "/auth/factors/recovery-codes", who: users, handler: s.renewRecoveryCodes, fresh: true},
		{method: post, path: "/auth/step-up", who: users, handler: s.stepUp, body: 16 << 10, enrols: true},

		{method: post, path: "/plugins/register", who: anyone, action: "plugin.register", handler: s.register, body: upload, slow: true},
		{method: post, path: "/plugins/token", who: anyone, action: "plugin.token", handler: s.token, body: 16 << 10},
		{method: post, path: "/plugins/heartbeat", who: plugins, action: "plugin.heartbeat", handler: s.heartbeat, body: 64 << 10},
		{method: post, path: "/plugins/:id/heartbeat", who: plugins, action: "plugin.heartbeat", handler: s.heartbeat, body: 64 << 10},
		{method: get, path: "/plugins", who: users, needs: view, action: "plugin.list", handler: s.listPlugins},
		{method: get, path: "/plugins/:id", who: users, needs: view, action: "plugin.view", handler: s.showPlugin},
		{method: del, path: "/plugins/:id", who: users, needs: manage, action: "plugin.unregister", handler: s.movePlugin, slow: true, fresh: true},
		{method: post, path: "/plugins/:id/enable", who: users, needs: manage, action: "plugin.enable", handler: s.movePlugin, slow: true, fresh: true},
		{method: post, path: "/plugins/:id/disable", who: users, needs: manage, action: "plugin.disable", handler: s.movePlugin, slow: true},
		{method: post, path: "/plugins/:id/quarantine", who: users, needs: manage, action: "plugin.quarantine", handler: s.movePlugin, slow: true, fresh: true},
		{method: post, path: "/plugins/:id/accept", who: users, needs: manage, action: "plugin.enable", fresh: true, handler: s.acceptWaiting, slow: true},
		{method: get, path: "/plugins/:id/impact", who: users, needs: view, action: "plugin.view", handler: s.impact},
		{method: get, path: "/plugins/:id/health", who: users, needs: view, action: "plugin.view", handler: s.pluginHealth},
		{method: get, path: "/plugins/:id/activity", who: users, needs: auditors, action: "audit.read", handler: s.pluginActivity},
		{method: get, path: "/plugins/:id/config", who: parties, needs: []trait.ID{trait.ConfigManager}, action: "config.read", handler: s.pluginConfig},
		{method: put, path: "/plugins/:id/config", who: users, needs: []trait.ID{trait.ConfigManager}, action: "config.write", handler: s.setPluginConfig, slow: true, fresh: true},

		{method: post, path: "/messaging/events", who: plugins, action: "event.publish", handler: s.publish, body: event},
		{method: get, path: "/messaging/events/stream", who: plugins, action: "event.listen", handler: s.eventStream, slow: true},
		{method: get, path: "/messaging/events/next", who: plugins, action: "event.listen", handler: s.pullEvents, slow: true},
		{method: post, path: "/messaging/events/:id/ack", who: plugins, action: "event.settle", handler: s.settleEvent},
		{method: post, path: "/messaging/events/:id/nak", who: plugins, action: "event.settle", handler: s.settleEvent},
		{method: get, path: "/messaging/events", who: users, needs: watch, action: "event.view", handler: s.listEvents},
		{method: get, path: "/messaging/events/tail", who: users, needs: watch, action: "event.view", handler: s.tailEvents, slow: true},
		{method: get, path: "/messaging/events/:id", who: users, needs: watch, action: "event.view", handler: s.showEvent},
		{method: post, path: "/messaging/events/:id/replay", who: users, needs: watch, action: "event.replay", handler: s.replayEvent},
		{method: post, path: "/messaging/consumers/:id/replay", who: users, needs: watch, action: "event.replay", handler: s.replayFrom},
		{method: get, path: "/messaging/dead-letters", who: users, needs: watch, action: "event.view", handler: s.listLetters},
		{method: post, path: "/messaging/dead-letters/replay", who: users, needs: watch, action: "event.replay", handler: s.replayLetters, slow: true},
		{method: get, path: "/messaging/dead-letters/:id", who: users, needs: watch, action: "event.view", handler: s.showLetter},
		{method: post, path: "/messaging/dead-letters/:id/replay", who: users, needs: watch, action: "event.replay", handler: s.replayLetter},
		{method: post, path: "/messaging/dead-letters/:id/discard", who: users, needs: watch, action: "event.discard", handler: s.discardLetter},
		{method: post, path: "/canonical/transform", who: parties, needs: watch, action: "event.view", handler: s.transform, body: event},
		{method: http.MethodPut, path: "/canonical/ids/:model", who: plugins, action: "id.bind", handler: s.bindID},
		{method: get, path: "/canonical/ids/:model", who: plugins, action: "id.view", handler: s.showID},
		{method: http.MethodDelete, path: "/canonical/ids/:model", who: plugins, action: "id.bind", handler: s.unbindID},
		{method: get, path: "/admin/ids/:model", who: users, needs: []trait.ID{trait.ModelSteward}, action: "id.view", handler: s.listIDs},
		{method: get, path: "/messaging/stats", who: users, needs: watch, action: "event.view", handler: s.messagingStats},

		{method: get, path: "/gateway/stats", who: users, needs: []trait.ID{trait.SystemMonitor}, action: "lane.view", handler: s.gatewayStats},
		{method: get, path: "/gateway/allowlist/effective", who: users, needs: view, action: "egress.view", handler: s.listEgress},
		{method: post, path: "/gateway/proxy", who: plugins, action: "proxy.request", handler: s.proxyOnce, body: 2*outside + margin, slow: true},
		{method: every, path: "/proxy", who: plugins, action: "proxy.request", handler: s.proxyStream, body: outside + margin, slow: true},
		{method: every, path: "/gateway/:target/*", who: parties, action: "operator.call", handler: s.gateway, body: carry + margin, slow: true},
		{method: post, path: vivifiedv1.Operator_Invoke_FullMethodName, who: parties, action: "operator.call", handler: s.rpc, body: carry + margin, slow: true},
		{method: post, path: vivifiedv1.Operator_InvokeStream_FullMethodName, who: parties, action: "operator.call", handler: s.rpc, body: carry + margin, slow: true},

		{method: get, path: "/admin/users", who: users, needs: people, action: "user.list", handler: s.listUsers},
		{method: post, path: "/admin/users", who: users, needs: people, action: "user.invite", handler: s.inviteUser, fresh: true},
		{method: get, path: "/admin/users/:id", who: users, needs: people, action: "user.view", handler: s.showUser},
		{method: patch, path: "/admin/users/:id", who: users, needs: people, action: "user.change", handler: s.changeUser, fresh: true},
		{method: del, path: "/admin/users/:id", who: users, needs: people, action: "user.delete", handler: s.deleteUser, fresh: true},
		{method: post, path: "/admin/users/:id/traits", who: users, needs: people, action: "user.grant", handler: s.grantTrait, fresh: true},
		{method: del, path: "/admin/users/:id/traits/:trait", who: users, needs: people, action: "user.grant", handler: s.revokeTrait, fresh: true},
		{method: del, path: "/admin/users/:id/factors", who: users, needs: people, action: "user.factors", handler: s.resetFactors, fresh: true},
		{method: get, path: "/admin/break-glass", who: users, needs: admins, action: "user.break_glass", handler: s.listBreakGlass},
		{method: post, path: "/admin/break-glass", who: users, needs: admins, action: "user.break_glass", handler: s.makeBreakGlass, fresh: true},
		{method: post, path: "/admin/break-glass/:id/rotate", who: users, needs: admins, action: "user.break_glass", handler: s.rotateBreakGlass, fresh: true},
		{method: post, path: "/admin/break-glass/alerts/:session/acknowledge", who: users, needs: admins, action: "user.break_glass", handler: s.acknowledgeBreakGlass, fresh: true},
		{method: get, path: "/admin/registration-tokens", who: users, needs: manage, action: "registration.view", handler: s.listRegistrationTokens},
		{method: post, path: "/admin/registration-tokens", who: users, needs: manage, action: "registration.create", handler: s.createRegistrationToken, fresh: true},
		{method: del, path: "/admin/registration-tokens/:id", who: users, needs: manage, action: "registration.revoke", handler: s.revokeRegistrationToken},

		{method: get, path: "/admin/config", who: users, needs: view, action: "config.read", handler: s.showConfig},
		{method: put, path: "/admin/config", who: users, handler: s.setConfig, fresh: true},
		{method: post, path: "/admin/config", who: users, handler: s.setConfig, fresh: true},
		{method: get, path: "/admin/config/history", who: users, needs: view, action: "config.read", handler: s.configHistory},
		{method: post, path: "/admin/config/history/:id/restore", who: users, needs: []trait.ID{trait.ConfigManager}, action: "config.write", handler: s.restoreConfig, fresh: true},
		{method: get, path: "/admin/plugins", who: users, needs: view, action: "plugin.list", handler: s.listPlugins},
		{method: get, path: "/admin/traits", who: users, needs: view, action: "trait.list", handler: s.listTraits},
		{method: post, path: "/admin/traits", who: users, needs: []trait.ID{trait.PolicyManager}, action: "trait.register", handler: s.addTrait, fresh: true},
		{method: get, path: "/admin/decisions/:id", who: users, handler: s.decision},
		{method: get, path: "/admin/grants", who: users, needs: view, action: "grant.list", handler: s.listGrants},
		{method: post, path: "/admin/grants", who: users, needs: []trait.ID{trait.PluginManager}, action: "grant.give", handler: s.giveGrant, fresh: true},
		{method: del, path: "/admin/grants/:id", who: users, needs: []trait.ID{trait.PluginManager}, action: "grant.withdraw", handler: s.withdrawGrant},
		{method: post, path: "/admin/decisions/:id/request", who: users, handler: s.requestRemedy},
		{method: post, path: "/admin/decisions/:id/grant", who: users, fresh: true, handler: s.grantRemedy},
		{method: get, path: "/admin/approvals", who: users, handler: s.listApprovals},
		{method: post, path: "/admin/approvals", who: users, handler: s.askApproval},
		{method: get, path: "/admin/approvals/:id", who: users, handler: s.showApproval},
		{method: post, path: "/admin/approvals/:id/approve", who: users, fresh: true, handler: s.decideApproval(true)},
		{method: post, path: "/admin/approvals/:id/deny", who: users, handler: s.decideApproval(false)},
		{method: post, path: "/admin/approvals/:id/withdraw", who: users, handler: s.withdrawApproval},
		{method: get, path: "/admin/approvals/egress", who: users, needs: view, action: "egress.view", handler: s.listEgress},
		{method: post, path: "/admin/approvals/egress", who: users, needs: []trait.ID{trait.EgressApprover}, action: "egress.approve", handler: s.approveEgress, fresh: true},
		{method: del, path: "/admin/approvals/egress/:id", who: users, needs: []trait.ID{trait.EgressApprover}, action: "egress.withdraw", handler: s.withdrawEgress},
		{method: get, path: "/admin/egress/credentials", who: users, needs: []trait.ID{trait.ConfigManager}, action: "egress.credential.view", handler: s.listCredentials},
		{method: put, path: "/admin/egress/credentials/:id/:domain", who: users, needs: []trait.ID{trait.ConfigManager}, action: "egress.credential.set", handler: s.bindCredential, body: 64 << 10, fresh: true},
		{method: del, path: "/admin/egress/credentials/:id/:domain", who: users, needs: []trait.ID{trait.ConfigManager}, action: "egress.credential.remove", handler: s.unbindCredential, fresh: true},

		{method: get, path: "/admin/audit", who: users, needs: auditors, action: "audit.read", handler: s.searchAudit},
		{method: get, path: "/admin/audit/export", who: users, needs: auditors, action: "audit.export", handler: s.exportAudit, slow: true, fresh: true},
		{method: get, path: "/admin/audit/verify", who: users, needs: auditors, action: "audit.verify", handler: s.verifyAudit, slow: true},
		{method: get, path: "/admin/audit/sinks", who: users, needs: auditors, action: "audit.read", handler: s.listSinks},
		{method: post, path: "/admin/audit/sinks", who: users, needs: forwarders, action: "audit.forward", handler: s.addSink, fresh: true},
		{method: get, path: "/admin/audit/sinks/:id", who: users, needs: auditors, action: "audit.read", handler: s.showSink},
		{method: put, path: "/admin/audit/sinks/:id", who: users, needs: forwarders, action: "audit.forward", handler: s.changeSink, fresh: true},
		{method: del, path: "/admin/audit/sinks/:id", who: users, needs: forwarders, action: "audit.forward", handler: s.removeSink, fresh: true},
		{method: post, path: "/admin/audit/sinks/:id/try", who: users, needs: forwarders, action: "audit.forward", handler: s.trySink, slow: true},
		{method: get, path: "/admin/audit/retention", who: users, needs: auditors, action: "audit.read", handler: s.showRetention},
		{method: post, path: "/admin/audit/retention/purge", who: users, needs: keepers, action: "audit.purge", handler: s.purgeAudit, slow: true, fresh: true},
		{method: get, path: "/admin/audit/holds", who: users, needs: auditors, action: "audit.read", handler: s.listHolds},
		{method: post, path: "/admin/audit/holds", who: users, needs: keepers, action: "audit.hold", handler: s.placeHold, fresh: true},
		{method: get, path: "/admin/audit/holds/:id", who: users, needs: auditors, action: "audit.read", handler: s.showHold},
		{method: post, path: "/admin/audit/holds/:id/lift", who: users, needs: keepers, action: "audit.hold", handler: s.liftHold, fresh: true},
		{method: get, path: "/admin/audit/archives", who: users, needs: auditors, action: "audit.read", handler: s.listArchives},
		{method: get, path: "/admin/audit/archives/:id", who: users, needs: auditors, action: "audit.export", handler: s.sendArchive, slow: true, fresh: true},
		{method: get, path: "/admin/audit/heads", who: users, needs: auditors, action: "audit.read", handler: s.auditHeads},
	}
	for _, part := range [][]route{s.oidc(), s.apiSSO(), s.apiPolicies(), s.peopleAPI(), s.settingsAPI(), s.marketplaceAPI(), s.eventRPCs(), s.evidenceRoutes(), s.alertRoutes(), s.runtimeRoutes(), s.console()} {
		table = append(table, part...)
	}
	return table
}

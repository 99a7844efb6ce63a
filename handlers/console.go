package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/static"
	"github.com/vivified/vivified/views"
)

// consolePage is a page of the console that a person may or may not see.
type consolePage struct {
	title, path string
	needs       []trait.ID
}

// consolePages are the pages there are.
var consolePages = []consolePage{
	{"Overview", views.PathOverview, nil},
	{"Approvals", views.PathApprovals, nil},
	{"Alerts", views.PathAlerts, []trait.ID{trait.SystemMonitor}},
	{"Marketplace", views.PathMarketplace, []trait.ID{trait.PluginManager}},
	{"Trusted keys", views.PathPublisherKeys, []trait.ID{trait.PluginManager}},
	{"Installed plugins", views.PathPlugins, []trait.ID{trait.Viewer}},
	{"Jobs", views.PathJobs, []trait.ID{trait.PluginManager}},
	{"Registration tokens", views.PathTokens, []trait.ID{trait.PluginManager}},
	{"Signing keys", views.PathSigningKeys, []trait.ID{trait.Admin}},
	{"Lane map", views.PathLanes, []trait.ID{trait.SystemMonitor}},
	{"Events", views.PathEvents, []trait.ID{trait.EventViewer}},
	{"Egress", views.PathEgress, []trait.ID{trait.EgressApprover}},
	{"Egress credentials", views.PathCredentials, []trait.ID{trait.ConfigManager}},
	{"Policies", views.PathPolicies, []trait.ID{trait.PolicyManager}},
	{"Audit", views.PathAudit, []trait.ID{trait.AuditViewer}},
	{"Evidence", views.PathEvidence, []trait.ID{trait.AuditViewer}},
	{"Users", views.PathUsers, []trait.ID{trait.UserManager}},
	{"Groups", views.PathGroups, []trait.ID{trait.UserManager}},
	{"Roles & traits", views.PathRoles, []trait.ID{trait.UserManager}},
	{"API keys", views.PathAPIKeys, nil},
	{"Single sign-on", views.PathSSO, []trait.ID{trait.UserManager}},
	{"Configuration", views.PathConfig, []trait.ID{trait.Viewer}},
	{"Secrets", views.PathSecrets, []trait.ID{trait.ConfigManager}},
	{"Account", views.PathAccount, nil},
}

// form is how many bytes a form of the console may have.
const form = 64 << 10

// console is the part of the table that answers people.
func (s *Server) console() []route {
	table := []route{
		{method: get, path: "/static/*", who: anyone, handler: asset},
		{method: get, path: "/favicon.ico", who: anyone, handler: favicon},
		{method: get, path: "/", who: users, handler: home},
		{method: get, path: views.PathSignIn, who: anyone, handler: s.signInPage},
		{method: post, path: views.PathSignIn, who: anyone, handler: s.signIn, body: form},
		{method: get, path: views.PathSecondStep, who: anyone, handler: s.secondStepPage},
		{method: post, path: views.PathSecondStep, who: anyone, handler: s.secondStep, body: form},
		{method: post, path: views.PathSignInChallenge, who: anyone, handler: s.challengeAnyPasskey, body: form},
		{method: post, path: views.PathSignInPasskey, who: anyone, handler: s.passkeySignIn, body: form},
		{method: get, path: views.PathEmergency, who: anyone, handler: s.emergencyPage},
		{method: post, path: views.PathEmergency, who: anyone, handler: s.emergency, body: form},
		{method: post, path: views.PathSignOut, who: users, handler: s.signOut, body: form, enrols: true},
		{method: get, path: views.PathSetup, who: anyone, handler: s.setupPage},
		{method: post, path: views.PathSetup, who: anyone, handler: s.setupEither, body: form},
		{method: get, path: views.PathInvite, who: anyone, handler: s.invitePage},
		{method: post, path: views.PathInvite, who: anyone, handler: s.acceptInvite, body: form},

		{method: get, path: views.PathOverview, who: users, handler: s.overviewPage},
		{method: get, path: views.PathLive, who: users, handler: s.overviewLive, slow: true},
		{method: post, path: views.PathViews, who: users, handler: s.saveView, body: form},
		{method: post, path: views.PathViews + "/:id/remove", who: users, handler: s.removeView, body: form},
		{method: get, path: views.PathPalette, who: users, handler: s.palette},
		{method: get, path: views.PathDecisions + "/:id", who: users, handler: s.decisionPage},
		{method: get, path: views.PathDecisions + "/:id/request", who: users, handler: s.askRemedy(false)},
		{method: post, path: views.PathDecisions + "/:id/request", who: users, handler: s.doRemedy(false), body: form},
		{method: get, path: views.PathDecisions + "/:id/grant", who: users, handler: s.askRemedy(true)},
		{method: post, path: views.PathDecisions + "/:id/grant", who: users, fresh: true, handler: s.doRemedy(true), body: form},
	}
	for _, part := range [][]route{s.consoleApprovals(), s.consolePlugins(), s.consoleMarketplace(), s.consoleTraffic(), s.consolePeople(), s.consoleManyPeople(), s.consoleGroups(), s.consoleRoles(), s.consoleTokens(), s.consoleSigningKeys(), s.consoleKeys(), s.consoleAccount(), s.consoleSIEM(), s.consoleAlerts(), s.consoleRetention(), s.consoleCredentials(), s.consoleConfig(), s.consoleSettings(), s.consolePolicies(), s.consoleSSO()} {
		table = append(table, part...)
	}
	return table
}

// consoleApprovals are the pages of what waits for somebody's word. Who may see and
// decide which request is for their service to say.
func (s *Server) consoleApprovals() []route {
	const one = views.PathApprovals + "/:id"
	return []route{
		{method: get, path: views.PathApprovals, who: users, handler: s.approvalsPage},
		{method: get, path: views.PathApprovals + "/new", who: users, handler: s.askNewRequest},
		{method: post, path: views.PathApprovals + "/new", who: users, handler: s.newRequest, body: form},
		{method: get, path: one, who: users, handler: s.approvalPage},
		{method: get, path: one + "/approve", who: users, handler: s.askApproveRequest},
		{method: post, path: one + "/approve", who: users, fresh: true, handler: s.decideRequest(true), body: form},
		{method: get, path: one + "/deny", who: users, handler: s.askDenyRequest},
		{method: post, path: one + "/deny", who: users, handler: s.decideRequest(false), body: form},
		{method: post, path: one + "/withdraw", who: users, handler: s.withdrawRequest, body: form},
	}
}

// consolePlugins are the pages of plugins and what is done to them there.
func (s *Server) consolePlugins() []route {
	view, manage := []trait.ID{trait.Viewer}, []trait.ID{trait.PluginManager}
	auditors, approvers := []trait.ID{trait.AuditViewer}, []trait.ID{trait.EgressApprover}
	const one = views.PathPlugins + "/:id"
	return []route{
		{method: get, path: views.PathPlugins, who: users, needs: view, action: "plugin.list", handler: s.pluginsPage},
		{method: get, path: one, who: users, needs: view, action: "plugin.view", handler: s.pluginPage},
		{method: get, path: one + "/permissions", who: users, needs: view, action: "plugin.view", handler: s.permissionsPage},
		{method: get, path: one + "/lanes", who: users, needs: []trait.ID{trait.SystemMonitor}, action: "lane.view", handler: s.pluginLanesPage},
		{method: get, path: one + "/lanes/live", who: users, needs: []trait.ID{trait.SystemMonitor}, action: "lane.view", handler: s.pluginLanesLive, slow: true},
		{method: get, path: one + "/logs", who: users, needs: []trait.ID{trait.SystemMonitor}, action: "plugin.logs", handler: s.pluginLogsPage},
		{method: get, path: one + "/logs/stream", who: users, needs: []trait.ID{trait.SystemMonitor}, action: "plugin.logs", handler: s.pluginLogsTail, slow: true},
		{method: get, path: one + "/activity", who: users, needs: auditors, action: "audit.read", handler: s.activityPage},

		{method: get, path: one + "/enable", who: users, needs: manage, action: "plugin.enable", handler: s.askEnable},
		{method: post, path: one + "/enable", who: users, needs: manage, action: "plugin.enable", handler: s.enablePlugin, body: form, slow: true, fresh: true},
		{method: get, path: one + "/accept", who: users, needs: manage, action: "plugin.enable", handler: s.askAccept},
		{method: post, path: one + "/accept", who: users, needs: manage, action: "plugin.enable", fresh: true, handler: s.acceptManifest, body: form, slow: true},
		{method: get, path: one + "/disable", who: users, needs: manage, action: "plugin.disable", handler: s.askDisable},
		{method: post, path: one + "/disable", who: users, needs: manage, action: "plugin.disable", handler: s.disablePlugin, body: form, slow: true},
		{method: get, path: one + "/quarantine", who: users, needs: manage, action: "plugin.quarantine", handler: s.askQuarantine},
		{method: post, path: one + "/quarantine", who: users, needs: manage, action: "plugin.quarantine", handler: s.quarantinePlugin, body: form, slow: true, fresh: true},
		{method: get, path: one + "/unregister", who: users, needs: manage, action: "plugin.unregister", handler: s.askUnregister},
		{method: post, path: one + "/unregister", who: users, needs: manage, action: "plugin.unregister", handler: s.unregisterPlugin, body: form, slow: true, fresh: true},

		{method: get, path: one + "/domains/approve", who: users, needs: approvers, action: "egress.approve", handler: s.askApprove},
		{method: post, path: one + "/domains/approve", who: users, needs: approvers, action: "egress.approve", handler: s.approveDomain, body: form, fresh: true},
		{method: post, path: one + "/domains/revoke", who: users, needs: approvers, action: "egress.withdraw", handler: s.revokeDomain, body: form},
		{method: post, path: one + "/grants/:grant/withdraw", who: users, needs: manage, action: "grant.withdraw", handler: s.withdrawPluginGrant, body: form},
	}
}

// consoleTraffic are the pages of events and of the audit.
func (s *Server) consoleTraffic() []route {
	events, auditors := []trait.ID{trait.EventViewer}, []trait.ID{trait.AuditViewer}
	return []route{
		{method: get, path: views.PathLanes, who: users, needs: []trait.ID{trait.SystemMonitor}, action: "lane.view", handler: s.laneMapPage},
		{method: get, path: views.PathLanes + "/live", who: users, needs: []trait.ID{trait.SystemMonitor}, action: "lane.view", handler: s.laneMapLive, slow: true},
		{method: get, path: views.PathEvents, who: users, needs: events, action: "event.view", handler: s.eventsPage},
		{method: get, path: views.PathTail, who: users, needs: events, action: "event.view", handler: s.eventsTail, slow: true},
		{method: get, path: views.PathLetters, who: users, needs: events, action: "event.view", handler: s.lettersPage},
		{method: get, path: views.PathLetters + "/replay", who: users, needs: events, action: "event.replay", handler: s.askReplayLetters},
		{method: post, path: views.PathLetters + "/replay", who: users, needs: events, action: "event.replay", handler: s.replayAllLetters, body: form, slow: true},
		{method: get, path: views.PathLetters + "/:id/discard", who: users, needs: events, action: "event.discard", handler: s.askDiscardLetter},
		{method: post, path: views.PathLetters + "/:id/discard", who: users, needs: events, action: "event.discard", handler: s.discardOneLetter, body: form},
		{method: post, path: views.PathLetters + "/:id/replay", who: users, needs: events, action: "event.replay", handler: s.replayOneLetter, body: form},
		{method: get, path: views.PathEvents + "/:event/replay", who: users, needs: events, action: "event.replay", handler: s.askReplayEvent},
		{method: post, path: views.PathEvents + "/:event/replay", who: users, needs: events, action: "event.replay", handler: s.replayOneEvent, body: form},
		{method: get, path: views.PathPlugins + "/:id/dead-letters", who: users, needs: events, action: "event.view", handler: s.pluginLettersPage},
		{method: get, path: views.PathTraces + "/:trace", who: users, needs: auditors, action: "audit.read", handler: s.tracePage},
		{method: get, path: views.PathEvents + "/:event", who: users, needs: events, action: "event.view", handler: s.eventPage},
		{method: get, path: views.PathEgress, who: users, needs: []trait.ID{trait.EgressApprover}, action: "egress.view", handler: s.egressPage},
		{method: get, path: views.PathAudit, who: users, needs: auditors, action: "audit.read", handler: s.auditPage},
		{method: get, path: views.PathAuditTail, who: users, needs: auditors, action: "audit.read", handler: s.auditTail, slow: true},
		{method: post, path: views.PathVerify, who: users, needs: auditors, action: "audit.verify", handler: s.verifyPage, body: form, slow: true},
		{method: get, path: views.PathProof, who: users, needs: auditors, action: "audit.read", handler: s.browserProofPage},
		{method: get, path: views.PathExport, who: users, needs: auditors, action: "audit.export", handler: s.exportPage, slow: true, fresh: true},
		{method: get, path: views.PathAudit + "/:chain/:seq", who: users, needs: auditors, action: "audit.read", handler: s.recordPage},
	}
}

// consolePeople are the pages of people.
func (s *Server) consolePeople() []route {
	people := []trait.ID{trait.UserManager}
	const one = views.PathUsers + "/:id"
	return []route{
		{method: get, path: views.PathUsers, who: users, needs: people, action: "user.list", handler: s.usersPage},
		{method: get, path: views.PathUserInvite, who: users, needs: people, action: "user.invite", handler: s.askInvite},
		{method: post, path: views.PathUserInvite, who: users, needs: people, action: "user.invite", handler: s.makeInvite, body: form, fresh: true},
		{method: get, path: one, who: users, needs: people, action: "user.view", handler: s.userPage},
		{method: post, path: one + "/roles", who: users, needs: people, action: "user.change", handler: s.saveRoles, body: form, fresh: true},
		{method: get, path: one + "/grant", who: users, needs: people, action: "user.grant", handler: s.askGive},
		{method: post, path: one + "/grant", who: users, needs: people, action: "user.grant", handler: s.doGive, body: form, fresh: true},
		{method: get, path: one + "/roles/:role/grant", who: users, needs: people, action: "user.grant", handler: s.askGive},
		{method: post, path: one + "/roles/:role/grant", who: users, needs: people, action: "user.grant", handler: s.doGive, body: form, fresh: true},
		{method: get, path: one + "/roles/:role/revoke", who: users, needs: people, action: "user.grant", handler: s.askTake},
		{method: post, path: one + "/roles/:role/revoke", who: users, needs: people, action: "user.grant", handler: s.doTake, body: form, fresh: true},
		{method: get, path: one + "/traits/:trait/grant", who: users, needs: people, action: "user.grant", handler: s.askGive},
		{method: post, path: one + "/traits/:trait/grant", who: users, needs: people, action: "user.grant", handler: s.doGive, body: form, fresh: true},
		{method: get, path: one + "/traits/:trait/revoke", who: users, needs: people, action: "user.grant", handler: s.askTake},
		{method: post, path: one + "/traits/:trait/revoke", who: users, needs: people, action: "user.grant", handler: s.doTake, body: form, fresh: true},
		{method: get, path: one + "/groups/join", who: users, needs: people, action: "group.change", handler: s.askUserJoin},
		{method: post, path: one + "/groups/join", who: users, needs: people, action: "group.change", handler: s.userJoin, body: form, fresh: true},
		{method: get, path: one + "/groups/:group/join", who: users, needs: people, action: "group.change", handler: s.askUserJoin},
		{method: post, path: one + "/groups/:group/join", who: users, needs: people, action: "group.change", handler: s.userJoin, body: form, fresh: true},
		{method: get, path: one + "/groups/:group/leave", who: users, needs: people, action: "group.change", handler: s.askUserLeave},
		{method: post, path: one + "/groups/:group/leave", who: users, needs: people, action: "group.change", handler: s.userLeave, body: form, fresh: true},
		{method: get, path: one + "/suspend", who: users, needs: people, action: "user.change", handler: s.askSuspend},
		{method: post, path: one + "/suspend", who: users, needs: people, action: "user.change", handler: s.suspendUser, body: form, fresh: true},
		{method: post, path: one + "/restore", who: users, needs: people, action: "user.change", handler: s.restoreUser, body: form, fresh: true},
		{method: get, path: one + "/delete", who: users, needs: people, action: "user.delete", handler: s.askDelete},
		{method: post, path: one + "/delete", who: users, needs: people, action: "user.delete", handler: s.removeUser, body: form, fresh: true},
		{method: get, path: one + "/" + resetFactorsAt, who: users, needs: people, action: "user.factors", handler: s.askResetFactors},
		{method: post, path: one + "/" + resetFactorsAt, who: users, needs: people, action: "user.factors", handler: s.resetUserFactors, body: form, fresh: true},
		{method: get, path: one + "/link", who: users, needs: people, action: "user.invite", handler: s.askLink},
		{method: post, path: one + "/link", who: users, needs: people, action: "user.invite", handler: s.makeLink, body: form, fresh: true},
		{method: get, path: one + "/view-as", who: users, needs: people, action: "view_as.start", handler: s.askViewAs},
		{method: post, path: one + "/view-as", who: users, needs: people, action: "view_as.start", handler: s.startViewing, body: form, fresh: true},
		{method: post, path: views.PathViewStop, who: users, handler: s.endViewing, body: form},
		{method: post, path: one + "/sessions/:session/revoke", who: users, needs: people, action: "user.change", handler: s.endUserSession, body: form},
		{method: post, path: one + "/keys/:key/revoke", who: users, needs: people, action: "user.change", handler: s.revokeUserKey, body: form},
	}
}

// consoleAccount are a person's own pages.
func (s *Server) consoleAccount() []route {
	return []route{
		{method: get, path: views.PathBreakGlass + "/new", who: users, needs: []trait.ID{trait.Admin}, action: "user.break_glass", handler: s.askBreakGlass},
		{method: post, path: views.PathBreakGlass, who: users, needs: []trait.ID{trait.Admin}, action: "user.break_glass", handler: s.makeEmergency, body: form, fresh: true},
		{method: post, path: views.PathBreakGlass + "/:session/acknowledge", who: users, needs: []trait.ID{trait.Admin}, action: "user.break_glass", handler: s.acknowledgeUse, body: form, fresh: true},
		{method: get, path: views.PathSession, who: users, handler: s.sessionLeft, enrols: true},
		{method: post, path: views.PathSession, who: users, handler: s.sessionLeft, body: form, enrols: true},
		{method: get, path: views.PathFactors, who: users, handler: s.enrolPage, enrols: true},
		{method: get, path: views.PathTOTP, who: users, handler: s.totpPage, fresh: true, enrols: true},
		{method: get, path: views.PathTOTP + "/code.svg", who: users, handler: s.totpCode, enrols: true, fresh: true},
		{method: post, path: views.PathTOTP + "/confirm", who: users, handler: s.totpConfirm, body: form, fresh: true, enrols: true},
		{method: get, path: views.PathTOTP + "/remove", who: users, handler: s.askRemoveTOTP},
		{method: post, path: views.PathTOTP + "/remove", who: users, handler: s.totpRemove, body: form, fresh: true},
		{method: get, path: views.PathPasskeys + "/new", who: users, handler: s.passkeyPage, fresh: true, enrols: true},
		{method: post, path: views.PathPasskeys, who: users, handler: s.passkeyAdd, body: form, fresh: true, enrols: true},
		{method: get, path: views.PathPasskeys + "/:id/remove", who: users, handler: s.askRemovePasskey},
		{method: post, path: views.PathPasskeys + "/:id/remove", who: users, handler: s.passkeyRemove, body: form, fresh: true},
		{method: get, path: views.PathRecovery, who: users, handler: s.askRecovery},
		{method: post, path: views.PathRecovery, who: users, handler: s.recoveryRenew, body: form, fresh: true},
		{method: post, path: views.PathStepUp, who: users, handler: s.stepUpAndGo, body: form, enrols: true},
		{method: get, path: views.PathAccount, who: users, handler: s.accountPage},
		{method: post, path: views.PathProfile, who: users, handler: s.saveProfile, body: form},
		{method: post, path: views.PathPassword, who: users, handler: s.changePassword, body: form},
		{method: post, path: views.PathPreferences, who: users, handler: s.savePreferences, body: form},
		{method: post, path: views.PathSessions + "/revoke-others", who: users, handler: s.endOtherSessions, body: form},
		{method: post, path: views.PathSessions + "/:session/revoke", who: users, handler: s.endSession, body: form},
		{method: get, path: views.PathKeys + "/new", who: users, handler: s.askKey},
		{method: post, path: views.PathKeys, who: users, handler: s.makeKey, body: form, fresh: true},
		{method: get, path: views.PathKeys + "/:key/revoke", who: users, handler: s.askRevokeKey},
		{method: post, path: views.PathKeys + "/:key/revoke", who: users, handler: s.revokeOwnKey, body: form},
	}
}

// asset handles GET /static/*.
func asset(c echo.Context) error {
	static.Handler().ServeHTTP(c.Response(), c.Request())
	return nil
}

// favicon handles GET /favicon.ico, which browsers ask for unasked.
func favicon(c echo.Context) error {
	return c.Redirect(http.StatusMovedPermanently, static.Path("favicon.svg"))
}

// home handles GET /.
func home(c echo.Context) error { return c.Redirect(http.StatusSeeOther, views.PathOverview) }

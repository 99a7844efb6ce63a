package views_test

import (
	"time"

	"github.com/a-h/templ"

	"github.com/vivified/vivified/views"
)

// toasts are drawn on one page, so that they are checked too.
func withToasts(s views.Shell, o views.Overview) templ.Component {
	s.Toasts = []views.Toast{
		{Text: "Hello Greeter disabled", Undo: &views.Action{Href: views.PluginPath("hello-greeter", "enable"), Fields: []views.Hidden{{Name: "back", Value: views.PathOverview}}}},
		{Tone: views.Warn, Text: "2 of 3 plugins were enabled"},
	}
	s.Apps = []views.NavItem{{Label: "Bed Board", Href: "/console/apps/bed-board/", Icon: "building"}}
	s.ViewNote = &views.Banner{Tone: views.Info, Title: "You view as Hannah Weiss until 14:47.", Text: "Everything is recorded."}
	return views.OverviewPage(s, o)
}

// samples are all pages, dialogs and live parts.
func samples() []sample {
	over := crumbs("Home", "", "Overview", "")
	installed := crumbs("Plugins", "", "Installed", "")
	greeterAt := crumbs("Plugins", "", "Installed", views.PathPlugins, "Hello Greeter", "")
	auditAt := crumbs("Govern", "", "Audit", "")
	people := crumbs("People", "", "Users", "")
	problemOf := func(status int) func() views.Problem { return func() views.Problem { return problem(status) } }
	return append([]sample{
		alone("sign-in", views.PathSignIn, func() views.SignIn {
			return views.SignIn{Org: "Northgate Regional", Email: "mara.lindqvist@northgate.example", Error: "E-mail or password not accepted.", Next: "/console/audit", Version: "0.1.0"}
		}, views.SignInPage),
		alone("sign-in-first", views.PathSignIn, func() views.SignIn { return views.SignIn{Notice: "You are signed out."} }, views.SignInPage),
		alone("setup", views.PathSetup, setup, views.SetupPage),
		alone("setup-done", views.PathSetup, func() views.Setup { return views.Setup{Done: true} }, views.SetupPage),
		alone("invite", views.PathInvite, invite, views.InvitePage),
		alone("invite-gone", views.PathInvite, func() views.Invite { return views.Invite{Gone: "It was used on 19 November 2026."} }, views.InvitePage),

		in("overview", views.PathOverview, over, overview, views.OverviewPage, views.OverviewBody),
		in("overview-first", views.PathOverview, over, func() views.Overview {
			return views.Overview{Lanes: []views.LaneTile{{Lane: views.Canonical}, {Lane: views.Operator}, {Lane: views.Proxy}}, Proof: &views.Proof{Status: views.Unknown, Records: 3, Chains: 1, Head: now}}
		}, views.OverviewPage, views.OverviewBody),
		in("overview-toasts", views.PathOverview, over, overview, withToasts, views.OverviewBody),
		alone("overview-live", views.PathLive, overview, views.OverviewLive),

		in("plugins", views.PathPlugins, installed, plugins, views.PluginsPage, views.PluginsBody),
		in("plugins-first", views.PathPlugins, installed, func() views.Plugins { return views.Plugins{} }, views.PluginsPage, views.PluginsBody),
		in("plugins-none", views.PathPlugins, installed, func() views.Plugins { p := plugins(); p.Rows = nil; return p }, views.PluginsPage, views.PluginsBody),
		in("plugin", views.PluginPath("hello-greeter"), greeterAt, pluginOverview, views.PluginOverviewPage, views.PluginOverviewBody),
		in("plugin-new", views.PluginPath("new-comer"), greeterAt, func() views.PluginOverview {
			return views.PluginOverview{Head: views.PluginHead{ID: "new-comer", Name: "New Comer", Version: "1.0.0", State: views.Registered, Tabs: views.PluginTabs("new-comer", "", 0), Actions: []views.Action{{Label: "Enable", Ask: true, Primary: true, Icon: "power", Href: views.PluginPath("new-comer", "enable")}}}}
		}, views.PluginOverviewPage, views.PluginOverviewBody),
		in("plugin-permissions", views.PluginPath("hello-greeter", "permissions"), greeterAt, permissions, views.PluginPermissionsPage, views.PluginPermissionsBody),
		in("plugin-permissions-none", views.PluginPath("new-comer", "permissions"), greeterAt, func() views.PluginPermissions {
			return views.PluginPermissions{Head: head("permissions")}
		}, views.PluginPermissionsPage, views.PluginPermissionsBody),
		in("plugin-lanes", views.PluginPath("hello-greeter", "lanes"), greeterAt, func() views.PluginLanes {
			return views.PluginLanes{Head: head("lanes"), Map: laneMap(), Calls: []views.KV{{Label: "Circuit", Value: "closed: calls pass"}}, Listens: []views.KV{{Label: "Waiting", Value: "3 events"}}}
		}, views.PluginLanesPage, views.PluginLanesBody),
		in("plugin-lanes-none", views.PluginPath("hello-greeter", "lanes"), greeterAt, func() views.PluginLanes {
			return views.PluginLanes{Head: head("lanes"), Map: views.LaneMap{Live: "/x"}}
		}, views.PluginLanesPage, views.PluginLanesBody),
		in("plugin-logs", views.PluginPath("hello-greeter", "logs"), greeterAt, pluginLogs, views.PluginLogsPage, views.PluginLogsBody),
		in("plugin-logs-none", views.PluginPath("hello-greeter", "logs"), greeterAt, func() views.PluginLogs {
			f := views.LogFilter{Plugin: "hello-greeter"}
			return views.PluginLogs{Head: head("logs"), Filter: f.Bar(), Tail: f.Tail()}
		}, views.PluginLogsPage, views.PluginLogsBody),
		alone("plugin-logs-live", views.PluginPath("hello-greeter", "logs", "stream"), func() []views.LogLine { return pluginLogs().Lines[:1] }, views.LogRows),
		in("plugin-activity", views.PluginPath("hello-greeter", "activity"), greeterAt, func() views.PluginActivity {
			l := audit().List
			l.Rows, l.Filter.Path = l.Rows[:8], views.PluginPath("hello-greeter", "activity")
			return views.PluginActivity{Head: head("activity"), List: l}
		}, views.PluginActivityPage, views.PluginActivityBody),
		alone("ask", views.PluginPath("hello-greeter", "quarantine"), confirm, views.ConfirmDialog),
		in("ask-page", views.PluginPath("hello-greeter", "quarantine"), greeterAt, confirm, views.ConfirmPage, views.ConfirmBody),

		in("lanes", views.PathLanes, crumbs("Traffic", "", "Lane map", ""), laneMap, views.LaneMapPage, views.LaneMapBody),
		in("lanes-first", views.PathLanes, crumbs("Traffic", "", "Lane map", ""), func() views.LaneMap { m := laneMap(); m.Edges, m.Picked = nil, nil; return m }, views.LaneMapPage, views.LaneMapBody),
		alone("lanes-live", views.PathLanes+"/live", laneMap, views.LaneMapLive),
		in("events", views.PathEvents, crumbs("Traffic", "", "Events", ""), events, views.EventsPage, views.EventsBody),
		in("events-first", views.PathEvents, crumbs("Traffic", "", "Events", ""), func() views.Events {
			return views.Events{Filter: views.EventFilter{}.Bar(nil, nil)}
		}, views.EventsPage, views.EventsBody),
		alone("events-live", views.PathTail, func() []views.EventRow { return eventRows(2) }, views.EventRows),
		in("letters", views.PathLetters, crumbs("Traffic", "", "Events", views.PathEvents, "Dead letters", ""), letters, views.LettersPage, views.LettersBody),
		in("letters-none", views.PathLetters, crumbs("Traffic", "", "Events", views.PathEvents, "Dead letters", ""), func() views.Letters {
			return views.Letters{Tabs: views.EventTabs(views.PathLetters, 0), Filter: views.LetterFilter{State: "waiting"}.Bar(views.PathLetters, nil, nil)}
		}, views.LettersPage, views.LettersBody),
		in("plugin-letters", views.PluginPath("hello-greeter", "dead-letters"), greeterAt, func() views.Letters {
			l, h := letters(), head("dead-letters")
			l.Head, l.Rows = &h, l.Rows[:3]
			return l
		}, views.LettersPage, views.LettersBody),
		in("trace", views.TracePath(traceID), auditAt, trace, views.TracePage, views.TraceBody),
		in("trace-none", views.TracePath(traceID), auditAt, func() views.Trace { return views.Trace{ID: traceID} }, views.TracePage, views.TraceBody),
		in("trace-long", views.TracePath(traceID), auditAt, longTrace, views.TracePage, views.TraceBody),
		in("event", views.EventPath("01959f3c"), crumbs("Traffic", "", "Events", views.PathEvents, "greeting.requested", ""), event, views.EventPage, views.EventBody),

		in("audit", views.PathAudit, auditAt, audit, views.AuditPage, views.AuditBody),
		in("audit-broken", views.PathAudit, auditAt, verified, views.AuditPage, views.AuditBody),
		in("record", views.RecordPath("change", 1048211), crumbs("Govern", "", "Audit", views.PathAudit, "Record 1,048,211", ""), func() views.AuditRecord { return record(auditRows(3)[2]) }, views.AuditRecordPage, views.AuditRecordBody),
		in("decision", views.DecisionPath(decisionID), crumbs("Govern", "", "Audit", views.PathAudit, "Why denied", ""), decision, views.DecisionPage, views.DecisionBody),
		in("decision-allowed", views.DecisionPath(decisionID), crumbs("Govern", "", "Decision", ""), func() views.Decision {
			d := decision()
			d.Allowed, d.Missing, d.Steps, d.Duties, d.Title = true, nil, d.Steps[:4], []string{"The fields name and phone were redacted."}, "Hello Greeter called get_profile"
			return d
		}, views.DecisionPage, views.DecisionBody),

		in("proof", views.PathProof, auditAt, func() views.BrowserProof { return views.BrowserProof{Export: views.PathExport + "?format=jsonl"} }, views.BrowserProofPage, views.BrowserProofBody),
		in("forwarding", views.PathForwarding, auditAt, forwarding, views.ForwardingPage, views.ForwardingBody),
		in("forwarding-first", views.PathForwarding, auditAt, func() views.Forwarding { return views.Forwarding{Add: forwarding().Add} }, views.ForwardingPage, views.ForwardingBody),
		in("retention", views.PathRetention, auditAt, keeping, views.RetentionPage, views.RetentionBody),
		in("retention-first", views.PathRetention, auditAt, func() views.Retention {
			r := keeping()
			return views.Retention{Keep: r.Keep, Due: r.Due, Hold: r.Hold, Purge: r.Purge}
		}, views.RetentionPage, views.RetentionBody),
		in("sink", views.PathForwarding+"/new", auditAt, sinkForm, views.SinkFormPage, views.SinkFormBody),

		in("users", views.PathUsers, people, users, views.UsersPage, views.UsersBody),
		in("user", views.UserPath("u2"), crumbs("People", "", "Users", views.PathUsers, "Hannah Weiss", ""), user, views.UserPage, views.UserBody),
		in("user-locked", views.UserPath("u2"), people, func() views.UserDetail {
			u := user()
			u.RolesWhy, u.Keys, u.Sessions, u.Traits, u.Moments = notYours(), nil, nil, nil, nil
			return u
		}, views.UserPage, views.UserBody),
		in("roles", views.PathRoles, crumbs("People", "", "Roles & traits", ""), matrix, views.MatrixPage, views.MatrixBody),
		in("roles-none", views.PathRoles, crumbs("People", "", "Roles & traits", ""), func() views.Matrix { m := matrix(); m.Groups = nil; return m }, views.MatrixPage, views.MatrixBody),
		in("trait", views.TraitPath("handles_phi"), crumbs("People", "", "Roles & traits", views.PathRoles, "handles_phi", ""), traitDetail, views.TraitPage, views.TraitBody),
		in("trait-nobody", views.TraitPath("handles_phi"), crumbs("People", "", "Roles & traits", views.PathRoles, "handles_phi", ""), func() views.TraitDetail {
			d := traitDetail()
			d.Holders = nil
			return d
		}, views.TraitPage, views.TraitBody),
		alone("invite-dialog", views.PathUserInvite, inviteForm, views.InviteDialog),
		alone("invite-link", views.PathUserInvite, inviteLink, views.InviteDialog),
		in("invite-page", views.PathUserInvite, people, inviteForm, views.InviteFormPage, views.InviteBody),

		in("report", views.PathUsersBulk, people, func() views.Report {
			return views.Report{Title: "Invite several", Object: "Line", Back: views.PathUsers, Links: "ines@northgate.example https://console.northgate.example/invite?token=0f9a7b", Rows: []views.ReportRow{
				{Name: "Hannah Weiss", Href: views.UserPath("u2")}, {Name: "nobody", Refused: "This is not an e-mail address."},
			}}
		}, views.ReportPage, views.ReportBody),
		in("invite-many", views.PathInviteMany, people, func() views.InviteManyForm {
			groups := roleField()
			groups.Name, groups.Label = "groups", "Groups"
			return views.InviteManyForm{List: views.Field{Name: "list", Label: "People", Type: views.Area, Required: true}, Roles: roleField(), Groups: &groups}
		}, views.InviteManyPage, views.InviteManyBody),

		in("account", views.PathAccount, crumbs("Account", ""), account, views.AccountPage, views.AccountBody),
		alone("key-dialog", views.PathKeys+"/new", keyForm, views.KeyDialog),
		alone("key-made", views.PathKeys, func() views.KeyForm { return views.KeyForm{Key: "vv_3f9a77c1aa20"} }, views.KeyDialog),
		in("key-page", views.PathKeys+"/new", crumbs("Account", ""), keyForm, views.KeyFormPage, views.KeyBody),

		in("plugin-config", views.PluginPath("hello-lurker", "configuration"), crumbs("Plugins", "", "Hello Lurker", ""), mailConfig, views.PluginConfigPage, views.PluginConfigBody),
		in("plugin-config-json", views.PluginPath("hello-lurker", "configuration"), crumbs("Plugins", "", "Hello Lurker", ""), jsonConfig, views.PluginConfigPage, views.PluginConfigBody),
		in("plugin-config-none", views.PluginPath("hello-lurker", "configuration"), crumbs("Plugins", "", "Hello Lurker", ""), func() views.PluginConfig { return views.PluginConfig{Head: mailConfig().Head, Empty: true} }, views.PluginConfigPage, views.PluginConfigBody),
		in("settings", views.PathConfig, crumbs("System", "", "Configuration", ""), allSettings, views.SettingsPage, views.SettingsBody),
		in("settings-none", views.PathConfig, crumbs("System", "", "Configuration", ""), func() views.Settings { s := allSettings(); s.Groups, s.Query = nil, "x"; return s }, views.SettingsPage, views.SettingsBody),
		in("setting", views.ConfigPath("metrics_token"), crumbs("System", "", "Configuration", views.PathConfig, "metrics_token", ""), settingForm, views.SettingFormPage, views.SettingFormBody),
		in("setting-history", views.PathConfigHistory, crumbs("System", "", "Configuration", views.PathConfig, "Changes", ""), settingChanges, views.SettingHistoryPage, views.SettingHistoryBody),
		in("setting-history-none", views.PathConfigHistory, crumbs("System", "", "Configuration", views.PathConfig, "Changes", ""), func() views.SettingHistory { return views.SettingHistory{Tabs: allSettings().Tabs} }, views.SettingHistoryPage, views.SettingHistoryBody),
		in("secrets", views.PathSecrets, crumbs("System", "", "Secrets", ""), secrets, views.SecretsPage, views.SecretsBody),
		in("secrets-none", views.PathSecrets, crumbs("System", "", "Secrets", ""), func() views.Secrets { return views.Secrets{} }, views.SecretsPage, views.SecretsBody),
		in("keys", views.PathAPIKeys, crumbs("People", "", "API keys", ""), everybodysKeys, views.KeysPage, views.KeysBody),
		in("keys-none", views.PathAPIKeys, crumbs("People", "", "API keys", ""), func() views.Keys { k := everybodysKeys(); k.Tabs, k.Rows, k.Stale = nil, nil, 0; return k }, views.KeysPage, views.KeysBody),
		alone("key-rotated", views.PathKeys, func() views.KeyForm {
			return views.KeyForm{Key: "vv_3f9a77c1aa20", Back: views.PathAPIKeys, OldUntil: now.Add(24 * time.Hour)}
		}, views.KeyDialog),

		in("palette-page", views.PathPalette, crumbs("Search", ""), palette, views.PalettePage, views.PaletteBody),
		alone("palette", views.PathPalette, palette, views.PaletteResults),
		alone("palette-none", views.PathPalette, func() views.Palette { return views.Palette{} }, views.PaletteResults),

		in("problem-403", "/console/x", crumbs("Not yours to see", ""), problemOf(403), views.ProblemPage, views.ProblemBody),
		in("problem-404", "/console/x", crumbs("Not found", ""), problemOf(404), views.ProblemPage, views.ProblemBody),
		in("problem-500", "/console/x", crumbs("Error", ""), problemOf(500), views.ProblemPage, views.ProblemBody),
		alone("problem-alone", "/x", func() views.Problem { p := problem(401); p.SignedIn = false; return p }, views.ProblemAlone),
		alone("problem-toast", "/x", problemOf(409), views.ProblemToast),
		alone("toasts", "/x", func() []views.Toast { return []views.Toast{{Text: "Saved"}} }, views.Toasts),
	}, append(append(policySamples(), groupSamples()...), alertSamples()...)...)
}

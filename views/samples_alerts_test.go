package views_test

import (
	"fmt"
	"time"

	"github.com/vivified/vivified/views"
)

const alertID = "01959f3c-7a10-7e4c-9d21-6f2a00000001"

func alertRows(n int) []views.AlertRow {
	var rows []views.AlertRow
	for i := range n {
		id := fmt.Sprintf("01959f3c-7a10-7e4c-9d21-6f2a%08d", i)
		r := views.AlertRow{
			ID: id, Severity: "warning", State: views.Open, Title: "A plugin is denied again and again: Hello Lurker", Text: "operator.call by Hello Lurker on labs/results was denied (operator.grant).", Count: int64(21 + i*i),
			Opened: ago(time.Duration(i*i) * time.Hour), Last: ago(time.Duration(i) * time.Minute),
			Actions: []views.Action{{Label: "Acknowledge", Object: "this", Icon: "badge-check", Ask: true, Href: views.AlertPath(id, "acknowledge")}, {Label: "Silence", Object: "this", Icon: "pause", Ask: true, Href: views.AlertPath(id, "silence")}},
		}
		switch i % 4 {
		case 1:
			r.Severity, r.Title, r.Text = "critical", "A plugin is unhealthy: Fax Bridge <script>", "3 checks in a row failed."
		case 2:
			r.State, r.Acked, r.Actions = views.Acknowledged, "Mara Lindqvist", r.Actions[1:]
		case 3:
			r.Severity, r.State, r.Silenced, r.Actions = "info", views.Resolved, ago(-time.Hour), nil
		}
		rows = append(rows, r)
	}
	return rows
}

func alerts() views.Alerts {
	return views.Alerts{
		Tabs: views.AlertTabs(views.PathAlerts, 2), Rows: alertRows(views.AlertsPerPage), Pager: views.Pager{Older: "?cursor=x"},
		Filter: views.AlertFilter{State: "open"}.Bar([]views.Option{{Value: "core.denials-plugin", Label: "A plugin is denied again and again"}}, []views.Option{{Value: "hello-lurker", Label: "Hello Lurker"}}),
	}
}

func alertDetail() views.AlertDetail {
	a := views.AlertDetail{
		AlertRow: alertRows(2)[1], Meaning: "A plugin asks for what no rule lets it have: its manifest lacks something, or it is not what it seems.",
		Facts: []views.KV{{Label: "Rule", Value: "A plugin is denied again and again", Href: views.AlertRulePath("core.denials-plugin")}, {Label: "Id", Value: alertID, Mono: true, Copy: true}},
		Told: []views.Moment{
			{At: ago(time.Minute), Tone: views.Info, Icon: "badge-check", Text: "Acknowledged by Mara Lindqvist", Note: "Its grant ran out."},
			{At: ago(2 * time.Minute), Tone: views.OK, Icon: "send", Text: "Webhook: told that it is opened"}, {At: ago(3 * time.Minute), Tone: views.Danger, Icon: "bell", Text: "Opened"},
		},
		Records: auditRows(6), More: views.PathAudit + "?outcome=deny",
	}
	a.Actions[0].Primary = true
	return a
}

func alertRules() views.AlertRules {
	rules := views.AlertRules{
		Tabs: views.AlertTabs(views.PathAlertRules, 0), Add: views.Action{Label: "Add a rule", Icon: "plus", Primary: true, Get: true, Href: views.AlertRulePath("new")},
		Channels: []views.ChannelRow{
			{Name: "Webhook", Ready: true, Text: "https://hooks.example.org/vivified", Action: views.Action{Label: "Send a trial", Object: "Webhook", Icon: "send", Href: views.PathChannels + "/webhook/try"}},
			{Name: "E-mail", Text: "Set alert_email_to.", Action: views.Action{Label: "Send a trial", Object: "E-mail", Icon: "send", Href: views.PathChannels + "/email/try", Why: &views.Why{Text: "It is not set up."}}},
		},
	}
	for i, name := range []string{"A plugin is unhealthy", "A plugin is denied again and again", "Exports at night"} {
		id := fmt.Sprintf("core.rule-%d", i)
		rules.Rows = append(rules.Rows, views.AlertRuleRow{
			ID: id, Name: name, Watches: "20 records within 5 minutes: outcome deny, of a plugin, by actor.", Severity: "warning", On: i != 2, Channels: "Console, Webhook", From: "Shipped",
			Actions: []views.Action{{Label: "Change", Object: name, Icon: "pencil", Get: true, Href: views.AlertRulePath(id)}, {Label: "Silence", Object: name, Icon: "pause", Ask: true, Href: views.AlertRulePath(id, "silence")}},
		})
	}
	return rules
}

func alertRuleForm() views.AlertRuleForm {
	return views.AlertRuleForm{
		Title: "Add a rule", Text: "It is held against every record from now on.", Path: views.PathAlertRules, Verb: "Add the rule",
		Kinds:  []views.Tab{{Label: "On records", Href: views.AlertRulePath("new"), Current: true}, {Label: "On health", Href: views.AlertRulePath("new") + "?kind=health"}},
		Fields: []views.Field{{Name: "name", Label: "Name", Required: true, Error: "The name has 1 to 100 characters."}, {Name: "severity", Label: "Severity", Type: views.Select, Options: []views.Option{{Value: "warning", Label: "Warning"}}}},
		Errors: views.ErrorList{Title: "1 value needs a correction; nothing was saved", Errors: []views.FieldError{{Field: "f-name", Text: "Name: 1 to 100 characters."}}},
		Try:    true, Days: views.Field{Name: "days", Label: "Days", Type: views.Number, Value: "7", Min: "1", Max: "90", Short: true},
		Replay: &views.AlertReplay{Days: 7, Records: 48000, Matching: 212, Partly: true, Total: 2, Alerts: []views.ReplayedAlert{
			{Title: "Denials: Hello Lurker", First: ago(50 * time.Hour), Last: ago(49 * time.Hour), Count: 23, Href: views.RecordPath("change", 7)},
		}},
	}
}

func silences() views.Silences {
	return views.Silences{Tabs: views.AlertTabs(views.PathSilences, 2), Rows: []views.SilenceRow{
		{ID: "s1", Rule: "A plugin is unhealthy", About: "Fax Bridge", Reason: "It is being repaired.", Begun: ago(time.Hour), Until: ago(-time.Hour), By: "Mara Lindqvist", Actions: []views.Action{{Label: "End now", Object: "this", Icon: "x", Href: views.SilencePath("s1", "end")}}},
		{ID: "s2", Rule: "Sign-ins fail again and again", Reason: "A penetration test.", Begun: ago(time.Hour), Until: ago(-48 * time.Hour), By: "Mara Lindqvist", Actions: []views.Action{{Label: "End now", Object: "that", Icon: "x", Href: views.SilencePath("s2", "end")}}},
	}}
}

// alertSamples are the pages of alerts.
func alertSamples() []sample {
	home := crumbs("Home", "", "Alerts", "")
	return []sample{
		in("alerts", views.PathAlerts, home, alerts, views.AlertsPage, views.AlertsBody),
		in("alerts-first", views.PathAlerts, home, func() views.Alerts {
			return views.Alerts{Tabs: views.AlertTabs(views.PathAlerts, 0), Filter: views.AlertFilter{}.Bar(nil, nil), None: views.Empty{Kind: views.NoneYet, Title: "No alert yet", Text: "Rules watch."}}
		}, views.AlertsPage, views.AlertsBody),
		in("alert", views.AlertPath(alertID), home, alertDetail, views.AlertPage, views.AlertBody),
		in("alert-hidden", views.AlertPath(alertID), home, func() views.AlertDetail {
			a := alertDetail()
			a.Records, a.More, a.Hidden = nil, "", true
			return a
		}, views.AlertPage, views.AlertBody),
		in("alert-rules", views.PathAlertRules, home, alertRules, views.AlertRulesPage, views.AlertRulesBody),
		in("alert-rule", views.AlertRulePath("new"), home, alertRuleForm, views.AlertRuleFormPage, views.AlertRuleFormBody),
		in("silences", views.PathSilences, home, silences, views.SilencesPage, views.SilencesBody),
		in("silences-none", views.PathSilences, home, func() views.Silences { return views.Silences{Tabs: views.AlertTabs(views.PathSilences, 0)} }, views.SilencesPage, views.SilencesBody),
	}
}

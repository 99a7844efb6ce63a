package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/alert"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// stateWords are the states that rules watch, as people call them.
var stateWords = map[alert.State]string{
	alert.PluginUnhealthy: "a plugin is unhealthy", alert.PluginDegraded: "a plugin is degraded", alert.PluginQuarantined: "a plugin is in quarantine",
	alert.SinkFailing: "a sink of the audit takes no records", alert.SinkLag: "a sink of the audit waits for records", alert.LastAdmin: "there is one active administrator",
}

// watches says in a sentence what a rule watches.
func watches(s alert.Spec) string {
	if s.OnHealth() {
		text := stateWords[s.State]
		if s.For > 0 {
			text += " for " + spanWords(time.Duration(s.For))
		}
		return strings.ToUpper(text[:1]) + text[1:] + "."
	}
	text := count(s.Count, "record", "records") + " within " + spanWords(time.Duration(s.Window))
	if s.Count == 1 {
		text = "Any record"
	}
	if parts := matchWords(s.Match); parts != "" {
		text += ": " + parts
	}
	if s.By != alert.ByNothing {
		text += ", told apart by " + string(s.By)
	}
	if s.Clear != nil {
		text += "; until " + matchWords(*s.Clear)
	}
	return text + "."
}

// matchWords says which records are meant.
func matchWords(m alert.Match) string {
	var parts []string
	for _, p := range [...]struct{ name, value string }{
		{"", m.Action}, {"outcome ", m.Outcome}, {"by a ", m.ActorKind}, {"actor ", m.Actor}, {"plugin ", m.Plugin}, {"object ", m.Object}, {"class ", m.Class}, {"rule ", m.Rule}, {"address ", m.Address}, {"", detailText(m.Detail)},
	} {
		if p.value != "" {
			parts = append(parts, p.name+p.value)
		}
	}
	return strings.Join(parts, ", ")
}

// detailText writes members as "ok=false to=open".
func detailText(detail map[string]string) string {
	var parts []string
	for name, value := range detail {
		parts = append(parts, name+"="+value)
	}
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// readDetail is the reverse of detailText.
func readDetail(text string) map[string]string {
	var detail map[string]string
	for _, part := range strings.Fields(text) {
		name, value, _ := strings.Cut(part, "=")
		if detail == nil {
			detail = map[string]string{}
		}
		detail[name] = value
	}
	return detail
}

// spanWords writes a length of time as people do.
func spanWords(d time.Duration) string {
	switch {
	case d%time.Hour == 0 && d > 0:
		return count(int(d/time.Hour), "hour", "hours")
	case d%time.Minute == 0 && d > 0:
		return count(int(d/time.Minute), "minute", "minutes")
	}
	return count(int(d/time.Second), "second", "seconds")
}

// alertRulesPage handles GET /console/alerts/rules.
func (s *Server) alertRulesPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	rules, err := s.Alerts.Rules(ctx)
	if err != nil {
		return err
	}
	why := v.why(ctx, trait.ConfigManager, "Only configuration managers may change rules.")
	props := views.AlertRules{Add: views.Action{Label: "Add a rule", Icon: "plus", Primary: true, Get: true, Href: views.AlertRulePath("new"), Why: why}, Channels: s.channelRows(why)}
	if props.Tabs, err = v.alertTabs(ctx, views.PathAlertRules); err != nil {
		return err
	}
	for _, r := range rules {
		row := views.AlertRuleRow{ID: r.ID, Name: r.Name, Watches: watches(r.Spec), Severity: views.Severity(r.Severity), On: r.Enabled, Channels: channelWords(r.Channels), From: r.By}
		row.Actions = []views.Action{
			{Label: "Change", Object: r.Name, Icon: "pencil", Get: true, Href: views.AlertRulePath(r.ID), Why: why},
			{Label: "Silence", Object: r.Name, Icon: "pause", Ask: true, Href: views.AlertRulePath(r.ID, "silence")},
		}
		switch {
		case r.Builtin && !r.Changed:
			row.From = "Shipped"
		case r.Builtin:
			row.From = "Shipped, changed by " + r.By
			row.Actions = append(row.Actions, views.Action{Label: "As shipped", Object: r.Name, Icon: "undo-2", Ask: true, Href: views.AlertRulePath(r.ID, "remove"), Why: why})
		default:
			row.Actions = append(row.Actions, views.Action{Label: "Remove", Object: r.Name, Icon: "trash-2", Danger: true, Ask: true, Href: views.AlertRulePath(r.ID, "remove"), Why: why})
		}
		props.Rows = append(props.Rows, row)
	}
	return answer(c, v, http.StatusOK, alertsFrame("Rules", ""), props, views.AlertRulesPage, views.AlertRulesBody)
}

func channelWords(channels []alert.Channel) string {
	words := []string{"Console"}
	for _, c := range channels {
		words = append(words, channelNames[c])
	}
	return strings.Join(words, ", ")
}

// channelRows are the ways of telling people, and where they lead.
func (s *Server) channelRows(why *views.Why) []views.ChannelRow {
	ready, ways := s.Alerts.Ready(), s.Alerts.Ways()
	where := map[alert.Channel]string{
		alert.Webhook: "Set " + settings.AlertWebhookURL.String() + " and " + settings.AlertWebhookSecret.String() + ".",
		alert.Email:   "Set " + settings.AlertEmailTo.String() + ", and " + settings.SMTPAddress.String() + " unless a plugin sends messages.",
	}
	if ready[alert.Webhook] {
		where[alert.Webhook] = ways.WebhookURL
	}
	if ready[alert.Email] {
		where[alert.Email] = strings.Join(ways.To, ", ")
	}
	var rows []views.ChannelRow
	for _, channel := range alert.Channels() {
		trial := views.Action{Label: "Send a trial", Object: channelNames[channel], Icon: "send", Href: views.PathChannels + "/" + string(channel) + "/try", Why: why}
		if !ready[channel] && why == nil {
			trial.Why = &views.Why{Text: "It is not set up."}
		}
		rows = append(rows, views.ChannelRow{Name: channelNames[channel], Ready: ready[channel], Text: where[channel], Action: trial})
	}
	return rows
}

// tryChannelNow handles POST /console/alerts/channels/:channel/try.
func (s *Server) tryChannelNow(c echo.Context) error {
	channel := alert.Channel(c.Param("channel"))
	if err := s.Alerts.Try(c.Request().Context(), channel); err != nil {
		f := fault.Of(err)
		if f.Kind != fault.BadGateway && f.Kind != fault.Conflict {
			return err
		}
		return s.done(c, flash{Tone: views.Warn, Text: f.Sentence}, views.PathAlertRules)
	}
	return s.done(c, flash{Text: channelNames[channel] + ": a trial message is sent."}, views.PathAlertRules)
}

// askSilenceRule handles GET /console/alerts/rules/:id/silence.
func (s *Server) askSilenceRule(c echo.Context) error {
	r, err := s.Alerts.Rule(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	return ask(c, s.visit(c.Request()), http.StatusOK, alertsFrame(), silenceQuestion(r.Name, views.PathAlertRules, views.AlertRulePath(r.ID, "silence"), url.Values{}))
}

// silenceRuleNow handles POST /console/alerts/rules/:id/silence.
func (s *Server) silenceRuleNow(c echo.Context) error {
	r, err := s.Alerts.Rule(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	return s.silenced(c, r.ID, nil, r.Name, views.PathAlertRules, views.AlertRulePath(r.ID, "silence"))
}

// askRemoveAlertRule handles GET /console/alerts/rules/:id/remove.
func (s *Server) askRemoveAlertRule(c echo.Context) error {
	r, err := s.Alerts.Rule(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	q := views.Confirm{
		Title: "Remove " + r.Name + "?", Text: "It finds nothing any more, and what it opened ends.", Back: views.PathAlertRules,
		Action: views.Action{Label: "Remove", Icon: "trash-2", Danger: true, Primary: true, Href: views.AlertRulePath(r.ID, "remove")},
	}
	if r.Builtin {
		q.Title, q.Text = "Put "+r.Name+" back as shipped?", "What was changed about it is lost."
		q.Action.Label, q.Action.Icon, q.Action.Danger = "Put back", "undo-2", false
	}
	return ask(c, s.visit(c.Request()), http.StatusOK, alertsFrame(), q)
}

// removeAlertRuleNow handles POST /console/alerts/rules/:id/remove.
func (s *Server) removeAlertRuleNow(c echo.Context) error {
	ctx := c.Request().Context()
	r, err := s.Alerts.Rule(ctx, c.Param("id"))
	if err != nil {
		return err
	}
	if err := s.Alerts.Remove(ctx, r.ID); err != nil {
		return err
	}
	if r.Builtin {
		return s.done(c, flash{Text: r.Name + " is as shipped."}, views.PathAlertRules)
	}
	return s.done(c, flash{Text: r.Name + " is removed."}, views.PathAlertRules)
}

// ruleVersion reads the version of a rule that a form was drawn from.
func ruleVersion(in url.Values) int64 {
	n, err := strconv.ParseInt(in.Get("version"), 10, 64)
	if err != nil {
		return -1 // of no rule
	}
	return n
}

package handlers

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/alert"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// consoleAlerts are the pages of alerts.
func (s *Server) consoleAlerts() []route {
	see, rule := []trait.ID{trait.SystemMonitor}, []trait.ID{trait.SystemMonitor, trait.ConfigManager}
	const one, rules, oneRule = views.PathAlerts + "/:id", views.PathAlertRules, views.PathAlertRules + "/:id"
	return []route{
		{method: get, path: views.PathAlerts, who: users, needs: see, action: "alert.view", handler: s.alertsPage},
		{method: get, path: one, who: users, needs: see, action: "alert.view", handler: s.alertPage},
		{method: get, path: one + "/acknowledge", who: users, needs: see, action: "alert.view", handler: s.askAcknowledge},
		{method: post, path: one + "/acknowledge", who: users, needs: see, action: "alert.acknowledge", handler: s.acknowledgeNow, body: form},
		{method: get, path: one + "/silence", who: users, needs: see, action: "alert.view", handler: s.askSilence},
		{method: post, path: one + "/silence", who: users, needs: see, action: "alert.silence", handler: s.silenceNow, body: form, fresh: true},
		{method: get, path: views.PathSilences, who: users, needs: see, action: "alert.view", handler: s.silencesPage},
		{method: post, path: views.PathSilences + "/:id/end", who: users, needs: see, action: "alert.silence", handler: s.endSilenceNow, body: form},
		{method: get, path: rules, who: users, needs: see, action: "alert.view", handler: s.alertRulesPage},
		{method: post, path: rules, who: users, needs: rule, action: "alert.rule", handler: s.makeAlertRule, body: form, fresh: true},
		{method: get, path: rules + "/new", who: users, needs: rule, action: "alert.view", handler: s.newAlertRulePage},
		{method: post, path: rules + "/try", who: users, needs: []trait.ID{trait.SystemMonitor, trait.ConfigManager, trait.AuditViewer}, action: "audit.read", handler: s.tryAlertRuleNow, body: form, slow: true},
		{method: get, path: oneRule, who: users, needs: rule, action: "alert.view", handler: s.alertRulePage},
		{method: post, path: oneRule, who: users, needs: rule, action: "alert.rule", handler: s.saveAlertRule, body: form, fresh: true},
		{method: get, path: oneRule + "/silence", who: users, needs: see, action: "alert.view", handler: s.askSilenceRule},
		{method: post, path: oneRule + "/silence", who: users, needs: see, action: "alert.silence", handler: s.silenceRuleNow, body: form, fresh: true},
		{method: get, path: oneRule + "/remove", who: users, needs: rule, action: "alert.view", handler: s.askRemoveAlertRule},
		{method: post, path: oneRule + "/remove", who: users, needs: rule, action: "alert.rule", handler: s.removeAlertRuleNow, body: form, fresh: true},
		{method: post, path: views.PathChannels + "/:channel/try", who: users, needs: rule, action: "alert.channel", handler: s.tryChannelNow, body: form, slow: true},
	}
}

func alertsFrame(way ...string) frame {
	return at(views.PathAlerts, append([]string{"Home", "", "Alerts", views.PathAlerts}, way...)...)
}

// bell counts the alerts that wait, for those who may see them.
func (v *visit) bell(ctx context.Context) *views.Bell {
	if !v.has(trait.SystemMonitor) {
		return nil
	}
	n, err := v.Alerts.Waiting(ctx)
	if err != nil {
		return &views.Bell{} // a page is better without the count than not at all
	}
	b := &views.Bell{Tone: views.Info}
	for _, severity := range alert.Severities() {
		if b.Waiting == 0 && n[severity] > 0 {
			b.Tone = alertTones[severity]
		}
		b.Waiting += n[severity]
	}
	return b
}

var alertTones = map[alert.Severity]views.Tone{alert.Critical: views.Danger, alert.Warning: views.Warn, alert.Info: views.Info}

// alertTabs are the tabs of the pages of alerts.
func (v *visit) alertTabs(ctx context.Context, current string) ([]views.Tab, error) {
	quiet, err := v.Alerts.Silences(ctx)
	return views.AlertTabs(current, len(quiet)), err
}

// alertsPage handles GET /console/alerts.
func (s *Server) alertsPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	shown := views.ReadAlertFilter(c.QueryParams())
	rules, err := s.Alerts.Rules(ctx)
	if err != nil {
		return err
	}
	var options []views.Option
	for _, r := range rules {
		options = append(options, views.Option{Value: r.ID, Label: r.Name})
	}
	f := alert.Filter{Stage: alert.Stage(shown.State), Rule: shown.Rule, Severity: alert.Severity(shown.Severity), Plugin: shown.Plugin, Limit: views.AlertsPerPage, Cursor: c.QueryParam("cursor")}
	if yes := true; shown.State == "silenced" {
		f.Stage, f.Silenced = "", &yes
	}
	page, err := s.Alerts.List(ctx, f)
	if err != nil {
		return err
	}
	props := views.Alerts{Filter: shown.Bar(options, v.pluginOptions()), None: views.Empty{Kind: views.NoneYet, Title: "No alert yet", Text: "Rules watch the audit and the health of the installation; what they find appears here."}}
	if props.Tabs, err = v.alertTabs(ctx, views.PathAlerts); err != nil {
		return err
	}
	if f.Cursor != "" {
		props.Pager.Newer = props.Filter.Link(views.PathAlerts, nil)
	}
	if page.Next != "" {
		props.Pager.Older = props.Filter.Link(views.PathAlerts, url.Values{"cursor": {page.Next}})
	}
	for _, a := range page.Alerts {
		props.Rows = append(props.Rows, alertRow(a))
	}
	return answer(c, v, http.StatusOK, alertsFrame(), props, views.AlertsPage, views.AlertsBody)
}

// alertRow is an alert in a list, with what can be done about it.
func alertRow(a alert.Alert) views.AlertRow {
	id := a.ID.String()
	row := views.AlertRow{
		ID: id, Severity: views.Severity(a.Severity), State: views.Status(a.Stage), Title: a.Title, Text: a.Text, Count: a.Count, Opened: a.OpenedAt, Last: a.LastAt, Silenced: a.Silenced, Acked: a.AckedName,
	}
	if a.Stage == alert.Open {
		row.Actions = append(row.Actions, views.Action{Label: "Acknowledge", Object: a.Title, Icon: "badge-check", Ask: true, Href: views.AlertPath(id, "acknowledge")})
	}
	if a.Stage != alert.Resolved && a.Silenced.IsZero() {
		row.Actions = append(row.Actions, views.Action{Label: "Silence", Object: a.Title, Icon: "pause", Ask: true, Href: views.AlertPath(id, "silence")})
	}
	return row
}

func (s *Server) alertAt(c echo.Context) (alert.Alert, error) {
	id, err := alertID(c)
	if err != nil {
		return alert.Alert{}, err
	}
	return s.Alerts.Alert(c.Request().Context(), id)
}

// alertPage handles GET /console/alerts/:id.
func (s *Server) alertPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	a, err := s.alertAt(c)
	if err != nil {
		return err
	}
	notices, err := s.Alerts.Notices(ctx, a.ID)
	if err != nil {
		return err
	}
	props := views.AlertDetail{AlertRow: alertRow(a), Facts: v.alertFacts(a), Told: alertStory(a, notices), Hidden: !v.has(trait.AuditViewer)}
	if len(props.Actions) > 0 && a.Stage == alert.Open {
		props.Actions[0].Primary = true
	}
	rule, err := s.Alerts.Rule(ctx, a.Rule)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err == nil {
		props.Meaning = rule.Text
	}
	if !props.Hidden {
		records, err := s.alertRecords(ctx, a)
		if err != nil {
			return err
		}
		for i := range records {
			props.Records = append(props.Records, v.auditRow(ctx, &records[i]))
		}
		if err == nil && rule.ID != "" && !rule.OnHealth() {
			props.More = recordsLike(a, rule)
		}
	}
	return answer(c, v, http.StatusOK, alertsFrame(a.Title, ""), props, views.AlertPage, views.AlertBody)
}

// alertFacts are what is known of an alert beside its title.
func (v *visit) alertFacts(a alert.Alert) []views.KV {
	facts := []views.KV{{Label: "Rule", Value: a.RuleName}, {Label: "Met", Value: count(int(a.Count), "time", "times")}}
	if v.has(trait.ConfigManager) {
		facts[0].Href = views.AlertRulePath(a.Rule)
	}
	if a.Plugin != "" {
		facts = append(facts, views.KV{Label: "Plugin", Value: v.plugin(a.Plugin).Name, Href: views.PluginPath(a.Plugin)})
	}
	if a.Object != "" && a.Object != a.Plugin {
		facts = append(facts, views.KV{Label: "Object", Value: a.Object, Mono: true})
	}
	waits := "Its end resolves it."
	if a.Sticky {
		waits = "It waits for a person even when it is over."
	}
	return append(facts, views.KV{Label: "End", Value: waits}, views.KV{Label: "Id", Value: a.ID.String(), Mono: true, Copy: true})
}

// alertStory is what became of an alert, the latest first.
func alertStory(a alert.Alert, notices []alert.Notice) []views.Moment {
	var told []views.Moment
	note := func(at *time.Time, m views.Moment) {
		if at != nil {
			m.At = at.UTC()
			told = append(told, m)
		}
	}
	note(a.ResolvedAt, views.Moment{Tone: views.OK, Icon: "circle-check", Text: "Resolved"})
	if a.ResolvedAt == nil {
		note(a.EndedAt, views.Moment{Icon: "hourglass", Text: "Its condition ended", Note: "It waits for a person."})
	}
	note(a.AckedAt, views.Moment{Tone: views.Info, Icon: "badge-check", Text: "Acknowledged by " + a.AckedName, Note: a.Note})
	for _, n := range notices {
		m := views.Moment{At: n.At, Icon: "send", Text: channelNames[n.Channel] + ": told that it is " + n.Event}
		switch {
		case n.SentAt != nil:
			m.At, m.Tone = *n.SentAt, views.OK
		case n.GivenUp:
			m.Tone, m.Text, m.Note = views.Danger, channelNames[n.Channel]+": not told", "Given up: "+n.Error
		case n.Attempts > 0:
			m.Tone, m.Text, m.Note = views.Warn, channelNames[n.Channel]+": not told yet", count(n.Attempts, "attempt", "attempts")+". "+n.Error
		default:
			m.Text = channelNames[n.Channel] + ": about to be told"
		}
		told = append(told, m)
	}
	return append(told, views.Moment{At: a.OpenedAt, Tone: alertTones[a.Severity], Icon: "bell", Text: "Opened"})
}

var channelNames = map[alert.Channel]string{alert.Webhook: "Webhook", alert.Email: "E-mail"}

// recordsLike is the address of the records that a rule is about, around an alert.
func recordsLike(a alert.Alert, r alert.Rule) string {
	const form = "2006-01-02T15:04:05Z"
	q := url.Values{"range": {"custom"}, "from": {a.OpenedAt.Add(-time.Duration(r.Window) - time.Minute).UTC().Format(form)}, "to": {a.LastAt.Add(time.Minute).UTC().Format(form)}}
	for name, value := range map[string]string{"action": r.Match.Action, "outcome": r.Match.Outcome, "actor": r.Match.Actor, "plugin": r.Match.Plugin, "object": r.Match.Object, "class": r.Match.Class, "rule": r.Match.Rule, "address": r.Match.Address} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if by := r.Spec.By; by != alert.ByNothing && a.Key != "" {
		q.Set(string(by), a.Key)
	}
	return views.PathAudit + "?" + q.Encode()
}

func acknowledgeQuestion(a alert.Alert, in url.Values) views.Confirm {
	id := a.ID.String()
	return views.Confirm{
		Title: "Acknowledge " + a.Title + "?", Text: "It says that you have seen it and look after it. It is resolved once its condition ends.", Back: views.AlertPath(id),
		Fields: []views.Field{{Name: "note", Label: "Note", Type: views.Area, Value: in.Get("note"), Required: true, MaxLength: 1000, Help: "What you found, or what you do about it."}},
		Action: views.Action{Label: "Acknowledge", Icon: "badge-check", Primary: true, Href: views.AlertPath(id, "acknowledge")},
	}
}

// askAcknowledge handles GET /console/alerts/:id/acknowledge.
func (s *Server) askAcknowledge(c echo.Context) error {
	a, err := s.alertAt(c)
	if err != nil {
		return err
	}
	return ask(c, s.visit(c.Request()), http.StatusOK, alertsFrame(), acknowledgeQuestion(a, url.Values{}))
}

// acknowledgeNow handles POST /console/alerts/:id/acknowledge.
func (s *Server) acknowledgeNow(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	a, err := s.alertAt(c)
	if err != nil {
		return err
	}
	if _, err := s.Alerts.Acknowledge(c.Request().Context(), a.ID, in.Get("note")); err != nil {
		return s.askAlertAgain(c, acknowledgeQuestion(a, in), err)
	}
	return s.done(c, flash{Text: a.Title + " is acknowledged."}, views.AlertPath(a.ID.String()))
}

// askAlertAgain shows a question with what was wrong with the answer.
func (s *Server) askAlertAgain(c echo.Context, q views.Confirm, err error) error {
	f := fault.Of(err)
	if !isForm(f) && f.Kind != fault.Conflict {
		return err
	}
	if list := corrections(f, pointers(q.Fields)...); len(list.Errors) == 0 || f.Kind == fault.Conflict {
		q.Error = f.Sentence
	}
	return ask(c, s.visit(c.Request()), http.StatusUnprocessableEntity, alertsFrame(), q)
}

// silenceTimes are how long people are offered to silence something.
func silenceTimes(chosen string) []views.Option {
	return choices([]views.Option{{Value: "1h", Label: "1 hour"}, {Value: "4h", Label: "4 hours"}, {Value: "24h", Label: "1 day"}, {Value: "168h", Label: "7 days"}, {Value: "720h", Label: "30 days"}}, []string{cmp.Or(chosen, "1h")})
}

func silenceQuestion(what, back, href string, in url.Values) views.Confirm {
	return views.Confirm{
		Title: "Silence " + what + "?", Text: "No channel is told meanwhile; the console shows it all the same. Whoever looks sees who silenced it and why.", Back: back,
		Fields: []views.Field{
			{Name: "for", Label: "For", Type: views.Select, Value: cmp.Or(in.Get("for"), "1h"), Options: silenceTimes(in.Get("for"))},
			{Name: "reason", Label: "Reason", Type: views.Area, Value: in.Get("reason"), Required: true, MaxLength: 1000},
		},
		Action: views.Action{Label: "Silence", Icon: "pause", Primary: true, Href: href},
	}
}

// askSilence handles GET /console/alerts/:id/silence.
func (s *Server) askSilence(c echo.Context) error {
	a, err := s.alertAt(c)
	if err != nil {
		return err
	}
	id := a.ID.String()
	return ask(c, s.visit(c.Request()), http.StatusOK, alertsFrame(), silenceQuestion(a.Title, views.AlertPath(id), views.AlertPath(id, "silence"), url.Values{}))
}

// silenceNow handles POST /console/alerts/:id/silence.
func (s *Server) silenceNow(c echo.Context) error {
	a, err := s.alertAt(c)
	if err != nil {
		return err
	}
	id := a.ID.String()
	return s.silenced(c, a.Rule, &a.Key, a.Title, views.AlertPath(id), views.AlertPath(id, "silence"))
}

// silenced silences what a form was asked for.
func (s *Server) silenced(c echo.Context, rule string, key *string, what, back, href string) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	how, _ := time.ParseDuration(in.Get("for")) // none is no time, and refused
	if _, err := s.Alerts.Silence(c.Request().Context(), rule, key, in.Get("reason"), how); err != nil {
		return s.askAlertAgain(c, silenceQuestion(what, back, href, in), err)
	}
	return s.done(c, flash{Text: what + " is silenced."}, back)
}

// silencesPage handles GET /console/alerts/silences.
func (s *Server) silencesPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	all, err := s.Alerts.Silences(ctx)
	if err != nil {
		return err
	}
	props := views.Silences{Tabs: views.AlertTabs(views.PathSilences, len(all))}
	for _, q := range all {
		row := views.SilenceRow{
			ID: q.ID.String(), Rule: q.RuleName, Reason: q.Reason, Begun: q.BegunAt, Until: q.Until, By: q.By,
			Actions: []views.Action{{Label: "End now", Object: q.RuleName, Icon: "x", Href: views.SilencePath(q.ID.String(), "end")}},
		}
		if q.Key != nil {
			row.About = cmp.Or(v.keyed(*q.Key), "the alert of this rule")
		}
		props.Rows = append(props.Rows, row)
	}
	return answer(c, v, http.StatusOK, alertsFrame("Silences", ""), props, views.SilencesPage, views.SilencesBody)
}

// keyed is what a key stands for, as people call it.
func (v *visit) keyed(key string) string {
	if p, ok := v.snap.Plugin(key); ok {
		return p.Name
	}
	return strings.TrimSpace(key)
}

// endSilenceNow handles POST /console/alerts/silences/:id/end.
func (s *Server) endSilenceNow(c echo.Context) error {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return fault.New(fault.NotFound, "alert.silence_unknown", "There is no such silence; it may be over.")
	}
	if err := s.Alerts.EndSilence(c.Request().Context(), id); err != nil {
		return err
	}
	return s.done(c, flash{Text: "The silence is over."}, views.PathSilences)
}

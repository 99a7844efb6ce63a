package handlers

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/alert"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
)

// alertRoutes are the routes of alerts, for programs.
func (s *Server) alertRoutes() []route {
	see, rule := []trait.ID{trait.SystemMonitor}, []trait.ID{trait.SystemMonitor, trait.ConfigManager}
	const one, rules, silences = "/admin/alerts/:id", "/admin/alerts/rules", "/admin/alerts/silences"
	return []route{
		{method: get, path: "/admin/alerts", who: users, needs: see, action: "alert.view", handler: s.listAlerts},
		{method: get, path: one, who: users, needs: see, action: "alert.view", handler: s.showAlert},
		{method: post, path: one + "/acknowledge", who: users, needs: see, action: "alert.acknowledge", handler: s.acknowledgeAlert},
		{method: get, path: silences, who: users, needs: see, action: "alert.view", handler: s.listSilences},
		{method: post, path: silences, who: users, needs: see, action: "alert.silence", handler: s.beginSilence, fresh: true},
		{method: del, path: silences + "/:id", who: users, needs: see, action: "alert.silence", handler: s.endSilence},
		{method: get, path: rules, who: users, needs: see, action: "alert.view", handler: s.listAlertRules},
		{method: post, path: rules, who: users, needs: rule, action: "alert.rule", handler: s.addAlertRule, fresh: true},
		{method: post, path: rules + "/try", who: users, needs: []trait.ID{trait.SystemMonitor, trait.AuditViewer}, action: "audit.read", handler: s.tryAlertRule, slow: true},
		{method: get, path: rules + "/:id", who: users, needs: see, action: "alert.view", handler: s.showAlertRule},
		{method: put, path: rules + "/:id", who: users, needs: rule, action: "alert.rule", handler: s.changeAlertRule, fresh: true},
		{method: del, path: rules + "/:id", who: users, needs: rule, action: "alert.rule", handler: s.removeAlertRule, fresh: true},
		{method: post, path: "/admin/alerts/channels/:channel/try", who: users, needs: rule, action: "alert.channel", handler: s.tryChannel, slow: true},
	}
}

// alertView is an alert.
type alertView struct {
	ID           uuid.UUID       `json:"id"`
	Rule         string          `json:"rule"`
	RuleName     string          `json:"rule_name"`
	Key          string          `json:"key"`
	Severity     alert.Severity  `json:"severity"`
	State        alert.Stage     `json:"state"`
	Title        string          `json:"title"`
	Text         string          `json:"text"`
	Plugin       string          `json:"plugin"`
	Object       string          `json:"object"`
	Count        int64           `json:"count"`
	Sticky       bool            `json:"sticky"`
	Channels     []alert.Channel `json:"channels"`
	OpenedAt     time.Time       `json:"opened_at"`
	LastAt       time.Time       `json:"last_at"`
	EndedAt      *time.Time      `json:"ended_at"`
	ResolvedAt   *time.Time      `json:"resolved_at"`
	NotifiedAt   *time.Time      `json:"notified_at"`
	SilencedTill *time.Time      `json:"silenced_until"`
	AckedBy      string          `json:"acknowledged_by"`
	AckedAt      *time.Time      `json:"acknowledged_at"`
	Note         string          `json:"note"`
}

func alertOf(a alert.Alert) alertView {
	v := alertView{
		a.ID, a.Rule, a.RuleName, a.Key, a.Severity, a.Stage, a.Title, a.Text, a.Plugin, a.Object, a.Count, a.Sticky, a.Channels, a.OpenedAt, a.LastAt,
		a.EndedAt, a.ResolvedAt, a.NotifiedAt, nil, a.AckedName, a.AckedAt, a.Note,
	}
	if v.Channels == nil {
		v.Channels = []alert.Channel{}
	}
	if !a.Silenced.IsZero() {
		v.SilencedTill = &a.Silenced
	}
	return v
}

// alertID reads the id in the address.
func alertID(c echo.Context) (uuid.UUID, error) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return id, fault.New(fault.NotFound, "alert.unknown", "There is no such alert; resolved ones are forgotten in time.")
	}
	return id, nil
}

// listAlerts handles GET /admin/alerts.
func (s *Server) listAlerts(c echo.Context) error {
	f := alert.Filter{Stage: alert.Stage(c.QueryParam("state")), Severity: alert.Severity(c.QueryParam("severity")), Rule: c.QueryParam("rule"), Plugin: c.QueryParam("plugin"), Cursor: c.QueryParam("cursor")}
	switch raw := c.QueryParam("silenced"); raw {
	case "":
	case "true", "false":
		is := raw == "true"
		f.Silenced = &is
	default:
		return fault.New(fault.Invalid, "query.silenced", "silenced is true or false.")
	}
	var err error
	if f.Limit, err = pageSize(c, 50, 200); err != nil {
		return err
	}
	page, err := s.Alerts.List(c.Request().Context(), f)
	if err != nil {
		return err
	}
	items := make([]alertView, len(page.Alerts))
	for i, a := range page.Alerts {
		items[i] = alertOf(a)
	}
	return noStore(c, http.StatusOK, map[string]any{"items": items, "next_cursor": page.Next})
}

// noticeView is what a channel was told.
type noticeView struct {
	Channel  alert.Channel `json:"channel"`
	Event    string        `json:"event"`
	At       time.Time     `json:"at"`
	SentAt   *time.Time    `json:"sent_at"`
	Attempts int           `json:"attempts"`
	GivenUp  bool          `json:"given_up"`
	Error    string        `json:"error"`
}

// showAlert handles GET /admin/alerts/:id. The records come along for those who may
// read the audit.
func (s *Server) showAlert(c echo.Context) error {
	id, err := alertID(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	a, err := s.Alerts.Alert(ctx, id)
	if err != nil {
		return err
	}
	notices, err := s.Alerts.Notices(ctx, id)
	if err != nil {
		return err
	}
	told := make([]noticeView, len(notices))
	for i, n := range notices {
		told[i] = noticeView{n.Channel, n.Event, n.At, n.SentAt, n.Attempts, n.GivenUp, n.Error}
	}
	answer := map[string]any{"alert": alertOf(a), "notices": told}
	if s.visit(c.Request()).has(trait.AuditViewer) {
		records, err := s.alertRecords(ctx, a)
		if err != nil {
			return err
		}
		answer["records"] = records
	}
	return noStore(c, http.StatusOK, answer)
}

// alertRecords returns the records behind an alert, recorded as read before.
func (s *Server) alertRecords(ctx context.Context, a alert.Alert) ([]audit.Record, error) {
	if err := s.Gate.Record(ctx, audit.Entry{Action: "audit.read", Object: "audit", Outcome: audit.OK, Detail: map[string]string{"alert": a.ID.String()}}); err != nil {
		return nil, err
	}
	records, err := s.Alerts.Records(ctx, a.ID)
	if records == nil {
		records = []audit.Record{}
	}
	return records, err
}

// acknowledgeAlert handles POST /admin/alerts/:id/acknowledge.
func (s *Server) acknowledgeAlert(c echo.Context) error {
	id, err := alertID(c)
	if err != nil {
		return err
	}
	var in struct {
		Note string `json:"note"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	a, err := s.Alerts.Acknowledge(c.Request().Context(), id, in.Note)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, alertOf(a))
}

// silenceView is a silence in force.
type silenceView struct {
	ID       uuid.UUID `json:"id"`
	Rule     string    `json:"rule"`
	RuleName string    `json:"rule_name"`
	Key      *string   `json:"key"` // null: every alert of the rule
	Reason   string    `json:"reason"`
	BegunAt  time.Time `json:"begun_at"`
	Until    time.Time `json:"until"`
	By       string    `json:"by"`
}

func silenceOf(q alert.Silence) silenceView {
	return silenceView{q.ID, q.Rule, q.RuleName, q.Key, q.Reason, q.BegunAt.UTC(), q.Until.UTC(), q.By}
}

// listSilences handles GET /admin/alerts/silences.
func (s *Server) listSilences(c echo.Context) error {
	all, err := s.Alerts.Silences(c.Request().Context())
	if err != nil {
		return err
	}
	items := make([]silenceView, len(all))
	for i, q := range all {
		items[i] = silenceOf(q)
	}
	return noStore(c, http.StatusOK, map[string]any{"items": items})
}

// beginSilence handles POST /admin/alerts/silences: of an alert, or of a rule.
func (s *Server) beginSilence(c echo.Context) error {
	var in struct {
		Alert  string         `json:"alert"`
		Rule   string         `json:"rule"`
		Reason string         `json:"reason"`
		For    alert.Duration `json:"for"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	var key *string
	ctx := c.Request().Context()
	if in.Alert != "" {
		id, err := uuid.Parse(in.Alert)
		if err != nil {
			return fault.New(fault.NotFound, "alert.unknown", "There is no such alert; resolved ones are forgotten in time.")
		}
		a, err := s.Alerts.Alert(ctx, id)
		if err != nil {
			return err
		}
		in.Rule, key = a.Rule, &a.Key
	}
	q, err := s.Alerts.Silence(ctx, in.Rule, key, in.Reason, time.Duration(in.For))
	if err != nil {
		return err
	}
	return noStore(c, http.StatusCreated, silenceOf(q))
}

// endSilence handles DELETE /admin/alerts/silences/:id.
func (s *Server) endSilence(c echo.Context) error {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return fault.New(fault.NotFound, "alert.silence_unknown", "There is no such silence; it may be over.")
	}
	if err := s.Alerts.EndSilence(c.Request().Context(), id); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ended"})
}

// tryChannel handles POST /admin/alerts/channels/:channel/try.
func (s *Server) tryChannel(c echo.Context) error {
	if err := s.Alerts.Try(c.Request().Context(), alert.Channel(c.Param("channel"))); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "sent"})
}

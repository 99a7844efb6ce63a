package handlers

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/alert"
	"github.com/vivified/vivified/core/audit"
)

// alertRuleView is a rule of alerts.
type alertRuleView struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Enabled bool   `json:"enabled"`
	alert.Spec
	Builtin   bool       `json:"builtin"`
	Changed   bool       `json:"changed"`
	Version   int64      `json:"version"`
	ChangedBy string     `json:"changed_by"`
	ChangedAt *time.Time `json:"changed_at"`
}

func alertRuleOf(r alert.Rule) alertRuleView {
	v := alertRuleView{r.ID, r.Name, r.Enabled, r.Spec, r.Builtin, r.Changed, r.Version, r.By, nil}
	if !r.At.IsZero() {
		v.ChangedAt = &r.At
	}
	if v.Channels == nil {
		v.Channels = []alert.Channel{}
	}
	return v
}

// alertRuleIn is what a request says of a rule.
type alertRuleIn struct {
	Name    string `json:"name"`
	Enabled *bool  `json:"enabled"`
	Version int64  `json:"version"`
	Days    int    `json:"days"` // of a trial
	alert.Spec
}

func (in *alertRuleIn) enabled() bool { return in.Enabled == nil || *in.Enabled }

// listAlertRules handles GET /admin/alerts/rules.
func (s *Server) listAlertRules(c echo.Context) error {
	rules, err := s.Alerts.Rules(c.Request().Context())
	if err != nil {
		return err
	}
	items := make([]alertRuleView, len(rules))
	for i, r := range rules {
		items[i] = alertRuleOf(r)
	}
	return noStore(c, http.StatusOK, map[string]any{"items": items})
}

// showAlertRule handles GET /admin/alerts/rules/:id.
func (s *Server) showAlertRule(c echo.Context) error {
	r, err := s.Alerts.Rule(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, alertRuleOf(r))
}

// addAlertRule handles POST /admin/alerts/rules.
func (s *Server) addAlertRule(c echo.Context) error {
	var in alertRuleIn
	if err := bind(c, &in); err != nil {
		return err
	}
	r, err := s.Alerts.Add(c.Request().Context(), in.Name, in.enabled(), in.Spec)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusCreated, alertRuleOf(r))
}

// changeAlertRule handles PUT /admin/alerts/rules/:id.
func (s *Server) changeAlertRule(c echo.Context) error {
	var in alertRuleIn
	if err := bind(c, &in); err != nil {
		return err
	}
	r, err := s.Alerts.Change(c.Request().Context(), c.Param("id"), in.Version, in.Name, in.enabled(), in.Spec)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, alertRuleOf(r))
}

// removeAlertRule handles DELETE /admin/alerts/rules/:id.
func (s *Server) removeAlertRule(c echo.Context) error {
	if err := s.Alerts.Remove(c.Request().Context(), c.Param("id")); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "removed"})
}

// wouldView is an alert that a rule would have opened.
type wouldView struct {
	Key   string    `json:"key"`
	Title string    `json:"title"`
	First time.Time `json:"first_at"`
	Last  time.Time `json:"last_at"`
	Count int64     `json:"count"`
	Chain string    `json:"chain"`
	Seq   int64     `json:"seq"`
}

// tryAlertRule handles POST /admin/alerts/rules/try: which alerts a rule would have
// opened in the last days.
func (s *Server) tryAlertRule(c echo.Context) error {
	var in alertRuleIn
	if err := bind(c, &in); err != nil {
		return err
	}
	did, err := s.replayRule(c, in.Name, in.Spec, in.Days)
	if err != nil {
		return err
	}
	found := []wouldView{}
	for _, w := range did.Alerts {
		found = append(found, wouldView{w.Key, w.Title, w.First, w.Last, w.Count, w.Chain, w.Seq})
	}
	return noStore(c, http.StatusOK, map[string]any{"since": did.Since, "records": did.Records, "matching": did.Matching, "partly": did.Partly, "total": did.Total, "alerts": found})
}

// replayRule tries a rule on the past; that the audit is read for it is recorded first.
func (s *Server) replayRule(c echo.Context, name string, spec alert.Spec, days int) (alert.Replay, error) {
	ctx := c.Request().Context()
	if err := s.Gate.Record(ctx, audit.Entry{Action: "audit.read", Object: "audit", Outcome: audit.OK, Detail: map[string]any{"alert_rule": spec.Match, "days": days}}); err != nil {
		return alert.Replay{}, err
	}
	return s.Alerts.Replay(ctx, name, spec, days)
}

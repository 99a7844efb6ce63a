package handlers

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/evidence"
	"github.com/vivified/vivified/views"
)

// evidencePages are where a part of the console is, as people call it. A page
// whose first path is not the reader's to see is not linked.
var evidencePages = map[evidence.Page]struct{ nav, href, label string }{
	evidence.Audit:      {views.PathAudit, views.PathAudit, "Audit"},
	evidence.Verify:     {views.PathAudit, views.PathAudit, "Audit"},
	evidence.Forwarding: {views.PathAudit, views.PathForwarding, "Forwarding"},
	evidence.Retention:  {views.PathAudit, views.PathRetention, "Retention"},
	evidence.Policies:   {views.PathPolicies, views.PathPolicies, "Policies"},
	evidence.Plugins:    {views.PathPlugins, views.PathPlugins, "Installed"},
	evidence.Egress:     {views.PathEgress, views.PathEgress, "Egress"},
	evidence.Users:      {views.PathUsers, views.PathUsers, "Users"},
	evidence.SSO:        {views.PathSSO, views.PathSSO, "Single sign-on"},
	evidence.BreakGlass: {views.PathUsers, views.PathUsers, "Users"},
}

// evidenceLink returns the address and name of a page, or none where whoever looks may not see it.
func (v *visit) evidenceLink(p evidence.Page) (href, label string) {
	if to, ok := evidencePages[p]; ok && v.may(to.nav) {
		return to.href, to.label
	}
	return "", ""
}

// evidencePage handles GET /console/evidence.
func (s *Server) evidencePage(c echo.Context) error {
	e, err := s.evidenceOf(c, "evidence.view")
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	props := views.Evidence{
		Days: e.Days,
		Pack: views.Action{Label: "Build the pack", Icon: "download", Primary: true, Get: true, Href: views.PathEvidencePack + "?days=" + strconv.Itoa(e.Days)},
	}
	for _, days := range evidence.Periods() {
		props.Periods = append(props.Periods, views.Tab{Label: fmt.Sprintf("%d days", days), Href: views.PathEvidence + "?days=" + strconv.Itoa(days), Current: days == e.Days})
	}
	for _, one := range e.Controls {
		row := views.EvidenceControl{ID: one.ID, Reference: one.Reference, Title: one.Title, Asks: one.Asks, Status: views.EvidenceStatus(one.Status), Beyond: one.Beyond}
		for _, f := range one.Configured {
			href, _ := v.evidenceLink(f.Page)
			row.Configured = append(row.Configured, views.KV{Label: f.Label, Value: f.Value, Href: href})
		}
		for _, r := range one.Records {
			trail := views.EvidenceTrail{Text: r.Text, Action: r.Action, Href: recordsLink(r.Action, e.Since, v.zone())}
			if r.Last != nil {
				trail.Last = *r.Last
			}
			row.Records = append(row.Records, trail)
		}
		for _, g := range one.Missing {
			gap := views.EvidenceGap{Text: g.Text, Do: g.Do}
			gap.Href, gap.Page = v.evidenceLink(g.Page)
			row.Missing = append(row.Missing, gap)
		}
		props.Controls = append(props.Controls, row)
	}
	return answer(c, v, http.StatusOK, at(views.PathEvidence, "Govern", "", "Evidence", ""), props, views.EvidencePage, views.EvidenceBody)
}

// recordsLink leads to the records of an action since a time.
func recordsLink(action string, since time.Time, zone *time.Location) string {
	q := url.Values{"action": {action}, "range": {"custom"}, "from": {since.In(zone).Format("2006-01-02T15:04")}}
	return views.PathAudit + "?" + q.Encode()
}

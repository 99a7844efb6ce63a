package handlers_test

import (
	"encoding/csv"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/views"
)

func TestAuditPage(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	c.enabled("publisher", greeting(), nil)
	caller := c.enabled("caller", nil, nil)
	for range 40 {
		caller.do("GET", "/gateway/publisher/get_profile?id=1", nil)
	}
	first := mara.get("/console/audit?plugin=caller&outcome=deny")
	first.shows(t, 200, "Caller", "Publisher, get_profile", "Denied operator.grant", "Plugin is Caller", "Outcome is Denied", "Older")
	var older string
	for _, link := range first.links() {
		if strings.Contains(link, "cursor=") && !strings.Contains(link, "open=") {
			older = strings.ReplaceAll(link, "&amp;", "&")
		}
	}
	rows := func(p page) int { return strings.Count(p.Body, `aria-expanded="false"`) }
	second := mara.get(older)
	second.shows(t, 200, "Newer")
	if a, b := rows(first), rows(second); a != views.AuditPerPage || b != 40-views.AuditPerPage {
		t.Errorf("the pages have %d and %d rows", a, b)
	}

	r := c.records(audit.Filter{Plugin: "caller", Outcome: audit.Deny, Limit: 1})[0]
	opened := mara.get("/console/audit?plugin=caller&outcome=deny&open=" + url.QueryEscape(views.ChainSegment(r.Chain)+"."+regexp.MustCompile(`\d+$`).FindString(views.RecordPath(r.Chain, r.Seq))))
	opened.shows(t, 200, "has no grant to call publisher", "Intact", "How it was decided")
	mara.get(views.RecordPath(r.Chain, r.Seq)).shows(t, 200, "Denied", "Intact", "has no grant to call publisher")
	mara.get(views.RecordPath("change", 1)).shows(t, 200, "Record 1")
	mara.get(views.RecordPath("change", 99999)).shows(t, 404, "no record 99999")
	mara.get("/console/audit/change/x").shows(t, 404)
	mara.get("/console/audit?q=zebra").shows(t, 200, "No record of this time fits the filter.")
	mara.get("/console/audit?outcome=maybe").shows(t, 400, "The audit cannot be searched like that")
	mara.get("/console/audit?cursor=forged").shows(t, 400)
	mara.get("/console/audit?action=plugin.*").shows(t, 200, "plugin.enable", "plugin.register")

	read := c.records(audit.Filter{Action: "audit.read", Actor: mara.user.ID.String(), Limit: 500})
	if len(read) < 6 {
		t.Errorf("only %d readings are recorded", len(read))
	}

	mara.post("/console/audit/verify", nil).shows(t, 200, "The chain is intact.", "records recomputed in", "lane/test", "change")
	mara.swap("/console/audit/verify", "/console/audit?outcome=deny", nil).shows(t, 200, "The chain is intact.", "Outcome is Denied")
	mara.get("/console").shows(t, 200, "Intact,", "records verified", "Mara Lindqvist")
	if _, err := c.DB.Owner.Exec(t.Context(), "ALTER TABLE audit_log DISABLE TRIGGER ALL"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.DB.Owner.Exec(t.Context(), "UPDATE audit_log SET object = 'publisher/nothing' WHERE chain = $1 AND seq = $2", r.Chain, r.Seq); err != nil {
		t.Fatal(err)
	}
	mara.post("/console/audit/verify", nil).shows(t, 200, "The chain is broken.", "Broken")
	mara.get("/console").shows(t, 200, "The chain is broken")
	mara.get(views.RecordPath(r.Chain, r.Seq)).shows(t, 200, "Broken")
}

func TestExportIsExactlyTheFilter(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	c.enabled("publisher", greeting(), nil)
	page := mara.get("/console/audit?action=plugin.*")
	var links []string
	for _, link := range page.links() {
		if strings.HasPrefix(link, "/console/audit/export") {
			links = append(links, strings.ReplaceAll(link, "&amp;", "&"))
		}
	}
	if len(links) != 2 {
		t.Fatalf("the page offers %v", links)
	}
	table := mara.get(links[0])
	rows, err := csv.NewReader(strings.NewReader(table.Body)).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Errorf("the table has %d lines (%v), want a head and three records: %s", len(rows), err, table.Body)
	}
	if got := table.Header.Get("Content-Disposition"); !strings.HasPrefix(got, `attachment; filename="audit-`) || !strings.HasSuffix(got, `.csv"`) {
		t.Errorf("it is not a download: %q", got)
	}
	lines := strings.Split(strings.TrimSpace(mara.get(links[1]).Body), "\n")
	var last map[string]json.RawMessage
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil || len(lines) != 4 || last["manifest"] == nil {
		t.Errorf("%d lines, and the last is %s", len(lines), lines[len(lines)-1])
	}
	report, err := audit.VerifyExport(strings.NewReader(strings.Join(lines, "\n")+"\n"), audit.VerifyConfig{})
	if err != nil || !report.OK {
		t.Errorf("the export does not verify: %+v %v", report, err)
	}
	if n := len(c.records(audit.Filter{Action: "audit.export"})); n != 2 {
		t.Errorf("%d exports are recorded", n)
	}
	c.person("viewer@example.com", "Viewer", "viewer").get(links[0]).shows(t, 403)
}

package handlers_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/audit"
)

// An administrator holds records, purges others, reads the archive and lifts the hold;
// an auditor sees all of it and why it is not theirs to do.
func TestRetentionInTheConsole(t *testing.T) {
	const path = "/console/audit/retention"
	c := newCore(t)
	mara, hana := c.setUp(), c.person("hana@example.com", "Hana", "auditor")
	leads := func(p page) {
		t.Helper()
		if at := p.Header.Get("Location"); p.StatusCode != http.StatusSeeOther || at != path {
			t.Fatalf("answered %d to %q: %s", p.StatusCode, at, p.text())
		}
	}
	mara.get(path).shows(t, 200, "Nothing is held", "Nothing was archived yet", "There was none yet.", "Protected health information", "never below 2,190")
	mara.get(path+"/holds/new").shows(t, 200, "Place a hold", "Kept in the audit.")
	mara.post(path+"/holds", url.Values{"name": {"Case 7"}, "reason": {"A law suit."}, "since": {"yesterday"}}).shows(t, 422, "A day is written like 2026-01-31.")
	in := url.Values{"name": {"Case 7"}, "reason": {"A law suit."}, "plugin": {"labs"}, "since": {"2026-01-01"}}
	leads(mara.post(path+"/holds", in))
	mara.post(path+"/holds", in).shows(t, 422, "There is a hold of that name already")
	list := mara.get(path)
	list.shows(t, 200, "Case 7", "plugin labs, from 1 January 2026", "In force", "Lift")
	lift := regexp.MustCompile(path + `/holds/[0-9a-f-]{36}/lift`).FindString(list.Body)

	mara.get(path+"/purge").shows(t, 200, "Purge the audit now?", "change")
	leads(mara.post(path+"/purge", nil))
	list = mara.get(path)
	list.shows(t, 200, "archived and purged", "Download", "The last was on")
	file := mara.get(regexp.MustCompile(path + `/archives/[0-9a-f-]{36}`).FindString(list.Body))
	report, err := audit.VerifyExport(strings.NewReader(file.Body), audit.VerifyConfig{})
	if file.StatusCode != 200 || err != nil || !report.OK || report.Rows == 0 {
		t.Errorf("the archive answers %d and does not verify: %+v, %v", file.StatusCode, report.Bad, err)
	}

	hana.get(path).shows(t, 200, "Case 7", "Only administrators may hold and purge records.")
	hana.get(path+"/purge").shows(t, 403)
	hana.post(path+"/purge", nil).shows(t, 403)
	hana.post(lift, url.Values{"reason": {"x"}}).shows(t, 403)
	c.person("vic@example.com", "Vic", "viewer").get(path).shows(t, 403)

	mara.get(lift).shows(t, 200, "Lift Case 7?", "plugin labs")
	mara.post(lift, url.Values{"reason": {""}}).shows(t, 422, "1 to 500 characters")
	leads(mara.post(lift, url.Values{"reason": {"It was settled."}}))
	mara.get(path).shows(t, 200, "Case 7 is lifted.", "It was settled.")
	mara.get(path+"/holds/none/lift").shows(t, 404)
	if n := len(c.records(audit.Filter{Action: "audit.hold.*", Limit: 10})); n != 2 {
		t.Errorf("%d changes are recorded, want 2", n)
	}
}

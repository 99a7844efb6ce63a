package handlers_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// A filter is kept under a name, by whoever made it and, if they like, for others.
func TestSavedViews(t *testing.T) {
	c := newCore(t)
	mara, hana := c.setUp(), c.person("hana@example.com", "Hana", "auditor")
	save := func(b *browser, name, query, shared string) page {
		return b.post("/console/views", url.Values{"page": {"/console/audit"}, "name": {name}, "query": {query}, "shared": {shared}})
	}
	if p := save(mara, "Denied", "outcome=deny&cursor=x&range=7d", "on"); p.StatusCode != 303 || p.Header.Get("Location") != "/console/audit?outcome=deny&range=7d" {
		t.Fatalf("answered %d to %s: %s", p.StatusCode, p.Header.Get("Location"), p.text())
	}
	save(mara, "Mine", "actor=mara", "")
	mara.get("/console/audit").shows(t, 200, "Denied shared", "Mine")
	seen := hana.get("/console/audit")
	seen.shows(t, 200, "Denied by Mara Lindqvist")
	if strings.Contains(seen.Body, "actor=mara") {
		t.Error("somebody else sees what was not shared")
	}
	hana.get("/console/events").shows(t, 403)

	save(mara, "", "x=1", "").shows(t, 422, "a name of 1 to 60 characters")
	save(mara, "Broken", "%zz", "").shows(t, 422, "cannot be kept")
	mara.post("/console/views", url.Values{"page": {"https://evil.example"}, "name": {"x"}}).shows(t, 422)

	remove := regexp.MustCompile(`/console/views/[0-9a-f-]{36}/remove`).FindString(mara.get("/console/audit").Body)
	hana.post(remove, nil).shows(t, 404)
	if p := mara.post(remove, nil); p.StatusCode != 303 {
		t.Errorf("removing one's own: %d %s", p.StatusCode, p.text())
	}
	mara.post(remove, nil).shows(t, 404)
	mara.post("/console/views/none/remove", nil).shows(t, 404)
}

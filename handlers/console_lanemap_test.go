package handlers_test

import (
	"regexp"
	"strings"
	"testing"
)

// The lane map shows every edge in the figure and in its table, what was denied on
// it and by which rule, to those who watch the system.
func TestLaneMapPage(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	mara.get("/console/lanes").shows(t, 200, "Lane map", "Nothing passed a lane")
	c.enabled("publisher", greeting(), nil)
	caller := c.enabled("caller", nil, nil)
	for range 3 {
		caller.do("GET", "/gateway/publisher/get_profile?id=1", nil)
	}
	page := mara.get("/console/lanes")
	page.shows(t, 200, "Live traffic", "Operator", "Caller", "Publisher", "Edges", "3")
	if !strings.Contains(page.Body, `aria-label="Operator lane, Caller to Publisher, `) || !strings.Contains(page.Body, "3 denied") {
		t.Error("the edge says nothing to those who hear the page")
	}
	edge := regexp.MustCompile(`/console/lanes\?edge=[^"]+`).FindString(page.Body)
	mara.get(strings.ReplaceAll(edge, "&amp;", "&")).shows(t, 200, "Caller to Publisher", "operator.grant", "Why denied", "Permissions", "Decisions")
	mara.get("/console/lanes?lane=proxy").shows(t, 200, "Nothing passed a lane")
	mara.get("/console/lanes?minutes=99&edge=none").shows(t, 200, "Caller")

	tab := mara.get("/console/plugins/publisher/lanes")
	tab.shows(t, 200, "Live traffic", "As a target of calls", "closed: calls pass", "Caller")
	mara.get("/console/plugins/caller/lanes").shows(t, 200, "Publisher")
	mara.get("/console/plugins/none/lanes").shows(t, 404)
	if aud := c.person("aud@example.com", "Aud", "auditor"); strings.Contains(aud.get("/console/plugins/caller").Body, "/console/plugins/caller/lanes") {
		t.Error("the tab is offered to somebody who may not see it")
	}

	c.person("hana@example.com", "Hana", "viewer").get("/console/lanes").shows(t, 403)
	c.person("olaf@example.com", "Olaf", "operator").get("/console/lanes").shows(t, 200, "Caller")
}

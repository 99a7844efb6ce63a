package handlers_test

import (
	"net/url"
	"testing"
)

// TestTheInbox: a plugin's request for a grant goes from its denial through the
// inbox to a call that passes; who may not decide is shown no way to.
func TestTheInbox(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	viewer := c.person("viewer@example.com", "Vera Viewer", "viewer")
	c.enabled("publisher", map[string]any{"endpoints": map[string]any{"ping": "/ping"}}, nil)
	caller := c.enabled("caller", nil, nil)
	status, answer := caller.do("GET", "/gateway/publisher/ping", nil)
	if status != 403 || answer["code"] != "operator.grant" {
		t.Fatalf("an ungranted call answers %d %v", status, answer)
	}
	decision := "/console/decisions/" + answer["decision_id"].(string)
	viewer.get(decision).shows(t, 404)
	mara.get(decision).shows(t, 200, "Denied by operator.grant:", "Grant for some days", "A grant for Caller to call Publisher.", "Mara Lindqvist")
	viewer.get("/console/approvals").shows(t, 200, "You asked for nothing yet")
	mara.get("/console/approvals").shows(t, 200, "Nothing waits")

	if status, made := c.api(c.token("viewer@example.com"), "POST", "/admin/approvals", map[string]any{
		"kind": "grant", "subject": "caller", "object": "publisher", "days": 1, "reason": "the two belong together",
	}); status != 201 {
		t.Fatalf("asking answers %d %v", status, made)
	}
	viewer.get("/console/approvals").shows(t, 200, "Caller wants to call Publisher", "Withdraw")
	mara.get("/console").shows(t, 200, "1 request waits for your word", "grant: 1")
	mara.get("/console/approvals?kind=grant").shows(t, 200, "Caller wants to call Publisher", "the two belong together", "Approve", "Deny")
	mara.get("/console/approvals?kind=egress").shows(t, 200, "No request of this kind.")

	mara.get(decision+"/grant").shows(t, 200, "Grant what was missing?", "1 day", "30 days")
	mara.swap(decision+"/grant", decision, url.Values{"days": {"1"}}).shows(t, 422, "The reason is missing.")
	mara.swap(decision+"/grant", decision, url.Values{"days": {"other"}, "other_days": {"many"}, "reason": {"agreed"}}).shows(t, 422, "from 1 to 3650")
	mara.post(decision+"/grant", url.Values{"days": {"1"}, "reason": {"agreed"}}).shows(t, 303)
	mara.get(decision).shows(t, 200, "It would pass now.")
	mara.get("/console/approvals?tab=decided").shows(t, 200, "Caller wants to call Publisher", "Approved")
	if status, answer := caller.do("GET", "/gateway/publisher/ping", nil); status != 200 {
		t.Errorf("a granted call answers %d %v", status, answer)
	}
}

// TestElevationByASecondPerson: a viewer asks for a trait on the page that says why
// they were refused, and somebody else decides.
func TestElevationByASecondPerson(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	viewer := c.person("viewer@example.com", "Vera Viewer", "viewer")
	viewer.post("/console/approvals/new", url.Values{"trait": {"event_viewer"}, "days": {"7"}, "reason": {"an outage"}}).shows(t, 303)
	viewer.post("/console/approvals/new", url.Values{"trait": {"viewer"}, "days": {"7"}, "reason": {"an outage"}}).shows(t, 422, "already")
	_, items := c.api(c.token("viewer@example.com"), "GET", "/admin/approvals", nil)
	one := items["items"].([]any)[0].(map[string]any)
	path := "/console/approvals/" + one["id"].(string)
	viewer.get(path).shows(t, 200, "Vera Viewer asks for event_viewer", "an outage", "Withdraw")
	viewer.post(path+"/approve", url.Values{"days": {"7"}, "reason": {"by myself"}}).shows(t, 403)
	c.person("other@example.com", "Other", "viewer").get(path).shows(t, 404)
	mara.post(path+"/deny", url.Values{"reason": {""}}).shows(t, 422, "The reason is missing.")
	mara.post(path+"/approve", url.Values{"days": {"1"}, "reason": {"for a day"}}).shows(t, 303)
	mara.get(path).shows(t, 200, "Approved", "for a day", "It ends")
	mara.post(path+"/deny", url.Values{"reason": {"late"}}).shows(t, 409)
}

package handlers_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/audit"
)

// revision is the draft a page was drawn from.
func (p page) revision(t testing.TB) string {
	t.Helper()
	found := regexp.MustCompile(`name="revision" value="(\d+)"`).FindStringSubmatch(p.Body)
	if found == nil {
		t.Fatalf("%s says no revision: %s", p.Request.URL.Path, p.text())
	}
	return found[1]
}

const noPings = "@id(\"quiet\")\n@reason(\"Nobody pings today.\")\nforbid (principal, action == Action::\"operator.call\", resource)\nwhen { resource.name == \"ping\" };\n"

// draft saves a text as the draft, by the form.
func (b *browser) draft(text string) page {
	b.t.Helper()
	was := b.get("/console/policies/draft").revision(b.t)
	return b.follow(b.post("/console/policies/draft", url.Values{"text": {text}, "revision": {was}}))
}

// publishes publishes the draft, by the form.
func (b *browser) publishes(comment string) page {
	b.t.Helper()
	was := b.get("/console/policies/publish").revision(b.t)
	return b.follow(b.post("/console/policies/publish", url.Values{"comment": {comment}, "revision": {was}}))
}

func TestRulesAreWrittenInTheConsole(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	c.enabled("stock", map[string]any{"endpoints": map[string]any{"ping": map[string]any{"path": "/ping"}}}, nil)
	mara.get("/console/policies").shows(t, 200, "The built-in rules are in force alone.", "No rule of your own is in force", "core.active")

	wrong := mara.draft(strings.Replace(noPings, "forbid", "forbit", 1) + "</textarea><b>")
	wrong.shows(t, 422, "nothing was saved", "Line 3, column 1", "Findings", "forbit")
	wrong.lacks(t, "</textarea><b>")
	mara.draft(noPings).shows(t, 200, "The draft is saved. It has no tests yet.", "admin.quiet", "Nobody pings today.")

	late := mara.post("/console/policies/draft", url.Values{"text": {"// mine\n"}, "revision": {"1"}})
	late.shows(t, 422, "Somebody else edited the draft meanwhile", "// mine")

	mara.publishes("Quiet").shows(t, 200, "Version 1 is in force", "admin.quiet", "Nobody pings today.")
	status, answer := c.api(c.token(adminAt), "GET", "/gateway/stock/ping", nil)
	if status != http.StatusForbidden || answer["code"] != "admin.quiet" {
		t.Fatalf("a call that the rule forbids is answered %d %v", status, answer)
	}
	decision := answer["decision_id"].(string)
	mara.get("/console/decisions/"+decision).shows(t, 200, "Why denied", "admin.quiet", "Nobody pings today.")

	form := mara.get("/console/policies/tests/new?decision=" + decision)
	form.shows(t, 200, "Add a test", "operator.call", "stock")
	mara.get("/console/policies/tests/new?decision=01a1f950-6944-7b1b-8ad6-85094b742401").shows(t, 404)

	denied := mara.get("/console/audit?range=7d&outcome=deny&rule=admin.quiet")
	denied.shows(t, 200, "operator.call", "admin.quiet")
	mara.get("/console/audit?range=7d&outcome=deny&rule=core.dangerous").lacks(t, decision)

	mara.draft("// nothing\n")
	mara.publishes("").shows(t, 200, "Version 2 is in force")
	if status, answer := c.api(c.token(adminAt), "GET", "/gateway/stock/ping", nil); status != http.StatusOK {
		t.Errorf("without the rule the call is answered %d %v", status, answer)
	}
	versions := mara.get("/console/policies/versions?from=1&to=2")
	versions.shows(t, 200, "Quiet", "From version 1 to version 2: 1 line added, 4 lines removed.")
	mara.get("/console/policies/versions?from=1&to=nothing").shows(t, 400)
	mara.get("/console/policies/versions/1/restore").shows(t, 200, "Restore version 1?", "4 lines added")
	mara.follow(mara.post("/console/policies/versions/1/restore", url.Values{"comment": {"Again"}})).shows(t, 200, "Version 3 is in force", "Brings back version 1")
	mara.post("/console/policies/versions/3/restore", nil).shows(t, 422, "there is nothing to publish")
	if n := len(c.records(audit.Filter{Action: "policy.restore"})); n != 1 {
		t.Errorf("%d restorations are recorded", n)
	}
}

func TestTestsAreKeptInTheConsole(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	mara.draft(noPings)
	form := mara.get("/console/policies/tests/new")
	request := `{"action":"operator.call","subject":{"kind":"plugin","id":"shop","tenant":"default","state":"active"},"target":{"kind":"plugin","id":"stock","tenant":"default","state":"active"},"resource":{"name":"ping","declared":true,"granted":true}}`
	fields := func(edit func(url.Values)) url.Values {
		v := url.Values{"revision": {form.revision(t)}, "name": {"The shop pings"}, "request": {request}, "expect": {"allow"}, "rule": {""}}
		edit(v)
		return v
	}
	for name, tt := range map[string]struct {
		edit func(url.Values)
		says string
	}{
		"no JSON":     {func(v url.Values) { v.Set("request", "{") }, "The request is not JSON"},
		"no name":     {func(v url.Values) { v.Set("name", " ") }, "A test has a name"},
		"no subject":  {func(v url.Values) { v.Set("request", `{"action":"operator.call"}`) }, "Say who asks"},
		"no outcome":  {func(v url.Values) { v.Set("expect", "perhaps") }, "Expect allow or deny"},
		"wrong types": {func(v url.Values) { v.Set("request", `{"action":7}`) }, "not JSON of the form"},
	} {
		t.Run(name, func(t *testing.T) {
			mara.post("/console/policies/tests", fields(tt.edit)).shows(t, 422, "needs a correction; nothing was saved", tt.says)
		})
	}
	mara.follow(mara.post("/console/policies/tests", fields(func(url.Values) {}))).shows(t, 200, "The test is saved, and fails.", "1 of 1 fail", "It should allow, and the rules deny by admin.quiet.")
	mara.post("/console/policies/tests", fields(func(url.Values) {})).shows(t, 409, "Somebody else edited")
	mara.publishes("").shows(t, 422, "The shop pings", "1 of 1 fail")

	form = mara.get("/console/policies/tests/1")
	form.shows(t, 200, "How the draft decides it", "Nobody pings today.", "admin.quiet")
	mara.follow(mara.post("/console/policies/tests/1", fields(func(v url.Values) { v.Set("expect", "deny") }))).shows(t, 200, "The test is saved, and passes.", "all 1 pass")
	mara.get("/console/policies/tests/2").shows(t, 404)
	mara.get("/console/policies/publish").shows(t, 200, "all 1 pass", "This draft was not replayed yet.")
	mara.follow(mara.post("/console/policies/tests/1/remove", url.Values{"revision": {mara.get("/console/policies/tests").revision(t)}})).shows(t, 200, "is removed", "There is no test yet")
	mara.get("/console/policies/draft/discard").shows(t, 200, "Discard the edits")
	mara.follow(mara.post("/console/policies/draft/discard", url.Values{"revision": {mara.get("/console/policies/draft").revision(t)}})).shows(t, 200, "The draft is what is published again.")
}

func TestTwoPersonsPublish(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	joel := c.person("joel@example.com", "Joel Whitaker", "admin")
	status, answer := c.api(c.token(adminAt), "PUT", "/admin/config", map[string]any{"key": "policy_four_eyes", "value": true})
	if status != http.StatusOK {
		t.Fatalf("%d %v", status, answer)
	}
	mara.draft(noPings)
	waits := mara.publishes("Quiet")
	waits.shows(t, 200, "It waits for a second person", "Mara Lindqvist asks to publish.", "Withdraw", "The built-in rules are in force alone.")
	waits.lacks(t, "/approve")
	var approve string
	for _, link := range joel.get("/console/policies").links() {
		if strings.HasSuffix(link, "/approve") {
			approve = link
		}
	}
	if approve == "" {
		t.Fatal("the second person is not led to what waits")
	}
	inbox := joel.get("/console/approvals?kind=policy")
	inbox.shows(t, 200, "Mara Lindqvist wants to publish rules", "4 lines added", "Quiet")
	if !slices.Contains(inbox.links(), approve) {
		t.Error("the inbox does not lead to the question that shows what changes")
	}
	mara.get("/console/approvals").shows(t, 200, "Nobody decides what they asked for")
	if status, answer := c.api(c.token(adminAt), "PUT", "/admin/config", map[string]any{"key": "policy_four_eyes", "value": false}); status != http.StatusConflict || answer["code"] != "settings.two_people" {
		t.Errorf("one person switches it off: %d %v", status, answer)
	}
	joel.get(approve).shows(t, 200, "Publish what Mara Lindqvist asks for?", "4 lines added", "Quiet")
	joel.post(approve, url.Values{"reason": {""}}).shows(t, 422, "Say why")
	mara.post(approve, url.Values{"reason": {"Yes"}}).shows(t, 403, "A second person has to approve it")
	joel.follow(joel.post(approve, url.Values{"reason": {"Agreed"}})).shows(t, 200, "Version 1 is in force", "admin.quiet")
	joel.get("/console/policies/versions").shows(t, 200, "approved by Joel Whitaker")
	joel.post(approve, url.Values{"reason": {"Agreed"}}).shows(t, 404)
	joel.get("/console/approvals?tab=decided").shows(t, 200, "Mara Lindqvist wants to publish rules", "Approved")
}

func TestReplaysInTheConsole(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	c.enabled("stock", map[string]any{"endpoints": map[string]any{"ping": map[string]any{"path": "/ping"}}}, nil)
	for range 3 {
		if status, answer := c.api(c.token(adminAt), "GET", "/gateway/stock/ping", nil); status != http.StatusOK {
			t.Fatalf("%d %v", status, answer)
		}
	}
	mara.get("/console/policies/shadow").shows(t, 200, "Nothing was replayed yet")
	mara.draft(noPings)
	mara.post("/console/policies/shadow", url.Values{"days": {"x"}, "limit": {"10"}}).shows(t, 422, "1 to 90 days")
	begun := mara.post("/console/policies/shadow", url.Values{"days": {"1"}, "limit": {"1000"}})
	if begun.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", begun.StatusCode, begun.text())
	}
	at := begun.Header.Get("Location")
	c.eventually("the replay is over", func() bool { return strings.Contains(mara.get(at).text(), "Done") })
	done := mara.get(at)
	done.shows(t, 200, "Changed by the draft: 3", "Mara Lindqvist", "Stock", "Denied", "admin.quiet", "Make it a test", "One by one")
	mara.get(at+"?against=recorded").shows(t, 200, "The rules in force would decide all of it as it was decided.")
	mara.get(at+"?cursor=x").shows(t, 400)
	mara.get("/console/policies/shadow/nothing").shows(t, 404)
	mara.get("/console/policies/publish").shows(t, 200, "3 decisions change")
	mara.post(at+"/cancel", nil).shows(t, 409, "over already")
}

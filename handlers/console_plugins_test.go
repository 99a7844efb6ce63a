package handlers_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/pluginmgr"
)

// outgoing are the members of a manifest that reaches a host outside.
func outgoing(hosts ...string) map[string]any {
	return map[string]any{"traits": []string{"handles_internal", "external_service"}, "allowed_domains": hosts}
}

func TestInstalledPlugins(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	mara.get("/console/plugins").shows(t, 200, "No plugin yet", "/plugins/register")
	for i := range 23 {
		c.plugin(fmt.Sprintf("plugin-%02d", i), nil, nil)
	}
	c.enabled("zebra", greeting(), nil)

	first := mara.get("/console/plugins")
	first.shows(t, 200, "Plugin 00", "Plugin 19", "Next")
	first.lacks(t, "Plugin 20", "Zebra")
	second := mara.get("/console/plugins?after=plugin-19")
	second.shows(t, 200, "Plugin 20", "Zebra", "Previous")
	second.lacks(t, ">Plugin 19<")
	mara.get("/console/plugins?state=active").shows(t, 200, "Zebra", "State is Active")
	mara.get("/console/plugins?state=active").lacks(t, "Plugin 00")
	mara.get("/console/plugins?trait=handles_pii").shows(t, 200, "Zebra")
	mara.get("/console/plugins?q=ZEB").shows(t, 200, "Zebra")
	mara.get("/console/plugins?q=nothing").shows(t, 200, "Nothing matches", "Clear filters")
	mara.get("/console").shows(t, 200, "24 plugins", "All 24")
}

func TestBlastRadiusComesFirst(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	publisher := c.enabled("publisher", greeting(), nil)
	c.enabled("reader", map[string]any{"dependencies": []string{"publisher"}, "events": map[string]any{"subscribes": []string{"greeting.*"}}}, nil)

	list := mara.get("/console/plugins")
	if !strings.Contains(list.Body, `href="/console/plugins/publisher/disable"`) || !strings.Contains(list.Body, `action="/console/plugins/reader/disable"`) {
		t.Error("a plugin others depend on is disabled without a question, or one alone with one")
	}
	mara.get("/console/plugins/publisher/disable").shows(t, 200, "Disable Publisher?", "Depends on it", "Reader", "greeting.requested", "get_profile")
	asked := mara.dialogOf("/console/plugins/publisher/quarantine", "/console/plugins/publisher")
	asked.shows(t, 200, "Quarantine Publisher?", "Reader")
	if !strings.HasPrefix(strings.TrimSpace(asked.Body), "<dialog") || asked.Header.Get("HX-Push-Url") != "" {
		t.Errorf("htmx is answered with %.80s", asked.Body)
	}
	mara.swap("/console/plugins/publisher/quarantine", "/console/plugins/publisher", url.Values{"reason": {"It shouts"}}).
		shows(t, 200, "Quarantined", "In quarantine.", "It shouts", "Publisher is in quarantine.", "Release")
	if publisher.state() != policy.Quarantined {
		t.Errorf("it is %s", publisher.state())
	}
	mara.get("/console").shows(t, 200, "Publisher is in quarantine", "Open the worst item")
	mara.get("/console/plugins/reader").shows(t, 200, "Reader")

	mara.get("/console/plugins/publisher/disable").shows(t, 200, "Release Publisher from quarantine?")
	p := mara.swap("/console/plugins/publisher/disable", "/console/plugins/publisher", nil)
	p.shows(t, 200, "Publisher is out of quarantine, and disabled.")
	p.lacks(t, "Undo")
}

func TestUnregister(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	c.enabled("publisher", greeting(), nil)
	mara.get("/console/plugins/publisher/unregister").shows(t, 200, "Unregister Publisher?", "Type publisher to confirm")
	for _, typed := range []string{"", "Publisher", "publishe"} {
		p := mara.swap("/console/plugins/publisher/unregister", "/console/plugins/publisher", url.Values{"typed": {typed}})
		p.shows(t, 422, "nothing was changed")
		if !strings.HasPrefix(strings.TrimSpace(p.Body), "<dialog") {
			t.Errorf("the dialog does not come back: %.80s", p.Body)
		}
	}
	mara.post("/console/plugins/publisher/unregister", url.Values{"typed": {"nothing"}}).shows(t, 422, "Type publisher to confirm")

	gone := mara.swap("/console/plugins/publisher/unregister", "/console/plugins/publisher/permissions", url.Values{"typed": {"publisher"}, "back": {"/console/plugins/publisher/permissions"}})
	gone.shows(t, 200, "Publisher is unregistered.", "Installed plugins", "No plugin yet")
	if got := gone.Header.Get("HX-Push-Url"); got != "/console/plugins" {
		t.Errorf("the browser keeps the address of what is gone: %q", got)
	}
	mara.swap("/console/plugins/publisher/unregister", "/console/plugins", url.Values{"typed": {"publisher"}}).shows(t, 404, "No plugin is registered")
}

func TestEnablingSaysWhatIsGiven(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	c.plugin("publisher", greeting(), nil)
	reader := c.plugin("reader", map[string]any{"dependencies": []string{"publisher"}}, nil)
	mara.get("/console/plugins").shows(t, 200, "depends on", "which is not active; enable that first.")
	mara.swap("/console/plugins/reader/enable", "/console/plugins", nil).shows(t, 409, "publisher", "enable it first")
	if reader.state() != policy.Registered {
		t.Errorf("it is %s", reader.state())
	}
	mara.post("/console/plugins/publisher/enable", nil).shows(t, 303)
	mara.get("/console/plugins/reader/enable").shows(t, 200, "It may call", "Publisher")
	mara.post("/console/plugins/reader/enable", url.Values{"choose": {"1"}}).shows(t, 303)
	if n := len(c.Registry.Snapshot().Grants()); n != 0 {
		t.Errorf("%d grants though none was chosen", n)
	}
	mara.post("/console/plugins/reader/disable", nil)
	mara.post("/console/plugins/reader/enable", url.Values{"choose": {"1"}, "accept": {"publisher"}}).shows(t, 303)
	grants := c.Registry.Snapshot().Grants()
	if len(grants) != 1 {
		t.Fatalf("%d grants", len(grants))
	}
	tab := mara.get("/console/plugins/reader/permissions")
	tab.shows(t, 200, "Grants", "any declared operation, accepted by Mara Lindqvist", "Withdraw")
	withdraw := "/console/plugins/reader/grants/" + grants[0].ID.String() + "/withdraw"
	mara.swap(withdraw, "/console/plugins/reader/permissions", nil).shows(t, 200, "The grant is withdrawn.", "No plugin may call another here.")
	mara.swap(withdraw, "/console/plugins/reader/permissions", nil).shows(t, 404)
}

func TestAWiderManifestWaits(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	p := c.enabled("reader", nil, nil)
	mara.post("/console/plugins/reader/accept", nil).shows(t, 409, "No manifest of reader waits any more")
	p.again(map[string]any{"version": "2.0.0", "traits": []string{"handles_internal", "external_service"}, "allowed_domains": []string{"api.example.org"}})
	mara.get("/console").shows(t, 200, "Reader asks for more", "Version 2.0.0")
	mara.get("/console/plugins/reader").shows(t, 200, "Version 2.0.0 asks for more.", "Review")
	mara.get("/console/plugins/reader/permissions").shows(t, 200, "external_service", "Waiting")
	mara.get("/console/plugins/reader/accept").shows(t, 200, "Accept version 2.0.0 of Reader?", "api.example.org")
	before, _ := c.Registry.Snapshot().Plugin("reader")
	waits, _ := c.Registry.Snapshot().Waiting(before)
	mara.swap("/console/plugins/reader/accept", "/console/plugins/reader", url.Values{"digest": {"sha256:another"}}).shows(t, 409, "another manifest")
	mara.swap("/console/plugins/reader/accept", "/console/plugins/reader", url.Values{"digest": {waits.Digest}}).shows(t, 200, "Reader runs under the manifest of version 2.0.0.", "2.0.0")
	now, _ := c.Registry.Snapshot().Plugin("reader")
	if now.Version != "2.0.0" || now.Pending != nil || now.State != policy.Active {
		t.Errorf("it runs as %s, %s", now.Version, now.State)
	}
}

func TestEgressApproval(t *testing.T) {
	c := newCore(t, host("api.example.org"))
	mara := c.setUp()
	p := c.enabled("reader", outgoing("api.example.org"), nil)
	ask := func() (int, map[string]any) {
		return p.do("POST", "/gateway/proxy", map[string]any{"url": "https://api.example.org/x", "method": "GET"})
	}
	if status, answer := ask(); status != 403 || answer["code"] != "proxy.approved" {
		t.Fatalf("unapproved egress: %d %v", status, answer)
	}
	if status, _ := p.do("POST", "/gateway/proxy", map[string]any{"url": "https://elsewhere.example.org/", "method": "GET"}); status != 403 {
		t.Fatalf("undeclared egress: %d", status)
	}
	c.eventually("what was asked for is shown", func() bool {
		return strings.Contains(mara.get("/console").text(), "1 egress host waits for approval")
	})
	mara.get("/console").shows(t, 200, "Reader asked for hosts it does not declare", "elsewhere.example.org")
	tab := mara.get("/console/plugins/reader/permissions")
	tab.shows(t, 200, "api.example.org", "Waiting", "Approve…", "not declared; asked for")
	one := "/console/plugins/reader/domains/approve?host=api.example.org"
	mara.get(one).shows(t, 200, "Let Reader reach api.example.org?")
	mara.get("/console/plugins/reader/domains/approve?host=evil.example.org").shows(t, 422, "only declared hosts can be approved")

	do := "/console/plugins/reader/domains/approve"
	for name, value := range map[string]string{"ports": "http", "rate": "-1", "bytes": "many", "paths": "v1"} {
		form := url.Values{"host": {"api.example.org"}, name: {value}}
		got := mara.swap(do, "/console/plugins/reader/permissions", form)
		if got.StatusCode != 422 || !strings.Contains(got.Body, `value="`+value+`"`) {
			t.Errorf("%s=%s is answered %d: %s", name, value, got.StatusCode, got.text())
		}
	}
	mara.post(do, url.Values{"host": {"evil.example.org"}}).shows(t, 422, "only declared domains can be approved")
	good := url.Values{"host": {"api.example.org"}, "methods": {"get, post"}, "ports": {"443 8443"}, "paths": {"/v1/"}, "rate": {"60"}, "days": {"30"}, "reason": {"Forecasts"}}
	mara.swap(do, "/console/plugins/reader/permissions", good).
		shows(t, 200, "Reader may reach api.example.org.", "GET POST, port 443 and 8443, below /v1/, 60 /min, until "+time.Now().Add(30*24*time.Hour).UTC().Format("2 January 2006"), "Mara Lindqvist", "Revoke")
	if status, answer := ask(); status != 403 || answer["code"] != "proxy.approved" {
		t.Errorf("a path that is not covered: %d %v", status, answer)
	}
	revoke := "/console/plugins/reader/domains/revoke"
	mara.swap(revoke, "/console/plugins/reader/permissions", url.Values{"host": {"api.example.org"}}).shows(t, 200, "Reader may not reach api.example.org any more.")
	mara.swap(revoke, "/console/plugins/reader/permissions", url.Values{"host": {"api.example.org"}}).shows(t, 404, "no such approval")
	if got := c.records(audit.Filter{Action: "egress.*", Outcome: audit.OK}); len(got) != 2 {
		t.Errorf("%d records of approvals, want 2", len(got))
	}
}

func TestHealthIsShownAsItWas(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	c.enabled("reader", nil, nil)
	mara.get("/console/plugins/reader").shows(t, 200, "Never checked")
	now := time.Now()
	for i, h := range []registry.Health{registry.Healthy, registry.Degraded, registry.Unhealthy, registry.Healthy} {
		sample := registry.Sample{At: now.Add(time.Duration(i-4) * time.Hour), Health: h, Latency: 12 * time.Millisecond, Metrics: map[string]float64{"uptime": 7384, "queue_length": 4, "memory_usage": 48 << 20}}
		if h == registry.Unhealthy {
			sample.Detail, sample.Failures = "503 Service Unavailable", 3
		}
		if err := c.Registry.Note(t.Context(), "reader", sample); err != nil {
			t.Fatal(err)
		}
	}
	p := mara.get("/console/plugins/reader")
	p.shows(t, 200, "Healthy 2.1 %", "Degraded 1 %", "Unhealthy 1 %", "GET /health , 12 ms", "Uptime 2h3m4s", "Queue length 4", "Memory usage 48.0 MiB")
	if err := c.Registry.Note(t.Context(), "reader", registry.Sample{At: now, Health: registry.Unhealthy, Detail: "503 Service Unavailable", Failures: 3}); err != nil {
		t.Fatal(err)
	}
	mara.get("/console/plugins/reader").shows(t, 200, "Unhealthy.", "503 Service Unavailable", "3 failures in a row")
	mara.get("/console").shows(t, 200, "Reader is unhealthy", "3 checks in a row failed. 503 Service Unavailable", "Quarantine…", "1 plugin, 0 healthy.")
}

func TestBurstsOfDenialsAreNoticed(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	c.enabled("publisher", greeting(), nil)
	caller := c.enabled("caller", nil, nil)
	for range 12 {
		if status, _ := caller.do("GET", "/gateway/publisher/get_profile?id=1", nil); status != http.StatusForbidden {
			t.Fatalf("the call answers %d", status)
		}
	}
	p := mara.get("/console")
	p.shows(t, 200, "12 denials in 15 minutes by operator.grant", "Caller calls Publisher.", "Why denied")
	var why string
	for _, link := range p.links() {
		if strings.HasPrefix(link, "/console/decisions/") {
			why = link
		}
	}
	mara.get(why).shows(t, 200, "Caller could not call get_profile", "operator.grant", "has no grant to call publisher", "How it was decided")
	mara.get("/console/plugins/caller").shows(t, 200, "calls publisher", "operator.grant")
	c.person("viewer@example.com", "Viewer", "viewer").get("/console").lacks(t, "denials in 15 minutes")
}

// Undo is the way back that the toast offers; it is as good as the button.
func TestUndo(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	p := c.enabled("publisher", greeting(), nil)
	off := mara.swap("/console/plugins/publisher/disable", "/console/plugins?state=active", nil)
	off.shows(t, 200, "Publisher is disabled.", "Nothing matches")
	var undo string
	for _, action := range off.actions() {
		if action == "/console/plugins/publisher/enable" {
			undo = action
		}
	}
	if undo == "" || !strings.Contains(off.Body, "data-undo") {
		t.Fatalf("no way back: %v", off.actions())
	}
	mara.swap(undo, "/console/plugins?state=active", nil).shows(t, 200, "Publisher is enabled.")
	if p.state() != policy.Active {
		t.Errorf("it is %s", p.state())
	}
}

// Two people act on what both saw: the second is told, and nothing is done twice.
func TestTheSecondIsTold(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	c.enabled("publisher", greeting(), nil)
	if err := c.Plugins.Disable(c.system(), "publisher", ""); err != nil {
		t.Fatal(err)
	}
	p := mara.swap("/console/plugins/publisher/disable", "/console/plugins", nil)
	p.shows(t, 409, "publisher is disabled and cannot become disabled")
	if p.Header.Get("HX-Reswap") != "none" {
		t.Error("the refusal replaces the page")
	}
	mara.post("/console/plugins/publisher/disable", nil).shows(t, 409, "It changed meanwhile", "Overview")
	if err := c.Plugins.Enable(c.system(), "publisher", pluginmgr.Enabling{}); err != nil {
		t.Fatal(err)
	}
	mara.post("/console/plugins/publisher/enable", nil).shows(t, 409)
}

package handlers_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// silence takes from the core's role the right to write the audit, and returns
// what gives it back.
func (c *core) silence() (speak func()) {
	c.t.Helper()
	run := func(statement string) {
		if _, err := c.DB.Owner.Exec(c.t.Context(), statement); err != nil {
			c.t.Fatal(err)
		}
	}
	run(`REVOKE INSERT ON audit_log FROM vivified_app`)
	return func() { run(`GRANT INSERT ON audit_log TO vivified_app`) }
}

// What cannot be recorded is not done: every lane and every change answers 503,
// nothing reaches a plugin, nothing is different afterwards. When the audit can be
// written again, all of it works without a restart.
func TestNothingHappensUnrecorded(t *testing.T) {
	c := newCore(t, host("api.example.com"))
	b := c.setUp()
	person := c.token(adminAt)
	plugin := identityService(c)
	caller := c.enabled("caller", map[string]any{
		"dependencies": []string{"identity-service"}, "traits": []string{"handles_internal", "external_service"}, "allowed_domains": []string{"api.example.com"},
		"events": map[string]any{"publishes": []any{"thing.happened"}},
	}, nil)
	idle := c.plugin("idle", nil, nil)
	ola := c.person("ola@example.com", "Ola Svensson", "viewer")
	state := func() any {
		users, _ := c.api(person, "GET", "/admin/users", nil)
		config, values := c.api(person, "GET", "/admin/config?origin=1", nil)
		_, grants := c.api(person, "GET", "/admin/grants", nil)
		_, egress := c.api(person, "GET", "/admin/approvals", nil)
		_, keys := c.api(person, "GET", "/admin/api-keys", nil)
		_, tokens := c.api(person, "GET", "/admin/registration-tokens", nil)
		_, people := c.api(person, "GET", "/admin/users", nil)
		states := map[string]any{}
		for _, p := range c.Registry.Snapshot().Plugins() {
			states[p.ID] = []any{p.State, p.ConfigVersion, p.Version}
		}
		return []any{users, config, values["items"], grants, egress["egress"], keys, tokens, people, states}
	}
	before := state()
	speak := c.silence()
	asks := []struct{ token, method, path, body string }{
		{caller.Token, "GET", "/gateway/identity-service/me", ""},
		{caller.Token, "POST", "/gateway/identity-service/user", `{"id":"1"}`},
		{caller.Token, "GET", "/gateway/identity-service/nothing", ""},
		{caller.Token, "GET", "/gateway/nobody/me", ""},
		{person, "GET", "/gateway/identity-service/me", ""},
		{caller.Token, "POST", "/messaging/events", `{"event_type":"thing.happened","payload":{}}`},
		{caller.Token, "POST", "/messaging/events", `{"event_type":"other.happened","payload":{}}`},
		{caller.Token, "POST", "/messaging/events", `{"event_type":"thing.happened","payload":{},"source_plugin":"idle"}`},
		{caller.Token, "POST", "/gateway/proxy", `{"url":"https://api.example.com/"}`},
		{caller.Token, "GET", "/proxy?url=https%3A%2F%2Fapi.example.com%2F", ""},
		{caller.Token, "GET", "/admin/users", ""},
		{person, "POST", "/plugins/idle/enable", ""},
		{person, "POST", "/plugins/caller/disable", ""},
		{person, "POST", "/plugins/caller/quarantine", ""},
		{person, "DELETE", "/plugins/idle", ""},
		{person, "PUT", "/admin/config", `{"key":"organisation","value":"Unrecorded"}`},
		{person, "POST", "/admin/users", `{"email":"new@example.com","name":"New","roles":["viewer"]}`},
		{person, "PATCH", "/admin/users/" + ola.user.ID.String(), `{"name":"Renamed"}`},
		{person, "PATCH", "/admin/users/" + ola.user.ID.String(), `{"status":"suspended"}`},
		{person, "PATCH", "/admin/users/" + ola.user.ID.String(), `{"roles":["admin"]}`},
		{person, "POST", "/admin/users/" + ola.user.ID.String() + "/traits", `{"trait":"viewer"}`},
		{person, "DELETE", "/admin/users/" + ola.user.ID.String(), ""},
		{person, "POST", "/admin/registration-tokens", `{"label":"x"}`},
		{person, "POST", "/admin/traits", `{"name":"new_trait","label":"New","description":"A new one.","category":"capability"}`},
		{person, "POST", "/admin/grants", `{"caller":"idle","target":"identity-service","operations":["me"]}`},
		{person, "POST", "/admin/approvals/egress", `{"plugin":"caller","domain":"api.example.com"}`},
		{person, "GET", "/admin/audit", ""},
		{person, "GET", "/admin/audit/export", ""},
		{person, "GET", "/admin/audit/verify", ""},
		{person, "GET", "/plugins/caller/activity", ""},
		{"", "POST", "/auth/login", `{"email":"` + adminAt + `","password":"` + password + `"}`},
		{"", "POST", "/auth/login", `{"email":"` + adminAt + `","password":"wrong"}`},
		{"x.y.z", "GET", "/plugins", ""},
		{"x.y.z", "GET", "/console", ""},
	}
	for _, a := range asks {
		got := c.send(a.method, a.path, a.body, bearer(a.token))
		if got.status() != http.StatusServiceUnavailable {
			t.Errorf("%s %s %s answers %d: %.300s", a.method, a.path, a.body, got.status(), got.Body)
			continue
		}
		if p := got.problem(t); p.Code != "audit.unavailable" {
			t.Errorf("%s %s has the code %s", a.method, a.path, p.Code)
		}
	}
	if reached := plugin.take(); len(reached) > 0 {
		t.Errorf("the plugin was asked %v", reached)
	}
	if got := b.post("/sign-out", nil); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("signing out answers %d", got.StatusCode)
	}
	if diff := cmp.Diff(before, state(), cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) })); diff != "" {
		t.Errorf("something changed though nothing could be recorded: %s", diff)
	}
	speak()
	c.eventually("lanes work again", func() bool {
		status, _ := caller.do("GET", "/gateway/identity-service/me", nil)
		return status == http.StatusOK
	})
	plugin.take()
	caller.publish("thing.happened", map[string]string{})
	if status, answer := c.api(person, "POST", "/plugins/idle/enable", nil); status != http.StatusOK || idle.state() != "active" {
		t.Errorf("enabling afterwards answers %d %v", status, answer)
	}
	if report := must(c.Verify(c.system()))(t); !report.OK {
		t.Errorf("the audit does not verify: %+v", report)
	}
}

// An audit that hangs instead of failing makes lanes answer within their time,
// and does not make them wait for ever.
func TestAHangingAuditEndsInTime(t *testing.T) {
	c := newCore(t)
	plugin := identityService(c)
	caller := callerOf(c, "identity-service")
	tx := must(c.DB.Owner.Begin(t.Context()))(t)
	if _, err := tx.Exec(t.Context(), `LOCK TABLE audit_log IN ACCESS EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	got := c.send("GET", "/gateway/identity-service/me", "", bearer(caller.Token))
	if took := time.Since(start); got.status() != http.StatusServiceUnavailable || took > 8*time.Second {
		t.Errorf("the answer is %d after %s", got.status(), took)
	}
	if reached := plugin.take(); len(reached) > 0 {
		t.Errorf("the plugin was asked %v", reached)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.eventually("lanes work again", func() bool {
		return c.send("GET", "/gateway/identity-service/me", "", bearer(caller.Token)).status() == http.StatusOK
	})
}

// Every refusal of a lane is exactly one row, with the rule, who, what, where and
// when; its decision can be read by whoever was refused.
func TestEveryDenialIsOneRow(t *testing.T) {
	c := newCore(t, host("api.example.com"))
	c.setUp()
	identityService(c)
	plugin := c.enabled("lonely", map[string]any{
		"traits": []string{"handles_internal"}, "config_schema": map[string]any{"type": "object", "properties": map[string]any{"a": map[string]any{"type": "string"}}},
	}, nil)
	c.person("ola@example.com", "Ola Svensson", "viewer")
	token := c.token("ola@example.com")
	admin, apiKey := c.token(adminAt), ""
	status, made := c.api(token, "POST", "/admin/api-keys", map[string]any{"name": "k", "scope": []string{"viewer"}, "expires_at": time.Now().Add(time.Hour)})
	if apiKey, _ = made["key"].(string); apiKey == "" {
		t.Fatalf("no key: %d %v", status, made)
	}
	for _, a := range []struct{ token, method, path, body, rule string }{
		{plugin.Token, "GET", "/gateway/identity-service/me", "", "operator.grant"},
		{plugin.Token, "GET", "/gateway/nobody/me", "", "operator.target"},
		{plugin.Token, "POST", "/gateway/identity-service/shutdown", "{}", "core.dangerous"},
		{plugin.Token, "POST", "/gateway/identity-service/me", `{"caller_plugin":"identity-service","payload":{}}`, "identity.mismatch"},
		{plugin.Token, "POST", "/messaging/events", `{"event_type":"a.b","payload":{}}`, "event.publish"},
		{plugin.Token, "POST", "/messaging/events", `{"event_type":"a.b","payload":{},"source_plugin":"identity-service"}`, "identity.mismatch"},
		{plugin.Token, "GET", "/messaging/events/stream", "", "event.subscribe"},
		{plugin.Token, "POST", "/gateway/proxy", `{"url":"https://api.example.com/"}`, "proxy.trait"},
		{plugin.Token, "POST", "/gateway/proxy", `{"url":"https://api.example.com/","plugin_id":"identity-service"}`, "identity.mismatch"},
		{plugin.Token, "GET", "/proxy?url=https%3A%2F%2Fapi.example.com%2F", "", "proxy.trait"},
		{plugin.Token, "POST", "/plugins/heartbeat", `{"plugin_id":"identity-service"}`, "identity.mismatch"},
		{plugin.Token, "POST", "/plugins/identity-service/heartbeat", `{}`, "identity.mismatch"},
		{plugin.Token, "GET", "/plugins/identity-service/config", "", "identity.mismatch"},
		{plugin.Token, "PUT", "/plugins/lonely/config", `{"settings":{}}`, "console.access"},
		{token, "PUT", "/admin/config", `{"key":"organisation","value":"x"}`, "console.access"},
		{token, "POST", "/plugins/lonely/disable", "", "console.access"},
		{token, "PUT", "/plugins/lonely/config", `{"settings":{}}`, "console.access"},
		{token, "GET", "/admin/users", "", "console.access"},
		{token, "GET", "/admin/audit", "", "console.access"},
		{apiKey, "POST", "/admin/api-keys", `{"name":"x","expires_at":"2027-01-01T00:00:00Z"}`, "identity.session"},
		{admin, "POST", "/messaging/events", `{}`, "identity.plugins_only"},
	} {
		got := c.send(a.method, a.path, a.body, bearer(a.token))
		if got.status() != http.StatusForbidden {
			t.Errorf("%s %s %s answers %d: %.200s", a.method, a.path, a.body, got.status(), got.Body)
			continue
		}
		p := got.problem(t)
		if p.Code != a.rule {
			t.Errorf("%s %s %s is denied by %s, want %s", a.method, a.path, a.body, p.Code, a.rule)
		}
		kind := "user"
		if a.token == plugin.Token {
			kind = "plugin"
		}
		r := c.denied(t, got, a.method+" "+a.path+" "+a.body, kind, "", "")
		if r.Rule != p.Code || r.ID.String() != p.Decision {
			t.Errorf("%s %s: the row is %s by %s, the answer %s by %s", a.method, a.path, r.ID, r.Rule, p.Decision, p.Code)
		}
		if kind == "user" {
			if status, told := c.api(a.token, "GET", "/admin/decisions/"+p.Decision, nil); status != http.StatusOK || told["rule"] != a.rule {
				t.Errorf("%s %s: whoever was denied is told of the decision %d %v", a.method, a.path, status, told)
			}
		}
	}
}

// Whatever a stranger calls things, log and export keep one line a record, with
// nothing in it that a terminal would act upon.
func TestLogAndExportKeepOneLineARecord(t *testing.T) {
	c := newCore(t)
	c.setUp()
	identityService(c)
	p := callerOf(c, "identity-service")
	const evil = "a\r\nb\x1b[2J\u2028\u2029\u0085\u202e\x00c"
	quoted := string(must(json.Marshal(evil))(t))
	for _, a := range []struct{ token, method, path, body string }{
		{p.Token, "POST", "/messaging/events", `{"event_type":` + quoted + `,"payload":{}}`},
		{p.Token, "POST", "/messaging/events", `{"event_type":"a.b","payload":{},"source_plugin":` + quoted + `}`},
		{p.Token, "POST", "/gateway/proxy", `{"url":` + quoted + `}`},
		{p.Token, "POST", "/gateway/proxy", `{"url":"https://api.example.com/` + strings.Trim(quoted, `"`) + `"}`},
		{p.Token, "POST", "/gateway/identity-service/user", `{"caller_plugin":` + quoted + `,"payload":{}}`},
		{p.Token, "GET", "/gateway/nobody/-/caf%C3%A9/%E2%80%A2x", ""},
		{"", "POST", "/plugins/register", `{"id":` + quoted + `,"name":` + quoted + `}`},
		{"", "POST", "/auth/login", `{"email":` + quoted + `,"password":` + quoted + `}`},
		{c.token(adminAt), "POST", "/plugins/caller/disable", `{"reason":` + quoted + `}`},
		{c.token(adminAt), "POST", "/admin/users", `{"email":"x@example.com","name":` + quoted + `}`},
		{c.token(adminAt), "PUT", "/admin/config", `{"key":` + quoted + `,"value":1}`},
		{c.token(adminAt), "PUT", "/admin/config", `{"key":"organisation","value":"x","reason":` + quoted + `}`},
		{c.token(adminAt), "GET", "/admin/audit?actor=%0d%0a%1b&limit=1", ""},
	} {
		if got := c.send(a.method, a.path, a.body, bearer(a.token)); got.status() >= 500 || got.status() == 0 {
			t.Errorf("%s %s %s answers %d: %s", a.method, a.path, a.body, got.status(), got.Body)
		}
	}
	clean := func(what, text string) {
		for n, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
			for _, r := range line {
				if r != '\t' && (unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029') {
					t.Errorf("%s, line %d holds %U: %.200q", what, n+1, r, line)
					break
				}
			}
		}
	}
	person := c.token(adminAt)
	export := c.send("GET", "/admin/audit/export", "", bearer(person))
	clean("the export", export.Body)
	lines := bufio.NewScanner(strings.NewReader(export.Body))
	lines.Buffer(nil, 4<<20)
	count := 0
	for lines.Scan() {
		count++
		if !json.Valid(lines.Bytes()) {
			t.Errorf("a line of the export is no JSON: %.200s", lines.Text())
		}
	}
	if count < 15 {
		t.Errorf("the export has %d lines", count)
	}
	sheet := c.send("GET", "/admin/audit/export?format=csv", "", bearer(person))
	clean("the sheet", strings.ReplaceAll(sheet.Body, "\r\n", "\n"))
	for _, line := range strings.Split(strings.TrimSpace(c.Log.String()), "\n") {
		if line != "" && !strings.HasPrefix(line, "time=") {
			t.Errorf("the log has a line of somebody else's: %.200q", line)
		}
	}
	clean("the log", c.Log.String())
}

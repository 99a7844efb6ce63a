package handlers_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// writes are requests with a JSON body, each with members of every type it takes.
var writes = []struct {
	method, path, body string
	public             bool
}{
	{"POST", "/auth/login", `{"username":"a","email":"b","password":"c"}`, true},
	{"POST", "/setup", `{"token":"a","email":"b","name":"c","password":"d"}`, true},
	{"POST", "/plugins/token", `{"refresh_token":"a"}`, true},
	{"POST", "/plugins/one/enable", `{"accept":["a"],"accept_manifest":true,"reason":"a"}`, false},
	{"POST", "/plugins/one/disable", `{"reason":"a"}`, false},
	{"PUT", "/plugins/one/config", `{"enabled":true,"settings":{},"version":1,"reason":"a"}`, false},
	{"PUT", "/admin/config", `{"key":"organisation","value":"x","version":1,"reason":"a"}`, false},
	{"POST", "/admin/config", `{"changes":[{"key":"organisation","value":"x","version":1}],"reason":"a"}`, false},
	{"POST", "/admin/users", `{"email":"a@example.com","name":"b","roles":["viewer"]}`, false},
	{"POST", "/admin/api-keys", `{"name":"a","scope":["viewer"],"expires_at":"2027-01-01T00:00:00Z"}`, false},
	{"POST", "/admin/registration-tokens", `{"plugin":"a","label":"b","expires_in":60}`, false},
	{"POST", "/admin/traits", `{"name":"a"}`, false},
	{"POST", "/admin/grants", `{"caller":"a","target":"b","operations":["c"]}`, false},
	{"POST", "/admin/approvals/egress", `{"plugin":"one","domain":"a.example","ports":[443],"rate":1,"bytes":1}`, false},
}

// Whatever is sent where JSON belongs is refused as the sender's mistake, in
// words that name the member, and never as a failure of the core.
func TestBodiesThatAreNone(t *testing.T) {
	c := newCore(t)
	c.setUp()
	c.enabled("one", nil, nil)
	person := c.token(adminAt)
	for _, w := range writes {
		token := person
		if w.public {
			token = ""
		}
		for name, body := range map[string]string{
			"no JSON": "hello", "half of it": w.body[:len(w.body)-1], "two": w.body + w.body, "an array": "[1]", "a string": `"x"`, "a number": "1", "true": "true",
			"deep arrays": strings.Repeat("[", 200_000), "deep objects": strings.Repeat(`{"a":`, 100_000), "deep and whole": `{"x":` + strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000) + `}`,
			"invalid UTF-8": strings.Replace(w.body, `"a"`, "\"\xff\xfe\"", 1) + "\xff", "a NUL": "\x00", "UTF-16": "\xff\xfe{\x00}\x00", "a mark before": "\ufeff" + w.body,
			"a NUL inside": strings.NewReplacer(`"a`, `"\u0000a`, `"x`, `"\u0000x`).Replace(w.body),
		} {
			if name == "a NUL inside" && !strings.Contains(body, "u0000") {
				continue
			}
			got := c.send(w.method, w.path, body, bearer(token))
			if got.status() < 400 || got.status() >= 500 {
				t.Errorf("%s %s with %s answers %d: %.200s", w.method, w.path, name, got.status(), got.Body)
				continue
			}
			got.problem(t)
			if strings.Contains(got.Body, "json:") || strings.Contains(got.Body, "unmarshal") || strings.Contains(got.Body, "struct") {
				t.Errorf("%s %s with %s tells of the core's inside: %s", w.method, w.path, name, got.Body)
			}
		}
	}
}

// A member of the wrong type is named.
func TestMembersOfTheWrongType(t *testing.T) {
	c := newCore(t)
	c.setUp()
	c.enabled("one", nil, nil)
	person := c.token(adminAt)
	for _, tt := range []struct{ method, path, body, says string }{
		{"POST", "/admin/users", `{"email":1}`, `"email" of the body should be a string`},
		{"POST", "/admin/users", `{"roles":"viewer"}`, `"roles" of the body should be an array`},
		{"POST", "/admin/users", `{"roles":[1]}`, `"roles" of the body should be`},
		{"POST", "/plugins/one/enable", `{"accept_manifest":"yes"}`, `"accept_manifest" of the body should be true or false`},
		{"PUT", "/admin/config", `{"key":"organisation","version":"1"}`, `"version" of the body should be a whole number`},
		{"PUT", "/admin/config", `{"key":"organisation","version":1.5}`, `"version" of the body should be a whole number`},
		{"PUT", "/admin/config", `{"key":"organisation","version":99999999999999999999}`, `"version" of the body should be a whole number`},
		{"POST", "/admin/config", `{"changes":{"key":"organisation"}}`, `"changes" of the body should be an array`},
		{"POST", "/admin/config", `{"changes":[{"key":1}]}`, `"changes.key" of the body should be a string`},
		{"POST", "/admin/api-keys", `{"name":"a","expires_at":"tomorrow"}`, `"expires_at" of the body`},
		{"POST", "/admin/api-keys", `{"name":"a","expires_at":5}`, `"expires_at" of the body`},
		{"POST", "/admin/registration-tokens", `{"expires_in":"60"}`, `"expires_in" of the body should be a whole number`},
		{"POST", "/admin/registration-tokens", `[]`, `should be a JSON object`},
		{"POST", "/auth/login", `{"password":["a"]}`, `"password" of the body should be a string`},
	} {
		got := c.send(tt.method, tt.path, tt.body, bearer(person))
		p := got.problem(t)
		if got.status() != http.StatusBadRequest || p.Code != "body.type" || !strings.Contains(p.Detail, tt.says) {
			t.Errorf("%s %s %s answers %d %s: %s", tt.method, tt.path, tt.body, got.status(), p.Code, p.Detail)
		}
	}
	// A time beyond what can be computed with is no other time.
	for _, seconds := range []string{"18446744074", "9223372037", "9223372036854775807", "-1", "-9223372036854775808"} {
		if got := c.send("POST", "/admin/registration-tokens", `{"label":"x","expires_in":`+seconds+`}`, bearer(person)); got.status() != http.StatusUnprocessableEntity {
			t.Errorf("a token of %s seconds is answered with %d %s", seconds, got.status(), got.Body)
		}
	}
}

// Queries of a stranger's making are refused or find nothing; none is a failure.
func TestQueriesThatAreNone(t *testing.T) {
	c := newCore(t)
	c.setUp()
	plugin := c.enabled("one", map[string]any{"events": map[string]any{"subscribes": []string{"a.b"}}}, nil)
	person := c.token(adminAt)
	values := []string{"\x00", "\xff\xfe", strings.Repeat("x", 5000), "'; DROP TABLE audit_log; --", "%", "*", "\\", "'", "\u202e", "-1", "0", "1e9", "99999999999999999999", "NaN", "[]", "{{.}}", "a'b\\c & d | !(e):*", "<->", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "294277-01-01T00:00:00Z", "2026-01-01"}
	for path, names := range map[string][]string{
		"/admin/audit":          {"since", "until", "actor", "plugin", "action", "object", "outcome", "class", "rule", "trace", "address", "q", "limit", "cursor"},
		"/admin/audit/export":   {"since", "until", "actor", "q", "format"},
		"/admin/users":          {"q", "status", "role", "limit", "cursor"},
		"/admin/config":         {"origin"},
		"/admin/config/history": {"key", "limit", "cursor"},
		"/plugins/one/impact":   {"action"},
		"/plugins/one/activity": {"q", "cursor", "since"},
		"/console/audit":        {"q", "cursor", "plugin", "outcome", "range", "actor", "since"},
		"/console/users":        {"q", "cursor", "status", "role"},
		"/console/events":       {"type", "plugin", "class", "trace", "range"},
		"/console/plugins":      {"q", "state", "health", "cursor", "sort"},
		"/console/palette":      {"q"},
	} {
		for _, name := range names {
			for _, value := range values {
				target := path + "?" + name + "=" + url.QueryEscape(value)
				if name == "q" && strings.HasPrefix(path, "/admin/audit") {
					target += "&since=2026-01-01T00:00:00Z"
				}
				if got := c.send("GET", target, "", bearer(person)); got.status() >= 500 || got.status() == 0 {
					t.Errorf("GET %.200s answers %d: %.200s", target, got.status(), got.Body)
				}
			}
		}
	}
	for _, id := range []string{"%00", "%ff", "%27", strings.Repeat("x", 1000), "0", "-1", "00000000-0000-0000-0000-000000000000", "%e2%80%ae", "*", "%25"} {
		for _, path := range []string{"/admin/users/%s", "/plugins/%s", "/plugins/%s/health", "/plugins/%s/config", "/plugins/%s/activity", "/plugins/%s/impact?action=disable", "/admin/decisions/%s", "/console/plugins/%s",
			"/console/users/%s", "/console/decisions/%s", "/console/audit/change/%s", "/console/audit/%s/1", "/console/events/%s"} {
			if got := c.send("GET", fmt.Sprintf(path, id), "", bearer(person)); got.status() >= 500 || got.status() == 0 || got.status() == http.StatusOK && !strings.Contains(path, "activity") && !strings.Contains(path, "events") {
				t.Errorf("GET "+path+" answers %d: %.200s", id, got.status(), got.Body)
			}
		}
		for _, ask := range [][2]string{{"DELETE", "/admin/users/%s"}, {"DELETE", "/admin/api-keys/%s"}, {"DELETE", "/admin/grants/%s"}, {"DELETE", "/admin/approvals/egress/%s"}, {"DELETE", "/admin/registration-tokens/%s"},
			{"POST", "/admin/config/history/%s/restore"}, {"POST", "/plugins/%s/enable"}, {"DELETE", "/plugins/%s"}} {
			if got := c.send(ask[0], fmt.Sprintf(ask[1], id), "", bearer(person)); got.status() < 400 || got.status() >= 500 {
				t.Errorf(ask[0]+" "+ask[1]+" answers %d: %.200s", id, got.status(), got.Body)
			}
		}
	}
	for _, query := range []string{"consumer=%00", "consumer=../x", "types=%00", "types=" + strings.Repeat("a.b,", 5000) + "c", "types=>", "types=*", "types=a.b.%3E"} {
		if got := c.send("GET", "/messaging/events/stream?"+query, "", bearer(plugin.Token)); got.status() < 400 || got.status() >= 500 {
			t.Errorf("listening to %.60s answers %d: %.200s", query, got.status(), got.Body)
		}
	}
	for _, query := range []string{"timeout=NaN", "timeout=Inf", "timeout=-1", "timeout=0", "timeout=1e400", "timeout=x", "timeout=%00"} {
		if got := c.send("GET", "/gateway/one/x?"+query, "", bearer(plugin.Token)); got.status() != http.StatusUnprocessableEntity {
			t.Errorf("a call with %s answers %d: %.200s", query, got.status(), got.Body)
		}
	}
}

// A body over its limit is refused, announced or not.
func TestBodiesOverTheirLimit(t *testing.T) {
	c := newCore(t)
	c.setUp()
	target := identityService(c)
	plugin := callerOf(c, "identity-service")
	person := c.token(adminAt)
	for _, tt := range []struct {
		method, path, token string
		size                int
	}{
		{"POST", "/auth/login", "", 16<<10 + 1}, {"POST", "/plugins/token", "", 16<<10 + 1}, {"POST", "/plugins/register", "", 256<<10 + 1}, {"POST", "/sign-in", "", 64<<10 + 1},
		{"POST", "/plugins/heartbeat", plugin.Token, 64<<10 + 1}, {"POST", "/messaging/events", plugin.Token, 2<<20 + 1}, {"PUT", "/admin/config", person, 1<<20 + 1},
		{"POST", "/admin/users", person, 1<<20 + 1}, {"POST", "/gateway/identity-service/user?id=1", plugin.Token, 11 << 20}, {"POST", "/gateway/proxy", plugin.Token, 22 << 20},
	} {
		for _, announced := range []bool{true, false} {
			r := must(http.NewRequestWithContext(t.Context(), tt.method, c.URL+tt.path, strings.NewReader(`"`+strings.Repeat("x", tt.size-2)+`"`)))(t)
			r.Header.Set("Content-Type", "application/json")
			if tt.path == "/sign-in" {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			if tt.token != "" {
				r.Header.Set("Authorization", "Bearer "+tt.token)
			}
			if !announced {
				r.ContentLength = -1
			}
			answer, err := direct.Do(r)
			if err != nil {
				continue // the core hung up while the body was still coming
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("%s %s with %d bytes (announced: %v) answers %d, want 413", tt.method, tt.path, tt.size, announced, answer.StatusCode)
			}
		}
	}
	for _, s := range target.take() {
		if !s.cut {
			t.Errorf("%s %s reached the plugin whole, with %d bytes", s.Method, s.URI, len(s.Body))
		}
	}
	// Of a body that inflates, only the bytes sent count, and nothing inflates them.
	got := c.send("POST", "/messaging/events", "\x1f\x8b\x08\x00\x00\x00\x00\x00", http.Header{"Authorization": {"Bearer " + plugin.Token}, "Content-Encoding": {"gzip"}, "Content-Type": {"application/json"}})
	if got.status() != http.StatusBadRequest {
		t.Errorf("a compressed body answers %d", got.status())
	}
}

// A body that comes too slowly, or never, ends the request in time, whoever sends it.
func TestSlowBodiesEnd(t *testing.T) {
	c := newCore(t, patient(300*time.Millisecond))
	c.setUp()
	identityService(c)
	plugin := callerOf(c, "identity-service")
	for name, lines := range map[string][]string{
		"a stranger":           {"POST /auth/login HTTP/1.1"},
		"a stranger, unknown":  {"POST /nothing HTTP/1.1"},
		"a registration":       {"POST /plugins/register HTTP/1.1"},
		"a publisher":          {"POST /messaging/events HTTP/1.1", "Authorization: Bearer " + plugin.Token},
		"a caller":             {"POST /gateway/identity-service/user?id=1 HTTP/1.1", "Authorization: Bearer " + plugin.Token},
		"a caller's long body": {"POST /gateway/identity-service/user?id=1 HTTP/1.1", "Authorization: Bearer " + plugin.Token, "Content-Type: text/plain"},
		"a person":             {"PUT /admin/config HTTP/1.1", "Authorization: Bearer " + c.token(adminAt)},
		"a denied plugin":      {"PUT /admin/config HTTP/1.1", "Authorization: Bearer " + plugin.Token},
	} {
		t.Run(name, func(t *testing.T) {
			w := c.wire()
			start := time.Now()
			w.write(strings.Join(append(lines, "Host: core", "Content-Length: 100000"), "\r\n") + "\r\n\r\n{")
			got := w.read("POST")
			if took := time.Since(start); took > 6*time.Second {
				t.Errorf("the core waited %s", took)
			}
			// A target that was being asked meanwhile is told that its caller has gone.
			if got != nil && (got.StatusCode < 400 || got.StatusCode >= 500) && !strings.Contains(got.Body, "caller.gone") {
				t.Errorf("the answer is %d: %s", got.StatusCode, got.Body)
			}
			if got != nil {
				if again := w.read("POST"); again != nil {
					t.Errorf("the connection goes on: %d", again.StatusCode)
				}
			}
		})
	}
	// Somebody quick on the same core is answered all the while.
	if status, _ := plugin.do("GET", "/gateway/identity-service/me", nil); status != http.StatusOK {
		t.Errorf("a quick caller is answered %d", status)
	}
}

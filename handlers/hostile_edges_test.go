package handlers_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/audit"
)

// What the first clients sent is understood still, down to the names of members.
func TestEarlyClientsAreUnderstood(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Seen", r.Method+" "+r.URL.Path)
		_, _ = io.WriteString(w, "hello")
	}))
	defer site.Close()
	c := newCore(t, host("api.example.com"))
	c.setUp()
	plugin := identityService(c)
	p := c.enabled("early", map[string]any{
		"dependencies": []string{"identity-service"}, "traits": []string{"handles_pii", "audit_required", "external_service"}, "allowed_domains": []string{"api.example.com"},
		"security": map[string]any{"authentication_required": true, "data_classification": []string{"pii"}}, "events": map[string]any{"publishes": []any{"user.created"}},
	}, nil)

	t.Run("an event", func(t *testing.T) {
		for _, body := range []string{
			`{"event_type":"user.created","payload":{"id":1},"source_plugin":"early","data_traits":["pii"]}`,
			`{"event_type":"UserCreated","payload":{"id":1},"source_plugin":"early","data_traits":["handles_pii"],"timestamp":"2025-01-01T00:00:00Z"}`,
			`{"event_type":"user.created","data":{"id":1},"metadata":{"classification":["pii"]}}`,
			`{"event_type":"user.created","payload":null}`,
		} {
			got := c.send("POST", "/messaging/events", body, bearer(p.Token))
			var answer struct {
				EventID string `json:"event_id"`
				Status  string
				Trace   string `json:"trace_id"`
			}
			_ = json.Unmarshal([]byte(got.Body), &answer)
			if got.status() != http.StatusAccepted || answer.EventID == "" || answer.Status != "published" || answer.Trace != got.Header.Get("X-Trace-Id") {
				t.Errorf("%s is answered with %d %s", body, got.status(), got.Body)
			}
		}
		for body, want := range map[string]int{
			`{"event_type":"user.created","payload":{},"source_plugin":"identity-service"}`:                   403,
			`{"event_type":"user.created","payload":{},"plugin_id":"identity-service"}`:                       403,
			`{"event_type":"user.created","payload":{},"source_plugin":"early","plugin_id":"other"}`:          403,
			`{"event_type":"user.created","payload":{},"data_traits":["handles_everything"]}`:                 422,
			`{"event_type":"user.created","payload":{},"metadata":{"classification":7}}`:                      400,
			`{"event_type":"user.created","payload":{},"id":"a b"}`:                                           400,
			`{"event_type":"user.created","payload":{},"id":"` + strings.Repeat("x", 129) + `"}`:              400,
			`{"event_type":"` + strings.Repeat("x.", 5000) + `y","payload":{}}`:                               400,
			`{"event_type":"*","payload":{}}`:                                                                 400,
			`{"event_type":">","payload":{}}`:                                                                 400,
			`{"event_type":"user..created","payload":{}}`:                                                     400,
			`{"event_type":"$SYS.REQ","payload":{}}`:                                                          400,
			`{"payload":{}}`:                                                                                  400,
			`{"event_type":"user.created","payload":"` + "\xff" + `"}`:                                        400,
			`{"event_type":"user.created","payload":` + strings.Repeat("[", 20_000) + `}`:                     400,
			`[{"event_type":"user.created","payload":{}}]`:                                                    400,
			`{"event_type":"user.created","payload":{},"event_id":"a","id":"b"}`:                              400,
			`{"specversion":"1.0","id":"1","source":"x","type":"user.created","data_base64":"AAAA"}`:          400,
			`{"specversion":"0.3","id":"1","source":"x","type":"user.created","data":{}}`:                     400,
			`{"event_type":"user.created","payload":{},"schema":"https://evil.example/","unknown":[[[[1]]]]}`: 202,
		} {
			got := c.send("POST", "/messaging/events", body, bearer(p.Token))
			if got.status() != want {
				t.Errorf("%.120q is answered with %d %.200s, want %d", body, got.status(), got.Body, want)
			} else if want >= 400 {
				got.problem(t)
			}
		}
	})
	t.Run("a key against publishing twice", func(t *testing.T) {
		send := func(key string) *reply {
			h := bearer(p.Token)
			h["Idempotency-Key"] = []string{key}
			return c.send("POST", "/messaging/events", `{"event_type":"user.created","payload":{"n":1}}`, h)
		}
		first, again := send("order-7"), send("order-7")
		if first.status() != 202 || again.status() != 202 || !strings.Contains(first.Body, `"order-7"`) || !strings.Contains(again.Body, `"duplicate":true`) || strings.Contains(first.Body, "duplicate") {
			t.Errorf("the answers are %s and %s", first.Body, again.Body)
		}
		for _, bad := range []string{"a b", strings.Repeat("x", 129), "caf\xc3\xa9", "\u2028"} {
			if got := send(bad); got.status() != http.StatusBadRequest {
				t.Errorf("the key %.40q is answered with %d", bad, got.status())
			}
		}
	})
	t.Run("a wrapped call", func(t *testing.T) {
		plugin.take()
		plugin.answer(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"json":true}`)
				return
			}
			w.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(w, "plain <b>text</b>")
		})
		got := c.send("POST", "/gateway/identity-service/me", `{"caller_plugin":"early","payload":{"a":1},"timeout":5}`, bearer(p.Token))
		if got.status() != 200 || got.Body != `{"json":true}` {
			t.Errorf("a wrapped POST is answered with %d %s", got.status(), got.Body)
		}
		if reached := plugin.take(); len(reached) != 1 || reached[0].Method != "POST" || reached[0].Body != `{"a":1}` {
			t.Errorf("the plugin got %v", reached)
		}
		got = c.send("POST", "/gateway/identity-service/me", `{"caller_plugin":"early","payload":null}`, bearer(p.Token))
		var raw struct{ Raw string }
		if err := json.Unmarshal([]byte(got.Body), &raw); err != nil || got.status() != 200 || raw.Raw != "plain <b>text</b>" {
			t.Errorf("a wrapped GET is answered with %d %s", got.status(), got.Body)
		}
		if reached := plugin.take(); len(reached) != 1 || reached[0].Method != "GET" {
			t.Errorf("the plugin got %v", reached)
		}
		plugin.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
		if got = c.send("POST", "/gateway/identity-service/me", `{"caller_plugin":"early","payload":{}}`, bearer(p.Token)); got.status() != http.StatusNoContent || got.Body != "" {
			t.Errorf("a wrapped call without an answer is answered with %d %s", got.status(), got.Body)
		}
		plugin.answer(nil)
		plugin.take()
		// Anything beside the three members is the target's own business.
		body := `{"caller_plugin":"identity-service","payload":{},"more":1}`
		if got = c.send("POST", "/gateway/identity-service/me", body, bearer(p.Token)); got.status() != 200 {
			t.Errorf("a body of its own is answered with %d %s", got.status(), got.Body)
		}
		if reached := plugin.take(); len(reached) != 1 || reached[0].Body != body {
			t.Errorf("the plugin got %v", reached)
		}
		if got = c.send("POST", "/gateway/identity-service/me", `{"caller_plugin":"identity-service","payload":{}}`, bearer(p.Token)); got.status() != http.StatusForbidden || got.problem(t).Code != "identity.mismatch" {
			t.Errorf("a call in another's name is answered with %d %s", got.status(), got.Body)
		}
	})
	t.Run("a request outside", func(t *testing.T) {
		for body, want := range map[string]int{
			`{"plugin_id":"identity-service","url":"https://api.example.com/"}`:                    403,
			`{"caller_plugin":"early","payload":{"plugin_id":"other","url":"https://x.example/"}}`: 400,
			`{"plugin_id":"early","url":"https://evil.example/","method":"GET"}`:                   403,
			`{"plugin_id":"early"}`:                                                  400,
			`{"plugin_id":"early","url":5}`:                                          400,
			`{"url":"https://api.example.com/","headers":"x"}`:                       400,
			`{"url":"https://api.example.com/","headers":{"a b":"c"}}`:               400,
			`{"url":"https://api.example.com/","headers":{"X-A":"b\r\nHost: evil"}}`: 400,
			`{"url":"https://api.example.com/","method":"CONNECT"}`:                  400,
			`{"url":"https://api.example.com/","timeout":"soon"}`:                    400,
			`{"url":"https://api.example.com/","body":"!","body_encoding":"base64"}`: 400,
			`{"url":"http://169.254.169.254/latest/meta-data/"}`:                     403,
			`{"url":"file:///etc/passwd"}`:                                           403,
			`[]`:                                                                     400,
		} {
			got := c.send("POST", "/gateway/proxy", body, bearer(p.Token))
			if got.status() != want {
				t.Errorf("%s is answered with %d %.200s, want %d", body, got.status(), got.Body, want)
			}
			if want >= 400 {
				got.problem(t)
			}
		}
	})
	t.Run("the settings", func(t *testing.T) {
		person := c.token(adminAt)
		status, flat := c.api(person, "GET", "/admin/config", nil)
		if _, ok := flat["organisation"]; status != 200 || !ok {
			t.Errorf("the flat map is %d %v", status, flat)
		}
		if status, flat = c.api(person, "PUT", "/admin/config", map[string]any{"key": "organisation", "value": "Nordlicht", "is_sensitive": false, "reason": "r"}); status != 200 || flat["organisation"] != "Nordlicht" {
			t.Errorf("a change is answered with %d %v", status, flat["organisation"])
		}
		for body, want := range map[string]int{`{"value":1}`: 422, `{"key":"nothing","value":1}`: 422, `{"key":"organisation","value":{"a":1}}`: 422, `{"key":"database_url","value":"x"}`: 403, `{"changes":[]}`: 422,
			`{"key":"organisation","value":"x","version":99}`: 409} {
			if got := c.send("PUT", "/admin/config", body, bearer(person)); got.status() < 400 || got.status() >= 500 || want != 403 && got.status() != want {
				t.Errorf("%s is answered with %d %.200s", body, got.status(), got.Body)
			}
		}
	})
}

// Both ends of a plugin's configuration: the plugin reads its own whole, nobody
// else's; people write it, with what enabling needs.
func TestPluginConfiguration(t *testing.T) {
	c := newCore(t)
	c.setUp()
	person := c.token(adminAt)
	c.person("ola@example.com", "Ola Svensson", "viewer")
	members := map[string]any{"config_schema": map[string]any{"type": "object", "required": []string{"mode"}, "properties": map[string]any{
		"mode": map[string]any{"type": "string"}, "key": map[string]any{"type": "string", "x-secret": true},
	}}}
	p, other := c.plugin("one", members, nil), c.plugin("two", nil, nil)
	if got := c.send("PUT", "/plugins/one/config", `{"enabled":true}`, bearer(person)); got.status() != http.StatusConflict || got.problem(t).Code != "config.incomplete" || p.state() != "registered" {
		t.Errorf("enabling without a required setting is answered with %d %s", got.status(), got.Body)
	}
	if status, answer := c.api(person, "PUT", "/plugins/one/config", map[string]any{"enabled": true, "settings": map[string]any{"mode": "x", "key": "hush-hush"}}); status != 200 || p.state() != "active" {
		t.Errorf("configuring and enabling is answered with %d %v", status, answer)
	}
	if got := c.send("GET", "/plugins/one/config", "", bearer(p.Token)); got.status() != 200 || !strings.Contains(got.Body, "hush-hush") || got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the plugin itself is told %d %s", got.status(), got.Body)
	}
	for who, token := range map[string]string{"a person": person, "another plugin": other.Token, "somebody without the trait": c.token("ola@example.com")} {
		got := c.send("GET", "/plugins/one/config", "", bearer(token))
		if strings.Contains(got.Body, "hush-hush") || (got.status() == 200) != (who == "a person") {
			t.Errorf("%s is told %d %s", who, got.status(), got.Body)
		}
	}
	for body, want := range map[string]int{
		`{"settings":{"mode":1}}`: 422, `{"settings":[]}`: 422, `{"settings":{"mode":"y"},"version":999}`: 409, `{"settings":{"mode":"y"},"enabled":"no"}`: 400, `{"settings":{"mode":"z","unknown":{}}}`: 200,
	} {
		if got := c.send("PUT", "/plugins/one/config", body, bearer(person)); got.status() != want && want != 200 {
			t.Errorf("%s is answered with %d %s, want %d", body, got.status(), got.Body, want)
		}
	}
	if status, _ := c.api(person, "PUT", "/plugins/one/config", map[string]any{"enabled": false}); status != 200 || p.state() != "disabled" {
		t.Errorf("disabling by the configuration is answered with %d; the plugin is %s", status, p.state())
	}
	if status, answer := p.do("GET", "/plugins/one/config", nil); status != http.StatusUnauthorized || answer["code"] != "plugin.disabled" {
		t.Errorf("a disabled plugin is answered %d %v", status, answer)
	}
}

// The metrics are for scrapers with the token, for loopback without a proxy in
// between, and for people who watch the system.
func TestMetricsAreForScrapers(t *testing.T) {
	c := newCore(t)
	c.setUp()
	c.person("ola@example.com", "Ola Svensson", "viewer")
	plugin := c.enabled("one", nil, nil)
	for name, tt := range map[string]struct {
		lines []string
		want  int
	}{
		"loopback":                    {nil, 200},
		"the scrape token":            {[]string{"Authorization: Bearer scrape me"}, 200},
		"the token through a proxy":   {[]string{"Authorization: Bearer scrape me", "X-Forwarded-For: 10.0.0.1"}, 200},
		"a proxy":                     {[]string{"X-Forwarded-For: 127.0.0.1"}, 401},
		"a proxy of RFC 7239":         {[]string{"Forwarded: for=127.0.0.1"}, 401},
		"another token":               {[]string{"Authorization: Bearer scrape", "X-Forwarded-For: 10.0.0.1"}, 401},
		"a plugin":                    {[]string{"Authorization: Bearer " + plugin.Token, "X-Forwarded-For: 10.0.0.1"}, 403},
		"somebody without the trait":  {[]string{"Authorization: Bearer " + c.token("ola@example.com"), "X-Forwarded-For: 10.0.0.1"}, 403},
		"somebody who may watch":      {[]string{"Authorization: Bearer " + c.token(adminAt), "X-Forwarded-For: 10.0.0.1"}, 200},
		"the token's beginning twice": {[]string{"Authorization: Bearer Bearer scrape me", "X-Forwarded-For: 10.0.0.1"}, 401},
	} {
		got := c.wire().ask("GET", "/metrics", tt.lines...)
		if got.status() != tt.want || (got.status() == 200) != strings.Contains(got.Body, "vivified_") {
			t.Errorf("%s: %d %.100s, want %d", name, got.status(), got.Body, tt.want)
		}
	}
}

// The forms in which the core says that it is well.
func TestHealth(t *testing.T) {
	c := newCore(t)
	for path, says := range map[string]string{
		"/health": `{"message":"Vivified core running","status":"ok","version":"0.0.0-test"}`, "/health/live": `{"status":"ok"}`, "/health/ready": `{"checks":[{"name":"database","ok":true}],"status":"ok"}`,
	} {
		for name, lines := range map[string][]string{"nobody": nil, "a bad credential": {"Authorization: Bearer x"}, "a bad cookie": {"Cookie: " + c.Identity.CookieName() + "=x"}} {
			got := c.wire().ask("GET", path, lines...)
			if got.status() != 200 || strings.TrimSpace(got.Body) != says || got.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s asks %s: %d %s %s", name, path, got.status(), got.Header.Get("Content-Type"), got.Body)
			}
		}
	}
}

// A place in a list that the list did not give out leads nowhere, and says so.
func TestCursorsAreThoseOfTheList(t *testing.T) {
	c := newCore(t)
	c.setUp()
	for i := range 3 {
		c.person(fmt.Sprintf("p%d@example.com", i), "P", "viewer")
	}
	person := c.token(adminAt)
	for _, path := range []string{"/admin/audit", "/admin/users", "/admin/config/history"} {
		_, first := c.api(person, "GET", path+"?limit=1", nil)
		cursor, _ := first["next_cursor"].(string)
		bad := []string{"x", "0", "AAAA", "-1", "' OR 1=1", "eyJhIjoxfQ", strings.Repeat("A", 4000)}
		if cursor != "" {
			if status, second := c.api(person, "GET", path+"?limit=1&cursor="+cursor, nil); status != 200 || fmt.Sprint(second["items"]) == fmt.Sprint(first["items"]) {
				t.Errorf("%s: the second page answers %d %v", path, status, second)
			}
			if path != "/admin/config/history" { // its cursor is a number, any of which is a place
				bad = append(bad, cursor+"A", cursor[1:], cursor[:len(cursor)-2]+"!!")
			}
		}
		for _, value := range bad {
			if path == "/admin/config/history" && value == "0" {
				continue
			}
			if got := c.send("GET", path+"?cursor="+strings.NewReplacer(" ", "%20", "'", "%27", "=", "%3D").Replace(value), "", bearer(person)); got.status() != http.StatusBadRequest {
				t.Errorf("%s with the cursor %.40q answers %d %.200s", path, value, got.status(), got.Body)
			}
		}
		for _, limit := range []string{"0", "-1", "501", "x", "1e2", "99999999999999999999"} {
			if got := c.send("GET", path+"?limit="+limit, "", bearer(person)); got.status() != http.StatusBadRequest {
				t.Errorf("%s with the limit %s answers %d", path, limit, got.status())
			}
		}
	}
}

// Without a registration token nobody registers where tokens are wanted.
func TestRegistrationWantsItsToken(t *testing.T) {
	c := newCore(t, env("VIVIFIED_REGISTRATION", "token"))
	c.setUp()
	body := string(must(json.Marshal(manifestOf("one", map[string]any{"runtime": map[string]any{"kind": "external", "base_url": "http://127.0.0.1:1"}})))(t))
	for name, lines := range map[string]http.Header{
		"nothing": {}, "a wrong one": {"X-Registration-Token": {"vvr_nothing"}}, "an empty one": {"X-Registration-Token": {""}}, "a bearer": {"Authorization": {"Bearer x.y.z"}},
		"a person's token": {"Authorization": {"Bearer " + c.token(adminAt)}}, "a refresh token": {"X-Refresh-Token": {"vvf_nothing"}}, "two": {"X-Registration-Token": {"a", "b"}},
	} {
		lines.Set("Content-Type", "application/json")
		got := c.send("POST", "/plugins/register", body, lines)
		if got.status() != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, got.status(), got.Body)
			continue
		}
		got.problem(t)
		if rows := c.records(audit.Filter{Trace: got.Header.Get("X-Trace-Id"), Action: "plugin.register"}); len(rows) != 1 || rows[0].Outcome != audit.Deny {
			t.Errorf("%s: %d rows say that it was refused", name, len(rows))
		}
	}
	if len(c.Registry.Snapshot().Plugins()) != 0 {
		t.Error("somebody got in")
	}
}

// Behind trusted proxies the address is the one that the nearest stranger came
// from, however proxies write it down.
func TestAddressesBehindProxies(t *testing.T) {
	c := newCore(t, proxies("127.0.0.0/8", "10.0.0.0/8"))
	for name, tt := range map[string]struct {
		lines []string
		want  string
	}{
		"none":                           {nil, "127.0.0.1"},
		"one hop":                        {[]string{"X-Forwarded-For: 203.0.113.7"}, "203.0.113.7"},
		"a spoofed one before":           {[]string{"X-Forwarded-For: 127.0.0.1, 203.0.113.7"}, "203.0.113.7"},
		"a spoofed one in its own line":  {[]string{"X-Forwarded-For: 127.0.0.1", "X-Forwarded-For: 203.0.113.7"}, "203.0.113.7"},
		"two trusted hops":               {[]string{"X-Forwarded-For: 203.0.113.7, 10.1.1.1"}, "203.0.113.7"},
		"nonsense before":                {[]string{"X-Forwarded-For: <script>, 203.0.113.7"}, "203.0.113.7"},
		"nonsense last":                  {[]string{"X-Forwarded-For: 203.0.113.7, unknown"}, "127.0.0.1"},
		"an address with a zone and end": {[]string{"X-Forwarded-For: 2001:db8::1"}, "2001:db8::1"},
	} {
		got := c.wire().ask("GET", "/plugins", append(tt.lines, "Authorization: Bearer x.y.z")...)
		rows := c.records(audit.Filter{Trace: got.Header.Get("X-Trace-Id")})
		if len(rows) != 1 || rows[0].Address != tt.want {
			t.Errorf("%s: recorded from %v, want %s", name, rows, tt.want)
		}
	}
}

// proxies are trusted by the core.
func proxies(networks ...string) setting {
	return func(c *coreConfig) {
		for _, n := range networks {
			c.proxies = append(c.proxies, netip.MustParsePrefix(n))
		}
	}
}

package handlers_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/audit"
)

// No hostile URL gets out, in either form of the proxy lane: each is refused with
// one row of the audit, and nothing is dialled.
func TestHostileURLsEndAtTheCore(t *testing.T) {
	c := newCore(t, host("api.example.com"), host("evil.com"), host("api.example.com.evil.com"))
	c.setUp()
	p := c.enabled("reacher", map[string]any{
		"traits": []string{"handles_pii", "audit_required", "external_service"}, "allowed_domains": []string{"api.example.com"},
		"security": map[string]any{"authentication_required": true, "data_classification": []string{"pii"}},
	}, nil)
	if status, answer := c.api(c.token(adminAt), "POST", "/admin/approvals/egress", map[string]any{"plugin": "reacher", "domain": "api.example.com"}); status != http.StatusCreated {
		t.Fatalf("approve: %d %v", status, answer)
	}
	for _, line := range linesOf(t, "../lanes/proxy/testdata/refused.jsonl") {
		var h struct{ URL, Cls, Why string }
		if err := json.Unmarshal([]byte(line), &h); err != nil {
			t.Fatal(err)
		}
		body := must(json.Marshal(map[string]string{"url": h.URL}))(t)
		for form, got := range map[string]*reply{
			"JSON":      c.send("POST", "/gateway/proxy", string(body), bearer(p.Token)),
			"streaming": c.send("GET", "/proxy?url="+url.QueryEscape(h.URL), "", bearer(p.Token)),
		} {
			if got.status() != http.StatusForbidden {
				t.Errorf("%s: %q answers %d %.200s (%s)", form, h.URL, got.status(), got.Body, h.Why)
				continue
			}
			if problem := got.problem(t); !strings.HasPrefix(problem.Code, "proxy.") {
				t.Errorf("%s: %q is denied by %s", form, h.URL, problem.Code)
			}
			if rows := c.records(audit.Filter{Trace: got.Header.Get("X-Trace-Id")}); len(rows) != 1 || rows[0].Outcome != audit.Deny || rows[0].Plugin != "reacher" {
				t.Errorf("%s: %q has the rows %v", form, h.URL, rows)
			}
		}
	}
	for _, line := range linesOf(t, "../lanes/proxy/testdata/allowed.txt") {
		got := c.send("POST", "/gateway/proxy", string(must(json.Marshal(map[string]any{"url": line, "timeout": 1}))(t)), bearer(p.Token))
		if got.status() != http.StatusOK { // nobody listens there, which is an answer without success
			t.Errorf("%s is refused: %d %s", line, got.status(), got.Body)
		}
	}
}

// The core is reached through itself by nobody: a plugin that registers at an
// address of the core or outside the networks of plugins is refused, or never called.
func TestNobodyReachesTheCoreThroughItself(t *testing.T) {
	c := newCore(t, host("core.example.com"))
	c.setUp()
	port := c.URL[strings.LastIndexByte(c.URL, ':')+1:]
	for _, base := range []string{c.URL, "http://localhost:" + port, "http://127.0.0.1:" + port + "/", "http://127.1:" + port, "http://[::1]:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://0.0.0.0:" + port, "http://0:" + port,
		"http://2130706433:" + port, "http://user@127.0.0.1:" + port, "ftp://127.0.0.1:" + port, "http://169.254.169.254", "http://8.8.8.8", "http://api.example.com", "file:///etc/passwd", "http://127.0.0.1:0", "http://127.0.0.1:99999"} {
		m := manifestOf("mirror", map[string]any{"endpoints": map[string]any{"me": "/auth/me"}})
		m["runtime"] = map[string]any{"kind": "external", "base_url": base}
		status, _ := c.api("", "POST", "/plugins/register", m)
		if status != http.StatusOK {
			continue // refused at the door
		}
		person := c.token(adminAt)
		c.api(person, "POST", "/plugins/mirror/enable", nil)
		if got := c.send("GET", "/gateway/mirror/me", "", bearer(person)); got.status() < 500 {
			t.Errorf("a plugin at %s answers %d: %s", base, got.status(), got.Body)
		}
		c.api(person, "POST", "/plugins/mirror/disable", nil)
		c.api(person, "DELETE", "/plugins/mirror", nil)
	}
}

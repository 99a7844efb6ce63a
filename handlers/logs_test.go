//go:build linux

package handlers_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/pluginmgr/journal"
	"github.com/vivified/vivified/pluginmgr/sandbox"
)

// keepsLogs has the core keep what plugins write that it runs, and registers two
// that it would run: one of internal data, one of data about people. What they
// wrote is put where their runtime would put it.
func (c *core) keepsLogs() *journal.Store {
	c.t.Helper()
	lines := must(journal.Open(filepath.Join(c.t.TempDir(), "logs"), 1<<20))(c.t)
	c.t.Cleanup(lines.Close)
	c.Plugins.Runtimes[manifest.Sandbox] = sandbox.New(sandbox.Config{Dir: c.t.TempDir(), Log: slog.New(slog.DiscardHandler)})
	c.Plugins.Journal = lines
	for id, members := range map[string]map[string]any{"talker": {}, "clinic": {
		"traits": []string{"handles_phi", "audit_required", "encryption_required"}, "security": map[string]any{"authentication_required": true, "data_classification": []string{"phi"}},
		"compliance": map[string]any{"hipaa_controls": []string{"164.312(a)(1)"}, "audit_level": "detailed", "data_retention_days": 2555},
	}} {
		members["runtime"] = map[string]any{"kind": "sandbox", "digest": "sha256:" + strings.Repeat("1", 64), "command": []string{"/x"}}
		if status, answer := c.api("", "POST", "/plugins/register", manifestOf(id, members)); status != http.StatusOK {
			c.t.Fatalf("register %s: %d %v", id, status, answer)
		}
		for _, text := range []string{"first", "second with a vvs_abcdefghijklmnopqrstuvwxyz in it", "third"} {
			if err := lines.Add(id, journal.Line{At: time.Now(), Instance: id + ".1", Stream: journal.Stdout, Text: text}); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	return lines
}

// runtimes goes through what concerns plugins that the core runs.
func (c *teller) runtimes(admin string) {
	lines := c.keepsLogs()
	c.ask(admin, 200, "GET", "/plugins/talker/logs?q=SECOND&limit=5", nil)
	if page := c.ask(admin, 200, "GET", "/plugins/talker/logs?limit=2", nil); page["before"] != 2.0 || len(page["items"].([]any)) != 2 {
		c.t.Errorf("the newest two of three lines: %v", page)
	}
	c.ask(admin, 200, "GET", "/plugins/talker/logs?before=2", nil)
	for _, query := range []string{"stream=stdin", "since=yesterday", "before=none", "limit=0"} {
		c.ask(admin, 400, "GET", "/plugins/talker/logs?"+query, nil)
	}
	c.ask(admin, 403, "GET", "/plugins/clinic/logs", nil)
	c.ask(admin, 404, "GET", "/plugins/caller/logs", nil)
	c.ask(admin, 404, "GET", "/plugins/caller/logs/stream", nil)
	c.ask(admin, 404, "GET", "/plugins/nobody/logs", nil)
	c.asked["streamPluginLogs"] = true
	first := firstEvent(c.t, c.core, admin, "/plugins/talker/logs/stream?q=loud", func() {
		for _, text := range []string{"quiet", "loud"} {
			if err := lines.Add("talker", journal.Line{At: time.Now(), Instance: "talker.1", Stream: journal.Stderr, Text: text}); err != nil {
				c.t.Error(err)
			}
		}
	})
	if first != "5" {
		c.t.Errorf("the first line of the stream is %s, want the loud one, 5", first)
	}
	c.ask(admin, 200, "GET", "/plugins/talker/runs", nil)
	c.ask(admin, 404, "GET", "/plugins/nobody/runs", nil)
	c.ask(admin, 422, "PUT", "/plugins/talker/limits/waiver", map[string]any{})
	c.ask(admin, 200, "PUT", "/plugins/talker/limits/waiver", map[string]any{"reason": "a laptop"})
	c.ask(admin, 200, "DELETE", "/plugins/talker/limits/waiver", nil)
	c.ask(admin, 404, "DELETE", "/plugins/nobody/limits/waiver", nil)
}

// What a plugin writes is read by those who may see what it handles; a look at the
// lines of one with data about people is on record, and secrets are not in them.
func TestLogsAreForThoseWhoMaySeeThem(t *testing.T) {
	c := newCore(t)
	c.setUp()
	c.keepsLogs()
	c.person("viewer@example.com", "Vera", "viewer")
	nurse := c.person("nurse@example.com", "Nora", "viewer").user.ID
	for _, name := range []string{"system_monitor", "handles_phi"} {
		must(c.Identity.GrantTrait(c.system(), nurse, identity.TraitGrant{Trait: name, Reason: "on duty"}))(t)
	}
	for _, tc := range []struct {
		who, plugin string
		want        int
	}{
		{"viewer@example.com", "talker", 403},
		{adminAt, "talker", 200},
		{adminAt, "clinic", 403},
		{"nurse@example.com", "clinic", 200},
	} {
		for _, path := range []string{"/plugins/" + tc.plugin + "/logs", "/console/plugins/" + tc.plugin + "/logs"} {
			status, body := c.text(c.token(tc.who), path)
			if status != tc.want {
				t.Errorf("%s asks for %s: %d, want %d", tc.who, path, status, tc.want)
			}
			if strings.Contains(body, "vvs_abc") {
				t.Errorf("%s: a secret stands in the lines", path)
			}
			if shown := strings.Contains(body, "second with a [secret removed] in it"); shown != (tc.want == 200) {
				t.Errorf("%s asks for %s: its lines are shown: %v", tc.who, path, shown)
			}
		}
	}
	if got := c.records(audit.Filter{Action: "plugin.logs", Outcome: audit.OK}); len(got) != 2 || got[0].Object != "clinic" {
		t.Errorf("looks at the clinic's lines on record: %d, want 2", len(got))
	}
	if got := c.records(audit.Filter{Action: "plugin.logs", Outcome: audit.Deny}); len(got) == 0 {
		t.Error("no refusal is on record")
	}
}

// text asks with a token and returns what is answered.
func (c *core) text(token, path string) (int, string) {
	c.t.Helper()
	r := must(http.NewRequestWithContext(c.t.Context(), http.MethodGet, c.URL+path, nil))(c.t)
	r.Header.Set("Authorization", "Bearer "+token)
	answer := must(http.DefaultClient.Do(r))(c.t)
	defer answer.Body.Close()
	return answer.StatusCode, string(must(io.ReadAll(answer.Body))(c.t))
}

// Whoever comes through a plugin's socket is that plugin, from nowhere, and finds
// nothing there that is made for people.
func TestSocketIsItsPlugin(t *testing.T) {
	c := newCore(t)
	c.setUp()
	greeter := c.enabled("greeter", nil, nil)
	other := c.enabled("other", nil, nil)
	path := filepath.Join(t.TempDir(), "core.sock")
	l := must(net.Listen("unix", path))(t)
	server := c.Server.Socket("greeter")
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	through := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}}}
	for _, tc := range []struct {
		method, path, token string
		want                int
	}{
		{"POST", "/plugins/heartbeat", "", 200},
		{"POST", "/plugins/heartbeat", greeter.Token, 200},
		{"POST", "/plugins/heartbeat", other.Token, 401},
		{"POST", "/plugins/other/heartbeat", "", 403},
		{"GET", "/.well-known/jwks.json", "", 200},
		{"GET", "/health", "", 200},
		{"GET", "/plugins", "", 403},
		{"GET", "/plugins", c.token(adminAt), 401},
		{"GET", "/metrics", "", 403},
		{"GET", "/setup", "", 403},
		{"GET", "/sign-in", "", 403},
		{"POST", "/auth/login", "", 403},
		{"GET", "/console", "", 403},
		{"GET", "/static/css/none", "", 403},
	} {
		r := must(http.NewRequestWithContext(t.Context(), tc.method, "http://core"+tc.path, nil))(t)
		if tc.token != "" {
			r.Header.Set("Authorization", "Bearer "+tc.token)
		}
		answer := must(through.Do(r))(t)
		answer.Body.Close()
		if answer.StatusCode != tc.want {
			t.Errorf("%s %s with a token %v: %d, want %d", tc.method, tc.path, tc.token != "", answer.StatusCode, tc.want)
		}
	}
}

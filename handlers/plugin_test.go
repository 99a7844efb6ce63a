package handlers_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/pluginmgr"
)

// target is a plugin of a test: a real HTTP server that registered over HTTP.
type target struct {
	core  *core
	ID    string
	Token string
	URL   string
}

// manifestOf returns a manifest that stands, with members added or replaced.
func manifestOf(id string, members map[string]any) map[string]any {
	m := map[string]any{
		"id": id, "name": strings.ToUpper(id[:1]) + strings.ReplaceAll(id[1:], "-", " "), "version": "1.0.0", "contracts": []string{},
		"traits": []string{"handles_internal"}, "health_check": map[string]any{"type": "http", "path": "/health"},
		"security": map[string]any{"authentication_required": true, "data_classification": []string{"internal"}},
	}
	maps.Copy(m, members)
	return m
}

// plugin registers a plugin whose requests handler answers; nil answers {} to
// everything. It is not enabled yet.
func (c *core) plugin(id string, members map[string]any, handler http.Handler) *target {
	c.t.Helper()
	if handler == nil {
		handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"status":"ok"}`))
		})
	}
	server := httptest.NewServer(handler)
	c.t.Cleanup(server.Close)
	p := &target{core: c, ID: id, URL: server.URL}
	m := manifestOf(id, members)
	m["runtime"] = map[string]any{"kind": "external", "base_url": server.URL}
	status, answer := c.api("", "POST", "/plugins/register", m)
	if status != http.StatusOK {
		c.t.Fatalf("register %s: %d %v", id, status, answer)
	}
	p.Token = answer["token"].(string)
	return p
}

// enabled registers a plugin and enables it, with everything it asks for.
func (c *core) enabled(id string, members map[string]any, handler http.Handler) *target {
	c.t.Helper()
	p := c.plugin(id, members, handler)
	if err := c.Plugins.Enable(c.system(), id, pluginmgr.Enabling{}); err != nil {
		c.t.Fatalf("enable %s: %v", id, err)
	}
	return p
}

// again registers the plugin once more, as after a restart, with another manifest.
func (p *target) again(members map[string]any) {
	p.core.t.Helper()
	m := manifestOf(p.ID, members)
	m["runtime"] = map[string]any{"kind": "external", "base_url": p.URL}
	if status, answer := p.core.api("", "POST", "/plugins/register", m); status != http.StatusOK {
		p.core.t.Fatalf("register %s again: %d %v", p.ID, status, answer)
	}
}

// do sends a request as the plugin does.
func (p *target) do(method, path string, body any) (int, map[string]any) {
	p.core.t.Helper()
	return p.core.api(p.Token, method, path, body)
}

// publish publishes an event and returns its id.
func (p *target) publish(typ string, payload any) string {
	p.core.t.Helper()
	status, answer := p.do("POST", "/messaging/events", map[string]any{"event_type": typ, "payload": payload})
	if status != http.StatusAccepted {
		p.core.t.Fatalf("publish %s: %d %v", typ, status, answer)
	}
	return answer["event_id"].(string)
}

// state is the plugin's state as the core has it.
func (p *target) state() policy.State {
	if known, ok := p.core.Registry.Snapshot().Plugin(p.ID); ok {
		return known.State
	}
	return ""
}

// greeting are the members of a manifest that publishes a greeting with a name of class pii.
func greeting() map[string]any {
	var m map[string]any
	if err := json.Unmarshal([]byte(`{
		"traits": ["handles_pii", "audit_required"],
		"security": {"authentication_required": true, "data_classification": ["pii", "internal"]},
		"endpoints": {"get_profile": {"path": "/profiles/{id}", "method": "GET", "data_classification": ["pii"]}},
		"events": {"publishes": [{"type": "greeting.requested", "classification": ["pii"], "schema": {
			"type": "object", "properties": {"language": {"type": "string"}, "name": {"type": "string", "x-class": "pii"}}}}]}
	}`), &m); err != nil {
		panic(err)
	}
	return m
}

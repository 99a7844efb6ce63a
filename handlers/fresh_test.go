package handlers_test

import (
	"net/http"
	"testing"
)

// A session that was left open, or stolen, does nothing dangerous: least of all
// does it change for how long a proof counts.
func TestAStaleSessionDoesNothingDangerous(t *testing.T) {
	c := newCore(t)
	admin := c.firstAdmin()
	c.enabled("greeter", greeting(), nil)
	nora := c.member("nora@example.com", "Nora", "viewer")
	_, me := c.api(nora, "GET", "/auth/me", nil)
	if _, err := c.DB.Owner.Exec(t.Context(), "UPDATE sessions SET proved_at = proved_at - interval '1 hour'"); err != nil {
		t.Fatal(err)
	}
	c.Identity.Invalidate()
	user := "/admin/users/" + me["id"].(string)
	for _, ask := range []struct {
		method, path string
		body         map[string]any
	}{
		{"PUT", "/admin/config", map[string]any{"key": "step_up", "value": "12h"}},
		{"POST", "/admin/config", map[string]any{"changes": []map[string]any{{"key": "second_factor", "value": "nobody"}}}},
		{"POST", "/admin/config/history/1/restore", map[string]any{}},
		{"POST", user + "/link", nil},
		{"POST", user + "/traits", map[string]any{"trait": "admin"}},
		{"PUT", user + "/roles/admin", map[string]any{}},
		{"DELETE", user + "/factors", nil},
		{"POST", "/admin/grants", map[string]any{"caller": "greeter", "target": "greeter"}},
		{"POST", "/admin/traits", map[string]any{"name": "handles_x"}},
		{"POST", "/admin/audit/sinks", map[string]any{"kind": "webhook"}},
		{"POST", "/admin/sso", map[string]any{"id": "okta"}},
		{"POST", "/admin/policies/publish", map[string]any{}},
		{"POST", "/plugins/greeter/enable", nil},
		{"PUT", "/plugins/greeter/config", map[string]any{"settings": map[string]any{}}},
		{"PUT", "/admin/egress/credentials/greeter/api.example.com", map[string]any{"kind": "header"}},
		{"GET", "/admin/audit/archives/01890000-0000-7000-8000-000000000000", nil},
		{"POST", "/auth/factors/totp", nil},
		{"POST", "/admin/api-keys", map[string]any{"name": "k"}},
		{"POST", "/admin/view-as", map[string]any{"reason": "x"}},
	} {
		if status, said := c.api(admin, ask.method, ask.path, ask.body); status != http.StatusForbidden || said["code"] != "auth.step_up" {
			t.Errorf("%s %s answers %d %v", ask.method, ask.path, status, said["code"])
		}
	}
	if status, said := c.api(admin, "POST", "/auth/step-up", map[string]any{"password": password}); status != http.StatusOK {
		t.Fatalf("step up: %d %v", status, said)
	}
	if status, said := c.api(admin, "PUT", "/admin/config", map[string]any{"key": "step_up", "value": "5m"}); status != http.StatusOK {
		t.Errorf("after it: %d %v", status, said)
	}
}

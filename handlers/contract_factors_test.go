package handlers_test

import (
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// codeOf is what an authenticator app with that secret shows at a moment.
func codeOf(t testing.TB, secret string, at time.Time) string {
	t.Helper()
	return must(totp.GenerateCode(secret, at))(t)
}

// factors sets up a second factor, signs in by it and removes it again.
func (c *teller) factors(admin string) {
	vera := c.member("vera@example.com", "Vera")
	c.ask(vera, 200, "GET", "/auth/factors", nil)
	c.ask(vera, 404, "POST", "/auth/factors/totp/confirm", map[string]any{"otp": "123456"})
	c.ask(vera, 409, "POST", "/auth/factors/recovery-codes", nil)
	secret := c.ask(vera, 201, "POST", "/auth/factors/totp", nil)["secret"].(string)
	c.ask(vera, 422, "POST", "/auth/factors/totp/confirm", map[string]any{"otp": "no code"})
	c.ask(vera, 200, "POST", "/auth/factors/totp/confirm", map[string]any{"otp": codeOf(c.t, secret, time.Now())})
	codes := c.ask(vera, 201, "POST", "/auth/factors/recovery-codes", nil)["recovery_codes"].([]any)
	c.ask(vera, 200, "GET", "/auth/factors", nil)

	who := map[string]any{"email": "vera@example.com", "password": password}
	if p := c.ask("", 401, "POST", "/auth/login", who); p["mfa_required"] != true {
		c.t.Errorf("a password without the code it needs is answered %v", p)
	}
	who["otp"] = "aaaa-aaaa-aaaa"
	c.ask("", 401, "POST", "/auth/login", who)
	who["otp"] = codes[0]
	c.ask("", 200, "POST", "/auth/login", who)
	c.ask(vera, 200, "POST", "/auth/step-up", map[string]any{"otp": codes[1]})

	c.ask(vera, 200, "POST", "/auth/factors/passkeys/challenge", nil)
	c.ask(vera, 422, "POST", "/auth/factors/passkeys", map[string]any{"name": "Laptop", "credential": map[string]any{"id": "AAAA", "type": "public-key"}})
	c.ask(vera, 404, "PATCH", "/auth/factors/passkeys/AAAA", map[string]any{"name": "Laptop"})
	c.ask(vera, 404, "DELETE", "/auth/factors/passkeys/AAAA", nil)
	c.ask(vera, 200, "DELETE", "/auth/factors/totp", nil)
	c.ask(vera, 404, "DELETE", "/auth/factors/totp", nil)
	id := c.ask(vera, 200, "GET", "/auth/me", nil)["id"].(string)
	c.ask(admin, 200, "DELETE", "/admin/users/"+id+"/factors", nil)
	c.ask(admin, 404, "DELETE", "/admin/users/01a1f950-6944-7b1b-8ad6-85094b742401/factors", nil)
}

// breakGlass makes an account for emergencies and uses it.
func (c *teller) breakGlass(admin string) {
	c.ask(admin, 422, "POST", "/admin/break-glass", map[string]any{"username": "nobody"})
	made := c.ask(admin, 201, "POST", "/admin/break-glass", map[string]any{"username": "break-glass@example.com"})
	c.ask(admin, 409, "POST", "/admin/break-glass", map[string]any{"username": "break-glass@example.com"})
	who := map[string]any{"email": "break-glass@example.com", "password": made["password"]}
	c.ask("", 401, "POST", "/auth/login", who)
	who["reason"] = "short"
	c.ask("", 422, "POST", "/auth/login", who)
	who["reason"] = "The identity provider is down and nobody can sign in."
	token := c.ask("", 200, "POST", "/auth/login", who)["token"].(string)
	alerts := c.ask(admin, 200, "GET", "/admin/break-glass", nil)["alerts"].([]any)
	if len(alerts) != 1 {
		c.t.Fatalf("one use raises %d alerts", len(alerts))
	}
	path := "/admin/break-glass/alerts/" + alerts[0].(map[string]any)["session"].(string) + "/acknowledge"
	c.ask(token, 403, "POST", path, nil)
	c.ask(admin, 200, "POST", path, nil)
	c.ask(admin, 404, "POST", path, nil)
	id := made["id"].(string)
	c.ask(admin, 200, "POST", "/admin/break-glass/"+id+"/rotate", nil)
	c.ask(admin, 422, "POST", "/admin/break-glass/"+id+"/rotate", map[string]any{"expires_at": "2020-01-01T00:00:00Z"})
	c.ask(admin, 404, "POST", "/admin/break-glass/01a1f950-6944-7b1b-8ad6-85094b742401/rotate", nil)
	c.ask(token, 401, "GET", "/auth/me", nil)
}

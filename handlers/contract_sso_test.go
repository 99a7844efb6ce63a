package handlers_test

import (
	"io"
	"net/url"
	"strings"

	"github.com/vivified/vivified/core/identity"
)

// signOn goes through what keeps identity providers, with one that does not answer.
func (c *teller) signOn(admin string) {
	draft := map[string]any{"id": "okta", "name": "Okta", "issuer": "http://plain.example.com", "client_id": "core"}
	c.ask(admin, 422, "POST", "/admin/sso", draft)
	draft["issuer"], draft["client_secret"] = "http://127.0.0.1:1", "a secret"
	draft["rules"] = []map[string]any{{"claim": "groups", "match": "equals", "value": "auditors", "kind": "role", "give": "auditor"}}
	c.ask(admin, 201, "POST", "/admin/sso", draft)
	c.ask(admin, 409, "POST", "/admin/sso", draft)
	c.ask(admin, 200, "GET", "/admin/sso", nil)
	c.ask(admin, 200, "GET", "/admin/sso/okta", nil)
	c.ask(admin, 404, "GET", "/admin/sso/other", nil)
	draft["name"], draft["version"] = "Okta of Acme", 1
	c.ask(admin, 200, "PUT", "/admin/sso/okta", draft)
	c.ask(admin, 409, "PUT", "/admin/sso/okta", draft)
	c.ask(admin, 200, "POST", "/admin/sso/okta/check", nil)
	c.ask(admin, 404, "POST", "/admin/sso/okta/dry-run", nil)
	c.ask(admin, 422, "POST", "/admin/sso/okta/dry-run", map[string]any{"claims": []int{1}})
	c.ask(admin, 200, "POST", "/admin/sso/okta/dry-run", map[string]any{"claims": map[string]any{"groups": []string{"auditors"}}})

	c.ask("", 503, "GET", "/auth/oidc/okta/start", nil)
	c.ask("", 404, "GET", "/auth/oidc/other/start", nil)
	c.ask("", 400, "GET", "/auth/oidc/okta/callback?state=x&code=y", nil)
	c.form("", 503, "/auth/oidc/okta/backchannel", url.Values{"logout_token": {"a.b.c"}})
	c.form("", 400, "/auth/oidc/okta/backchannel", url.Values{})

	list := c.ask(admin, 200, "GET", "/admin/sso/okta/attempts", nil)["items"].([]any)
	one := "/admin/sso/okta/attempts/" + list[0].(map[string]any)["id"].(string)
	c.ask(admin, 200, "GET", one, nil)
	c.ask(admin, 404, "GET", "/admin/sso/okta/attempts/none", nil)
	user := must(c.Identity.Users(c.system(), identity.UserFilter{}))(c.t).Users[0].ID.String()
	c.ask(admin, 409, "POST", one+"/link", map[string]any{"user_id": user})
	c.ask(admin, 200, "GET", "/admin/users/"+user+"/identities", nil)
	c.ask(admin, 404, "DELETE", "/admin/users/"+user+"/identities/"+user, nil)
	c.ask(admin, 204, "DELETE", "/admin/sso/okta", nil)
	c.ask(admin, 404, "DELETE", "/admin/sso/okta", nil)
}

// form posts a form and returns the answer.
func (c *teller) form(token string, want int, path string, form url.Values) map[string]any {
	c.t.Helper()
	r := c.request(c.t, token, "POST", path, nil)
	body := form.Encode()
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return c.told(r, want)
}

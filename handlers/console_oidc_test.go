package handlers_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/sso"
)

// hostileNexts (O04) lead elsewhere in one reading or another.
var hostileNexts = []string{
	"//evil.com", "/\\evil.com", "/%5cevil.com", "https:evil.com", "/..//evil.com", "javascript:alert(1)", "http://127.0.0.1:1@evil.com/cb", "https://evil.com/console",
	"/console/../../evil", "/console//evil.com", "/console%2f..%2f..%2fevil", "/consoleevil",
}

// A sign-in by a provider leads to the provider and nowhere else, marks the browser
// by a cookie scripts cannot read, and asks with PKCE, nonce and the exact address.
func TestStartOfASignIn(t *testing.T) {
	c := newCore(t)
	var issuer *httptest.Server
	issuer = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": issuer.URL, "authorization_endpoint": issuer.URL + "/auth", "token_endpoint": issuer.URL + "/token", "jwks_uri": issuer.URL + "/keys",
		})
	}))
	t.Cleanup(issuer.Close)
	must(c.SSO.Create(c.system(), sso.Draft{ID: "op", Name: "<b>OP</b>", Issuer: issuer.URL, ClientID: "core", Enabled: true}))(t)
	browser := c.setUp()
	stranger := c.wire()
	for _, next := range append(hostileNexts, "/console/audit") {
		got := stranger.ask("GET", "/auth/oidc/op/start?next="+url.QueryEscape(next), "Accept: text/html")
		to, err := url.Parse(got.Header.Get("Location"))
		if got.status() != http.StatusSeeOther || err != nil || "http://"+to.Host != issuer.URL || to.Path != "/auth" {
			t.Fatalf("next %q leads to %d %q", next, got.status(), got.Header.Get("Location"))
		}
		q := to.Query()
		if q.Get("redirect_uri") != c.URL+"/auth/oidc/op/callback" || q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 ||
			len(q.Get("nonce")) != 43 || len(q.Get("state")) != 43 || q.Get("response_type") != "code" {
			t.Errorf("it asks with %v", q)
		}
		cookie := got.Header.Get("Set-Cookie")
		for _, want := range []string{"vv_sso=", "Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=600"} {
			if !strings.Contains(cookie, want) {
				t.Errorf("the cookie %q lacks %s", cookie, want)
			}
		}
	}
	for _, next := range hostileNexts {
		got := stranger.ask("GET", "/auth/oidc/op/start?next="+url.QueryEscape(next), "Accept: text/html", "Cookie: "+c.Identity.CookieName()+"="+browser.session())
		if got.status() != http.StatusSeeOther || got.Header.Get("Location") != "/console" {
			t.Errorf("somebody signed in goes on to %q: %d %q", next, got.status(), got.Header.Get("Location"))
		}
	}
	again := stranger.ask("GET", "/auth/oidc/op/start?again=1&next=/console/audit", "Accept: text/html", "Cookie: "+c.Identity.CookieName()+"="+browser.session())
	if to, err := url.Parse(again.Header.Get("Location")); err != nil || "http://"+to.Host != issuer.URL || to.Query().Get("prompt") != "login" {
		t.Errorf("somebody signed in who is to prove it again is led to %q", again.Header.Get("Location"))
	}
	page := stranger.ask("GET", "/sign-in", "Accept: text/html")
	if strings.Contains(page.Body, "<b>OP</b>") || !strings.Contains(page.Body, "Continue with &lt;b&gt;OP&lt;/b&gt;") {
		t.Errorf("the button on the sign-in page: %.300s", page.Body)
	}
	// Words of a stranger are not shown: only an answer to this browser is read.
	got := stranger.ask("GET", "/auth/oidc/op/callback?state=x&error=access_denied&error_description=Call+this+number", "Accept: text/html")
	if got.status() != http.StatusBadRequest || strings.Contains(got.Body, "Call this number") || !strings.Contains(got.Body, "Start again") {
		t.Errorf("the callback answers %d %.400s", got.status(), got.Body)
	}
}

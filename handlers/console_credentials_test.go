package handlers_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestCredentialsAreSetAndNeverShown(t *testing.T) {
	c := newCore(t)
	admin := c.setUp()
	c.enabled("mailer", map[string]any{"traits": []string{"external_service"}, "allowed_domains": []string{"api.example.com"}}, nil)
	const path, secret = "/console/egress/credentials", "4f9c0b7e2d"
	shows := func(what string, page page, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(page.Body, w) {
				t.Errorf("%s does not show %q:\n%.2000s", what, w, page.Body)
			}
		}
		if strings.Contains(page.Body, secret) {
			t.Errorf("%s shows the secret", what)
		}
	}
	shows("the list", admin.get(path), "No credential is set")
	shows("the form", admin.get(path+"/new?kind=oauth2"), "Token address", "mailer api.example.com")
	wrong := admin.post(path, url.Values{"kind": {"basic"}, "for": {"mailer api.example.com"}, "name": {"a:b"}, "secret": {secret}})
	shows("the form with a mistake", wrong, "without a colon")
	if wrong.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a mistake is answered with %d", wrong.StatusCode)
	}
	admin.post(path, url.Values{"kind": {"header"}, "for": {"mailer api.example.com"}, "name": {"x-api-key"}, "secret": {secret}})
	shows("the list", admin.get(path), "api.example.com", "X-Api-Key")
	shows("the question", admin.get(path+"/mailer/api.example.com/remove"), "Remove the credential for api.example.com?")
	admin.post(path+"/mailer/api.example.com/remove", url.Values{})
	shows("the list", admin.get(path), "No credential is set")
}

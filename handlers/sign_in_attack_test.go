package handlers_test

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/identity"
)

// fromPrograms are the public routes that browsers have no part in.
var fromPrograms = []string{"POST /plugins/register", "POST /plugins/token", "POST /auth/oidc/:provider/backchannel"}

// No page of another site signs anybody in, sets anything up or accepts an
// invitation in somebody's browser: whoever is led to another's account would work
// for them. The test walks the table.
func TestNoOtherSiteSignsAnybodyIn(t *testing.T) {
	c := newCore(t)
	c.setUp()
	walked := 0
	for _, r := range c.Server.Table() {
		name := r[0] + " " + r[1]
		if r[0] != http.MethodPost || !slices.Contains(toAnyone, name) || slices.Contains(fromPrograms, name) {
			continue
		}
		walked++
		for _, lines := range [][]string{{"Sec-Fetch-Site: cross-site"}, {"Sec-Fetch-Site: same-site"}, {"Origin: https://evil.example"}, {"Origin: null"}} {
			for _, kind := range []string{"application/x-www-form-urlencoded", "text/plain", "application/json"} {
				got := c.wire().ask("POST", address(r[1]), append(lines, "Content-Type: "+kind, "Content-Length: 0")...)
				if got.status() != http.StatusForbidden || got.Header.Get("Set-Cookie") != "" {
					t.Errorf("%s with %q as %s answers %d %q", name, lines, kind, got.status(), got.Header.Get("Set-Cookie"))
				}
			}
		}
	}
	if walked < 7 {
		t.Errorf("only %d routes of signing in were found", walked)
	}
}

// varying is what of an answer differs from one to the next.
var varying = regexp.MustCompile(`[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// told is an answer as somebody sees it who wants to learn whether an account is
// there: without what they sent themselves.
func told(p page, sent string) string {
	lines := []string{p.Status}
	for name, values := range p.Header {
		if name != "Date" && name != "X-Trace-Id" && name != "Traceparent" && name != "Content-Length" {
			lines = append(lines, name+": "+strings.Join(values, ", "))
		}
	}
	slices.Sort(lines)
	return varying.ReplaceAllString(strings.ReplaceAll(strings.Join(lines, "\n")+"\n"+p.Body, sent, "YOU"), "ID")
}

// Whatever is wrong with an account, every way to sign in says the same of it, word
// for word and header for header.
func TestSigningInTellsNothingOfAccounts(t *testing.T) {
	c := newCore(t)
	c.setUp()
	sam := c.person("sam@example.com", "Sam", "viewer")
	must(c.Identity.Suspend(c.system(), sam.user.ID, "leave"))(t)
	must(c.Identity.Invite(c.system(), identity.Invitation{Email: "ivy@example.com", Name: "Ivy"}))(t)
	if err := c.Identity.Delete(c.system(), c.person("del@example.com", "Del").user.ID); err != nil {
		t.Fatal(err)
	}
	accounts := []string{"mara@example.com", "sam@example.com", "ivy@example.com", "del@example.com", "nob@example.com"}
	for what, ask := range map[string]func(account string) page{
		"the form": func(account string) page {
			return c.stranger().post("/sign-in", url.Values{"email": {account}, "password": {"a wrong password"}})
		},
		"the way out in an emergency": func(account string) page {
			return c.stranger().post("/sign-in/emergency", url.Values{"account": {account}, "email": {account}, "password": {"a wrong password"}, "reason": {"The identity provider is down and nobody can sign in."}})
		},
		"a program": func(account string) page {
			return c.stranger().do("POST", "/auth/login", strings.NewReader(`{"email":"`+account+`","password":"a wrong password"}`), http.Header{"Content-Type": {"application/json"}, "Sec-Fetch-Site": nil})
		},
		"a passkey": func(account string) page {
			return c.stranger().post("/sign-in/passkey", url.Values{"email": {account}, "credential": {`{"id":"AAAA","type":"public-key"}`}})
		},
	} {
		if _, err := c.DB.Owner.Exec(t.Context(), "DELETE FROM login_throttle"); err != nil {
			t.Fatal(err)
		}
		want := told(ask(accounts[0]), accounts[0])
		for _, account := range accounts[1:] {
			if diff := cmp.Diff(want, told(ask(account), account)); diff != "" {
				t.Errorf("%s tells %s from %s (-want +got):\n%s", what, account, accounts[0], diff)
			}
		}
	}
}

// What is good once is good once: a one-time code, the second step of a sign-in, an
// invitation, the link of the first day.
func TestNothingOfASignInIsGoodTwice(t *testing.T) {
	c := newCore(t)
	c.setUp()
	vera := c.member("vera@example.com", "Vera", "viewer")
	_, begun := c.api(vera, "POST", "/auth/factors/totp", nil)
	secret := begun["secret"].(string)
	if status, said := c.api(vera, "POST", "/auth/factors/totp/confirm", map[string]any{"otp": codeOf(t, secret, time.Now())}); status != http.StatusOK {
		t.Fatalf("confirm: %d %v", status, said)
	}
	next := codeOf(t, secret, time.Now().Add(30*time.Second)) // of the step to come, which is accepted already

	browser := c.stranger()
	if p := browser.post("/sign-in", url.Values{"email": {"vera@example.com"}, "password": {password}}); p.StatusCode != http.StatusSeeOther || browser.session() != "" {
		t.Fatalf("the password alone leads to %d with session %q", p.StatusCode, browser.session())
	}
	site := must(url.Parse(c.URL))(t)
	pending := browser.client.Jar.Cookies(site)
	if p := browser.post("/sign-in/second-step", url.Values{"code": {next}}); p.StatusCode != http.StatusSeeOther || browser.session() == "" {
		t.Fatalf("the second step answers %d %s", p.StatusCode, p.text())
	}
	thief := c.stranger()
	thief.client.Jar.SetCookies(site, pending)
	if p := thief.post("/sign-in/second-step", url.Values{"code": {next}}); thief.session() != "" || p.StatusCode == http.StatusSeeOther && !strings.HasPrefix(p.Header.Get("Location"), "/sign-in") {
		t.Errorf("the second step once more answers %d %q with session %q", p.StatusCode, p.Header.Get("Location"), thief.session())
	}
	again := c.stranger()
	again.post("/sign-in", url.Values{"email": {"vera@example.com"}, "password": {password}})
	if p := again.post("/sign-in/second-step", url.Values{"code": {next}}); again.session() != "" {
		t.Errorf("the same code once more answers %d", p.StatusCode)
	}

	link := must(c.Identity.Invite(c.system(), identity.Invitation{Email: "ivy@example.com", Name: "Ivy"}))(t)
	joins := url.Values{"token": {link.Secret}, "name": {"Ivy"}, "password": {password}}
	if p := c.stranger().post("/invite", joins); p.StatusCode != http.StatusSeeOther {
		t.Fatalf("the invitation answers %d %s", p.StatusCode, p.text())
	}
	for _, answer := range []page{c.stranger().post("/invite", joins), c.stranger().get("/invite?token=" + link.Secret)} {
		if answer.StatusCode != http.StatusGone || strings.Contains(answer.Body, "ivy@example.com") {
			t.Errorf("the invitation once more answers %d", answer.StatusCode)
		}
	}
	if p := c.stranger().post("/setup", url.Values{"token": {"anything"}, "email": {"x@example.com"}, "name": {"X"}, "password": {password}}); p.StatusCode == http.StatusSeeOther && !strings.HasPrefix(p.Header.Get("Location"), "/sign-in") {
		t.Errorf("setting up once more answers %d %q", p.StatusCode, p.Header.Get("Location"))
	}
}

package handlers_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/audit"
)

// open is what a stranger may ask for; /metrics is not, because it tells strangers
// from loopback apart by itself. Setup and invitations prove themselves by a link.
var open = []string{
	"/health", "/health/live", "/health/ready", "/.well-known/jwks.json", "/setup", "/auth/login", "/sign-in", "/invite",
	"/sign-in/second-step", "/sign-in/passkey/challenge", "/sign-in/passkey", "/sign-in/emergency", "/favicon.ico", "/static/*",
	"/plugins/register", "/plugins/token", "/auth/oidc/:provider/start", "/auth/oidc/:provider/callback", "/auth/oidc/:provider/backchannel",
}

// Every route but the public ones answers 401 to a stranger, and so does every
// address that is none: nobody finds out what there is.
func TestAStrangerFindsOutNothing(t *testing.T) {
	c := newCore(t)
	w := c.wire()
	tried := map[string]bool{}
	for _, r := range c.Server.Table() {
		path := strings.NewReplacer(":id", "x", ":target", "x", ":trait", "x", ":plugin", "x", ":event", "x", ":session", "x", ":key", "x", ":grant", "x",
			":chain", "x", ":seq", "1", "*", "x").Replace(r[1])
		if slices.Contains(open, r[1]) || r[1] == "/metrics" {
			continue
		}
		methods := []string{r[0]}
		if r[0] == "*" {
			methods = []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"}
		}
		for _, method := range append(methods, "HEAD", "OPTIONS", "PROPFIND") {
			tried[path] = true
			if got := w.ask(method, path, "Content-Length: 0"); got.status() != http.StatusUnauthorized {
				t.Errorf("a stranger's %s %s answers %d", method, path, got.status())
			}
		}
	}
	if len(tried) < 50 {
		t.Errorf("only %d addresses were tried", len(tried))
	}
	for _, target := range []string{
		"/nothing", "/admin", "/admin/nothing", "/plugins/", "/plugins/register/x", "/plugins/registerx", "/plugins/Register", "/PLUGINS/REGISTER", "/healthx", "/setup/x", "/auth", "/auth/login/x",
		"/gateway", "/gateway/", "/console/nothing", "/sign-in/x", "/stati", "/%61dmin/users", "/admin/users%2ex", "/admin/users/", "/.well-known/nothing", "/debug/pprof/", "/robots.txt", "/.git/config",
		"/plugins/%72egister", "/invite/x", "/webhook", "/proxy", "/messaging", "/?", "/console?x",
	} {
		if got := w.ask("GET", target); got.status() != http.StatusUnauthorized {
			t.Errorf("a stranger's GET %s answers %d", target, got.status())
		} else if !strings.HasPrefix(target, "/console") && target != "/?" && !strings.HasPrefix(target, "/sign-in") {
			got.problem(t)
		}
	}
}

// With a credential, what is not there is 404 and what does not take a method is
// 405, with the methods it does take.
func TestWhatIsNotThereIsSaidToThoseWhoMayKnow(t *testing.T) {
	c := newCore(t)
	c.setUp()
	w, auth := c.wire(), "Authorization: Bearer "+c.token(adminAt)
	for _, target := range []string{"/nothing", "/admin/nothing", "/plugins/x/nothing", "/PLUGINS", "/plugins/", "/%61dmin/users", "/admin/users/00000000-0000-0000-0000-000000000000", "/admin/users/x"} {
		got := w.ask("GET", target, auth)
		if got.status() != http.StatusNotFound {
			t.Errorf("GET %s answers %d, want 404", target, got.status())
			continue
		}
		got.problem(t)
	}
	for _, ask := range [][3]string{
		{"DELETE", "/plugins", "GET"}, {"POST", "/health", "GET"}, {"PATCH", "/admin/config", "PUT"}, {"GET", "/plugins/x/enable", "POST"},
		{"TRACE", "/plugins", "GET"}, {"PROPFIND", "/gateway/x/y", "POST"}, {"TRACE", "/gateway/x/y", "POST"}, {"CONNECT", "/gateway/x/y", "POST"},
	} {
		got := w.ask(ask[0], ask[1], auth, "Content-Length: 0")
		if got.status() != http.StatusMethodNotAllowed || !strings.Contains(got.Header.Get("Allow"), ask[2]) {
			t.Errorf("%s %s answers %d and allows %q", ask[0], ask[1], got.status(), got.Header.Get("Allow"))
			continue
		}
		if p := got.problem(t); p.Code != "route.method" {
			t.Errorf("%s %s has the code %s", ask[0], ask[1], p.Code)
		}
	}
	for _, target := range []string{"/health", "/health/ready", "/.well-known/jwks.json", "/plugins", "/admin/audit", "/console", "/sign-in"} {
		get, head := w.ask("GET", target, auth), w.ask("HEAD", target, auth)
		if get.status() != head.status() || head.Body != "" || head.Header.Get("Content-Type") != get.Header.Get("Content-Type") {
			t.Errorf("HEAD %s answers %d %q with %d bytes, GET %d", target, head.status(), head.Header.Get("Content-Type"), len(head.Body), get.status())
		}
	}
	// A stream asked for its headers only does not keep the connection.
	if got := w.ask("HEAD", "/console/live", auth); got == nil || got.Body != "" {
		t.Errorf("HEAD of a stream is answered with %v", got)
	}
}

// Of two credentials on one request both must be good, and of one party.
func TestTwoCredentials(t *testing.T) {
	c := newCore(t)
	b := c.setUp()
	other := c.person("ola@example.com", "Ola Svensson", "viewer")
	plugin := c.enabled("one", nil, nil)
	second := c.enabled("two", nil, nil)
	cookie := func(v string) string { return "Cookie: " + c.Identity.CookieName() + "=" + v }
	good, user := "Authorization: Bearer "+plugin.Token, "Authorization: Bearer "+c.token(adminAt)
	for name, lines := range map[string][]string{
		"a good session and a bad token":          {cookie(b.session()), "Authorization: Bearer x.y.z"},
		"a good token and a bad session":          {user, cookie("vvs_nothing")},
		"a good plugin token and a bad session":   {good, cookie("x")},
		"a good plugin token and a session":       {good, cookie(b.session())},
		"a good token and another good one":       {good, "Authorization: Bearer " + second.Token},
		"a good token and a bad one after it":     {good, "Authorization: Bearer x.y.z"},
		"a good token and a bad one before it":    {"Authorization: Bearer x.y.z", good},
		"a good token and a basic one":            {user, "Authorization: Basic eDp5"},
		"a good token and a bad API key":          {user, "X-API-Key: vvk_nothing"},
		"a good token and an empty API key":       {user, "X-API-Key:"},
		"a good token as API key":                 {"X-API-Key: " + plugin.Token},
		"two sessions of two people":              {cookie(b.session()) + "; " + c.Identity.CookieName() + "=" + other.session()},
		"two sessions in two headers":             {cookie(b.session()), cookie(other.session())},
		"a session of one, a token of another":    {cookie(other.session()), user},
		"a token in the query beside a good one?": {"Authorization: Bearer"},
	} {
		got := c.wire().ask("GET", "/auth/me", lines...)
		if got.status() != http.StatusUnauthorized {
			t.Errorf("%s: %d %.200s", name, got.status(), got.Body)
			continue
		}
		if p := got.problem(t); p.Code != "auth.invalid" || strings.Contains(got.Body, "vvs_") || strings.Contains(got.Body, plugin.Token) {
			t.Errorf("%s: %s", name, got.Body)
		}
		if n := len(c.records(audit.Filter{Trace: got.Header.Get("X-Trace-Id")})); n != 1 {
			t.Errorf("%s has %d rows, want 1", name, n)
		}
	}
	for name, lines := range map[string][]string{"the same token twice": {user, user}, "session and token of one person": {cookie(b.session()), user}} {
		if got := c.wire().ask("GET", "/auth/me", lines...); got.status() != http.StatusOK {
			t.Errorf("%s: %d %.200s", name, got.status(), got.Body)
		}
	}
}

// Plugins never reach the console or the administration, people never the
// plugins' addresses; each denial is one row that says who wanted what.
func TestPluginsAndPeopleStayApart(t *testing.T) {
	c := newCore(t)
	c.setUp()
	plugin := c.enabled("one", map[string]any{"traits": []string{"handles_internal"}}, nil)
	person := c.token(adminAt)
	fill := strings.NewReplacer(":id", "one", ":target", "one", ":trait", "admin", ":plugin", "one", ":event", "x", ":session", "x", ":key", "x", ":grant", "x", ":chain", "x", ":seq", "1", "*", "x")
	for _, r := range c.Server.Table() {
		if method, path := r[0], fill.Replace(r[1]); path == "/" || strings.HasPrefix(path, "/console") || strings.HasPrefix(path, "/admin/") || path == "/sign-out" || strings.HasPrefix(path, "/auth/") && path != "/auth/login" && !strings.HasPrefix(path, "/auth/oidc/") {
			got := c.wire().ask(method, path, "Authorization: Bearer "+plugin.Token, "Accept: text/html", "Content-Length: 0")
			if got.status() != http.StatusForbidden {
				t.Errorf("a plugin's %s %s answers %d", method, path, got.status())
			}
			c.denied(t, got, method+" "+path, "plugin", "one", path)
		}
	}
	for _, ask := range [][2]string{
		{"POST", "/plugins/heartbeat"}, {"POST", "/plugins/one/heartbeat"}, {"POST", "/messaging/events"}, {"GET", "/messaging/events/stream"}, {"POST", "/messaging/events/x/ack"},
		{"POST", "/messaging/events/x/nak"}, {"POST", "/gateway/proxy"}, {"GET", "/proxy?url=https://api.example.com/"}, {"DELETE", "/proxy"},
	} {
		got := c.wire().ask(ask[0], ask[1], "Authorization: Bearer "+person, "Content-Length: 2", "", "{}")
		if got.status() != http.StatusForbidden {
			t.Errorf("a person's %s %s answers %d", ask[0], ask[1], got.status())
			continue
		}
		if p := got.problem(t); p.Code != "identity.plugins_only" {
			t.Errorf("a person's %s %s has the code %s", ask[0], ask[1], p.Code)
		}
		path, _, _ := strings.Cut(ask[1], "?")
		c.denied(t, got, ask[0]+" "+ask[1], "user", "", path)
	}
}

// denied fails the test unless exactly one row says who was denied what, where
// and when.
func (c *core) denied(t testing.TB, got *reply, what, kind, id, object string) audit.Record {
	t.Helper()
	if got == nil {
		t.Fatalf("%s: no answer", what)
	}
	rows := c.records(audit.Filter{Trace: got.Header.Get("X-Trace-Id")})
	if len(rows) != 1 {
		t.Errorf("%s has %d rows, want 1: %v", what, len(rows), rows)
		return audit.Record{}
	}
	r := rows[0]
	if r.Outcome != audit.Deny || r.ActorKind != kind || id != "" && r.ActorID != id || r.ActorID == "" || r.Action == "" || r.Rule == "" || r.At.IsZero() || r.Address != "127.0.0.1" || r.Credential == "" {
		t.Errorf("%s is recorded as %s of %s %q: %s %s by %q from %q", what, r.Outcome, r.ActorKind, r.ActorID, r.Action, r.Object, r.Credential, r.Address)
	}
	if object != "" && r.Object != object {
		t.Errorf("%s is recorded as denied of %q", what, r.Object)
	}
	return r
}

// A page of another site can do nothing with a person's session.
func TestOtherSitesCanDoNothing(t *testing.T) {
	c := newCore(t)
	b := c.setUp()
	cookie := "Cookie: " + c.Identity.CookieName() + "=" + b.session()
	for _, lines := range [][]string{
		{"Sec-Fetch-Site: cross-site"}, {"Sec-Fetch-Site: same-site"}, {"Origin: https://evil.example"}, {"Origin: null"}, {"Origin: http://127.0.0.1:1"},
		{"Sec-Fetch-Site: cross-site", "Origin: " + c.URL},
	} {
		for _, ask := range [][2]string{{"POST", "/admin/users"}, {"PUT", "/admin/config"}, {"DELETE", "/plugins/one"}, {"POST", "/console/account/password"}, {"POST", "/gateway/one/x"}} {
			got := c.wire().ask(ask[0], ask[1], append(lines, cookie, "Content-Length: 0")...)
			if got.status() != http.StatusForbidden {
				t.Errorf("%s %s with %q answers %d", ask[0], ask[1], lines, got.status())
				continue
			}
			if r := c.denied(t, got, ask[1], "user", b.user.ID.String(), ask[1]); r.Rule != "request.cross_origin" {
				t.Errorf("%s is denied by %s", ask[1], r.Rule)
			}
		}
		if got := c.wire().ask("POST", "/auth/login", append(lines, "Content-Length: 0")...); got.status() != http.StatusForbidden {
			t.Errorf("signing somebody in from another site answers %d", got.status())
		}
		if got := c.wire().ask("POST", "/admin/users", append(lines, "Content-Length: 0")...); got.status() != http.StatusUnauthorized {
			t.Errorf("a stranger from another site gets %d", got.status())
		}
	}
}

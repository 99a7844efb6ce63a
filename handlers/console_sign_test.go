package handlers_test

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/audit"
)

// The first day: the link, the administrator, the overview, a plugin closed and
// opened again, its record, and good night.
func TestFirstDay(t *testing.T) {
	c := newCore(t)
	token := must(c.Identity.NewSetupToken(c.system()))(t)
	b := c.stranger()

	start := b.get("/")
	if at := start.Header.Get("Location"); start.StatusCode != 303 || at != "/sign-in" {
		t.Fatalf("/ leads a stranger to %d %s", start.StatusCode, at)
	}
	b.follow(start).shows(t, 200, "Make the first administrator", "Setup token")
	b.get("/setup?token="+token).shows(t, 200, "Make the first administrator")
	short := b.post("/setup", url.Values{"token": {token}, "email": {adminAt}, "name": {"Mara Lindqvist"}, "password": {"short"}})
	short.shows(t, 422, "1 value needs a correction; nothing was saved", "fewer than 12 characters")
	short.lacks(t, `value="short"`)
	wrong := b.post("/setup", url.Values{"token": {"vvu_guess"}, "email": {adminAt}, "name": {"Mara Lindqvist"}, "password": {password}})
	wrong.shows(t, 401, "not the one that was printed last", "Setup token")

	done := b.post("/setup", url.Values{"token": {token}, "email": {adminAt}, "name": {"Mara Lindqvist"}, "password": {password}})
	if at := done.Header.Get("Location"); done.StatusCode != 303 || at != "/console" {
		t.Fatalf("setup ends with %d %s: %s", done.StatusCode, at, done.text())
	}
	select {
	case <-c.SetUp:
	default:
		t.Error("nobody is told that setup is done")
	}
	b.get("/console").shows(t, 200, "Overview", "Nothing waits for you.", "No plugin yet", "Audit proof")
	c.stranger().get("/setup?token="+token).shows(t, 410, "Already set up")
	c.stranger().post("/setup", url.Values{"token": {token}, "email": {"eve@example.com"}, "name": {"Eve"}, "password": {password}}).shows(t, 410, "Already set up")

	c.plugin("publisher", greeting(), nil)
	b.get("/console").shows(t, 200, "Publisher waits to be enabled", "1 plugin, 0 healthy.")
	b.get("/console/plugins/publisher/enable").shows(t, 200, "Enable Publisher?", "handles_pii", "greeting.requested")
	enabled := b.post("/console/plugins/publisher/enable", url.Values{"back": {"/console/plugins"}})
	b.follow(enabled).shows(t, 200, "Publisher is enabled.", "Undo", "Disable")
	b.get("/console/plugins").lacks(t, "is enabled.")

	disabled := b.swap("/console/plugins/publisher/disable", "/console/plugins", nil)
	disabled.shows(t, 200, "Disabled", "Publisher is disabled.", "Undo")
	if strings.Contains(disabled.Body, "<!doctype") || !strings.Contains(disabled.Body, `hx-target="#vv-toasts"`) {
		t.Errorf("htmx gets a document, or no toast: %.200s", disabled.Body)
	}
	if got := c.records(audit.Filter{Action: "plugin.disable"}); len(got) != 1 || got[0].ActorName != "Mara Lindqvist" {
		t.Errorf("the record of disabling is %+v", got)
	}
	b.swap("/console/plugins/publisher/enable", "/console/plugins/publisher", nil).shows(t, 200, "Publisher is enabled.", "Quarantine")
	b.get("/console/audit?plugin=publisher").shows(t, 200, "plugin.disable", "plugin.enable", "Mara Lindqvist", "not verified yet")
	b.get("/console/plugins/publisher/activity").shows(t, 200, "plugin.disable")

	session := b.session()
	out := b.post("/sign-out", nil)
	b.follow(out).shows(t, 200, "You are signed out.")
	if b.session() != "" {
		t.Error("the cookie stays")
	}
	thief := c.stranger()
	thief.header.Set("Cookie", c.Identity.CookieName()+"="+session)
	if got := thief.status("GET", "/console"); got != 401 {
		t.Errorf("the session still opens the console: %d", got)
	}
}

func TestSignIn(t *testing.T) {
	c := newCore(t, env("VIVIFIED_ORGANISATION", "Northgate Regional"))
	c.setUp()
	b := c.stranger()
	b.get("/sign-in").shows(t, 200, "Sign in to Northgate Regional", "0.0.0-test")
	want := "E-mail or password not accepted."
	for _, in := range []url.Values{
		{"email": {adminAt}, "password": {"another"}}, {"email": {"nobody@example.com"}, "password": {password}}, {"email": {""}, "password": {""}}, {},
		{"email": {"\x00"}, "password": {strings.Repeat("x", 5000)}},
	} {
		p := b.post("/sign-in", in)
		p.shows(t, 401, want)
		p.lacks(t, "another")
	}
	kept := b.post("/sign-in", url.Values{"email": {adminAt}, "password": {"another"}, "next": {"/console/audit?outcome=deny"}})
	if !strings.Contains(kept.Body, `value="mara@example.com"`) || !strings.Contains(kept.Body, `value="/console/audit?outcome=deny"`) {
		t.Error("what was typed, or where to go, is lost")
	}
	b.signIn(adminAt)
	if at := b.get("/sign-in?next=/console/users").Header.Get("Location"); at != "/console/users" {
		t.Errorf("who is signed in already is led to %q", at)
	}
}

func TestTooManyAttempts(t *testing.T) {
	c := newCore(t)
	c.setUp()
	b := c.stranger()
	for range 40 {
		p := b.post("/sign-in", url.Values{"email": {adminAt}, "password": {"wrong every time"}})
		if p.StatusCode == http.StatusUnauthorized {
			continue
		}
		p.shows(t, 429, "Too many attempts. Try again in")
		if p.Header.Get("Retry-After") == "" {
			t.Error("it does not say when to try again")
		}
		return
	}
	t.Error("forty wrong passwords in a row are all looked at")
}

func TestSessionsAreNotFixed(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	first := mara.session()
	if first == "" {
		t.Fatal("no session")
	}
	mara.signIn(adminAt)
	if mara.session() == first {
		t.Error("signing in keeps the session that was there")
	}
	thief := c.stranger()
	thief.header.Set("Cookie", c.Identity.CookieName()+"="+first)
	if got := thief.status("GET", "/console"); got != 401 {
		t.Errorf("the session from before signing in is still good: %d", got)
	}

	planted := c.stranger()
	u := must(url.Parse(c.URL))(t)
	planted.client.Jar.SetCookies(u, []*http.Cookie{{Name: c.Identity.CookieName(), Value: "vvs_" + strings.Repeat("A", 43)}})
	planted.signIn(adminAt)
	if got := planted.session(); strings.HasSuffix(got, strings.Repeat("A", 43)) || got == "" {
		t.Errorf("a planted cookie became the session: %q", got)
	}
	fresh := c.stranger().post("/sign-in", url.Values{"email": {adminAt}, "password": {password}})
	for _, cookie := range fresh.Cookies() {
		if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" {
			t.Errorf("the cookie is set as %s", cookie)
		}
	}
}

func TestWhereSignInLeads(t *testing.T) {
	c := newCore(t)
	c.setUp()
	for next, want := range map[string]string{
		"":                              "/console",
		"/console":                      "/console",
		"/console/plugins":              "/console/plugins",
		"/console/audit?outcome=deny":   "/console/audit?outcome=deny",
		"/console/users?q=a%26b":        "/console/users?q=a%26b",
		"/consolelike":                  "/console",
		"/admin/users":                  "/console",
		"//evil.example":                "/console",
		"//evil.example/console":        "/console",
		"https://evil.example/console":  "/console",
		"https:/evil.example/console":   "/console",
		`/\evil.example`:                "/console",
		`/console\..\..\evil.example`:   "/console",
		"/console//evil.example":        "/console",
		"/console/../admin":             "/console",
		"/console/%2e%2e/admin":         "/console",
		"/console/\t/evil.example":      "/console",
		"/console\r\nSet-Cookie: a=b":   "/console",
		"javascript:alert(1)":           "/console",
		"console":                       "/console",
		"/console@evil.example":         "/console",
		"/console/x#//evil.example":     "/console",
		"http://user@evil.example/":     "/console",
		"\x00/console":                  "/console",
		"/%5cevil.example":              "/console",
		"/console/plugins/%2f%2fevil.x": "/console",
	} {
		p := c.stranger().post("/sign-in", url.Values{"email": {adminAt}, "password": {password}, "next": {next}})
		if got := p.Header.Get("Location"); p.StatusCode != 303 || got != want {
			t.Errorf("next=%q leads to %d %q, want %q", next, p.StatusCode, got, want)
		}
	}
	b := c.stranger()
	if at := b.get("/console/audit?outcome=deny").Header.Get("Location"); at != "/sign-in?next=%2Fconsole%2Faudit%3Foutcome%3Ddeny" {
		t.Errorf("a stranger is led to %q", at)
	}
	part := b.do("GET", "/console/plugins", nil, htmx("main#main", c.URL+"/console/plugins?state=active"))
	if at := part.Header.Get("HX-Redirect"); part.StatusCode != 401 || at != "/sign-in?next=%2Fconsole%2Fplugins%3Fstate%3Dactive" {
		t.Errorf("htmx is answered %d, and led to %q", part.StatusCode, at)
	}
}

func TestOtherSitesCannotAct(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	p := c.enabled("publisher", greeting(), nil)
	form := func(h http.Header) page {
		h.Set("Content-Type", "application/x-www-form-urlencoded")
		return mara.do("POST", "/console/plugins/publisher/disable", strings.NewReader(""), h)
	}
	for _, h := range []http.Header{
		{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}},
		{"Sec-Fetch-Site": nil, "Origin": {"https://evil.example"}}, {"Sec-Fetch-Site": nil, "Origin": {"null"}},
	} {
		form(h).shows(t, 403, "The request comes from another site")
	}
	if p.state() != "active" {
		t.Fatal("another site's page disabled the plugin")
	}
	for _, path := range []string{"/sign-in", "/setup", "/invite", "/sign-out"} {
		got := mara.do("POST", path, strings.NewReader("email=x"), http.Header{"Sec-Fetch-Site": {"cross-site"}, "Content-Type": {"application/x-www-form-urlencoded"}})
		if got.StatusCode != 403 {
			t.Errorf("another site's page may POST %s: %d", path, got.StatusCode)
		}
	}
	form(http.Header{"Sec-Fetch-Site": {"same-origin"}}).shows(t, 303)
}

func TestEveryAnswerHasItsHeaders(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	c.enabled("publisher", greeting(), nil)
	want := map[string]string{
		"Content-Security-Policy":      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "same-origin",
		"X-Frame-Options":              "DENY",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
	}
	stranger := c.stranger()
	for _, path := range []string{
		"/", "/sign-in", "/setup", "/invite?token=x", "/console", "/console/plugins", "/console/plugins/publisher", "/console/audit", "/console/audit/export",
		"/console/nothing", "/plugins", "/health", "/nothing", "/static/nothing", "/a/%2e%2e/b",
	} {
		for who, b := range map[string]*browser{"mara": mara, "stranger": stranger} {
			p := b.get(path)
			for name, value := range want {
				if got := p.Header.Get(name); got != value {
					t.Errorf("GET %s of %s: %s is %q", path, who, name, got)
				}
			}
			if p.Header.Get("X-Trace-Id") == "" {
				t.Errorf("GET %s of %s has no trace", path, who)
			}
			if strings.HasPrefix(path, "/console") && p.Header.Get("Cache-Control") != "no-store" && p.StatusCode != 303 {
				t.Errorf("GET %s of %s may be kept: %q", path, who, p.Header.Get("Cache-Control"))
			}
			if strings.Contains(p.Header.Get("Content-Type"), "text/html") && p.StatusCode == 200 && !strings.Contains(p.Header.Get("Vary"), "HX-Request") {
				t.Errorf("GET %s of %s is one page to every cache: Vary %q", path, who, p.Header.Get("Vary"))
			}
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	big := strings.NewReader("name=" + strings.Repeat("x", 1<<20))
	p := mara.do("POST", "/console/account/profile", io.NopCloser(big), http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	p.shows(t, 413, "larger than the 65536 bytes")
}

func TestSeveralPeopleKeepTheirToasts(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	c.enabled("publisher", greeting(), nil)
	other := c.person("second@example.com", "Second", "admin")
	mara.post("/console/plugins/publisher/disable", nil).shows(t, 303)
	other.get("/console/plugins").lacks(t, "is disabled.")
	mara.get("/console/plugins").shows(t, 200, "Publisher is disabled.")
	mara.get("/console/plugins").lacks(t, "is disabled.")
}

// links returns where the page leads.
func (p page) links() []string {
	var out []string
	for part := range strings.SplitSeq(p.Body, ` href="`) {
		if end := strings.IndexByte(part, '"'); end > 0 {
			out = append(out, part[:end])
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

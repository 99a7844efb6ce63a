package handlers_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// toAnyone are the routes that answer a stranger; everything else is 401 to one.
var toAnyone = []string{
	"GET /sign-in/second-step", "POST /sign-in/second-step", "POST /sign-in/passkey/challenge", "POST /sign-in/passkey", "GET /sign-in/emergency", "POST /sign-in/emergency",
	"GET /health", "GET /health/live", "GET /health/ready", "GET /.well-known/jwks.json", "POST /auth/login", "POST /plugins/register", "POST /plugins/token",
	"GET /static/*", "GET /favicon.ico", "GET /sign-in", "POST /sign-in", "GET /setup", "POST /setup", "GET /invite", "POST /invite",
	"GET /metrics", // to loopback
	"GET /auth/oidc/:provider/start", "GET /auth/oidc/:provider/callback", "POST /auth/oidc/:provider/backchannel",
}

// address fills the parameters of a route: a plugin that is there, and ids of
// nothing for all else, so that asking changes nothing.
func address(path string) string {
	var parts []string
	for part := range strings.SplitSeq(path, "/") {
		switch {
		case part == ":id" && strings.HasPrefix(path, "/console/plugins"), part == ":id" && strings.HasPrefix(path, "/plugins"), part == ":target":
			part = "publisher"
		case part == ":chain":
			part = "change"
		case part == ":seq":
			part = "1"
		case strings.HasPrefix(part, ":"):
			part = uuid.Must(uuid.NewV7()).String()
		case part == "*":
			part = "nothing"
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "/")
}

// methodOf is a method of a route of the table.
func methodOf(method string) string {
	if method == "*" {
		return http.MethodGet
	}
	return method
}

// status asks as a program does and reads no body: a stream has no end.
func (b *browser) status(method, path string) int {
	b.t.Helper()
	ctx, cancel := context.WithCancel(b.t.Context())
	defer cancel()
	r := must(http.NewRequestWithContext(ctx, method, b.core.URL+path, nil))(b.t)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := must(b.client.Do(r))(b.t)
	answer.Body.Close()
	return answer.StatusCode
}

func TestStrangersGetNothing(t *testing.T) {
	c := newCore(t)
	c.setUp()
	c.enabled("publisher", greeting(), nil)
	stranger := c.stranger()
	for _, r := range c.Server.Table() {
		name := r[0] + " " + r[1]
		got := stranger.status(methodOf(r[0]), address(r[1]))
		if slices.Contains(toAnyone, name) {
			if got == http.StatusUnauthorized && name != "POST /sign-in" && name != "POST /sign-in/passkey" && name != "POST /auth/login" && name != "POST /plugins/token" {
				t.Errorf("%s is public, and answers a stranger 401", name)
			}
			continue
		}
		if got != http.StatusUnauthorized {
			t.Errorf("%s answers a stranger %d, want 401", name, got)
		}
	}
	for _, path := range []string{"/console/no/such/page", "/nothing", "/admin", "/plugins/x/y/z"} {
		if got := stranger.status("GET", path); got != http.StatusUnauthorized {
			t.Errorf("GET %s, which is not there, answers a stranger %d, want 401", path, got)
		}
	}
}

// What a person may not see is not on the page: no link, no count, no name.
func TestPagesHoldNoMoreThanTheirReaderMaySee(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	c.plugin("publisher", greeting(), nil)
	nobody, viewer := c.person("nobody@example.com", "Nobody"), c.person("viewer@example.com", "Viewer", "viewer")

	empty := nobody.get("/console")
	empty.shows(t, 200, "There is nothing here for you to see yet", "Mara Lindqvist")
	empty.lacks(t, "Publisher", "/console/plugins", "/console/audit", "/console/events", "/console/users", "Last calls", "Audit proof")

	some := viewer.get("/console")
	some.shows(t, 200, "Publisher waits to be enabled", "1 plugin, 0 healthy.")
	some.lacks(t, "/console/audit", "/console/events", "/console/users", "Last calls", "Audit proof", "Canonical")

	detail := viewer.get("/console/plugins/publisher")
	detail.shows(t, 200, "Only plugin managers may change a plugin.", "plugin_manager", "Mara Lindqvist")
	detail.lacks(t, `action="/console/plugins/publisher`, "/console/plugins/publisher/activity", "/console/plugins/publisher/enable")

	all := mara.get("/console")
	all.shows(t, 200, "Last events", "Last calls", "Last egress attempts", "Audit proof", "Canonical", "Operator", "Proxy")
	viewer.get("/console/palette?q=mara").lacks(t, adminAt)
	mara.get("/console/palette?q=mara").shows(t, 200, adminAt)
	viewer.get("/console/palette?q=publ").shows(t, 200, "Publisher")
	viewer.get("/console/palette?q=publ").lacks(t, "Quarantine")
}

func TestRefusalsSayWhy(t *testing.T) {
	c := newCore(t)
	c.setUp()
	viewer := c.person("viewer@example.com", "Viewer", "viewer")
	refused := viewer.get("/console/audit")
	refused.shows(t, 403, "audit_viewer", "Mara Lindqvist", "may grant it", "console.access")
	var decision string
	for _, link := range refused.links() {
		if strings.HasPrefix(link, "/console/decisions/") {
			decision = link
		}
	}
	if decision == "" {
		t.Fatal("the refusal leads to no decision")
	}
	viewer.get(decision).shows(t, 200, "Viewer was refused audit.read", "Why denied", "console.access", "audit_viewer")
	c.person("other@example.com", "Other", "viewer").get(decision).shows(t, 404)

	part := viewer.do("GET", "/console/audit", nil, htmx("main#main", c.URL+"/console"))
	part.shows(t, 403, "audit_viewer")
	if part.Header.Get("HX-Reswap") != "none" || !strings.HasPrefix(strings.TrimSpace(part.Body), "<hx-partial") {
		t.Errorf("htmx is told to replace the page by the refusal: %.120s", part.Body)
	}
	program := viewer.do("GET", "/console/audit", nil, http.Header{"Accept": {"*/*"}})
	if got := program.Header.Get("Content-Type"); program.StatusCode != 403 || got != "application/problem+json" {
		t.Errorf("a program is answered %d %s", program.StatusCode, got)
	}
	viewer.get("/console/nothing").shows(t, 404, "There is nothing at this address")
	viewer.get("/console/plugins/nothing").shows(t, 404, `No plugin is registered under the id "nothing".`)
}

func TestPluginsNeverReachTheConsole(t *testing.T) {
	c := newCore(t)
	c.setUp()
	p := c.enabled("publisher", greeting(), nil)
	for _, path := range []string{"/", "/console", "/console/live", "/console/palette", "/console/plugins", "/console/account", "/console/audit"} {
		r := must(http.NewRequestWithContext(t.Context(), "GET", c.URL+path, nil))(t)
		r.Header.Set("Authorization", "Bearer "+p.Token)
		answer := must(http.DefaultClient.Do(r))(t)
		answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden {
			t.Errorf("GET %s answers a plugin %d", path, answer.StatusCode)
		}
	}
}

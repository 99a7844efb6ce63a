package handlers_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/pluginmgr"
)

// guarded are the headers that every answer has, whoever made it.
var guarded = map[string]string{
	"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
	"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
}

func (r *reply) guarded(t testing.TB, what string) {
	t.Helper()
	if r == nil {
		t.Fatalf("%s: no answer", what)
	}
	for name, want := range guarded {
		if got := r.Header.Values(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s (%d) has %s: %q, want %q", what, r.StatusCode, name, got, want)
		}
	}
	csp := r.Header.Values("Content-Security-Policy")
	if len(csp) != 1 || !strings.HasPrefix(csp[0], "default-src 'none'") || !strings.Contains(csp[0], "frame-ancestors 'none'") {
		t.Errorf("%s (%d) has the Content-Security-Policy %q", what, r.StatusCode, csp)
	}
	if len(r.Header.Get("X-Trace-Id")) != 32 || len(r.Header.Values("X-Trace-Id")) != 1 {
		t.Errorf("%s (%d) has the trace %q", what, r.StatusCode, r.Header.Values("X-Trace-Id"))
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	c := newCore(t)
	plugin := identityService(c)
	token := callerOf(c, "identity-service").Token
	plugin.answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	w := c.wire()
	for _, ask := range []struct {
		method, target, token string
	}{
		{"GET", "/health", ""}, {"GET", "/health/ready", ""}, {"GET", "/.well-known/jwks.json", ""}, {"GET", "/static/nothing.css", ""}, {"GET", "/favicon.ico", ""},
		{"GET", "/sign-in", ""}, {"GET", "/setup", ""}, {"GET", "/console", ""}, {"GET", "/plugins", ""}, {"GET", "/nothing", ""}, {"GET", "/nothing", token},
		{"GET", "/plugins", token}, {"GET", "/%2e%2e/x", ""}, {"GET", "//x", token}, {"GET", "http://core/", ""}, {"DELETE", "/health", ""}, {"OPTIONS", "/plugins", token},
		{"POST", "/plugins/register", ""}, {"POST", "/plugins/token", ""}, {"POST", "/auth/login", ""}, {"GET", "/auth/me", token}, {"GET", "/metrics", ""},
		{"GET", "/gateway/identity-service/me", token}, {"GET", "/gateway/nobody/me", token}, {"GET", "/gateway/identity-service/nothing", token},
		{"HEAD", "/gateway/identity-service/me", token}, {"HEAD", "/health", ""}, {"HEAD", "/plugins", ""}, {"GET", "/proxy?url=https://evil.example/", token},
		{"PROPFIND", "/plugins", token}, {"TRACE", "/gateway/identity-service/me", token}, {"BREW", "/health", ""},
	} {
		lines := []string{"Content-Length: 0"}
		if ask.token != "" {
			lines = append(lines, "Authorization: Bearer "+ask.token)
		}
		got := w.ask(ask.method, ask.target, lines...)
		got.guarded(t, ask.method+" "+ask.target)
		if got.StatusCode >= 400 && ask.method != "HEAD" && got.StatusCode != http.StatusTeapot && !strings.HasPrefix(ask.target, "/static/") {
			got.problem(t)
		}
	}
}

// hostileAnswer is what a plugin says that wants to be the console.
func hostileAnswer(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	for name, value := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Set-Cookie": "vv_session=stolen; Path=/", "Location": "https://evil.example/", "Refresh": "0;url=https://evil.example/",
		"Content-Security-Policy": "default-src *", "Content-Security-Policy-Report-Only": "default-src *; report-uri https://evil.example/", "X-Content-Type-Options": "sniff",
		"X-Frame-Options": "ALLOWALL", "Referrer-Policy": "unsafe-url", "Permissions-Policy": "camera=*", "Strict-Transport-Security": "max-age=0", "X-Trace-Id": "mine",
		"Cross-Origin-Opener-Policy": "unsafe-none", "Cross-Origin-Resource-Policy": "cross-origin", "Cross-Origin-Embedder-Policy": "unsafe-none",
		"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "true", "Access-Control-Allow-Headers": "*", "Timing-Allow-Origin": "*",
		"Clear-Site-Data": `"*"`, "Service-Worker-Allowed": "/", "Alt-Svc": `h2="evil.example:443"`, "Link": "</static/app.js>; rel=preload", "Nel": "{}",
		"Report-To": "{}", "Reporting-Endpoints": `a="https://evil.example"`, "Www-Authenticate": `Basic realm="Vivified"`, "Origin-Agent-Cluster": "?0", "Sourcemap": "/x",
		"X-Accel-Redirect": "/etc/passwd", "X-Sendfile": "/etc/passwd", "X-Vivified-Caller": "core", "Cache-Control": "public, max-age=99999", "Connection": "close",
		"HX-Redirect": "https://evil.example/", "HX-Location": "/x", "HX-Trigger": "x", "HX-Trigger-After-Swap": "x", "HX-Trigger-After-Settle": "x", "HX-Refresh": "true",
		"HX-Retarget": "body", "HX-Reswap": "outerHTML", "HX-Reselect": "*", "HX-Push-Url": "/x", "HX-Replace-Url": "/x", "X-Kept": "yes",
	} {
		h.Set(name, value)
	}
	_, _ = io.WriteString(w, "<script>alert(document.cookie)</script>")
}

// What a plugin answers is data: it sets no cookie, leads nowhere, and no browser
// runs it, loads it elsewhere or keeps it past a decision.
func TestPluginAnswersAreNoPagesOfTheConsole(t *testing.T) {
	c := newCore(t)
	b := c.setUp()
	plugin := identityService(c)
	plugin.answer(hostileAnswer)
	for name, lines := range map[string][]string{
		"a person's browser": {"Cookie: " + c.Identity.CookieName() + "=" + b.session(), "Accept: text/html"},
		"htmx":               {"Cookie: " + c.Identity.CookieName() + "=" + b.session(), "Hx-Request: true"},
		"a plugin":           {"Authorization: Bearer " + callerOf(c, "identity-service").Token},
	} {
		got := c.wire().ask("GET", "/gateway/identity-service/me", lines...)
		if got.status() != http.StatusOK || got.Header.Get("X-Kept") != "yes" {
			t.Fatalf("%s: the answer is %d: %s", name, got.status(), got.Body)
		}
		got.guarded(t, name)
		if csp := got.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "sandbox") || strings.Contains(csp, "script-src") {
			t.Errorf("%s: the answer could run scripts: %s", name, csp)
		}
		if cache := got.Header.Get("Cache-Control"); cache != "private, no-cache" && cache != "no-store" {
			t.Errorf("%s: the answer may be kept: %s", name, cache)
		}
		for have := range got.Header {
			for _, bad := range []string{"Hx-", "Set-Cookie", "Location", "Refresh", "Access-Control-", "Clear-Site", "Service-Worker", "Alt-Svc", "Link", "Nel", "Report", "Www-Auth",
				"Origin-Agent", "Sourcemap", "X-Accel-", "X-Sendfile", "X-Vivified-", "Timing-", "Cross-Origin-Embedder", "Content-Security-Policy-Report-Only"} {
				if strings.HasPrefix(have, bad) && (name != "a plugin" || bad != "Link" && bad != "Www-Auth" && bad != "Location") {
					t.Errorf("%s: the plugin's %s came through", name, have)
				}
			}
		}
	}
}

// A plugin's status that HTTP does not know, or that would end the conversation
// between the core and its caller, is the plugin's failure.
func TestPluginStatusesThatAreNone(t *testing.T) {
	c := newCore(t)
	listener := must(net.Listen("tcp", "127.0.0.1:0"))(t)
	defer listener.Close()
	said := make(chan string, 8)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf := make([]byte, 64<<10)
				n, _ := conn.Read(buf)
				if strings.HasPrefix(string(buf[:n]), "GET /health ") {
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
					return
				}
				_, _ = io.WriteString(conn, <-said)
			}()
		}
	}()
	m := manifestOf("odd", map[string]any{"endpoints": map[string]any{"say": "/say"}})
	m["runtime"] = map[string]any{"kind": "external", "base_url": "http://" + listener.Addr().String()}
	if status, answer := c.api("", "POST", "/plugins/register", m); status != http.StatusOK {
		t.Fatalf("register: %d %v", status, answer)
	}
	if err := c.Plugins.Enable(c.system(), "odd", pluginmgr.Enabling{}); err != nil {
		t.Fatal(err)
	}
	token := callerOf(c, "odd").Token
	for name, answer := range map[string]string{
		"switching protocols": "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
		"status 042":          "HTTP/1.1 042 Odd\r\nContent-Length: 0\r\n\r\n",
		"status 000":          "HTTP/1.1 000 Odd\r\nContent-Length: 0\r\n\r\n",
		"status 999":          "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
		"status 600":          "HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n",
		"no HTTP":             "220 smtp.example ready\r\n",
		"two lengths":         "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"endless headers":     "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 100<<10) + "\r\n\r\n",
	} {
		said <- answer
		got := c.send("POST", "/gateway/odd/say", "", bearer(token))
		if got.status() != http.StatusBadGateway {
			t.Errorf("%s is answered with %d: %s", name, got.status(), got.Body)
			continue
		}
		got.problem(t)
	}
	c.eventually("every outcome is on record", func() bool {
		return len(c.records(audit.Filter{Action: "operator.call", Outcome: audit.Failed})) == 8
	})
}

// A body that ends before its announced end does not look whole to the caller.
func TestHalfAnAnswerIsNotAWholeOne(t *testing.T) {
	c := newCore(t)
	plugin := identityService(c)
	token := callerOf(c, "identity-service").Token
	for name, header := range map[string]http.Header{"announced": {"Content-Length": {"1000000"}}, "streamed": {}} {
		plugin.answer(func(w http.ResponseWriter, _ *http.Request) {
			for k, v := range header {
				w.Header()[k] = v
			}
			_, _ = io.WriteString(w, strings.Repeat("x", 70_000))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		if got := c.send("GET", "/gateway/identity-service/me", "", bearer(token)); got.status() != http.StatusOK || !got.cut {
			t.Errorf("%s: half an answer came with the status %d and %d bytes, as if it were whole", name, got.status(), len(got.Body))
		}
	}
	if text := c.Log.String(); strings.Contains(text, "panic") {
		t.Errorf("the log tells of a panic: %s", text)
	}
}

// A caller's trace is taken over when it is one, whole; and the plugin gets it.
func TestTracesAreHonoured(t *testing.T) {
	c := newCore(t)
	plugin := identityService(c)
	token := callerOf(c, "identity-service").Token
	id, span := strings.Repeat("ab", 16), strings.Repeat("cd", 8)
	good := "00-" + id + "-" + span + "-01"
	for _, tt := range []struct {
		lines []string
		taken bool
	}{
		{[]string{good}, true}, {[]string{"00-" + id + "-" + span + "-00"}, true}, {[]string{"01-" + id + "-" + span + "-01-more"}, true},
		{[]string{good, good}, false}, {[]string{good + "-more"}, false}, {[]string{"ff-" + id + "-" + span + "-01"}, false},
		{[]string{"00-" + strings.ToUpper(id) + "-" + span + "-01"}, false}, {[]string{"00-" + strings.Repeat("0", 32) + "-" + span + "-01"}, false},
		{[]string{"00-" + id + "-" + strings.Repeat("0", 16) + "-01"}, false}, {[]string{"00-" + id + "-" + span}, false}, {[]string{"00-" + id + "-" + span + "-zz"}, false},
		{[]string{"zz-" + id + "-" + span + "-01"}, false}, {[]string{""}, false}, {[]string{strings.Repeat("-", 2000)}, false},
	} {
		lines := []string{"Authorization: Bearer " + token}
		for _, l := range tt.lines {
			lines = append(lines, "traceparent: "+l)
		}
		got := c.wire().ask("GET", "/gateway/identity-service/me", lines...)
		if got.status() != http.StatusOK {
			t.Fatalf("%q: %d %s", tt.lines, got.status(), got.Body)
		}
		trace := got.Header.Get("X-Trace-Id")
		if (trace == id) != tt.taken {
			t.Errorf("traceparent %.80q became the trace %s", tt.lines, trace)
		}
		if reached := plugin.take(); len(reached) != 1 || !strings.HasPrefix(reached[0].Header.Get("Traceparent"), "00-"+trace+"-") {
			t.Errorf("%.80q: the plugin got another trace: %v", tt.lines, reached)
		}
		if n := len(c.records(audit.Filter{Trace: trace, Outcome: audit.Allow, Limit: 50})); n == 0 {
			t.Errorf("%.80q: the decision is not found by its trace", tt.lines)
		}
	}
}

// Identity that only the core may state is dropped when it comes from outside, and
// what proves the caller to the core stays there.
func TestIdentityHeadersFromOutsideAreDropped(t *testing.T) {
	c := newCore(t)
	plugin := identityService(c)
	b := c.setUp()
	p := callerOf(c, "identity-service")
	mine := []string{
		"X-Caller-Plugin: core", "X-Vivified-Caller: core", "X-Vivified-User: 00000000-0000-0000-0000-000000000001", "X-Vivified-Delegation: forged", "x-vivified-anything: x",
		"X-Forwarded-For: 10.1.2.3", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: https", "Forwarded: for=10.1.2.3", "X-Real-IP: 10.1.2.3",
		"Connection: X-Kept", "Proxy-Authorization: Basic eDp5", "X-Registration-Token: secret-of-mine", "X-Refresh-Token: secret-of-mine", "Te: trailers",
	}
	for name, lines := range map[string][]string{
		"a plugin's token":   {"Authorization: Bearer " + p.Token},
		"a plugin, twice":    {"Authorization: Bearer " + p.Token, "authorization: Bearer " + p.Token},
		"a person's session": {"Cookie: " + c.Identity.CookieName() + "=" + b.session() + "; other=1"},
		"a person's token":   {"Authorization: Bearer " + c.token(adminAt)},
	} {
		got := c.wire().ask("GET", "/gateway/identity-service/me", append(lines, mine...)...)
		if got.status() != http.StatusOK {
			t.Fatalf("%s: %d %s", name, got.status(), got.Body)
		}
		reached := plugin.take()
		if len(reached) != 1 {
			t.Fatalf("%s: the plugin was asked %d times", name, len(reached))
		}
		h := reached[0].Header
		caller := "caller"
		if strings.Contains(name, "person") {
			caller = "core"
		}
		if h.Get("X-Vivified-Caller") != caller || (h.Get("X-Vivified-User") != "") != strings.Contains(name, "person") || h.Get("X-Vivified-User") == "00000000-0000-0000-0000-000000000001" {
			t.Errorf("%s: the plugin is told of caller %q and user %q", name, h.Get("X-Vivified-Caller"), h.Get("X-Vivified-User"))
		}
		for header, values := range h {
			text := fmt.Sprint(values)
			if strings.Contains(text, "forged") || strings.Contains(text, "secret-of-mine") || strings.Contains(text, "10.1.2.3") || strings.Contains(text, "evil.example") ||
				strings.Contains(text, p.Token) || strings.Contains(text, b.session()) || header == "Cookie" || header == "X-Caller-Plugin" || header == "Proxy-Authorization" || header == "X-Vivified-Anything" {
				t.Errorf("%s: %s: %.60s reached the plugin", name, header, text)
			}
		}
		if rows := c.records(audit.Filter{Trace: got.Header.Get("X-Trace-Id")}); len(rows) == 0 || rows[0].Address != "127.0.0.1" {
			t.Errorf("%s: the audit has another address than the peer's: %v", name, rows)
		}
	}
}

package handlers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Messages that two servers could take apart differently are refused, or end the
// connection, so that nothing after them is taken for a request of its own.
func TestDesyncShapesEndTheConnection(t *testing.T) {
	c := newCore(t)
	plugin := identityService(c)
	token := callerOf(c, "identity-service").Token
	head := func(lines ...string) string {
		return "POST /gateway/identity-service/user?id=1 HTTP/1.1\r\nHost: core\r\nAuthorization: Bearer " + token + "\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n"
	}
	// smuggled is what a server that ends the first message too early would take for the next one.
	const smuggled = "GET /gateway/identity-service/me HTTP/1.1\r\nHost: core\r\nX-Ignore: x"
	for name, request := range map[string]string{
		"two lengths":                   head("Content-Length: 0", fmt.Sprintf("Content-Length: %d", len(smuggled))) + smuggled,
		"two lengths in one line":       head("Content-Length: 0, 5") + smuggled,
		"a length with a sign":          head("Content-Length: +0") + smuggled,
		"a negative length":             head("Content-Length: -1") + smuggled,
		"a length in hexadecimal":       head("Content-Length: 0x0") + smuggled,
		"a length with spaces inside":   head("Content-Length: 1 0") + smuggled,
		"an empty length":               head("Content-Length:") + smuggled,
		"an immense length":             head("Content-Length: 99999999999999999999") + smuggled,
		"two transfer encodings":        head("Transfer-Encoding: chunked", "Transfer-Encoding: identity") + "0\r\n\r\n" + smuggled,
		"an unknown transfer encoding":  head("Transfer-Encoding: xchunked") + "0\r\n\r\n" + smuggled,
		"chunked and something":         head("Transfer-Encoding: chunked, identity") + "0\r\n\r\n" + smuggled,
		"gzip and chunked":              head("Transfer-Encoding: gzip, chunked") + "0\r\n\r\n" + smuggled,
		"a folded transfer encoding":    head("Transfer-Encoding:\r\n chunked") + "0\r\n\r\n" + smuggled,
		"a space before the colon":      head("Transfer-Encoding : chunked") + "0\r\n\r\n" + smuggled,
		"a vertical tab in the value":   head("Transfer-Encoding: \vchunked") + "0\r\n\r\n" + smuggled,
		"a NUL in a value":              head("X-A: a\x00b", "Content-Length: 0") + smuggled,
		"a line that begins with space": head(" Content-Length: 0") + smuggled,
		"a bare CR in a value":          head("X-A: a\rContent-Length: 7", "Content-Length: 0") + smuggled,
		"a header without a name":       head(": x", "Content-Length: 0") + smuggled,
		"a header without a colon":      head("Nonsense", "Content-Length: 0") + smuggled,
		"a chunk size with a sign":      head("Transfer-Encoding: chunked") + "-1\r\n\r\n0\r\n\r\n" + smuggled,
		"a chunk size with 0x":          head("Transfer-Encoding: chunked") + "0x1\r\na\r\n0\r\n\r\n" + smuggled,
		"a chunk size too large":        head("Transfer-Encoding: chunked") + "ffffffffffffffff1\r\na\r\n0\r\n\r\n" + smuggled,
		"a chunk that ends elsewhere":   head("Transfer-Encoding: chunked") + "1\r\nab\r\n0\r\n\r\n" + smuggled,
		"a chunk ended by a bare LF":    head("Transfer-Encoding: chunked") + "1\na\n0\n\n" + smuggled,
		"a trailer that is a request":   head("Transfer-Encoding: chunked") + "0\r\nGET /health HTTP/1.1\r\n\r\n" + smuggled,
		"two hosts":                     "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + smuggled,
		"no host":                       "GET /health HTTP/1.1\r\n\r\n" + smuggled,
		"a host with a space":           "GET /health HTTP/1.1\r\nHost: a b\r\n\r\n" + smuggled,
		"HTTP/2 by itself":              "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + smuggled,
		"HTTP/0.9":                      "GET /health\r\n" + smuggled,
		"a tab in the request line":     "GET\t/health\tHTTP/1.1\r\nHost: core\r\n\r\n" + smuggled,
		"a method that is no token":     "GE(T /health HTTP/1.1\r\nHost: core\r\n\r\n" + smuggled,
	} {
		t.Run(name, func(t *testing.T) {
			w := c.wire()
			w.write(request)
			first := w.read("POST")
			if s := first.status(); s == http.StatusOK && !first.Close {
				t.Errorf("the message was answered with 200 and the connection goes on")
			}
			w.write("\r\n\r\n") // ends what was smuggled in
			if first != nil && !first.Close {
				if second := w.read("GET"); second.status() == http.StatusOK {
					t.Errorf("the answer %d was followed by one to the smuggled request: %d", first.StatusCode, second.status())
				}
			}
			for _, s := range plugin.take() {
				if s.URI != "/api/users/1" || s.Body != "" && !s.cut {
					t.Errorf("%s %s with the body %q reached the plugin", s.Method, s.URI, s.Body)
				}
			}
		})
	}
}

// Where a length and a chunked body come together, the body is the chunked one
// (RFC 9112, section 6.1) and the connection ends with the answer, because
// somebody on the way may have read the other.
func TestLengthBesideChunksEndsTheConnection(t *testing.T) {
	c := newCore(t)
	plugin := identityService(c)
	token := callerOf(c, "identity-service").Token
	for _, order := range [][]string{{"Content-Length: 4", "Transfer-Encoding: chunked"}, {"Transfer-Encoding: chunked", "Content-Length: 4"}} {
		w := c.wire()
		w.write("POST /gateway/identity-service/user?id=1 HTTP/1.1\r\nHost: core\r\nAuthorization: Bearer " + token + "\r\n" + strings.Join(order, "\r\n") +
			"\r\n\r\n0\r\n\r\nGET /gateway/identity-service/me HTTP/1.1\r\nHost: core\r\nAuthorization: Bearer " + token + "\r\n\r\n")
		first := w.read("POST")
		if first == nil || first.StatusCode != http.StatusOK && first.StatusCode != http.StatusBadRequest {
			t.Fatalf("the first request was answered with %d", first.status())
		}
		if !first.Close {
			t.Errorf("the connection goes on after a message with a length and chunks")
		}
		if second := w.read("GET"); second != nil {
			t.Errorf("what followed was answered with %d", second.StatusCode)
		}
		for _, s := range plugin.take() {
			if s.Method != "POST" {
				t.Errorf("%s %s reached the plugin", s.Method, s.URI)
			}
		}
	}
}

// A request target in any other form than a path is refused (RFC 9112, section 3.2).
func TestRequestTargetsAreOriginForm(t *testing.T) {
	c := newCore(t)
	identityService(c)
	token := callerOf(c, "identity-service").Token
	w := c.wire()
	for _, line := range []struct{ method, target string }{
		{"GET", "http://core/gateway/identity-service/me"}, {"GET", "http://" + w.at + "/health"}, {"GET", "https://core/health"},
		{"GET", "HTTP://core/health"}, {"GET", "http://user@core/health"}, {"GET", "http:/health"}, {"GET", "http:health"}, {"GET", "mailto:a@b"},
		{"CONNECT", "core:443"}, {"CONNECT", "127.0.0.1:5432"}, {"GET", "core:443"}, {"GET", "*"}, {"OPTIONS", "*"}, {"GET", "health"}, {"GET", "?x=/health"},
		{"GET", "//core/health"}, {"GET", "/\\core/health"}, {"GET", "///health"},
	} {
		got := w.ask(line.method, line.target, "Authorization: Bearer "+token)
		if got.status() != http.StatusBadRequest {
			t.Errorf("%s %s answers %d, want 400", line.method, line.target, got.status())
		}
	}
	if got := w.ask("GET", "/health", "Authorization: Bearer "+token); got.status() != http.StatusOK {
		t.Errorf("after all that /health answers %d", got.status())
	}
}

// Headers without end are refused, and a request that never becomes whole does
// not hold a connection for ever.
func TestHeadersHaveAnEnd(t *testing.T) {
	c := newCore(t)
	for name, lines := range map[string][]string{
		"one of a megabyte":    {"X-Long: " + strings.Repeat("x", 1<<20)},
		"a name of 64 KiB":     {strings.Repeat("x", 64<<10) + ": x"},
		"very many":            many(40_000, "X-%d: x"),
		"very many of one":     many(40_000, "X-Same: %d"),
		"very many cookies":    {"Cookie: " + strings.Join(many(20_000, "a%d=b"), "; ")},
		"an immense bearer":    {"Authorization: Bearer " + strings.Repeat("x.", 1<<19)},
		"very many credential": many(5_000, "Authorization: Bearer a.b.%d"),
	} {
		w := c.wire()
		if s := w.ask("GET", "/plugins", lines...).status(); s != http.StatusRequestHeaderFieldsTooLarge && s != 0 {
			t.Errorf("%s: the answer is %d, want 431", name, s)
		}
	}
	hasty := newCore(t, patient(200*time.Millisecond)).wire()
	hasty.write("GET /health HTTP/1.1\r\nHost: core\r\nX-Slow: ")
	if answer := hasty.read("GET"); answer.status() == http.StatusOK {
		t.Errorf("half a request was answered")
	}
}

func many(n int, format string) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf(format, i)
	}
	return out
}

// No value that a stranger chooses becomes a header line of an answer.
func TestNobodyWritesHeadersForTheCore(t *testing.T) {
	c := newCore(t)
	plugin := identityService(c)
	p := callerOf(c, "identity-service")
	w := c.wire()
	inject := "%0d%0aX-Injected:%20yes%0d%0a%0d%0a<script>"
	for _, target := range []string{
		"/console" + inject, "/console/plugins?next=" + inject, "/sign-in?next=/console" + inject, "/plugins/" + inject, "/gateway/x/" + inject,
		"/gateway/identity-service/user?id=" + inject, "/messaging/events/stream?consumer=" + inject, "/messaging/events/" + inject + "/ack",
		"/proxy?url=https://a.example/" + inject, "/static/" + inject, "/invite?token=" + inject, "/setup?token=" + inject, "/admin/audit/export?format=" + inject,
	} {
		for _, lines := range [][]string{{"Accept: text/html"}, {"Authorization: Bearer " + p.Token}, {"Hx-Request: true", "Hx-Current-Url: http://core/console" + inject}} {
			got := w.ask("GET", target, lines...)
			if got == nil || got.Header.Get("X-Injected") != "" || strings.Contains(got.Body, "<script>") || strings.Contains(fmt.Sprint(got.Header), "\n") {
				t.Errorf("GET %s with %s answers %d with %v", target, lines[0], got.status(), got)
			}
		}
	}
	plugin.take()
	// Nor does what a trace may be called.
	for _, trace := range []string{"00-" + strings.Repeat("a", 32) + "\x85x-" + strings.Repeat("b", 16) + "-01", "00-<script>-b-01", strings.Repeat("a", 5000), "00-\u2028-1-01"} {
		got := w.ask("GET", "/health", "traceparent: "+trace)
		if id := got.Header.Get("X-Trace-Id"); len(id) != 32 || strings.Trim(id, "0123456789abcdef") != "" {
			t.Errorf("traceparent %.60q became the trace %q", trace, id)
		}
	}
}

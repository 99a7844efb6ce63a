package handlers_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// frames is a connection that speaks HTTP/2 frame by frame, right or wrong.
type frames struct {
	t    testing.TB
	conn net.Conn
	*http2.Framer
	headers bytes.Buffer
	encoder *hpack.Encoder
}

func (c *core) frames(t testing.TB) *frames {
	t.Helper()
	f := &frames{t: t, conn: must(net.Dial("tcp", strings.TrimPrefix(c.URL, "http://")))(t)}
	t.Cleanup(func() { f.conn.Close() })
	_ = f.conn.SetDeadline(time.Now().Add(patience))
	_, _ = io.WriteString(f.conn, http2.ClientPreface)
	f.Framer = http2.NewFramer(f.conn, f.conn)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.encoder = hpack.NewEncoder(&f.headers)
	if err := f.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	return f
}

// send sends a request on a stream: its fields as they are, and a body where there is one.
func (f *frames) send(stream uint32, body string, fields ...string) {
	f.t.Helper()
	f.headers.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = f.encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: f.headers.Bytes(), EndHeaders: true, EndStream: body == ""})
	if body != "" {
		_ = f.WriteData(stream, true, []byte(body))
	}
}

// answer returns the status of a stream's answer; "reset" and "gone" for a stream or
// a connection that the core ended instead.
func (f *frames) answer(stream uint32) string {
	f.t.Helper()
	for {
		frame, err := f.ReadFrame()
		if err != nil {
			return "gone"
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			if frame.StreamID == stream {
				return frame.PseudoValue("status")
			}
		case *http2.RSTStreamFrame:
			if frame.StreamID == stream {
				return "reset"
			}
		case *http2.GoAwayFrame:
			return "gone"
		}
	}
}

// What HTTP/1.1 would take apart into two requests is no request in HTTP/2 either
// (RFC 9113, sections 8.1 to 8.3), and what is one passes the same checks.
func TestHTTP2IsNoWayAround(t *testing.T) {
	c := newCore(t)
	plugin := identityService(c)
	token := callerOf(c, "identity-service").Token
	usual := func(method, path string, more ...string) []string {
		return append([]string{":method", method, ":scheme", "http", ":authority", "core", ":path", path, "authorization", "Bearer " + token}, more...)
	}
	const op = "/gateway/identity-service/user?id=1"
	for _, tt := range []struct {
		name, body string
		fields     []string
		want       string // statuses, or reset; "" for nothing but an answer that is none of 2xx
	}{
		{"a request", "", usual("GET", op), "200"},
		{"a body as long as it says", "{}", usual("POST", op, "content-length", "2"), "200"},
		{"a body longer than it says", "{}{}", usual("POST", op, "content-length", "2"), ""},
		{"a body shorter than it says", "{}", usual("POST", op, "content-length", "200"), ""},
		{"two lengths", "{}", usual("POST", op, "content-length", "2", "content-length", "3"), "400"},
		{"transfer-encoding", "0\r\n\r\nGET / HTTP/1.1\r\n\r\n", usual("POST", op, "transfer-encoding", "chunked"), ""},
		{"connection", "", usual("GET", op, "connection", "x-a"), ""},
		{"an upgrade", "", usual("GET", op, "upgrade", "websocket"), ""},
		{"te that is not trailers", "", usual("GET", op, "te", "chunked"), ""},
		{"a name in upper case", "", usual("GET", op, "X-A", "b"), ""},
		{"a name with a colon", "", usual("GET", op, "a:b", "c"), ""},
		{"a name with CRLF", "", usual("GET", op, "a\r\nx-b", "c"), ""},
		{"a value with CRLF", "", usual("GET", op, "x-a", "b\r\ntransfer-encoding: chunked"), ""},
		{"a value with NUL", "", usual("GET", op, "x-a", "b\x00c"), ""},
		{"a path with CRLF", "", usual("GET", op+" HTTP/1.1\r\nX-A: b"), ""},
		{"a path with a space", "", usual("GET", "/gateway/identity-service/user ?id=1"), ""},
		{"no path", "", []string{":method", "GET", ":scheme", "http", ":authority", "core"}, ""},
		{"an empty path", "", usual("GET", ""), ""},
		{"two paths", "", usual("GET", op, ":path", "/health"), ""},
		{"a pseudo-header at the end", "", append([]string{":method", "GET", ":scheme", "http", ":path", "/health"}, "x-a", "b", ":authority", "core"), ""},
		{"an unknown pseudo-header", "", append([]string{":proto", "x"}, usual("GET", op)...), ""},
		{"an absolute path", "", usual("GET", "http://identity-service/health"), "400"},
		{"a path of two slashes", "", usual("GET", "//identity-service/health"), "400"},
		{"dots", "", usual("GET", "/gateway/../health"), "400"},
		{"an asterisk", "", usual("OPTIONS", "*"), "400"},
		{"CONNECT", "", []string{":method", "CONNECT", ":authority", "identity-service:80"}, ""},
		{"a method with a line of its own", "", usual("GET / HTTP/1.1\r\nX-A: b", op), ""},
		{"two credentials", "", usual("GET", op, "authorization", "Bearer other"), "401"},
		{"nobody", "", []string{":method", "GET", ":scheme", "http", ":authority", "core", ":path", op}, "401"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := c.frames(t)
			f.send(1, tt.body, tt.fields...)
			got := f.answer(1)
			if tt.want != "" && got != tt.want || tt.want == "" && strings.HasPrefix(got, "2") {
				t.Errorf("answered %s, want %q", got, tt.want)
			}
			for _, s := range plugin.take() {
				if tt.want != "200" && !s.cut && s.Body != "{}" {
					t.Errorf("%s %s with the body %q reached the plugin", s.Method, s.URI, s.Body)
				}
			}
		})
	}
}

// HTTP/2 begins with its preface; a connection that speaks HTTP/1.1 is not changed
// in its middle (RFC 9113, section 3.1 dropped that), where a proxy in front of the
// core would no longer see what passes.
func TestNothingIsUpgradedToHTTP2(t *testing.T) {
	c := newCore(t)
	w := c.wire()
	got := w.ask("GET", "/health", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
	if got.status() != http.StatusOK || got.ProtoMajor != 1 {
		t.Errorf("an upgrade was answered with %d in HTTP/%d", got.status(), got.ProtoMajor)
	}
}

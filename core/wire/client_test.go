package wire_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vivified/vivified/core/wire"
)

// dials counts the connections a client makes.
type dials struct{ n atomic.Int64 }

func (d *dials) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.n.Add(1)
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, address)
}

func client(t *testing.T) (*wire.Client, *dials) {
	t.Helper()
	d := &dials{}
	c := wire.New(wire.Config{Dial: d.dial})
	t.Cleanup(c.CloseIdleConnections)
	return c, d
}

func request(t *testing.T, method, url, body string) *http.Request {
	t.Helper()
	var from io.Reader
	if body != "" {
		from = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, from)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// whole sends r and reads all of the answer.
func whole(t *testing.T, c *wire.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	answer, err := c.RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s %s: reading the body: %v", r.Method, r.URL, err)
	}
	return answer, string(text)
}

func TestRoundTrip(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Saw", r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("X-Said"))
		switch r.URL.Path {
		case "/chunked":
			w.Header().Set("Trailer", "X-End")
			fmt.Fprint(w, "one ")
			http.NewResponseController(w).Flush()
			fmt.Fprint(w, "two")
			w.Header().Set("X-End", "yes")
		case "/empty":
			w.WriteHeader(http.StatusNoContent)
		case "/early":
			w.WriteHeader(http.StatusEarlyHints)
			fmt.Fprint(w, "late")
		default:
			fmt.Fprintf(w, "got %q", text)
		}
	}))
	defer s.Close()
	c, d := client(t)
	for _, tc := range []struct{ method, path, body, want string }{
		{"GET", "/plain?a=b", "", `got ""`},
		{"POST", "/plain", "hello", `got "hello"`},
		{"PUT", "/plain", strings.Repeat("x", 60<<10), `got "` + strings.Repeat("x", 60<<10) + `"`},
		{"HEAD", "/plain", "", ""},
		{"GET", "/chunked", "", "one two"},
		{"DELETE", "/empty", "", ""},
		{"GET", "/early", "", "late"},
	} {
		r := request(t, tc.method, s.URL+tc.path, tc.body)
		r.Header.Set("X-Said", "something")
		answer, text := whole(t, c, r)
		if text != tc.want || answer.Header.Get("X-Saw") != tc.method+" "+tc.path+" something" {
			t.Errorf("%s %s was answered %q, and seen as %q", tc.method, tc.path, text, answer.Header.Get("X-Saw"))
		}
		if tc.path == "/chunked" && answer.Trailer.Get("X-End") != "yes" {
			t.Errorf("the trailer of a chunked answer is %v", answer.Trailer)
		}
	}
	if n := d.n.Load(); n != 1 {
		t.Errorf("seven requests one after the other took %d connections, want 1", n)
	}
}

func TestManyAtOnce(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.RawQuery) }))
	defer s.Close()
	c, d := client(t)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			for j := range 50 {
				want := fmt.Sprintf("%d.%d", i, j)
				r, err := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/?"+want, nil)
				if err != nil {
					t.Error(err)
					return
				}
				answer, err := c.RoundTrip(r)
				if err != nil {
					t.Errorf("request %s: %v", want, err)
					return
				}
				text, err := io.ReadAll(answer.Body)
				answer.Body.Close()
				if string(text) != want || err != nil {
					t.Errorf("request %s was answered %q, %v", want, text, err)
				}
			}
		})
	}
	wg.Wait()
	if n := d.n.Load(); n > 16 {
		t.Errorf("16 at once took %d connections", n)
	}
}

// raw serves one connection after the other by hand.
func raw(t *testing.T, serve func(n int, in *bufio.Reader, conn net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				serve(n, bufio.NewReader(conn), conn)
			})
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return "http://" + l.Addr().String()
}

// asked reads one request without a body.
func asked(in *bufio.Reader) bool {
	r, err := http.ReadRequest(in)
	if err == nil {
		_, _ = io.Copy(io.Discard, r.Body)
	}
	return err == nil
}

const fine = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

func TestConnectionsThatEnd(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer string // of the first connection's every request
		close  bool   // by the server, after it
	}{
		{"closed after the answer", fine, true},
		{"said to be closed", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", true},
		{"length by the end", "HTTP/1.1 200 OK\r\n\r\nok", true},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", true},
		{"more than was asked for", fine + fine, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			gone := make(chan struct{})
			url := raw(t, func(n int, in *bufio.Reader, conn net.Conn) {
				for asked(in) {
					answer := tc.answer
					if n > 0 {
						answer = fine
					}
					if _, err := io.WriteString(conn, answer); err != nil {
						return
					}
					if n == 0 && tc.close {
						conn.Close()
						close(gone)
						return
					}
				}
			})
			c, d := client(t)
			_, first := whole(t, c, request(t, "POST", url, "x"))
			if tc.close {
				<-gone
			}
			_, second := whole(t, c, request(t, "POST", url, "x")) // not repeatable: the ended connection must not be taken
			if first != "ok" || second != "ok" || d.n.Load() != 2 {
				t.Errorf("answered %q and %q over %d connections, want ok, ok, 2", first, second, d.n.Load())
			}
		})
	}
}

// A server that closes while a request is on its way leaves no trace before it is read.
func TestClosedOnTheWay(t *testing.T) {
	for _, tc := range []struct {
		method string
		ok     bool
	}{{"GET", true}, {"PUT", true}, {"POST", false}} {
		url := raw(t, func(n int, in *bufio.Reader, conn net.Conn) {
			if asked(in) {
				_, _ = io.WriteString(conn, fine)
			}
			for n > 0 && asked(in) {
				_, _ = io.WriteString(conn, fine)
			}
			if n == 0 {
				asked(in) // and no answer
			}
		})
		c, _ := client(t)
		whole(t, c, request(t, "GET", url, ""))
		body := ""
		if tc.method != "GET" {
			body = "x"
		}
		answer, err := c.RoundTrip(request(t, tc.method, url, body))
		if (err == nil) != tc.ok {
			t.Errorf("%s over a connection that ends meanwhile: %v", tc.method, err)
		}
		if err == nil {
			answer.Body.Close()
		} else if !errors.Is(err, io.EOF) {
			if _, ok := errors.AsType[*net.OpError](err); !ok {
				t.Errorf("%s: the error is %v, want that of the connection", tc.method, err)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	for _, tc := range []struct{ name, answer string }{
		{"no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n"},
		{"a header without an end", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Much: "+strings.Repeat("y", 1000)+"\r\n", 100)},
		{"an endless line", "HTTP/1.1 200 OK\r\nX-Much: " + strings.Repeat("y", 100_000)},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!"},
		{"another protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"},
		{"hints without an end", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 100)},
		{"half a header", "HTTP/1.1 200 OK\r\nContent-Le"},
	} {
		url := raw(t, func(_ int, in *bufio.Reader, conn net.Conn) {
			if asked(in) {
				_, _ = io.WriteString(conn, tc.answer)
			}
		})
		c, _ := client(t)
		if answer, err := c.RoundTrip(request(t, "POST", url, "x")); err == nil {
			answer.Body.Close()
			t.Errorf("%s was taken for an answer", tc.name)
		}
	}
}

func TestFits(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*http.Request)
		want bool
	}{
		{"a GET", func(*http.Request) {}, true},
		{"over TLS", func(r *http.Request) { r.URL.Scheme = "https" }, false},
		{"a tunnel", func(r *http.Request) { r.Method = "CONNECT" }, false},
		{"an upgrade", func(r *http.Request) { r.Header.Set("Upgrade", "websocket") }, false},
		{"a short body", func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("x")), 1 }, true},
		{"a long body", func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("")), 1<<20 }, false},
		{"a body of unknown length", func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("")), -1 }, false},
		{"a body waited for", func(r *http.Request) { r.Header.Set("Expect", "100-continue") }, false},
	} {
		r := request(t, "GET", "http://127.0.0.1:1/", "")
		tc.edit(r)
		if got := wire.Fits(r); got != tc.want {
			t.Errorf("%s fits: %t, want %t", tc.name, got, tc.want)
		}
		if !tc.want {
			c, d := client(t)
			if _, err := c.RoundTrip(r); err == nil || d.n.Load() > 0 {
				t.Errorf("%s was sent", tc.name)
			}
		}
	}
}

// A context that ends, ends whatever goes on, with its cause.
func TestContext(t *testing.T) {
	why := errors.New("taken off the lane")
	for _, at := range []string{"before the answer", "in the body"} {
		t.Run(at, func(t *testing.T) {
			came := make(chan struct{})
			url := raw(t, func(_ int, in *bufio.Reader, conn net.Conn) {
				asked(in)
				if at == "in the body" {
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
				}
				close(came)
				asked(in) // until the client closes
			})
			c, _ := client(t)
			ctx, stop := context.WithCancelCause(t.Context())
			go func() { <-came; stop(why) }()
			answer, err := c.RoundTrip(request(t, "GET", url, "").WithContext(ctx))
			if at == "in the body" {
				if err != nil && !errors.Is(err, why) {
					t.Fatal(err)
				}
				if err == nil {
					_, err = io.ReadAll(answer.Body)
					answer.Body.Close()
				}
			}
			if !errors.Is(err, why) {
				t.Errorf("the error is %v, want the cause", err)
			}
		})
	}
}

// What was not read of an answer must not be taken for the next one.
func TestClosedBeforeItsEnd(t *testing.T) {
	url := raw(t, func(_ int, in *bufio.Reader, conn net.Conn) {
		for asked(in) {
			if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nHTTP/1.1"); err != nil {
				return
			}
		}
	})
	c, d := client(t)
	for range 2 {
		answer, err := c.RoundTrip(request(t, "GET", url, ""))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = answer.Body.Read(make([]byte, 3))
		answer.Body.Close()
		if _, err := answer.Body.Read(make([]byte, 3)); !errors.Is(err, http.ErrBodyReadAfterClose) {
			t.Errorf("reading a closed body: %v", err)
		}
	}
	if n := d.n.Load(); n != 2 {
		t.Errorf("two answers left half read took %d connections, want 2", n)
	}
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	ended := make(chan struct{})
	url := raw(t, func(_ int, in *bufio.Reader, conn net.Conn) {
		for asked(in) {
			_, _ = io.WriteString(conn, fine)
		}
		close(ended)
	})
	d := &dials{}
	c := wire.New(wire.Config{Dial: d.dial, Idle: 20 * time.Millisecond})
	whole(t, c, request(t, "GET", url, ""))
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("a connection that carries nothing is kept")
	}
}

// The rule of cost that this package exists for: no goroutine, and few allocations.
func TestAllocations(t *testing.T) {
	url := raw(t, func(_ int, in *bufio.Reader, conn net.Conn) {
		for { // by hand, so that the other side counts for little
			for {
				line, err := in.ReadSlice('\n')
				if err != nil {
					return
				}
				if len(line) <= 2 {
					break
				}
			}
			if _, err := io.WriteString(conn, fine); err != nil {
				return
			}
		}
	})
	c, _ := client(t)
	r, buf := request(t, "GET", url, ""), make([]byte, 100)
	n := testing.AllocsPerRun(200, func() {
		answer, err := c.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = answer.Body.Read(buf)
		}
		answer.Body.Close()
	})
	if n > 24 {
		t.Errorf("a request costs %.0f allocations, want at most 24", n)
	}
}

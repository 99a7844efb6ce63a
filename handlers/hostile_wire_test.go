package handlers_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// wire is a raw connection to a core: it sends bytes as they are, where Go's
// client would clean them up or refuse to.
type wire struct {
	t    testing.TB
	at   string
	conn net.Conn
	in   *bufio.Reader
	sent sync.WaitGroup
}

// patience is how long a test waits for bytes that have to come.
const patience = 20 * time.Second

// wire opens a connection that ends with the test.
func (c *core) wire() *wire {
	w := &wire{t: c.t, at: strings.TrimPrefix(c.URL, "http://")}
	w.t.Cleanup(w.close)
	w.dial()
	return w
}

func (w *wire) dial() {
	w.t.Helper()
	w.close()
	w.conn = must(net.Dial("tcp", w.at))(w.t)
	w.in = bufio.NewReader(w.conn)
	if err := w.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *wire) close() {
	if w.conn != nil {
		_ = w.conn.Close()
		w.sent.Wait()
	}
}

// write sends bytes, while the answer to them may come already; a core that
// stopped listening to them is no failure here.
func (w *wire) write(text string) {
	w.sent.Wait()
	conn := w.conn
	w.sent.Go(func() { _, _ = io.WriteString(conn, text) })
}

// read reads one answer, interim ones aside; nil when the core hung up instead.
func (w *wire) read(method string) *reply {
	w.t.Helper()
	for {
		answer, err := http.ReadResponse(w.in, &http.Request{Method: method})
		if err != nil {
			if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
				w.t.Fatalf("no answer within %s", patience)
			}
			return nil
		}
		if answer.StatusCode < 200 && answer.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		body, err := io.ReadAll(answer.Body)
		return &reply{Response: answer, Body: string(body), cut: err != nil}
	}
}

// ask sends a request as it is written and reads the answer, on a new connection
// where the last one was closed.
func (w *wire) ask(method, target string, lines ...string) *reply {
	w.t.Helper()
	w.write(strings.Join(append([]string{method + " " + target + " HTTP/1.1", "Host: " + w.at}, lines...), "\r\n") + "\r\n\r\n")
	answer := w.read(method)
	if answer == nil || answer.Close {
		w.dial()
	}
	return answer
}

// reply is an answer, read.
type reply struct {
	*http.Response
	Body string
	cut  bool // it ended before its end
}

// status is the answer's, 0 when there was none.
func (r *reply) status() int {
	if r == nil {
		return 0
	}
	return r.StatusCode
}

// problem is the problem document the answer should be.
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Code     string `json:"code"`
	Decision string `json:"decision_id"`
	Trace    string `json:"trace_id"`
	Errors   []struct {
		Rule, Path, Message, Fix string
	} `json:"errors"`
}

// problem reads the answer as a problem document (RFC 9457) and fails the test
// for whatever such a document must have and this one lacks.
func (r *reply) problem(t testing.TB) problem {
	t.Helper()
	var p problem
	if r == nil {
		t.Fatal("there was no answer")
	}
	if kind := r.Header.Get("Content-Type"); kind != "application/problem+json" {
		t.Errorf("an error of status %d has the Content-Type %q: %.200s", r.StatusCode, kind, r.Body)
		return p
	}
	if err := json.Unmarshal([]byte(r.Body), &p); err != nil {
		t.Errorf("the problem document is no JSON: %v: %s", err, r.Body)
		return p
	}
	switch {
	case p.Type != "about:blank", p.Status != r.StatusCode, p.Title != http.StatusText(p.Status):
		t.Errorf("type, title and status do not fit the status %d: %s", r.StatusCode, r.Body)
	case p.Code == "" || strings.ContainsAny(p.Code, " \n"):
		t.Errorf("the code is none: %s", r.Body)
	case len(p.Errors) == 0 && !strings.HasSuffix(p.Detail, ".") || strings.ContainsAny(p.Detail, "\r\n"):
		t.Errorf("the detail is not one sentence: %s", r.Body)
	case p.Trace == "" || p.Trace != r.Header.Get("X-Trace-Id"):
		t.Errorf("the trace %q is not that of the header, %q", p.Trace, r.Header.Get("X-Trace-Id"))
	case p.Status == http.StatusForbidden && p.Decision == "":
		t.Errorf("a denial has no decision_id: %s", r.Body)
	case (p.Status == http.StatusServiceUnavailable || p.Status == http.StatusTooManyRequests) && r.Header.Get("Retry-After") == "":
		t.Errorf("status %d does not say when to try again: %s", p.Status, r.Body)
	case p.Status == http.StatusUnauthorized && r.Header.Get("WWW-Authenticate") == "":
		t.Errorf("a 401 does not say how to authenticate (RFC 9110, section 15.5.2)")
	}
	return p
}

// send sends a request by Go's client and reads the answer. body is sent as it is.
func (c *core) send(method, path, body string, header http.Header) *reply {
	c.t.Helper()
	r := must(http.NewRequestWithContext(c.t.Context(), method, c.URL+path, strings.NewReader(body)))(c.t)
	for name, values := range header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	answer := must(direct.Do(r))(c.t)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return &reply{Response: answer, Body: string(text), cut: err != nil}
}

// direct follows no redirect and changes nothing in answers.
var direct = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport:     &http.Transport{DisableCompression: true},
}

// bearer are the headers of JSON sent with a token.
func bearer(token string) http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	if token != "" {
		h.Set("Authorization", "Bearer "+token)
	}
	return h
}

// recorder is a plugin that answers {} and remembers what reached it.
type recorder struct {
	mu   sync.Mutex
	seen []seen
	with http.HandlerFunc // answers in its place
}

// seen is one request that reached a recorder.
type seen struct {
	Method, URI string
	Header      http.Header
	Body        string
	cut         bool // the body ended before its end
}

// ServeHTTP implements http.Handler.
func (r *recorder) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	r.mu.Lock()
	r.seen = append(r.seen, seen{q.Method, q.RequestURI, q.Header.Clone(), string(body), err != nil})
	with := r.with
	r.mu.Unlock()
	if with != nil {
		q.Body = io.NopCloser(bytes.NewReader(body))
		with(w, q)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{}`)
}

// take returns what has been seen, and forgets it.
func (r *recorder) take() []seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.seen
	r.seen = nil
	return s
}

// answer has the recorder answer by f from now on.
func (r *recorder) answer(f http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.with = f
}

package vivified

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// client carries requests to the core, and to nothing else: it follows no
// redirect and no proxy setting of the environment.
type client struct {
	base    *url.URL
	http    *http.Client
	timeout time.Duration // for a context without a deadline
	limit   int64         // bytes of an answer
}

// request is one request to the core.
type request struct {
	method string
	path   string // from the root, escaped, with its query
	header http.Header
	body   []byte // nil: none; sent as JSON unless header says otherwise
}

// Answer is what came back with a 2xx status.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Decode reads the JSON body into target.
func (a *Answer) Decode(target any) error {
	if err := json.Unmarshal(a.Body, target); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	return nil
}

// newClient returns a client for the core that cfg names.
func newClient(cfg Config) (*client, error) {
	base, err := url.Parse(cfg.CoreURL)
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" {
		return nil, fmt.Errorf("the core's address %q is not an http or https URL", cfg.CoreURL)
	}
	transport := &http.Transport{
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}
	transport.DialContext = dialer.DialContext
	if cfg.CoreSocket != "" {
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", cfg.CoreSocket)
		}
	}
	return &client{
		base: base,
		http: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		timeout: cfg.CallTimeout,
		limit:   cfg.BodyLimit,
	}, nil
}

// open sends one request under the token, and returns the answer unread, whatever its status.
func (c *client) open(ctx context.Context, r request, token string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, strings.TrimSuffix(c.base.String(), "/")+r.path, bytes.NewReader(r.body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	req.Header.Set("Traceparent", traceparent(ctx))
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("reach the core: %w", err)
	}
	return res, nil
}

// do sends one request and reads the whole answer. A status that is not 2xx is a *Problem.
func (c *client) do(ctx context.Context, r request, token string) (*Answer, error) {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.timeout)
		defer cancel()
	}
	res, err := c.open(ctx, r, token)
	if err != nil {
		return nil, err
	}
	return c.read(res)
}

// read reads and closes an answer, up to the limit.
func (c *client) read(res *http.Response) (*Answer, error) {
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, c.limit+1))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	if int64(len(body)) > c.limit {
		return nil, fmt.Errorf("read answer: it is longer than %d bytes", c.limit)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return nil, problemFrom(c.base, res, body)
	}
	return &Answer{Status: res.StatusCode, Header: res.Header, Body: body}, nil
}

// unsent reports whether err means that the core never received the request,
// so that sending it again cannot do anything twice.
func unsent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// statusOf returns the HTTP status behind err, or 0.
func statusOf(err error) int {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.Status
	}
	return 0
}

// passing reports whether err may be gone at the next try: the core was not
// reached, it is short of something, or it asks to wait.
func passing(err error) bool {
	switch statusOf(err) {
	case 0:
		return !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return true
	}
	return false
}

// retryAfter returns how long the answer behind err asked to wait, at most 30 s.
func retryAfter(err error) time.Duration {
	if p, ok := errors.AsType[*Problem](err); ok {
		return min(p.RetryAfter, 30*time.Second)
	}
	return 0
}

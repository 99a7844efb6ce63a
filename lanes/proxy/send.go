package proxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"syscall"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
)

// Codes of failures at a host that was reached.
const (
	CodeAnswer    = "proxy.answer"    // the host's answer is no HTTP, ended early, or is compressed wrongly
	CodeSize      = "proxy.size"      // a body is over its limit
	CodeRedirects = "proxy.redirects" // the host redirects in circles
)

// message is what is sent to a host, and to those it redirects to.
type message struct {
	method string
	header http.Header
	body   []byte    // or
	stream io.Reader // which can be sent only once
	length int64     // of the body; -1: unknown
}

// ended is what the audit keeps of an allowed request's end.
type ended struct {
	Status   int    `json:"status,omitempty"`
	Sent     int64  `json:"bytes_sent"`
	Received int64  `json:"bytes_received"`
	Took     int64  `json:"ms"`
	Code     string `json:"code,omitempty"`
	Error    string `json:"error,omitempty"`
}

// end records what came of h.
func (l *Lane) end(ctx context.Context, h *hop, e ended, failure error) {
	took := l.now().Sub(h.began)
	e.Took = took.Milliseconds()
	l.usage.ended(h.plugin, h.target.Host, e, took, failure != nil)
	outcome := audit.OK
	if failure != nil {
		f := fault.Of(failure)
		outcome, e.Code, e.Error = audit.Failed, f.Code, f.Sentence
	}
	h.passage.End(context.WithoutCancel(ctx), outcome, e)
}

// send sends m to where h leads, with the credential that belongs there. An
// idempotent request that met no answer on its connection is sent once more, and
// so is one whose token the host refused, with a new token. What of the credential
// the host's headers tell is masked. The error is a fault.
func (l *Lane) send(ctx context.Context, o *outlet, h *hop, m *message) (*http.Response, error) {
	if h.unresolved != nil {
		return nil, h.unresolved
	}
	secret, err := l.show(ctx, h, "")
	if err != nil {
		return nil, err
	}
	resp, err := l.roundTrip(ctx, o, h, m, secret)
	if err == nil && resp.StatusCode == http.StatusUnauthorized && h.credential != nil && h.credential.Kind == OAuth2Credential && m.stream == nil {
		if fresh, terr := l.show(ctx, h, secret); terr == nil && fresh != secret {
			resp.Body.Close()
			resp, err = l.roundTrip(ctx, o, h, m, fresh)
		}
	}
	if err != nil {
		return nil, failure(ctx, h.target.Host, err)
	}
	maskHeader(resp.Header, h.hide)
	if resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body.Close()
		return nil, fault.New(fault.BadGateway, CodeAnswer, "%s switched to another protocol, which nobody asked for.", h.target.Host)
	}
	return resp, nil
}

// show returns what the host is shown of a credential, and notes what must not
// come back.
func (l *Lane) show(ctx context.Context, h *hop, spent string) (string, error) {
	if h.credential == nil {
		return "", nil
	}
	secret, err := l.secretOf(ctx, h.credential, spent)
	if err == nil {
		h.hide = append(h.hide, h.credential.spellings(secret)...)
	}
	return secret, err
}

func (l *Lane) roundTrip(ctx context.Context, o *outlet, h *hop, m *message, secret string) (*http.Response, error) {
	ctx = h.judged.With(ctx)
	request := func() *http.Request {
		r := newRequest(ctx, h.target, m)
		if h.credential != nil {
			h.credential.inject(r, secret)
		}
		return r
	}
	resp, err := o.transport.RoundTrip(request())
	if err != nil && m.stream == nil && isIdempotent(m.method) && ctx.Err() == nil && isBroken(err) {
		resp, err = o.transport.RoundTrip(request())
	}
	return resp, err
}

func newRequest(ctx context.Context, t Target, m *message) *http.Request {
	req := (&http.Request{Method: m.method, URL: t.URL(), Host: t.Authority(), Header: m.header.Clone(), ContentLength: m.length}).WithContext(ctx)
	if req.Header.Get("Range") != "" {
		req.Header.Set("Accept-Encoding", "identity") // a piece of a compressed answer cannot be decompressed
	} else {
		req.Header.Set("Accept-Encoding", "gzip")
	}
	switch {
	case m.stream != nil && m.length != 0:
		req.Body = io.NopCloser(m.stream)
	case len(m.body) > 0:
		req.Body = io.NopCloser(bytes.NewReader(m.body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(m.body)), nil }
	default:
		req.Body, req.ContentLength = http.NoBody, 0
	}
	return req
}

// isBroken reports whether err is of the connection, not of the answer.
func isBroken(err error) bool {
	f, ok := errors.AsType[*fault.Fault](err)
	return ok && f.Code == CodeConnect || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF)
}

// failure says in a fault why there is no answer, or not all of it. That ctx
// ended explains whatever else went wrong.
func failure(ctx context.Context, host string, err error) error {
	if f, ok := errors.AsType[*fault.Fault](context.Cause(ctx)); ok {
		return f
	}
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded) || isNet && timeout.Timeout():
		return fault.New(fault.Timeout, CodeTimeout, "%s did not answer in time.", host).Because(err)
	case ctx.Err() != nil:
		return fault.New(fault.Timeout, "caller.gone", "The caller left before %s answered.", host).Because(err)
	}
	if f, ok := errors.AsType[*fault.Fault](err); ok {
		return f
	}
	return fault.New(fault.BadGateway, CodeAnswer, "%s did not answer as HTTP demands.", host).Because(err)
}

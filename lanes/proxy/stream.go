package proxy

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
)

// StreamRequest is a request in the streaming form. Redirects are not followed:
// the body can be sent only once, so the plugin is told and decides.
type StreamRequest struct {
	URL     string
	Method  string
	Header  http.Header // the plugin's; what is meant for the core is left out
	Body    io.Reader   // nil: none
	Length  int64       // of the body; -1: unknown
	Timeout time.Duration
}

// Reply is a host's answer on its way. Close the body.
type Reply struct {
	Status   int
	Header   http.Header
	Body     io.ReadCloser // fails above the limit, and when the host stops for too long
	Decision string
}

// errStalled is why a stream ends that stands still.
var errStalled = fault.New(fault.Timeout, CodeTimeout, "The host did not answer in time.")

// Stream decides r, sends it for the plugin that acts in ctx and returns the
// answer as it arrives. Errors are faults: those of Do, and BadGateway or Timeout
// for a host that cannot be reached or answers wrongly or too late.
func (l *Lane) Stream(ctx context.Context, r StreamRequest) (*Reply, error) {
	m, who := &message{stream: r.Body, length: r.Length}, actor.From(ctx)
	var err error
	if m.method, err = methodOf(r.Method); err != nil {
		return nil, err
	}
	if m.header, err = outgoing(r.Header, true); err != nil {
		return nil, err
	}
	if r.Body == nil || r.Body == http.NoBody || r.Length == 0 {
		m.stream, m.length = nil, 0
	}
	o := l.outlets.of(who.ID)
	ctx, leave, err := o.enter(ctx, l.now())
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	done := func() { stop(context.Canceled); leave() }
	watch := time.AfterFunc(l.timeout(r.Timeout), func() { stop(errStalled) })
	h, err := l.admit(ctx, m.method, r.URL, m.length)
	if err != nil {
		watch.Stop()
		done()
		return nil, err
	}
	sent := &gauge{from: m.stream, most: h.limit, kind: fault.TooLarge}
	resp, body, err := l.begin(ctx, o, h, m, sent)
	watch.Stop()
	if err != nil {
		l.end(ctx, h, ended{Sent: sent.read.Load()}, err)
		done()
		return nil, err
	}
	f := &flow{
		from: body, close: resp.Body.Close, watch: watch, patience: l.limits.Timeout, complete: isEmpty(resp),
		explain: func(err error) error { return failure(ctx, h.target.Host, err) },
		over: func(n int64, failure error) {
			l.end(ctx, h, ended{Status: resp.StatusCode, Sent: sent.read.Load(), Received: n}, failure)
			done()
		},
	}
	return &Reply{Status: resp.StatusCode, Header: resp.Header, Body: f, Decision: h.passage.ID.String()}, nil
}

// begin sends the request and returns the answer, its headers cleaned and its
// body opened.
func (l *Lane) begin(ctx context.Context, o *outlet, h *hop, m *message, sent *gauge) (*http.Response, io.Reader, error) {
	if m.stream != nil {
		m.stream = sent
	}
	resp, err := l.send(ctx, o, h, m)
	if err != nil && sent.over.Load() {
		return nil, nil, sent.tooLarge()
	}
	if err != nil {
		return nil, nil, err
	}
	header := incoming(resp.Header)
	body, err := open(resp, header, h.limit)
	if err != nil {
		resp.Body.Close()
		return nil, nil, err
	}
	resp.Header = header
	return resp, h.masked(body), nil
}

// isEmpty reports whether an answer has no body (RFC 9112 section 6.3).
func isEmpty(resp *http.Response) bool {
	return resp.Request.Method == http.MethodHead || resp.StatusCode == http.StatusNoContent || resp.StatusCode == http.StatusNotModified || resp.ContentLength == 0
}

// flow is the body of a Reply: it fails when the host stands still for longer than
// patience, and tells once how it ended.
type flow struct {
	from     io.Reader
	close    func() error
	watch    *time.Timer // ends the request
	patience time.Duration
	explain  func(error) error // in a fault
	over     func(n int64, failure error)
	n        int64
	failed   error
	complete bool
	once     sync.Once
}

func (f *flow) Read(p []byte) (int, error) {
	f.watch.Reset(f.patience)
	n, err := f.from.Read(p)
	f.watch.Stop() // a plugin may take its time between reads
	f.n += int64(n)
	if err == io.EOF {
		f.complete = true
	} else if err != nil {
		f.failed = f.explain(err)
		err = f.failed
	}
	return n, err
}

// Close ends the request. A body closed before its end counts as failed: the
// plugin, or whoever carried the body to it, left.
func (f *flow) Close() error {
	err := f.close()
	f.once.Do(func() {
		f.watch.Stop()
		if f.failed == nil && !f.complete {
			f.failed = fault.New(fault.Timeout, "caller.gone", "The caller left before the host had answered in full.")
		}
		f.over(f.n, f.failed)
	})
	return err
}

package external

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	vivifiedv1 "github.com/vivified/vivified/contract/vivified/v1"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/pluginmgr"
)

// A plugin whose manifest says runtime.protocol: grpc answers the service
// vivified.v1.Operator, the one by which the core takes calls: InvokeStream, or
// Invoke alone where it streams nothing. What proves a call, Authorization and the
// X-Vivified headers, comes as metadata.

const (
	// grpcPiece is how much of a body one message carries, and grpcMost how large a
	// message may be.
	grpcPiece = 32 << 10
	grpcMost  = 16 << 20
)

// grpcTargets are the connections to plugins that speak gRPC, by plugin id.
type grpcTargets struct {
	dialer *net.Dialer
	mu     sync.Mutex
	by     map[string]*grpcTarget
}

type grpcTarget struct {
	address string
	conn    *grpc.ClientConn
	unary   atomic.Bool           // it has shown that it streams nothing
	refused atomic.Pointer[error] // why its address was not dialled
}

// target returns the connection to a plugin, opened at the first call.
func (ts *grpcTargets) target(id string, base *url.URL) (*grpcTarget, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	address := base.Scheme + "://" + base.Host
	if t, ok := ts.by[id]; ok {
		if t.address == address {
			return t, nil
		}
		_ = t.conn.Close()
	}
	secure := insecure.NewCredentials()
	port := "80"
	if base.Scheme == "https" {
		secure, port = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12}), "443"
	}
	if base.Port() != "" {
		port = base.Port()
	}
	t := &grpcTarget{address: address}
	again := backoff.DefaultConfig
	again.MaxDelay = 2 * time.Second // it is asked by callers, and is back within moments
	conn, err := grpc.NewClient("passthrough:///"+net.JoinHostPort(base.Hostname(), port),
		grpc.WithTransportCredentials(secure), grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(), grpc.WithUserAgent("vivified"),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: again, MinConnectTimeout: ts.dialer.Timeout}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(grpcMost), grpc.MaxCallSendMsgSize(grpcMost)), grpc.WithMaxHeaderListSize(64<<10),
		grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			c, err := ts.dialer.DialContext(ctx, "tcp", address)
			if _, judged := errors.AsType[*fault.Fault](err); judged {
				t.refused.Store(&err)
			} else {
				t.refused.Store(nil)
			}
			return c, err
		}))
	if err != nil {
		return nil, err
	}
	if t.conn = conn; ts.by == nil {
		ts.by = map[string]*grpcTarget{}
	}
	ts.by[id] = t
	return t, nil
}

func (ts *grpcTargets) close() {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.by {
		_ = t.conn.Close()
	}
	ts.by = nil
}

// invoke delivers a request by gRPC.
func (ts *grpcTargets) invoke(ctx context.Context, to pluginmgr.Target, base *url.URL, r *http.Request) (*http.Response, error) {
	t, err := ts.target(to.Plugin, base)
	if err != nil {
		return nil, err
	}
	in, body, err := message(to, r)
	if err != nil {
		return nil, err
	}
	ctx = proven(ctx, r.Header)
	if t.unary.Load() {
		answer, err := t.whole(ctx, in, body, r)
		if err != nil {
			return t.failed(ctx, err, r)
		}
		return answer, nil
	}
	answer, err := t.stream(ctx, in, body, r)
	if status.Code(err) == codes.Unimplemented && body == nil { // nothing was read that could not be sent once more
		if answer, err = t.whole(ctx, in, nil, r); status.Code(err) != codes.Unimplemented {
			t.unary.Store(true)
		}
	}
	if err != nil {
		return t.failed(ctx, err, r)
	}
	return answer, nil
}

// message puts a request into its first message, with the beginning of the body;
// rest is nil when that is all of it.
func message(to pluginmgr.Target, r *http.Request) (in *vivifiedv1.InvokeRequest, rest io.Reader, err error) {
	in = &vivifiedv1.InvokeRequest{
		Target: to.Plugin, Operation: to.Operation, Path: r.URL.EscapedPath(), Method: r.Method, Query: r.URL.RawQuery, ContentType: r.Header.Get("Content-Type"),
	}
	for name, values := range r.Header {
		if !isProof(name) && name != "Content-Type" {
			in.Headers = append(in.Headers, &vivifiedv1.Header{Name: strings.ToLower(name), Values: values})
		}
	}
	if r.Body == nil || r.Body == http.NoBody {
		return in, nil, nil
	}
	first := make([]byte, grpcPiece)
	n, err := io.ReadFull(r.Body, first)
	in.Body = first[:n]
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return in, nil, nil
	case err != nil:
		return nil, nil, err
	}
	return in, r.Body, nil
}

// isProof reports whether a header proves the call or traces it: it travels as metadata.
func isProof(name string) bool {
	return name == "Authorization" || name == "Traceparent" || strings.HasPrefix(name, "X-Vivified-")
}

// proven adds what proves the call to what gRPC sends along.
func proven(ctx context.Context, h http.Header) context.Context {
	md := metadata.MD{}
	for name, values := range h {
		if isProof(http.CanonicalHeaderKey(name)) {
			md[strings.ToLower(name)] = values
		}
	}
	return metadata.NewOutgoingContext(ctx, md)
}

// stream calls InvokeStream: bodies pass both ways as they come.
func (t *grpcTarget) stream(ctx context.Context, in *vivifiedv1.InvokeRequest, rest io.Reader, r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(ctx)
	s, err := vivifiedv1.NewOperatorClient(t.conn).InvokeStream(ctx)
	if err == nil {
		err = s.Send(&vivifiedv1.InvokeStreamRequest{Part: &vivifiedv1.InvokeStreamRequest_Call{Call: in}})
	}
	if err != nil && !errors.Is(err, io.EOF) { // EOF: what ended it is received below
		cancel()
		return nil, err
	}
	unread := make(chan error, 1) // why the request's body could not be read
	go func() { unread <- sendRest(s, rest, cancel) }()
	first, err := s.Recv()
	if err != nil {
		cancel()
		if broken := <-unread; broken != nil {
			return nil, broken
		}
		return nil, err
	}
	head := first.GetAnswer()
	if head == nil {
		cancel()
		return nil, fault.New(fault.BadGateway, "target.answer", "The answer began without its status.")
	}
	return response(head, &streamed{stream: s, rest: head.Body, stop: cancel}, -1, r), nil
}

// sendRest sends the rest of a body. A body that cannot be read ends the call: half
// of it is not to be taken for all.
func sendRest(s grpc.BidiStreamingClient[vivifiedv1.InvokeStreamRequest, vivifiedv1.InvokeStreamResponse], rest io.Reader, cancel context.CancelFunc) error {
	piece := make([]byte, grpcPiece)
	for rest != nil {
		n, err := rest.Read(piece)
		if n > 0 {
			if s.Send(&vivifiedv1.InvokeStreamRequest{Part: &vivifiedv1.InvokeStreamRequest_Body{Body: bytes.Clone(piece[:n])}}) != nil {
				return nil // it ended; why is received
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			cancel()
			return err
		}
	}
	_ = s.CloseSend()
	return nil
}

// whole calls Invoke, which carries whole bodies.
func (t *grpcTarget) whole(ctx context.Context, in *vivifiedv1.InvokeRequest, rest io.Reader, r *http.Request) (*http.Response, error) {
	if rest != nil {
		more, err := io.ReadAll(rest)
		if err != nil {
			return nil, err
		}
		in.Body = append(in.Body, more...)
	}
	out, err := vivifiedv1.NewOperatorClient(t.conn).Invoke(ctx, in)
	if err != nil {
		return nil, err
	}
	return response(out, io.NopCloser(bytes.NewReader(out.Body)), int64(len(out.Body)), r), nil
}

// response makes an answer of HTTP of one of gRPC.
func response(head *vivifiedv1.InvokeResponse, body io.ReadCloser, length int64, r *http.Request) *http.Response {
	h := http.Header{}
	for _, one := range head.Headers {
		name := http.CanonicalHeaderKey(one.GetName())
		h[name] = append(h[name], one.GetValues()...)
	}
	h.Del("Content-Length") // the body says how long it is
	return &http.Response{
		Status: http.StatusText(int(head.Status)), StatusCode: int(head.Status), Proto: "HTTP/2.0", ProtoMajor: 2,
		Header: h, Body: body, ContentLength: length, Request: r,
	}
}

// statuses are the HTTP statuses of what a plugin itself refuses by gRPC
// (google.rpc.Code). What is missing is a failure.
var statuses = map[codes.Code]int{
	codes.InvalidArgument: 400, codes.FailedPrecondition: 400, codes.OutOfRange: 400, codes.Unauthenticated: 401, codes.PermissionDenied: 403,
	codes.NotFound: 404, codes.AlreadyExists: 409, codes.Aborted: 409, codes.ResourceExhausted: 429, codes.Unimplemented: 501,
}

// failed says what became of a call that has no answer: the connection's failure, or
// what the plugin refused, as an answer with its status.
func (t *grpcTarget) failed(ctx context.Context, err error, r *http.Request) (*http.Response, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if why := t.refused.Load(); why != nil {
		return nil, *why
	}
	s, ok := status.FromError(err)
	switch {
	case !ok:
		return nil, err
	case s.Code() == codes.Unavailable:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	case s.Code() == codes.DeadlineExceeded, s.Code() == codes.Canceled:
		return nil, fault.New(fault.BadGateway, "target.answer", "The plugin ended the call without an answer.").Because(err)
	}
	code := statuses[s.Code()]
	if code == 0 {
		code = http.StatusInternalServerError
	}
	body, _ := json.Marshal(map[string]any{"type": "about:blank", "title": http.StatusText(code), "status": code, "detail": s.Message()})
	return &http.Response{
		Status: http.StatusText(code), StatusCode: code, Proto: "HTTP/2.0", ProtoMajor: 2, Header: http.Header{"Content-Type": {"application/problem+json"}},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}, nil
}

// streamed is the body of a streamed answer.
type streamed struct {
	stream grpc.BidiStreamingClient[vivifiedv1.InvokeStreamRequest, vivifiedv1.InvokeStreamResponse]
	rest   []byte
	stop   context.CancelFunc
}

// Read implements io.Reader.
func (b *streamed) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		part, err := b.stream.Recv()
		if err == io.EOF {
			return 0, io.EOF
		}
		if err != nil {
			return 0, io.ErrUnexpectedEOF
		}
		b.rest = part.GetBody()
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (b *streamed) Close() error {
	b.stop()
	return nil
}

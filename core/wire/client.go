// Package wire carries HTTP/1.1 requests in clear over connections it keeps.
//
// net/http.Transport gives each connection two goroutines, so that a request
// changes goroutine four times on its way. Here the goroutine that asks writes the
// request and reads the answer itself, by the same writer and parser of net/http:
// half of the processor time, and the same strictness.
//
// It refuses what needs two directions at once or another protocol, see [Fits];
// answers with too large a header; and to use a connection again on which an
// answer was not read to its end, or on which more came than was asked for.
package wire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Config is what a Client needs.
type Config struct {
	// Dial connects. It is where addresses are judged.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	KeepEach int           // idle connections kept for an address; default 256
	Keep     int           // and for all of them; default 1,024
	Idle     time.Duration // how long they are kept; default 60 s
	Header   int64         // bytes of an answer's header; default 64 KiB
}

// Client sends requests. It is an http.RoundTripper for requests that [Fits]
// accepts, and safe for concurrent use.
type Client struct {
	Config
	pool pool
}

// New returns a Client.
func New(c Config) *Client {
	if c.KeepEach <= 0 {
		c.KeepEach = 256
	}
	if c.Keep <= 0 {
		c.Keep = 1024
	}
	if c.Idle <= 0 {
		c.Idle = time.Minute
	}
	if c.Header <= 0 {
		c.Header = 64 << 10
	}
	return &Client{Config: c, pool: pool{each: c.KeepEach, most: c.Keep, patience: c.Idle}}
}

// maxBody is the largest body that is sent before the answer is read. What the
// other side does not read of it fits the buffers in between, so that an answer
// that comes first is found all the same.
const maxBody = 64 << 10

// Fits reports whether a Client carries r: in clear, with a short body of known
// length or none, and without a change of protocol. Everything else is for
// net/http.Transport.
func Fits(r *http.Request) bool {
	if r.URL.Scheme != "http" || r.Method == http.MethodConnect || r.Header["Upgrade"] != nil || r.Header["Expect"] != nil {
		return false
	}
	return r.Body == nil || r.Body == http.NoBody || r.ContentLength > 0 && r.ContentLength <= maxBody
}

// errUnfit is for a caller that did not ask Fits.
var errUnfit = errors.New("wire: the request needs net/http.Transport")

// maxInterim is how many interim answers (1xx) may come before the answer.
const maxInterim = 5

// RoundTrip implements http.RoundTripper. What ends the request's context ends the
// reading of the answer's body, too. The error is that of the connection, or the
// context's cause.
func (c *Client) RoundTrip(r *http.Request) (*http.Response, error) {
	if !Fits(r) {
		abandon(r)
		return nil, errUnfit
	}
	ctx, address := r.Context(), authority(r)
	cn := c.pool.take(address)
	if cn != nil {
		answer, err := c.exchange(ctx, cn, r)
		// The other side may have closed the kept connection while the request was on
		// its way (RFC 9112, section 9.3.1): then nothing at all was answered.
		if err == nil || cn.answered || ctx.Err() != nil || !again(r) {
			return answer, err
		}
	}
	cn, err := c.dial(ctx, address)
	if err != nil {
		abandon(r)
		return nil, err
	}
	return c.exchange(ctx, cn, r)
}

// CloseIdleConnections closes the connections that carry nothing now.
func (c *Client) CloseIdleConnections() { c.pool.clear() }

func (c *Client) dial(ctx context.Context, address string) (*conn, error) {
	nc, err := c.Dial(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return newConn(nc, address), nil
}

// exchange sends r and reads the head of its answer.
func (c *Client) exchange(ctx context.Context, cn *conn, r *http.Request) (_ *http.Response, err error) {
	cn.left, cn.answered = c.Header, false
	cn.release = context.AfterFunc(ctx, func() { cn.abort(context.Cause(ctx)) })
	defer func() {
		if err != nil {
			err = cn.because(err)
			cn.release()
			cn.Close()
		}
	}()
	if err := r.Write(cn.out); err != nil {
		return nil, err
	}
	if err := cn.out.Flush(); err != nil {
		return nil, err
	}
	if _, err := cn.in.Peek(1); err != nil {
		return nil, err // the connection's own: ReadResponse would call an end here unexpected
	}
	for range maxInterim {
		answer, err := http.ReadResponse(cn.in, r)
		switch {
		case err != nil:
			return nil, err
		case answer.StatusCode == http.StatusSwitchingProtocols:
			return nil, errors.New("wire: the answer changes the protocol, which nobody asked for")
		case answer.StatusCode >= 100 && answer.StatusCode < 200:
			continue
		}
		cn.left = math.MaxInt64
		c.deliver(cn, answer, r)
		return answer, nil
	}
	return nil, fmt.Errorf("wire: more than %d interim answers", maxInterim)
}

// deliver ties the answer's body to the connection.
func (c *Client) deliver(cn *conn, answer *http.Response, r *http.Request) {
	keep := !answer.Close && !r.Close
	if answer.Body == http.NoBody {
		c.pool.settle(cn, keep)
		return
	}
	answer.Body = &body{from: answer.Body, conn: cn, pool: &c.pool, keep: keep}
}

// again reports whether r may be sent once more: nothing but its answer could tell
// that it came twice (RFC 9110, section 9.2.2), and its body is at hand.
func again(r *http.Request) bool {
	switch r.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete:
	default:
		return false
	}
	if r.Body == nil || r.Body == http.NoBody {
		return true
	}
	if r.GetBody == nil {
		return false
	}
	b, err := r.GetBody()
	if err != nil {
		return false
	}
	r.Body = b
	return true
}

// abandon closes the body of a request that is not sent, as a RoundTripper must.
func abandon(r *http.Request) {
	if r.Body != nil {
		_ = r.Body.Close()
	}
}

// authority is the host and port to connect to.
func authority(r *http.Request) string {
	if r.URL.Port() == "" {
		return net.JoinHostPort(r.URL.Hostname(), "80")
	}
	return r.URL.Host
}

// conn is one connection with its buffers.
type conn struct {
	net.Conn
	address  string
	in       *bufio.Reader
	out      *bufio.Writer
	left     int64                 // bytes that may come before the header has ended
	answered bool                  // something came since the request
	release  func() bool           // lets go of the request's context; false: it has ended
	why      atomic.Pointer[error] // it was aborted
	since    time.Time             // idle
}

func newConn(nc net.Conn, address string) *conn {
	c := &conn{Conn: nc, address: address}
	c.in, c.out = bufio.NewReaderSize(c, 4<<10), bufio.NewWriterSize(nc, 4<<10)
	return c
}

var errHeader = errors.New("wire: the header of the answer is too large")

// Read implements io.Reader for c.in.
func (c *conn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errHeader
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	c.answered = c.answered || n > 0
	return n, err
}

// abort ends what goes on, whichever way it goes, for that reason.
func (c *conn) abort(why error) {
	c.why.Store(&why)
	_ = c.SetDeadline(time.Unix(1, 0))
}

// because returns why an error came of an aborted connection, or the error.
func (c *conn) because(err error) error {
	if why := c.why.Load(); why != nil {
		return *why
	}
	return err
}

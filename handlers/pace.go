package handlers

import (
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
)

// slowest is how many bytes a second of a request's body have to come, once the
// patience is over that every request has.
const slowest = 16 << 10

// pace bounds how long a client may hold a request: by a body that does not come,
// and by an answer that it does not take. Long answers bound each piece by [pieces].
func (s *Server) pace(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r, conn := c.Request(), http.NewResponseController(c.Response().Writer)
		if r.Body != nil && r.Body != http.NoBody {
			b := &paced{body: r.Body, conn: conn, until: time.Now().Add(s.Patience)}
			_ = conn.SetReadDeadline(b.until) // a writer without a connection has no slow client
			_ = conn.SetWriteDeadline(time.Time{})
			r.Body = b
		}
		c.Response().Before(func() { _ = conn.SetWriteDeadline(time.Now().Add(take)) })
		return next(c)
	}
}

// paced is a body that has to arrive in time. Its errors are Invalid faults.
type paced struct {
	body  io.ReadCloser
	conn  *http.ResponseController
	until time.Time
}

func (b *paced) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	switch err {
	case nil:
		b.until = b.until.Add(time.Duration(n) * (time.Second / slowest))
		_ = b.conn.SetReadDeadline(b.until)
	case io.EOF:
		_ = b.conn.SetReadDeadline(time.Time{}) // what the connection reads now is its end, which has time
	default:
		err = fault.New(fault.Invalid, "body.unreadable", "The request body is malformed, or did not arrive in time.").Because(err)
	}
	return n, err
}

func (b *paced) Close() error { return b.body.Close() }

// take is how long a client may take for an answer, or for one piece of a long one.
const take = 30 * time.Second

// pieces writes a long answer, with time for each piece of it.
type pieces struct {
	out  *echo.Response
	conn *http.ResponseController
}

func piecesOf(c echo.Context) pieces {
	return pieces{c.Response(), http.NewResponseController(c.Response().Writer)}
}

// Write implements io.Writer.
func (p pieces) Write(b []byte) (int, error) {
	_ = p.conn.SetWriteDeadline(time.Now().Add(take))
	return p.out.Write(b)
}

// flush sends what was written. What the client has not sent yet of its request
// has no end from here on: the answer has begun.
func (p pieces) flush() error {
	if err := p.conn.Flush(); err != nil {
		return err
	}
	return p.conn.SetReadDeadline(time.Time{})
}

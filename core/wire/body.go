package wire

import (
	"io"
	"net/http"
	"sync/atomic"
)

// body is that of an answer. Its end gives the connection back.
type body struct {
	from  io.Reader
	conn  *conn
	pool  *pool
	keep  bool // the connection may carry another request
	state atomic.Uint32
}

// The states of a body.
const (
	coming uint32 = iota
	whole         // read to its end
	left          // closed before, or broken off
)

// Read implements io.Reader. An error is that of the connection, or the cause by
// which the request's context ended.
func (b *body) Read(p []byte) (int, error) {
	switch b.state.Load() {
	case whole:
		return 0, io.EOF
	case left:
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.from.Read(p)
	switch {
	case err == io.EOF:
		b.end(whole)
	case err != nil:
		err = b.conn.because(err)
		b.end(left)
	}
	return n, err
}

// Close implements io.Closer. What was not read is not waited for: the connection
// is closed with it. It may be called while Read runs.
func (b *body) Close() error {
	b.end(left)
	return nil
}

func (b *body) end(how uint32) {
	if b.state.CompareAndSwap(coming, how) {
		b.pool.settle(b.conn, how == whole && b.keep)
	}
}

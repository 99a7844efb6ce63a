package proxy

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/vivified/vivified/core/fault"
)

// gauge counts what is read through it and fails above most. The counts may be
// asked for while another goroutine still reads.
type gauge struct {
	from io.Reader
	most int64
	kind fault.Kind // of the failure: whose fault a larger body is
	read atomic.Int64
	over atomic.Bool
}

func (g *gauge) Read(p []byte) (int, error) {
	if g.over.Load() {
		return 0, g.tooLarge()
	}
	// One byte more than allowed tells a body that is just as long as it may be
	// from one that goes on.
	if room := g.most - g.read.Load() + 1; int64(len(p)) > room {
		p = p[:room]
	}
	n, err := g.from.Read(p)
	if g.read.Add(int64(n)) > g.most {
		g.over.Store(true)
		return 0, g.tooLarge()
	}
	return n, err
}

func (g *gauge) tooLarge() error {
	return fault.New(g.kind, CodeSize, "The body is larger than %d bytes.", g.most)
}

// open returns the body of an answer as the host meant it: at most limit bytes,
// decompressed, with the headers that are no longer true removed from header. The
// limit holds for what arrives and for what it unfolds to. The error is a fault.
func open(resp *http.Response, header http.Header, limit int64) (*gauge, error) {
	if resp.ContentLength > limit {
		return nil, fault.New(fault.BadGateway, CodeSize, "The body is larger than %d bytes.", limit)
	}
	arriving := &gauge{from: resp.Body, most: limit, kind: fault.BadGateway}
	if encoding := resp.Header.Get("Content-Encoding"); !strings.EqualFold(encoding, "gzip") && !strings.EqualFold(encoding, "x-gzip") || resp.Request.Method == http.MethodHead {
		return arriving, nil
	}
	header.Del("Content-Encoding")
	header.Del("Content-Length")
	header.Del("Digest")
	header.Del("Content-Digest")
	return &gauge{from: &unfolded{from: arriving}, most: limit, kind: fault.BadGateway}, nil
}

// unfolded decompresses when it is first read, so that an empty body stays one.
type unfolded struct {
	from io.Reader
	gzip *gzip.Reader
}

func (u *unfolded) Read(p []byte) (int, error) {
	if u.gzip == nil {
		z, err := gzip.NewReader(u.from)
		if errors.Is(err, io.EOF) {
			return 0, io.EOF
		}
		if err != nil {
			return 0, err
		}
		u.gzip = z
	}
	return u.gzip.Read(p)
}

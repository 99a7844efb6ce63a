package handlers

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
)

// bodyPolicy is the Content-Security-Policy of what a plugin or a host answered:
// data to the core's origin, never a page.
const bodyPolicy = "default-src 'none'; sandbox; frame-ancestors 'none'"

// orders are the headers by which an answer gives orders to a browser, about this
// answer or about the whole origin; and those that end at each hop (RFC 9110,
// section 7.6.1). Those that the core sets on every answer are its own anyway.
var orders = map[string]bool{
	"Alt-Svc": true, "Clear-Site-Data": true, "Document-Policy": true, "Expect-Ct": true, "Integrity-Policy": true,
	"Nel": true, "Observe-Browsing-Topics": true, "Origin-Agent-Cluster": true, "P3p": true, "Public-Key-Pins": true, "Refresh": true,
	"Report-To": true, "Reporting-Endpoints": true, "Server": true, "Service-Worker-Allowed": true, "Set-Cookie": true, "Set-Cookie2": true, "Set-Login": true,
	"Sourcemap": true, "Speculation-Rules": true, "Supports-Loading-Mode": true, "Timing-Allow-Origin": true, "Use-As-Dictionary": true,
	"X-Accel-Redirect": true, "X-Dns-Prefetch-Control": true, "X-Sendfile": true, "X-Sourcemap": true, "X-Ua-Compatible": true, "X-Xss-Protection": true,
	"Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authentication-Info": true, "Proxy-Connection": true, "Te": true, "Trailer": true,
	"Transfer-Encoding": true, "Upgrade": true,
}

// ordering begin the names of further such headers.
var ordering = []string{"Access-Control-", "Cross-Origin-", "Hx-", "Sec-", "Strict-Transport-", "Content-Security-Policy", "Permissions-Policy", "X-Accel-"}

// leading are headers that lead a browser elsewhere or have it ask for a password,
// and that a program, which decides for itself, wants to know.
var leading = map[string]bool{"Content-Location": true, "Link": true, "Location": true, "Www-Authenticate": true}

// mayRelay reports whether a header, by its canonical name, is data that goes on
// to an actor of that kind.
func mayRelay(name string, to actor.Kind) bool {
	if orders[name] || leading[name] && to != actor.Plugin {
		return false
	}
	for _, prefix := range ordering {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	return true
}

// relay passes on what somebody else answered, as it arrives. The early clients
// expect JSON whatever the plugin answered: anything else is wrapped as {"raw": text}.
func (s *Server) relay(c echo.Context, status int, header http.Header, body io.Reader, early bool) error {
	if status < 200 || status > 599 {
		return fault.New(fault.BadGateway, "target.answer", "The answer has the status %d, which ends nothing.", status)
	}
	h, to := c.Response().Header(), actor.From(c.Request().Context()).Kind
	empty := status == http.StatusNoContent || status == http.StatusNotModified
	if early && !empty && !strings.Contains(header.Get("Content-Type"), "json") {
		raw, err := io.ReadAll(body)
		if err != nil {
			return err
		}
		return c.JSON(status, map[string]string{"raw": string(raw)})
	}
	for name, values := range header {
		if _, own := h[name]; !own && mayRelay(name, to) {
			h[name] = values
		}
	}
	h.Set("Content-Security-Policy", bodyPolicy)
	if kept := header.Get("Cache-Control"); kept != "" && !strings.Contains(kept, "no-store") {
		h.Set("Cache-Control", "private, no-cache") // it may be kept, but every use of it is decided anew
	}
	c.Response().WriteHeader(status)
	if empty || c.Request().Method == http.MethodHead {
		return nil
	}
	if err := carryOn(piecesOf(c), body, header.Get("Content-Length") == ""); err != nil {
		if !errors.Is(err, context.Canceled) {
			s.Log.DebugContext(c.Request().Context(), "answer broken off", "error", err)
		}
		panic(http.ErrAbortHandler) // it is half sent: break the connection rather than pretend it ended well
	}
	return nil
}

// buffers are for one piece of an answer each: made anew, they would be two thirds
// of all the memory that a small answer takes.
var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// carryOn copies an answer piece by piece; one without a length may be a stream,
// so each piece of it goes out at once.
func carryOn(out pieces, from io.Reader, flush bool) error {
	piece := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(piece)
	buf := piece[:]
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, werr := out.Write(buf[:n]); werr != nil {
				return werr
			}
			if flush {
				if werr := out.flush(); werr != nil {
					return werr
				}
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

package handlers

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/operator"
	"github.com/vivified/vivified/views"
)

// recoverer turns a panic into a clean 500 and a log line with its stack.
func (s *Server) recoverer(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if r := recover(); r != nil {
				if r == http.ErrAbortHandler {
					panic(r)
				}
				s.Log.ErrorContext(c.Request().Context(), "panic", "value", fmt.Sprint(r), "stack", string(debug.Stack()))
				err = fault.New(fault.Internal, "internal", "The core failed to answer; the log has the reason under this trace id.")
			}
		}()
		return next(c)
	}
}

// clientAddress is the peer's, or what trusted proxies say of theirs.
func (s *Server) clientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	if !s.trusted(host) {
		return host
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",") // some proxies add a line of their own
	for i := len(hops) - 1; i >= 0; i-- {
		hop := strings.TrimSpace(hops[i])
		if _, err := netip.ParseAddr(hop); err != nil {
			break
		}
		host = hop
		if !s.trusted(hop) {
			break
		}
	}
	return host
}

func (s *Server) trusted(host string) bool {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	for _, p := range s.TrustedProxies {
		if p.Contains(addr.Unmap()) {
			return true
		}
	}
	return false
}

// canonical refuses request targets that different parsers would read
// differently, before anything is routed or decided.
func (s *Server) canonical(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := operator.CheckTarget(c.Request().RequestURI); err != nil {
			return err
		}
		return next(c)
	}
}

// forwarded is set on a request that somebody unknown passed on: its peer is not its sender.
const forwarded = "forwarded"

// everywhere are the headers of every answer, whatever it is and whoever made it.
// Their values are shared: they are replaced, never changed.
var everywhere = map[string][]string{
	"Cache-Control":                {"no-store"}, // what may be kept says so itself
	"Content-Security-Policy":      {views.ContentSecurityPolicy},
	"X-Content-Type-Options":       {"nosniff"},
	"Referrer-Policy":              {"same-origin"},
	"X-Frame-Options":              {"DENY"},
	"Cross-Origin-Opener-Policy":   {"same-origin"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
	"Permissions-Policy":           {"camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
}

// headers sets those of every answer.
func (s *Server) headers(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		h := c.Response().Header()
		maps.Copy(h, everywhere)
		if s.Secure {
			h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
		}
		return next(c)
	}
}

// hygiene drops identity that only the core may state.
func (s *Server) hygiene(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		peer, _, _ := net.SplitHostPort(r.RemoteAddr)
		fromProxy := s.trusted(peer)
		if len(r.TransferEncoding) > 0 {
			// A Content-Length beside the chunks has been dropped without a trace; then
			// the connection must end with the answer (RFC 9112, section 6.1).
			c.Response().Header().Set("Connection", "close")
		}
		if len(r.Header["Content-Length"]) > 1 { // HTTP/2 takes the first of several
			return fault.New(fault.Invalid, "request.malformed", "The request has two lengths.")
		}
		for name := range r.Header {
			switch {
			case name == "X-Caller-Plugin", strings.HasPrefix(name, "X-Vivified-") && name != "X-Vivified-On-Behalf-Of":
				r.Header.Del(name)
			case strings.HasPrefix(name, "X-Forwarded-") && !fromProxy:
				c.Set(forwarded, true)
				r.Header.Del(name)
			}
		}
		return next(c)
	}
}

// limit bounds the body before anything reads it; lanes and uploads raise it for themselves.
func limit(bytes int64) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			if r.ContentLength > bytes {
				return fault.New(fault.TooLarge, "body.too_large", "The request body is larger than the %d bytes this address accepts.", bytes)
			}
			r.Body = http.MaxBytesReader(c.Response().Writer, r.Body, bytes)
			return next(c)
		}
	}
}

// access logs one line a request, at debug level when all went well. One whose
// answer was broken off in the middle has its line too.
func (s *Server) access(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start, whole := time.Now(), false
		defer func() {
			status, level := c.Response().Status, slog.LevelDebug
			if status >= 500 || !whole {
				level = slog.LevelWarn
			}
			route := cmp.Or(c.Path(), "-")
			took := time.Since(start)
			s.observe(c.Request().Method, route, status, took)
			if !s.Log.Enabled(c.Request().Context(), level) {
				return
			}
			s.Log.Log(c.Request().Context(), level, "request", "method", c.Request().Method, "route", route, "status", status, "took", took,
				"bytes", c.Response().Size, "whole", whole, "actor", actorLabel(c.Request().Context()))
		}()
		if err := next(c); err != nil {
			s.fail(err, c)
		}
		whole = true
		return nil
	}
}

func actorLabel(ctx context.Context) string {
	a := actor.From(ctx)
	return string(a.Kind) + ":" + a.ID
}

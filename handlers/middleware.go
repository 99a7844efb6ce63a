package handlers

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
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

// trace gives every request a W3C trace id: the caller's, or a new one.
func (s *Server) trace(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		id := traceID(r.Header.Get("traceparent"))
		ctx := actor.WithAddress(actor.WithTrace(r.Context(), id), s.clientAddress(r))
		c.SetRequest(r.WithContext(ctx))
		c.Response().Header().Set("X-Trace-Id", id)
		return next(c)
	}
}

// traceID returns the trace id of a valid W3C traceparent (level 1), or a random one.
func traceID(traceparent string) string {
	parts := strings.Split(traceparent, "-")
	if len(parts) >= 4 && len(parts[0]) == 2 && parts[0] != "ff" && len(parts[1]) == 32 && len(parts[2]) == 16 &&
		isLowerHex(parts[1]) && isLowerHex(parts[2]) && parts[1] != strings.Repeat("0", 32) && parts[2] != strings.Repeat("0", 16) {
		return parts[1]
	}
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

func isLowerHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
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
	hops := strings.Split(r.Header.Get("X-Forwarded-For"), ",")
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

// hygiene drops identity that only the core may state, and sets the headers of every answer.
func (s *Server) hygiene(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		peer, _, _ := net.SplitHostPort(r.RemoteAddr)
		fromProxy := s.trusted(peer)
		for name := range r.Header {
			switch {
			case name == "X-Caller-Plugin", strings.HasPrefix(name, "X-Vivified-") && name != "X-Vivified-On-Behalf-Of":
				r.Header.Del(name)
			case strings.HasPrefix(name, "X-Forwarded-") && !fromProxy:
				c.Set(forwarded, true)
				r.Header.Del(name)
			}
		}
		h := c.Response().Header()
		h.Set("Content-Security-Policy", views.ContentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		if s.Secure {
			h.Set("Strict-Transport-Security", "max-age=63072000; includeSubDomains")
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
			r.Body = http.MaxBytesReader(c.Response(), r.Body, bytes)
			return next(c)
		}
	}
}

// access logs one line a request, at debug level when all went well.
func (s *Server) access(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		err := next(c)
		if err != nil {
			s.fail(err, c)
		}
		status, level := c.Response().Status, slog.LevelDebug
		if status >= 500 {
			level = slog.LevelWarn
		}
		route := c.Path()
		if route == "" {
			route = "-"
		}
		took := time.Since(start)
		s.observe(c.Request().Method, route, status, took)
		s.Log.Log(c.Request().Context(), level, "request", "method", c.Request().Method, "route", route, "status", status,
			"took", took, "bytes", c.Response().Size, "actor", actorLabel(c.Request().Context()))
		return nil
	}
}

func actorLabel(ctx context.Context) string {
	a := actor.From(ctx)
	return string(a.Kind) + ":" + a.ID
}

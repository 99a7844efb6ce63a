package handlers

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
)

// trace gives every request a W3C trace id: the caller's, or a new one.
func (s *Server) trace(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		id := traceID(r.Header.Values("Traceparent"))
		ctx := actor.WithAddress(actor.WithTrace(r.Context(), id), s.clientAddress(r))
		c.SetRequest(r.WithContext(ctx))
		c.Response().Header().Set("X-Trace-Id", id)
		return next(c)
	}
}

// traceID returns the trace id of the one valid traceparent (W3C Trace Context,
// section 3.2) among lines, or a random one.
func traceID(lines []string) string {
	if len(lines) == 1 {
		// Version, trace, span, flags; only versions after 00 may go on.
		p := strings.SplitN(lines[0], "-", 5)
		if (len(p) == 4 || len(p) == 5 && p[0] != "00") && isHex(p[0], 2) && p[0] != "ff" && isID(p[1], 32) && isID(p[2], 16) && isHex(p[3], 2) {
			return p[1]
		}
	}
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// isID reports whether s is n lower-case hex digits that are not all zero.
func isID(s string, n int) bool { return isHex(s, n) && strings.Trim(s, "0") != "" }

func isHex(s string, n int) bool { return len(s) == n && strings.Trim(s, "0123456789abcdef") == "" }

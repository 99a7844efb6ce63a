package handlers

import (
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
)

// trace gives every request a W3C trace id: the caller's, or a new one.
func (s *Server) trace(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		id := actor.TraceOf(r.Header.Values("Traceparent"))
		ctx := actor.WithAddress(actor.WithTrace(r.Context(), id), s.clientAddress(r))
		c.SetRequest(r.WithContext(ctx))
		c.Response().Header().Set("X-Trace-Id", id)
		return next(c)
	}
}

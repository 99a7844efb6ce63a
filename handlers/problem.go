package handlers

import (
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
)

// problem is an RFC 9457 problem document, as every API error is answered.
type problem struct {
	Type       string            `json:"type"`
	Title      string            `json:"title"`
	Status     int               `json:"status"`
	Detail     string            `json:"detail"`
	Code       string            `json:"code"`
	Errors     []fault.Violation `json:"errors,omitempty"`
	DecisionID string            `json:"decision_id,omitempty"`
	TraceID    string            `json:"trace_id"`

	// MFARequired says that the password was right and a code must come with it.
	MFARequired bool `json:"mfa_required,omitempty"`
}

// statuses gives each kind of fault its HTTP status.
var statuses = map[fault.Kind]int{
	fault.Internal:        http.StatusInternalServerError,
	fault.Invalid:         http.StatusBadRequest,
	fault.Unauthenticated: http.StatusUnauthorized,
	fault.Denied:          http.StatusForbidden,
	fault.NotFound:        http.StatusNotFound,
	fault.Conflict:        http.StatusConflict,
	fault.Gone:            http.StatusGone,
	fault.TooLarge:        http.StatusRequestEntityTooLarge,
	fault.Unprocessable:   http.StatusUnprocessableEntity,
	fault.TooMany:         http.StatusTooManyRequests,
	fault.BadGateway:      http.StatusBadGateway,
	fault.Unavailable:     http.StatusServiceUnavailable,
	fault.Timeout:         http.StatusGatewayTimeout,
}

// faultOf reads any error a handler or the router can return.
func faultOf(err error) *fault.Fault {
	if he, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch he.Code {
		case http.StatusNotFound:
			return fault.New(fault.NotFound, "route.unknown", "There is nothing at this address.")
		case http.StatusMethodNotAllowed:
			return fault.New(fault.NotFound, "route.method", "This address does not answer this method.")
		case http.StatusRequestEntityTooLarge:
			return fault.New(fault.TooLarge, "body.too_large", "The request body is larger than this address accepts.")
		case http.StatusBadRequest, http.StatusUnsupportedMediaType:
			return fault.New(fault.Invalid, "request.malformed", "The request cannot be read; check its body and its Content-Type.").Because(err)
		}
	}
	if tooBig, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fault.New(fault.TooLarge, "body.too_large", "The request body is larger than the %d bytes this address accepts.", tooBig.Limit)
	}
	return fault.Of(err)
}

// fail answers an error as a page, a fragment or a problem document.
func (s *Server) fail(err error, c echo.Context) {
	ctx, f := c.Request().Context(), faultOf(err)
	status := statuses[f.Kind]
	if he, ok := errors.AsType[*echo.HTTPError](err); ok && he.Code == http.StatusMethodNotAllowed {
		status = http.StatusMethodNotAllowed
	}
	if status >= 500 && f.Kind != fault.Unavailable {
		s.Log.ErrorContext(ctx, "request failed", "method", c.Request().Method, "path", c.Path(), "code", f.Code, slog.Any("error", err))
	}
	if c.Response().Committed {
		return
	}
	h := c.Response().Header()
	setRetryAfter(c, f)
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="vivified"`)
	}
	h.Set("Cache-Control", "no-store")
	if isRPC(c.Request()) {
		failRPC(c, f)
		return
	}
	if wantsPage(c.Request()) {
		s.failPage(c, status, f)
		return
	}
	h.Set(echo.HeaderContentType, "application/problem+json")
	p := problem{
		Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: f.Sentence, Code: f.Code,
		Errors: f.Violations, DecisionID: f.Decision, TraceID: actor.Trace(ctx), MFARequired: f.Code == "auth.mfa_required",
	}
	if err := c.JSON(status, p); err != nil {
		s.Log.WarnContext(ctx, "answer not written", slog.Any("error", err))
	}
}

// setRetryAfter says when to try again, where that may help (RFC 9110, section 10.2.3).
func setRetryAfter(c echo.Context, f *fault.Fault) {
	if f.RetryAfter > 0 || f.Kind == fault.TooMany || f.Kind == fault.Unavailable {
		c.Response().Header().Set("Retry-After", strconv.Itoa(max(1, int((f.RetryAfter+time.Second-1)/time.Second))))
	}
}

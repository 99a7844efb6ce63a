package handlers

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/canonical"
	"github.com/vivified/vivified/lanes/operator"
	"github.com/vivified/vivified/lanes/proxy"
)

// eventID is what a publisher may call an event.
var eventID = regexp.MustCompile(`^[!-~]{1,128}$`)

// publish handles POST /messaging/events.
func (s *Server) publish(c echo.Context) error {
	r := c.Request()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	events, err := canonical.ReadPublications(r.Header, body)
	if err != nil {
		return err
	}
	if key := r.Header.Get("Idempotency-Key"); key != "" && len(events) == 1 && events[0].ID == "" {
		if !eventID.MatchString(key) {
			return fault.New(fault.Invalid, "event.id", "An Idempotency-Key becomes the event's id: at most 128 printable ASCII characters without spaces.")
		}
		events[0].ID = key
	}
	type answer struct {
		EventID   string `json:"event_id"`
		Status    string `json:"status"`
		TraceID   string `json:"trace_id"`
		Duplicate bool   `json:"duplicate,omitempty"`
	}
	var done []answer
	for _, p := range events {
		receipt, err := s.Events.Publish(r.Context(), p)
		if err != nil {
			return err
		}
		done = append(done, answer{receipt.EventID, "published", actor.Trace(r.Context()), receipt.Duplicate})
	}
	if len(done) == 1 {
		return c.JSON(http.StatusAccepted, done[0])
	}
	return c.JSON(http.StatusAccepted, map[string]any{"events": done, "status": "published", "trace_id": actor.Trace(r.Context())})
}

// eventStream handles GET /messaging/events/stream.
func (s *Server) eventStream(c echo.Context) error {
	r := c.Request()
	how := canonical.Listening{
		Consumer: c.QueryParam("consumer"), Explicit: c.QueryParam("ack") == "explicit", LastID: r.Header.Get("Last-Event-ID"),
	}
	for part := range strings.SplitSeq(c.QueryParam("types"), ",") {
		if part = strings.TrimSpace(part); part != "" {
			how.Types = append(how.Types, part)
		}
	}
	out := sse(c)
	ctx, stop := s.whileGood(r.Context())
	defer stop()
	return s.Events.Listen(ctx, how, func(e *canonical.Sent) error {
		if e == nil {
			return out.comment("alive")
		}
		return out.send(e.ID, e.Type, e.Body)
	})
}

// settleEvent handles POST /messaging/events/:id/ack and nak.
func (s *Server) settleEvent(c echo.Context) error {
	if err := s.Events.Ack(c.Request().Context(), c.Param("id"), strings.HasSuffix(c.Path(), "/ack")); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "ok", "event_id": c.Param("id")})
}

// messagingStats handles GET /messaging/stats.
func (s *Server) messagingStats(c echo.Context) error {
	stats, err := s.Events.Stats(c.Request().Context())
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"bus": stats, "publish": flowView(s.Gate, "event.publish"), "deliver": flowView(s.Gate, "event.deliver")})
}

// gateway handles ANY /gateway/:target/*: an operation by name, or a declared path.
func (s *Server) gateway(c echo.Context) error {
	r := c.Request()
	ctx := r.Context()
	to, err := operator.ParseRoute(r.RequestURI)
	if err != nil {
		return err
	}
	call := operator.Call{Route: to, Method: r.Method, Header: r.Header, Body: r.Body, Length: r.ContentLength}
	if call.Timeout, err = timeoutOf(c.QueryParam("timeout")); err != nil {
		return err
	}
	if err := s.onBehalf(ctx, r, &call); err != nil {
		return err
	}
	early := false
	if to.Operation != "" && r.Method == http.MethodPost && strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") && r.ContentLength != 0 {
		// Only a small JSON body can be the early clients' wrapped form.
		const most = 1 << 20
		head, err := io.ReadAll(io.LimitReader(r.Body, most+1))
		if err != nil {
			return err
		}
		call.Body = io.MultiReader(bytes.NewReader(head), r.Body)
		if len(head) <= most {
			payload, timeout, wrapped, err := operator.Unwrap(head, actor.From(ctx).ID)
			if err != nil {
				return err
			}
			if early = wrapped; wrapped {
				call.Wrapped, call.Payload, call.Body, call.Length = true, payload, nil, 0
				if timeout > 0 {
					call.Timeout = timeout
				}
			}
		}
	}
	answer, err := s.Calls.Call(ctx, call)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	return s.relay(c, answer.Status, answer.Header, answer.Body, early)
}

// onBehalf reads for whom a plugin acts. Only what the core itself gave it counts.
func (s *Server) onBehalf(ctx context.Context, r *http.Request, call *operator.Call) error {
	token := r.Header.Get("X-Vivified-On-Behalf-Of")
	if token == "" {
		return nil
	}
	who := actor.From(ctx)
	if who.Kind != actor.Plugin {
		return fault.New(fault.Invalid, "identity.on_behalf", "Only a plugin acts on behalf of somebody.")
	}
	user, err := s.Identity.Delegated(ctx, who.ID, actor.Trace(ctx), token)
	if err != nil {
		return err
	}
	call.OnBehalf = &user
	return nil
}

func timeoutOf(raw string) (time.Duration, error) {
	if raw == "" {
		return 0, nil
	}
	seconds, err := strconv.ParseFloat(raw, 64)
	if err != nil || !(seconds > 0 && seconds <= 3600) { // NaN is neither
		return 0, fault.New(fault.Unprocessable, "operator.timeout", "The timeout is a number of seconds above 0.")
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// proxyOnce handles POST /gateway/proxy.
func (s *Server) proxyOnce(c echo.Context) error {
	body, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return err
	}
	in, err := proxy.ParseRequest(body)
	if err != nil {
		return err
	}
	answer, err := s.Egress.Do(c.Request().Context(), in)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, answer)
}

// proxyStream handles ANY /proxy?url=.
func (s *Server) proxyStream(c echo.Context) error {
	r := c.Request()
	url, timeout, err := proxy.ParseStreamQuery(r.URL.RawQuery)
	if err != nil {
		return err
	}
	reply, err := s.Egress.Stream(r.Context(), proxy.StreamRequest{URL: url, Method: r.Method, Header: r.Header, Body: r.Body, Length: r.ContentLength, Timeout: timeout})
	if err != nil {
		return err
	}
	defer reply.Body.Close()
	return s.relay(c, reply.Status, reply.Header, reply.Body, false)
}

package handlers

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/operator"
	"github.com/vivified/vivified/lanes/proxy"
)

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
	if err := s.onBehalf(ctx, r.Header.Get("X-Vivified-On-Behalf-Of"), &call); err != nil {
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
func (s *Server) onBehalf(ctx context.Context, token string, call *operator.Call) error {
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

package canonical

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/registry"
)

// pause waits a moment before the bus is asked again.
func (l *Lane) pause(ctx context.Context, plugin string, err error) {
	l.Log.WarnContext(ctx, "deliveries wait for the bus", "plugin", plugin, "error", err)
	sleep(ctx, time.Second)
}

// post sends events in one request, signed; any 2xx acknowledges all of them.
func (l *Lane) post(ctx context.Context, to *registry.Plugin, events []deed) error {
	out, err := write(to.Manifest.Events.Format, events)
	if err != nil {
		return err
	}
	trace := events[0].it.m.Trace
	ctx, cancel := context.WithTimeout(ctx, l.Limits.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+to.ID+to.Manifest.Events.Path, bytes.NewReader(out.body))
	if err != nil {
		return err
	}
	token, err := l.Tokens.CallToken(to.ID, "core", "", trace, r.Method, r.URL.EscapedPath())
	if err != nil {
		return err
	}
	r.Header = out.header
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("X-Vivified-Caller", "core")
	if parent := actor.Traceparent(trace); parent != "" {
		r.Header.Set("traceparent", parent)
	}
	answer, err := l.Caller.Call(ctx, to, r)
	if err != nil {
		return fmt.Errorf("no answer: %w", err)
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10))
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("answered %d", answer.StatusCode)
	}
	return nil
}

// backoff doubles from 1 s to 5 min.
func backoff(tries int) time.Duration {
	return min(time.Second<<min(max(tries, 1)-1, 9), 5*time.Minute)
}

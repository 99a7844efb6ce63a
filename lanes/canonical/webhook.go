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

// post sends one event, signed; any 2xx acknowledges it.
func (l *Lane) post(ctx context.Context, to *registry.Plugin, m meta, w word) error {
	body, err := m.outside(w.data, w.removed)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, l.Limits.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+to.ID+to.Manifest.Events.Path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	token, err := l.Tokens.CallToken(to.ID, "core", "", m.Trace, r.Method, r.URL.EscapedPath())
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("X-Vivified-Caller", "core")
	r.Header.Set("Content-Type", "application/cloudevents+json")
	if parent := actor.Traceparent(m.Trace); parent != "" {
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

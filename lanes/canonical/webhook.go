package canonical

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
)

// push delivers events to one plugin's webhook, one after the other, until ctx ends.
func (l *Lane) push(ctx context.Context, plugin string, consumer jetstream.Consumer) {
	for ctx.Err() == nil {
		// One at a time: what waits here longer than ackWait would be handed out again.
		messages, err := consumer.Messages(jetstream.PullMaxMessages(1))
		if err != nil {
			l.pause(ctx, plugin, err)
			continue
		}
		stop := context.AfterFunc(ctx, messages.Stop)
		for {
			msg, err := messages.Next()
			if err != nil {
				if ctx.Err() == nil {
					l.pause(ctx, plugin, err)
				}
				break
			}
			if ctx.Err() != nil {
				_ = msg.Nak()
				continue
			}
			l.pushOne(ctx, plugin, msg)
		}
		stop()
		messages.Stop()
	}
}

// pause waits a moment before the bus is asked again.
func (l *Lane) pause(ctx context.Context, plugin string, err error) {
	l.Log.WarnContext(ctx, "deliveries wait for the bus", "plugin", plugin, "error", err)
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// pushOne decides on one event for one plugin and delivers it.
func (l *Lane) pushOne(ctx context.Context, plugin string, msg jetstream.Msg) {
	snap, m := l.Plugins.Snapshot(), readMeta(msg.Headers())
	to, ok := snap.Plugin(plugin)
	if !ok || to.State != policy.Active {
		_ = msg.NakWithDelay(time.Second) // kept for when it is active again
		return
	}
	w := l.judge(snap, m, msg.Data(), to.Party(), to.Level())
	call, err := l.rounds.join(ctx, m, w, receivers(snap, m))
	if err != nil {
		_ = msg.NakWithDelay(time.Second)
		return
	}
	if !w.decision.Allow {
		_ = msg.Ack()
		return
	}
	began := l.Now()
	if err := l.post(carrier(ctx, m.Trace), to, m, w); err != nil {
		l.ended(m, w, call, began, err.Error())
		l.retry(ctx, to.ID, m, msg, err)
		return
	}
	l.ended(m, w, call, began, "")
	_ = msg.DoubleAck(ctx)
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

// retry puts a failed delivery back with a growing delay, or gives it up into
// the dead letters, with the reason.
func (l *Lane) retry(ctx context.Context, plugin string, m meta, msg jetstream.Msg, cause error) {
	attempts := uint64(1)
	if md, err := msg.Metadata(); err == nil {
		attempts = md.NumDelivered
	}
	if int(attempts) < l.Limits.MaxDeliver && l.Now().Sub(m.Time) < l.Limits.MaxAge {
		_ = msg.NakWithDelay(backoff(attempts))
		return
	}
	dead := &nats.Msg{Subject: "dead." + consumerName(plugin, ""), Header: m.header(), Data: msg.Data()}
	dead.Header.Set(headReceiver, plugin)
	dead.Header.Set(headReason, cause.Error())
	dead.Header.Set(headAttempts, strconv.FormatUint(attempts, 10))
	pctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishTimeout)
	defer cancel()
	if _, err := l.js.PublishMsg(pctx, dead); err != nil {
		_ = msg.NakWithDelay(backoff(attempts))
		return
	}
	l.Log.WarnContext(ctx, "delivery given up", "plugin", plugin, "event", m.ID, "attempts", attempts, "reason", cause)
	_ = msg.TermWithReason("dead letter")
}

// backoff doubles from 1 s to 5 min.
func backoff(attempts uint64) time.Duration {
	return min(time.Second<<min(attempts-1, 9), 5*time.Minute)
}

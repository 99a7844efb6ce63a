package handlers

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
)

// stream writes server-sent events (HTML Standard, section 9.2). Its header goes
// out with the first event, so that what is refused before still is an error.
type stream struct {
	c    echo.Context
	open bool
}

func sse(c echo.Context) *stream { return &stream{c: c} }

func (s *stream) begin() {
	if s.open {
		return
	}
	s.open = true
	h := s.c.Response().Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	s.c.Response().WriteHeader(http.StatusOK)
}

func (s *stream) flush(b []byte) error {
	s.begin()
	out := piecesOf(s.c)
	if _, err := out.Write(b); err != nil {
		return err
	}
	return out.flush()
}

// recheck is how often a stream looks whether its reader may still be told anything.
const recheck = 3 * time.Second

// whileGood returns a context that ends soon after the credential of whoever acts
// in ctx does. While that cannot be looked up, the stream goes on.
func (s *Server) whileGood(ctx context.Context) (_ context.Context, stop context.CancelFunc) {
	ctx, stop = context.WithCancel(ctx)
	go func() {
		tick := time.NewTicker(recheck)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if _, err := s.Identity.Recheck(ctx, actor.From(ctx)); fault.Is(err, fault.Unauthenticated) {
				stop()
			}
		}
	}()
	return ctx, stop
}

// comment keeps the connection alive.
func (s *stream) comment(text string) error { return s.flush([]byte(": " + text + "\n\n")) }

// send writes one event. Neither id nor event may hold a line break; data may.
func (s *stream) send(id, event string, data []byte) error {
	var b bytes.Buffer
	if id != "" {
		b.WriteString("id: " + oneLine(id) + "\n")
	}
	if event != "" {
		b.WriteString("event: " + oneLine(event) + "\n")
	}
	for line := range bytes.SplitSeq(bytes.ReplaceAll(data, []byte("\r"), nil), []byte("\n")) {
		b.WriteString("data: ")
		b.Write(line)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	return s.flush(b.Bytes())
}

func oneLine(s string) string {
	return strings.NewReplacer("\n", " ", "\r", " ", "\x00", "").Replace(s)
}

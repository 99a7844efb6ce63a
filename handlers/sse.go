package handlers

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// stream writes server-sent events (HTML Standard, section 9.2). Its header goes
// out with the first event, so that what is refused before still is an error.
type stream struct {
	c    echo.Context
	open bool
}

func sse(c echo.Context) *stream { return &stream{c: c} }

// write bounds how long one slow reader may hold a write.
const write = 10 * time.Second

func (s *stream) begin() {
	if s.open {
		return
	}
	s.open = true
	h := s.c.Response().Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	s.c.Response().WriteHeader(http.StatusOK)
}

func (s *stream) flush(b []byte) error {
	s.begin()
	rc := http.NewResponseController(s.c.Response().Writer)
	_ = rc.SetWriteDeadline(time.Now().Add(write))
	if _, err := s.c.Response().Write(b); err != nil {
		return err
	}
	if err := rc.Flush(); err != nil {
		return err
	}
	return rc.SetWriteDeadline(time.Time{})
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

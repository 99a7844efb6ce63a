package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// events reads a stream of server-sent events (HTML Standard, section 9.2) until
// ctx ends: opened is called once it is open, got with the data of each event.
func (c *client) events(ctx context.Context, path string, opened func() error, got func(data []byte) error) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+path, nil)
	if err != nil {
		return usage{err}
	}
	r.Header.Set("Accept", "text/event-stream")
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	endless := http.Client{Transport: c.http.Transport}
	answer, err := endless.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("no core answers at %s; start it with `vivified serve`, or say where it is with --server or VIVIFIED_SERVER (%w)", c.server, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 400 {
		data, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
		if err != nil {
			return err
		}
		return c.refused(answer.StatusCode, data)
	}
	if err := opened(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return nil
	}
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 8<<20)
	var data strings.Builder
	for lines.Scan() {
		line := lines.Text()
		if more, ok := strings.CutPrefix(line, "data:"); ok {
			if data.Len() > 0 {
				data.WriteByte('\n')
			}
			data.WriteString(strings.TrimPrefix(more, " "))
			continue
		}
		if line != "" || data.Len() == 0 {
			continue
		}
		if err := got([]byte(data.String())); err != nil {
			return err
		}
		data.Reset()
	}
	if ctx.Err() != nil {
		return nil
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("the stream of %s broke off: %w", c.server, err)
	}
	return fmt.Errorf("%s ended the stream; sign in again if your session ended", c.server)
}

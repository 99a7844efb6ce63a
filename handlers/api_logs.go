package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/pluginmgr/journal"
)

// loggedPlugin returns the plugin of the address if whoever asks may read what it
// writes: for that they need the traits of all data it handles, because it may
// write any of it.
func (s *Server) loggedPlugin(c echo.Context) (*registry.Plugin, error) {
	p, err := s.pluginOf(c)
	if err != nil {
		return nil, err
	}
	return p, s.mayReadLogs(c.Request().Context(), p, c.Request().URL.Path)
}

func (s *Server) mayReadLogs(ctx context.Context, p *registry.Plugin, object string) error {
	return s.Gate.AdmitOn(ctx, "plugin.logs", gate.On{
		Object: object, ID: p.ID, Plugin: p.Party(), Method: http.MethodGet, Requires: p.Manifest.Security.Classes.Needs().With(trait.SystemMonitor),
	})
}

// logQuery reads which lines are asked for.
func logQuery(c echo.Context) (journal.Query, error) {
	q := journal.Query{Text: c.QueryParam("q"), Stream: c.QueryParam("stream"), Instance: c.QueryParam("instance")}
	if q.Stream != "" && q.Stream != journal.Stdout && q.Stream != journal.Stderr {
		return q, fault.New(fault.Invalid, "query.stream", "stream is stdout or stderr.")
	}
	for name, into := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if raw := c.QueryParam(name); raw != "" {
			at, err := time.Parse(time.RFC3339, raw)
			if err != nil {
				return q, fault.New(fault.Invalid, "query.since", "%s is a time as in RFC 3339, such as 2026-11-20T14:00:00Z.", name)
			}
			*into = at
		}
	}
	var err error
	if q.Before, err = lineNumber(c.QueryParam("before")); err != nil {
		return q, err
	}
	q.Limit, err = pageSize(c, 200, journal.MaxLines)
	return q, err
}

// lineNumber reads the number of a line; none is 0.
func lineNumber(raw string) (uint64, error) {
	if raw == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(raw, 10, 63)
	if err != nil {
		return 0, fault.New(fault.Invalid, "query.cursor", "%q is not the number of a line.", raw)
	}
	return n, nil
}

// pluginLogs handles GET /plugins/:id/logs: the newest lines that fit, oldest first.
func (s *Server) pluginLogs(c echo.Context) error {
	p, err := s.loggedPlugin(c)
	if err != nil {
		return err
	}
	q, err := logQuery(c)
	if err != nil {
		return err
	}
	lines, err := s.Plugins.Lines(c.Request().Context(), p.ID, q)
	if err != nil {
		return err
	}
	answer := map[string]any{"items": append([]journal.Line{}, lines...)}
	if len(lines) == q.Limit {
		answer["before"] = lines[0].Seq
	}
	return c.JSON(http.StatusOK, answer)
}

// streamLogs handles GET /plugins/:id/logs/stream: lines as they are written. A
// reader that was cut off says which was its last, and gets what it missed.
func (s *Server) streamLogs(c echo.Context) error {
	p, err := s.loggedPlugin(c)
	if err != nil {
		return err
	}
	q, err := logQuery(c)
	if err != nil {
		return err
	}
	after, err := s.afterLine(c, p.ID)
	if err != nil {
		return err
	}
	ctx, stop := s.whileGood(c.Request().Context())
	defer stop()
	out := sse(c)
	err = s.follow(ctx, out, p.ID, q, after, func(l journal.Line) error {
		body, err := json.Marshal(l)
		if err != nil {
			return err
		}
		return out.send(strconv.FormatUint(l.Seq, 10), "line", body)
	})
	if out.open {
		return nil // the reader has gone
	}
	return err
}

// afterLine is the line after which a stream begins: the reader's last, or the
// newest there is.
func (s *Server) afterLine(c echo.Context, id string) (uint64, error) {
	raw := c.Request().Header.Get("Last-Event-ID")
	if raw == "" {
		raw = c.QueryParam("after")
	}
	if raw != "" {
		return lineNumber(raw)
	}
	if p, ok := s.Registry.Snapshot().Plugin(id); !ok || !s.Plugins.Starts(p) {
		return 0, nil // which following says
	}
	return s.Plugins.LastLine(id)
}

// follow sends lines by send, and a sign of life when there are none for a while.
func (s *Server) follow(ctx context.Context, out *stream, id string, q journal.Query, after uint64, send func(journal.Line) error) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	lines := make(chan journal.Line)
	go func() {
		end(s.Plugins.Follow(ctx, id, q, after, func(l journal.Line) error {
			select {
			case lines <- l:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}))
	}()
	opened := time.NewTimer(50 * time.Millisecond) // an error comes sooner, and is one then
	defer opened.Stop()
	alive := time.NewTicker(liveAnyway)
	defer alive.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case l := <-lines:
			err = send(l)
		case <-opened.C:
			err = out.comment("open")
		case <-alive.C:
			err = out.comment("alive")
		}
		if err != nil {
			return err
		}
	}
}

// runView is a run as the API shows it.
type runView struct {
	Instance string     `json:"instance"`
	Replica  string     `json:"replica"`
	Runtime  string     `json:"runtime"`
	Version  string     `json:"version"`
	Image    string     `json:"image"`
	Started  time.Time  `json:"started_at"`
	Ended    *time.Time `json:"ended_at"`
	Cause    string     `json:"cause,omitempty"`
	Status   *int       `json:"exit_status,omitempty"`
	Signal   string     `json:"signal,omitempty"`
	OOM      bool       `json:"oom,omitempty"`
	Words    string     `json:"words"`
}

func runOf(r pluginmgr.Run) runView {
	v := runView{
		Instance: r.Instance, Replica: r.Replica, Runtime: r.Runtime, Version: r.Version, Image: r.Image, Started: r.Started.UTC(), Ended: r.Ended,
		Cause: r.Cause, Signal: r.Exit.Signal, OOM: r.Exit.OOM, Words: r.Words(),
	}
	if r.Ended != nil && r.Exit.Status >= 0 {
		v.Status = &r.Exit.Status
	}
	return v
}

// pluginRuns handles GET /plugins/:id/runs: the latest runs, newest first, and what
// the present one uses.
func (s *Server) pluginRuns(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	runs, err := s.Plugins.Runs(ctx, p.ID, 50)
	if err != nil {
		return err
	}
	items := []runView{}
	for _, r := range runs {
		items = append(items, runOf(r))
	}
	answer := map[string]any{"items": items}
	if u, ok := s.Plugins.Stats(ctx, p.ID); ok {
		answer["uses"] = map[string]any{"cpu_seconds": u.CPU.Seconds(), "memory_bytes": u.Memory, "memory_peak_bytes": u.Peak, "processes": u.PIDs, "oom_kills": u.OOM, "throttled": u.Held}
	}
	return c.JSON(http.StatusOK, answer)
}

// waiveLimits handles PUT and DELETE /plugins/:id/limits/waiver.
func (s *Server) waiveLimits(c echo.Context) error {
	var in struct {
		Reason string `json:"reason"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	on := c.Request().Method == http.MethodPut
	if err := s.Plugins.Waive(c.Request().Context(), c.Param("id"), in.Reason, on); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]any{"plugin_id": c.Param("id"), "waived": on})
}

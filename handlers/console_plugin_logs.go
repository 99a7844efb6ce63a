package handlers

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/pluginmgr"
	"github.com/vivified/vivified/pluginmgr/journal"
	"github.com/vivified/vivified/views"
)

// readsLogs reports whether the reader may see what a plugin writes, if the core has it.
func (v *visit) readsLogs(p *registry.Plugin) bool {
	return v.Plugins.Starts(p) && v.has(trait.SystemMonitor) && v.who.Traits.Covers(p.Manifest.Security.Classes.Needs())
}

// pluginLogsPage handles GET /console/plugins/:id/logs.
func (s *Server) pluginLogsPage(c echo.Context) error {
	p, err := s.loggedPlugin(c)
	if err != nil {
		return err
	}
	ctx, v := c.Request().Context(), s.visit(c.Request())
	shown := views.ReadLogFilter(p.ID, c.QueryParams())
	q, err := v.logQuery(shown)
	if err != nil {
		return err
	}
	lines, err := s.Plugins.Lines(ctx, p.ID, q)
	if err != nil {
		return err
	}
	props := views.PluginLogs{Head: v.head(ctx, p, "logs"), Filter: shown.Bar(), Lines: logLines(lines), Tail: shown.Tail()}
	last, err := s.Plugins.LastLine(p.ID)
	if err != nil {
		return err
	}
	props.Any = last > 0
	if len(lines) == q.Limit {
		props.Pager.Older = props.Filter.Link(props.Filter.Path, map[string][]string{"before": {strconv.FormatUint(lines[0].Seq, 10)}})
	}
	if shown.Before != "" {
		props.Pager.Newer = props.Filter.Link(props.Filter.Path, nil)
	}
	runs, err := s.Plugins.Runs(ctx, p.ID, 10)
	if err != nil {
		return err
	}
	for _, r := range runs {
		props.Runs = append(props.Runs, runLine(p.ID, r))
	}
	f := pluginFrame(p)
	f.live = props.Tail != ""
	return answer(c, v, http.StatusOK, f, props, views.PluginLogsPage, views.PluginLogsBody)
}

// logQuery reads a page's filter.
func (v *visit) logQuery(f views.LogFilter) (journal.Query, error) {
	q := journal.Query{Text: f.Text, Stream: f.Stream, Instance: f.Instance, Limit: views.LogsPerPage}
	var ok bool
	if q.Since, q.Until, ok = f.Range.Bounds(v.reader.Now, v.zone()); !ok {
		return q, fault.New(fault.Invalid, "query.since", "The range cannot be read; a time is written as 2026-03-17T14:00.")
	}
	var err error
	q.Before, err = lineNumber(f.Before)
	return q, err
}

// logLines are lines as pages show them, the newest first.
func logLines(lines []journal.Line) []views.LogLine {
	shown := make([]views.LogLine, 0, len(lines))
	for _, l := range slices.Backward(lines) {
		shown = append(shown, views.LogLine{Seq: l.Seq, At: l.At, Stream: l.Stream, Text: l.Text, Cut: l.Cut})
	}
	return shown
}

// ended is how pages mark the ways in which a run ended.
var ended = map[string]views.Status{"stopped": views.Done, "replaced": views.Done, "failed": views.Failed, "unhealthy": views.Unhealthy, "lost": views.Unknown}

func runLine(plugin string, r pluginmgr.Run) views.RunLine {
	l := views.RunLine{Started: r.Started, Status: views.Running, Version: r.Version, How: r.Words(), Href: views.PluginPath(plugin, "logs") + "?instance=" + r.Instance}
	if r.Ended != nil {
		l.Ended, l.Status = *r.Ended, ended[r.Cause]
	}
	return l
}

// pluginLogsTail handles GET /console/plugins/:id/logs/stream: rows of new lines
// that fit the filter.
func (s *Server) pluginLogsTail(c echo.Context) error {
	p, err := s.loggedPlugin(c)
	if err != nil {
		return err
	}
	v := s.visit(c.Request())
	q, err := v.logQuery(views.ReadLogFilter(p.ID, c.QueryParams()))
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
		var html bytes.Buffer
		if err := v.render(ctx, &html, views.LogRows(logLines([]journal.Line{l}))); err != nil {
			return err
		}
		return out.send(strconv.FormatUint(l.Seq, 10), "", html.Bytes())
	})
	if out.open {
		return nil // the reader has gone
	}
	return err
}

// measured are the numbers that the core measures of plugins that it runs.
var measured = []struct{ metric, label string }{{pluginmgr.MetricMemory, "Memory"}, {pluginmgr.MetricCPU, "Processor"}}

// usesOf returns what a plugin used over time, as the checks noted it.
func usesOf(samples []registry.HealthRow) []views.Use {
	var uses []views.Use
	for _, m := range measured {
		var values []float64
		for _, s := range samples {
			var numbers map[string]float64
			if json.Unmarshal(s.Metrics, &numbers) != nil {
				continue
			}
			if n, ok := numbers[m.metric]; ok {
				values = append(values, n)
			}
		}
		if len(values) < 2 {
			continue
		}
		now := values[len(values)-1]
		u := views.Use{Label: m.label, Now: strconv.FormatFloat(100*now, 'f', 1, 64) + " % of a core", Values: values}
		if m.metric == pluginmgr.MetricMemory {
			u.Now = metric(m.metric, now)
		}
		uses = append(uses, u)
	}
	return uses
}

package handlers

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// auditTailOf returns the address of the stream that goes on from here with what
// fits a filter, and where it begins: only of a list that reaches to the present,
// begins with the newest and asks for no words, which a stream cannot look for.
func (s *Server) auditTailOf(ctx context.Context, f audit.Filter, shown views.AuditFilter, bar views.Filter) (string, audit.Position, error) {
	if bar.Path != views.PathAudit || f.Cursor != "" || f.Text != "" || !f.Until.IsZero() || shown.Range.Value == "custom" {
		return "", "", nil
	}
	_, from, err := s.Audit.Tail(ctx, f, "")
	return bar.Link(views.PathAuditTail, url.Values{"from": {string(from)}}), from, err
}

// auditTail handles GET /console/audit/stream: rows of new records that fit the
// filter, the newest on top. That somebody reads them is recorded as it begins. A
// reader that was cut off goes on where it was.
func (s *Server) auditTail(c echo.Context) error {
	r, q := c.Request(), c.QueryParams()
	v := s.visit(r)
	shown := views.ReadAuditFilter(q)
	f, err := v.auditFilter(shown)
	if err != nil {
		return err
	}
	f.Limit, f.Text = views.AuditPerPage, ""
	from := audit.Position(q.Get("from"))
	if last := r.Header.Get("Last-Event-ID"); last != "" {
		from = audit.Position(last)
	}
	if _, _, err := s.Audit.Tail(r.Context(), f, from); err != nil {
		return err
	}
	if err := s.Gate.Record(r.Context(), audit.Entry{Action: "audit.read", Object: "audit", Outcome: audit.OK, Detail: map[string]string{"filter": f.String(), "live": "yes"}}); err != nil {
		return err
	}
	good, stop := s.whileGood(r.Context())
	defer stop()
	out := sse(c)
	if err := out.comment("open"); err != nil {
		return nil // the reader has gone
	}
	return s.sendTail(r.WithContext(good), out, f, from, shown.Bar(views.PathAudit, nil, nil))
}

// sendTail sends what is new once a moment, until the reader has gone or may read
// the audit no more.
func (s *Server) sendTail(r *http.Request, out *stream, f audit.Filter, from audit.Position, bar views.Filter) error {
	tick := time.NewTicker(livePause)
	defer tick.Stop()
	for quiet := time.Now(); ; {
		select {
		case <-r.Context().Done():
			return nil
		case <-tick.C:
		}
		records, next, err := s.Audit.Tail(r.Context(), f, from)
		if err != nil {
			continue // the database is away; the reader stays where it was
		}
		if len(records) == 0 && time.Since(quiet) < liveAnyway {
			from = next
			continue
		}
		quiet = time.Now()
		now, ok := s.still(r)
		v := s.visit(now)
		if !ok || !v.has(trait.AuditViewer) {
			return nil
		}
		if from, err = next, v.sendRecords(now.Context(), out, records, next, bar); err != nil {
			return nil // the reader has gone
		}
	}
}

// sendRecords sends records as rows; without any it keeps the connection alive.
func (v *visit) sendRecords(ctx context.Context, out *stream, records []audit.Record, at audit.Position, bar views.Filter) error {
	if len(records) == 0 {
		return out.comment("alive")
	}
	var rows []views.AuditRow
	for i := range slices.Backward(records) {
		row := v.auditRow(ctx, &records[i])
		row.Toggle = bar.Link(views.PathAudit, url.Values{"open": {views.ChainSegment(row.Chain) + "." + strconv.FormatInt(row.Seq, 10)}})
		rows = append(rows, row)
	}
	var html bytes.Buffer
	if err := v.render(ctx, &html, views.AuditTailRows(rows)); err != nil {
		return err
	}
	return out.send(string(at), "", html.Bytes())
}

package handlers

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/views"
)

// traceForm is the form of a trace's id (W3C Trace Context, section 3.2.2.3).
var traceForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

// mostSpans is how many records of a trace are looked at.
const mostSpans = 2000

// tracePage handles GET /console/events/traces/:trace.
func (s *Server) tracePage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	id := c.Param("trace")
	if !traceForm.MatchString(id) {
		return fault.New(fault.NotFound, "audit.not_found", "A trace's id has 32 hexadecimal digits.")
	}
	f := audit.Filter{Trace: id, Limit: 500}
	if err := s.readAudit(c, "audit.read", f); err != nil {
		return err
	}
	var records []audit.Record
	for {
		page, err := s.Audit.Search(ctx, f)
		if err != nil {
			return err
		}
		records, f.Cursor = append(records, page.Records...), page.Next
		if f.Cursor == "" || len(records) >= mostSpans {
			break
		}
	}
	t := v.trace(ctx, id, records)
	t.More = f.Cursor != ""
	first, _ := strconv.Atoi(c.QueryParam("from")) // what is no number begins at the first
	way := at(views.PathAudit, "Govern", "", "Audit", views.PathAudit, "Trace", "")
	return answer(c, v, http.StatusOK, way, t.Page(first), views.TracePage, views.TraceBody)
}

// trace puts records in order of time, each decision with what came of it.
func (v *visit) trace(ctx context.Context, id string, records []audit.Record) views.Trace {
	t := views.Trace{ID: id}
	slices.SortStableFunc(records, func(a, b audit.Record) int { return a.At.Compare(b.At) })
	if len(records) == 0 {
		return t
	}
	t.From = records[0].At
	decided := map[uuid.UUID]int{} // call → its span
	for i := range records {
		r := &records[i]
		t.Took = r.At.Sub(t.From)
		if at, ok := decided[r.Call]; ok && (r.Outcome == audit.OK || r.Outcome == audit.Failed || r.Outcome == audit.Unknown) {
			span := &t.Spans[at]
			span.Took = max(t.Took-span.Start, time.Microsecond)
			if span.Outcome == views.Allowed || r.Outcome != audit.OK { // one that failed is not hidden by what followed
				span.Outcome = views.Status(r.Outcome)
			}
			continue
		}
		if r.Outcome == audit.Allow && r.Call != uuid.Nil {
			decided[r.Call] = len(t.Spans)
		}
		span := views.Span{
			Lane: laneOf(r.Action), Action: r.Action, Who: v.doer(r), Object: v.object(ctx, r), Start: t.Took,
			Outcome: views.Status(r.Outcome), Rule: r.Rule, Href: views.RecordPath(r.Chain, r.Seq),
		}
		if r.Outcome == audit.Allow || r.Outcome == audit.Deny {
			span.Href = views.DecisionPath(r.ID.String())
		}
		t.Spans = append(t.Spans, span)
	}
	return t
}

package handlers

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
)

// auditFilter reads the filters of the audit from a query.
func auditFilter(c echo.Context) (audit.Filter, error) {
	f := audit.Filter{
		Actor: c.QueryParam("actor"), Plugin: c.QueryParam("plugin"), Action: c.QueryParam("action"), Object: c.QueryParam("object"),
		Outcome: audit.Outcome(c.QueryParam("outcome")), Class: c.QueryParam("class"), Rule: c.QueryParam("rule"), Trace: c.QueryParam("trace"),
		Address: c.QueryParam("address"), Text: c.QueryParam("q"), Cursor: c.QueryParam("cursor"),
	}
	for name, into := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		raw := c.QueryParam(name)
		if raw == "" {
			continue
		}
		t, err := time.Parse(time.RFC3339, raw)
		if err != nil {
			return f, fault.New(fault.Invalid, "query."+name, "%s is a time such as 2026-03-17T14:00:00Z.", name)
		}
		*into = t
	}
	limit, err := pageSize(c, 50, 500)
	f.Limit = limit
	return f, err
}

// readAudit records that somebody reads the audit, before anything is shown.
func (s *Server) readAudit(c echo.Context, action string, f audit.Filter) error {
	return s.Gate.Record(c.Request().Context(), audit.Entry{Action: action, Object: "audit", Outcome: audit.OK, Detail: map[string]string{"filter": f.String()}})
}

// searchAudit handles GET /admin/audit.
func (s *Server) searchAudit(c echo.Context) error {
	f, err := auditFilter(c)
	if err != nil {
		return err
	}
	if err := s.readAudit(c, "audit.read", f); err != nil {
		return err
	}
	page, err := s.Audit.Search(c.Request().Context(), f)
	if err != nil {
		return err
	}
	items := page.Records
	if items == nil {
		items = []audit.Record{}
	}
	return noStore(c, http.StatusOK, map[string]any{"items": items, "next_cursor": page.Next})
}

// exportAudit handles GET /admin/audit/export.
func (s *Server) exportAudit(c echo.Context) error {
	f, err := auditFilter(c)
	if err != nil {
		return err
	}
	return s.sendExport(c, f)
}

// sendExport sends every record that f describes, in the format the query asks for.
func (s *Server) sendExport(c echo.Context, f audit.Filter) error {
	format, kind := audit.JSONL, "application/jsonl"
	switch c.QueryParam("format") {
	case "", "jsonl":
	case "csv":
		format, kind = audit.CSV, "text/csv; charset=utf-8"
	default:
		return fault.New(fault.Invalid, "query.format", "The format is csv or jsonl.")
	}
	if err := f.Check(); err != nil {
		return err
	}
	if err := s.readAudit(c, "audit.export", f); err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", `attachment; filename="audit-`+time.Now().UTC().Format("20060102-150405")+`.`+string(format)+`"`)
	err := s.Audit.Export(c.Request().Context(), f, format, s.Signer, piecesOf(c))
	if err != nil && c.Response().Committed {
		s.Log.ErrorContext(c.Request().Context(), "audit export broken off", "error", err)
		panic(http.ErrAbortHandler) // it must not look whole
	}
	return err
}

// verifyAudit handles GET /admin/audit/verify.
func (s *Server) verifyAudit(c echo.Context) error {
	report, err := s.verify(c.Request().Context())
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, report)
}

// verify recomputes the whole audit, and records that and what came of it.
func (s *Server) verify(ctx context.Context) (audit.Report, error) {
	report, err := s.Proof.Verify(ctx)
	if err != nil {
		return report, err
	}
	return report, s.Gate.Record(ctx, audit.Entry{
		Action: "audit.verify", Object: "audit", Outcome: audit.OK, Detail: map[string]any{"ok": report.OK, "rows": report.Rows},
	})
}

// auditHeads handles GET /admin/audit/heads.
func (s *Server) auditHeads(c echo.Context) error {
	heads, err := s.Audit.Heads(c.Request().Context())
	if err != nil {
		return err
	}
	if heads == nil {
		heads = []audit.Head{}
	}
	return noStore(c, http.StatusOK, map[string]any{"items": heads})
}

// pluginActivity handles GET /plugins/:id/activity.
func (s *Server) pluginActivity(c echo.Context) error {
	f, err := auditFilter(c)
	if err != nil {
		return err
	}
	f.Plugin = c.Param("id")
	if err := s.readAudit(c, "audit.read", f); err != nil {
		return err
	}
	page, err := s.Audit.Search(c.Request().Context(), f)
	if err != nil {
		return err
	}
	items := page.Records
	if items == nil {
		items = []audit.Record{}
	}
	return noStore(c, http.StatusOK, map[string]any{"items": items, "next_cursor": page.Next})
}

// decision handles GET /admin/decisions/:id.
func (s *Server) decision(c echo.Context) error {
	records, err := s.decisionRecords(c)
	if err != nil {
		return err
	}
	d := records[0]
	return noStore(c, http.StatusOK, map[string]any{
		"id": d.ID, "at": d.At, "action": d.Action, "object": d.Object, "outcome": d.Outcome, "rule": d.Rule, "trace": d.Trace,
		"actor": map[string]string{"kind": d.ActorKind, "id": d.ActorID, "name": d.ActorName}, "detail": d.Detail, "records": records,
	})
}

// decisionRecords returns a decision and what came of it, to whom it was about,
// and to those who may read policies or the audit.
func (s *Server) decisionRecords(c echo.Context) ([]audit.Record, error) {
	ctx := c.Request().Context()
	nothing := noDecision()
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return nil, nothing
	}
	records, err := s.Audit.ByID(ctx, id)
	if err != nil {
		if fault.Is(err, fault.NotFound) {
			return nil, nothing
		}
		return nil, err
	}
	who := actor.From(ctx)
	if own := records[0].ActorID == who.ID || records[0].OnBehalfID == who.ID; own || who.Has(trait.PolicyManager) || who.Has(trait.AuditViewer) {
		return records, nil
	}
	return nil, nothing
}

package handlers

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/evidence"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// evidenceRoutes are what is shown of the controls of the Security Rule.
func (s *Server) evidenceRoutes() []route {
	auditors := []trait.ID{trait.AuditViewer}
	return []route{
		{method: get, path: "/admin/evidence", who: users, needs: auditors, action: "evidence.view", handler: s.showEvidence},
		{method: get, path: "/admin/evidence/pack", who: users, needs: auditors, action: "evidence.pack", handler: s.packEvidence, slow: true, fresh: true},
		{method: get, path: views.PathEvidence, who: users, needs: auditors, action: "evidence.view", handler: s.evidencePage},
		{method: get, path: views.PathEvidencePack, who: users, needs: auditors, action: "evidence.pack", handler: s.packEvidence, slow: true, fresh: true},
	}
}

// evidenceDays reads the period from a query; 30 days where it says none.
func evidenceDays(c echo.Context) (int, error) {
	raw := c.QueryParam("days")
	if raw == "" {
		return evidence.Periods()[0], nil
	}
	days, err := strconv.Atoi(raw)
	if err != nil {
		return 0, fault.New(fault.Invalid, "query.days", "days is 30, 90 or 365.")
	}
	return days, nil
}

// evidenceOf gathers the evidence a request asks for, and records that it was asked.
func (s *Server) evidenceOf(c echo.Context, action string) (evidence.Evidence, error) {
	days, err := evidenceDays(c)
	if err != nil {
		return evidence.Evidence{}, err
	}
	ctx := c.Request().Context()
	e, err := s.Evidence.Show(ctx, days)
	if err != nil {
		return evidence.Evidence{}, err
	}
	return e, s.Gate.Record(ctx, audit.Entry{Action: action, Object: "evidence", Outcome: audit.OK, Detail: map[string]any{"days": days}})
}

// showEvidence handles GET /admin/evidence.
func (s *Server) showEvidence(c echo.Context) error {
	e, err := s.evidenceOf(c, "evidence.view")
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, e)
}

// packEvidence handles GET /admin/evidence/pack and /console/evidence/pack.
func (s *Server) packEvidence(c echo.Context) error {
	e, err := s.evidenceOf(c, "evidence.pack")
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Disposition", `attachment; filename="evidence-`+e.At.Format("20060102-150405")+`.zip"`)
	err = s.Evidence.Pack(c.Request().Context(), e, piecesOf(c))
	if err != nil && c.Response().Committed {
		s.Log.ErrorContext(c.Request().Context(), "pack of evidence broken off", "error", err)
		panic(http.ErrAbortHandler) // it must not look whole
	}
	return err
}

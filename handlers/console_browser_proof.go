package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/views"
)

// browserProofPage handles GET /console/audit/proof: the browser verifies an export
// of what the filter in the address describes, or a file.
func (s *Server) browserProofPage(c echo.Context) error {
	v := s.visit(c.Request())
	f := views.ReadAuditFilter(c.QueryParams())
	bar := f.Bar(views.PathAudit, nil, nil)
	props := views.BrowserProof{Export: bar.Link(views.PathExport, map[string][]string{"format": {"jsonl"}}), Filter: c.QueryParams().Encode()}
	return answer(c, v, http.StatusOK, at(views.PathAudit, "Govern", "", "Audit", views.PathAudit, "Verify", ""), props, views.BrowserProofPage, views.BrowserProofBody)
}

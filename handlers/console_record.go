package handlers

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/views"
)

// recordPage handles GET /console/audit/:chain/:seq.
func (s *Server) recordPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	seq, err := strconv.ParseInt(c.Param("seq"), 10, 64)
	if err != nil || seq < 1 {
		return fault.New(fault.NotFound, "audit.not_found", "The audit has no such record.")
	}
	chain := views.ChainOfSegment(c.Param("chain"))
	if err := s.Gate.Record(ctx, audit.Entry{
		Action: "audit.read", Object: "audit", Outcome: audit.OK, Detail: map[string]string{"record": chain + "/" + strconv.FormatInt(seq, 10)},
	}); err != nil {
		return err
	}
	r, err := s.Audit.Get(ctx, chain, seq)
	if err != nil {
		return err
	}
	title := "Record " + strconv.FormatInt(r.Seq, 10)
	return answer(c, v, http.StatusOK, at(views.PathAudit, "Govern", "", "Audit", views.PathAudit, title, ""), v.auditRecord(ctx, &r), views.AuditRecordPage, views.AuditRecordBody)
}

// auditRow is a record in a list.
func (v *visit) auditRow(ctx context.Context, r *audit.Record) views.AuditRow {
	row := views.AuditRow{
		Chain: r.Chain, Seq: r.Seq, At: r.At, Actor: v.doer(r), Action: r.Action, Object: v.object(ctx, r), Outcome: views.Status(r.Outcome),
	}
	if r.Outcome == audit.Deny || r.Outcome == audit.Failed {
		row.Rule = r.Rule
	}
	for _, name := range slices.Backward(r.Classes) {
		row.Classes = append(row.Classes, views.Class(name))
	}
	return row
}

// auditRecord is a record in full.
func (v *visit) auditRecord(ctx context.Context, r *audit.Record) views.AuditRecord {
	full := views.AuditRecord{
		AuditRow: v.auditRow(ctx, r), Trace: r.Trace, Address: r.Address, Replica: r.Replica, OnBehalf: r.OnBehalfName,
		Prev: hex.EncodeToString(r.PrevHash), Hash: hex.EncodeToString(r.Hash), Intact: views.Broken, Changes: changes(r.Before, r.After),
	}
	if digest, err := r.Digest(); err == nil && bytes.Equal(digest, r.Hash) {
		full.Intact = views.Intact
	}
	if text, err := r.MarshalJSON(); err == nil && len(text) <= mostCopied {
		full.JSON = string(text)
	}
	switch {
	case r.Outcome == audit.Allow, r.Outcome == audit.Deny:
		full.Decision = r.ID.String()
	case r.Call != uuid.Nil:
		full.Decision = r.Call.String()
	}
	full.Reasons, full.Facts = v.detail(r)
	return full
}

// detail reads what a record says beside its columns: the reasons of a decision,
// and everything else by its path.
func (v *visit) detail(r *audit.Record) ([]views.Step, []views.KV) {
	var decided gate.Record
	if json.Unmarshal(r.Detail, &decided) == nil && len(decided.Reasons) > 0 {
		raw, err := json.Marshal(decided.Context)
		if err != nil {
			return steps(decided.Reasons), nil
		}
		return steps(decided.Reasons), facts(raw)
	}
	if ds := deliveries(r); len(ds) > 0 {
		var lines []views.Step
		for _, d := range ds {
			lines = append(lines, v.deliveryStep(d))
		}
		return lines, nil
	}
	return nil, facts(r.Detail)
}

// verdicts are the words of rules as views know them.
var verdicts = map[string]views.Verdict{"pass": views.Pass, "redact": views.Pass, "deny": views.Deny, "skipped": views.NotApplied}

// steps puts the words of rules in order. What comes after a denial was not reached.
func steps(reasons []policy.Reason) []views.Step {
	var out []views.Step
	denied := false
	for _, r := range reasons {
		s := views.Step{Rule: r.Rule, Verdict: verdicts[r.Outcome], Text: r.Sentence, Missing: r.Missing}
		if denied && r.Outcome == "skipped" {
			s.Verdict = views.NotReached
		}
		denied = denied || r.Outcome == "deny"
		out = append(out, s)
	}
	return out
}

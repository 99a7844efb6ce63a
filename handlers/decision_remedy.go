package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/trait"
)

func noDecision() *fault.Fault {
	return fault.New(fault.NotFound, "decision.unknown", "There is no decision with this id, or it is not for you to see.")
}

// remedyOf returns what could be asked for so that what a record denies would pass.
func remedyOf(r *audit.Record) (approval.Ask, bool) {
	var said gate.Record
	if r.Outcome != audit.Deny || json.Unmarshal(r.Detail, &said) != nil {
		return approval.Ask{}, false
	}
	a, ok := approval.Remedy(said)
	a.Decision = r.ID
	return a, ok
}

// noRemedy is the fault for a denial that no request helps against.
func noRemedy() *fault.Fault {
	return fault.New(fault.Unprocessable, "decision.remedy", "Nothing that could be given would let this pass; the sentence of the rule that denied it says what would.")
}

// mayAsk returns a Denied fault for a request about others by somebody who does
// not see them: plugins are for people who may see plugins, and another person's
// traits for those who read decisions about them.
func (s *Server) mayAsk(ctx context.Context, a approval.Ask) error {
	who := actor.From(ctx)
	switch {
	case a.Kind == approval.Elevation && a.Subject == who.ID:
		return nil
	case a.Kind == approval.Elevation && (who.Has(trait.PolicyManager) || who.Has(trait.UserManager)):
		return nil
	case a.Kind != approval.Elevation && who.Has(trait.Viewer):
		return nil
	}
	needs := trait.SetOf(trait.Viewer)
	if a.Kind == approval.Elevation {
		needs = trait.SetOf(trait.UserManager)
	}
	return s.Gate.Admit(ctx, "approval.ask", string(a.Kind)+"/"+a.Subject, needs)
}

// fromDecision reads the decision an address names, and what would help.
func (s *Server) fromDecision(c echo.Context) (approval.Ask, *audit.Record, error) {
	records, err := s.decisionRecords(c)
	if err != nil {
		return approval.Ask{}, nil, err
	}
	a, ok := remedyOf(&records[0])
	if !ok {
		return a, &records[0], noRemedy()
	}
	return a, &records[0], nil
}

// remedyTerms is what a body says about a request or a grant from a decision.
type remedyTerms struct {
	Days   int        `json:"days"`
	Until  *time.Time `json:"expires_at"`
	Reason string     `json:"reason"`
}

func (in remedyTerms) apply(a *approval.Ask) {
	a.Terms.Days, a.Terms.Until, a.Reason = in.Days, in.Until, in.Reason
}

// requestRemedy handles POST /admin/decisions/:id/request: asks for what would let
// the decision's request pass.
func (s *Server) requestRemedy(c echo.Context) error {
	var in remedyTerms
	if err := bind(c, &in); err != nil {
		return err
	}
	a, _, err := s.fromDecision(c)
	if err != nil {
		return err
	}
	in.apply(&a)
	ctx := c.Request().Context()
	r, joined, err := s.Approvals.Ask(ctx, a)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if joined {
		status = http.StatusOK
	}
	return s.answerRequest(c, status, r)
}

// grantRemedy handles POST /admin/decisions/:id/grant: gives it at once, by
// somebody who may.
func (s *Server) grantRemedy(c echo.Context) error {
	var in remedyTerms
	if err := bind(c, &in); err != nil {
		return err
	}
	a, _, err := s.fromDecision(c)
	if err != nil {
		return err
	}
	in.apply(&a)
	made, err := s.Approvals.Give(c.Request().Context(), a)
	if err != nil {
		return err
	}
	out := map[string]any{"kind": a.Kind, "subject": a.Subject, "object": a.Object}
	if made.Until != nil {
		out["expires_at"] = made.Until.UTC()
	}
	if made.Grant.ID != uuid.Nil {
		out["id"], out["object"] = made.Grant.ID, made.Grant.Target
	}
	if made.Egress.ID != uuid.Nil {
		out["id"] = made.Egress.ID
	}
	return noStore(c, http.StatusCreated, out)
}

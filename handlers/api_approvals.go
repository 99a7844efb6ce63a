package handlers

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/fault"
)

// requestView is a request for approval as the API shows it.
type requestView struct {
	ID       uuid.UUID      `json:"id"`
	Kind     approval.Kind  `json:"kind"`
	Subject  string         `json:"subject"`
	Object   string         `json:"object"`
	Terms    approval.Terms `json:"terms"`
	Reason   string         `json:"reason"`
	Decision *uuid.UUID     `json:"decision_id,omitempty"`
	Askers   []askerView    `json:"asked_by"`
	AskedAt  time.Time      `json:"asked_at"`
	Expires  time.Time      `json:"expires_at"`
	State    approval.State `json:"state"`

	DecidedBy     string     `json:"decided_by,omitempty"`
	DecidedByName string     `json:"decided_by_name,omitempty"`
	DecidedAt     *time.Time `json:"decided_at,omitempty"`
	DecidedReason string     `json:"decided_reason,omitempty"`
	Own           bool       `json:"own"`
	GivenUntil    *time.Time `json:"given_until,omitempty"`
	MayDecide     bool       `json:"may_decide"`
}

type askerView struct {
	ID     string    `json:"id"`
	Name   string    `json:"name"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

func (v *visit) requestView(ctx context.Context, r approval.Request) requestView {
	view := requestView{
		ID: r.ID, Kind: r.Kind, Subject: r.Subject, Object: r.Object, Terms: r.Terms, Reason: r.Reason, Decision: r.Decision,
		Askers: []askerView{}, AskedAt: r.AskedAt.UTC(), Expires: r.Expires.UTC(), State: r.State,
		DecidedBy: r.DecidedBy, DecidedAt: r.DecidedAt, DecidedReason: r.DecidedReason, Own: r.Own, GivenUntil: r.GivenUntil,
		MayDecide: r.State == approval.Waiting && approval.MayDecide(v.who.Traits, r.Kind) && !r.Concerns(v.who.ID),
	}
	if r.DecidedBy != "" {
		view.DecidedByName = v.nameOf(ctx, r.DecidedBy)
	}
	for _, a := range r.Askers {
		view.Askers = append(view.Askers, askerView{a.ID, v.nameOf(ctx, a.ID), a.Reason, a.At.UTC()})
	}
	return view
}

// answerRequest sends a request as the API shows it.
func (s *Server) answerRequest(c echo.Context, status int, r approval.Request) error {
	return noStore(c, status, s.visit(c.Request()).requestView(c.Request().Context(), r))
}

// listApprovals handles GET /admin/approvals: what waits for somebody's word, as
// far as the caller may see it, and their own.
func (s *Server) listApprovals(c echo.Context) error {
	f := approval.Filter{
		Mine: c.QueryParam("mine") == "true", State: approval.State(c.QueryParam("state")), Kind: approval.Kind(c.QueryParam("kind")),
		Subject: c.QueryParam("subject"), Cursor: c.QueryParam("cursor"),
	}
	if f.Kind != "" && !slices.Contains(approval.Kinds(), f.Kind) {
		return fault.New(fault.Invalid, "query.kind", "The kind is egress, widening, elevation, grant, policy or setting.")
	}
	var err error
	if f.Limit, err = pageSize(c, 50, 200); err != nil {
		return err
	}
	ctx := c.Request().Context()
	page, err := s.Approvals.List(ctx, f)
	if err != nil {
		return err
	}
	items, v := []requestView{}, s.visit(c.Request())
	for _, r := range page.Requests {
		items = append(items, v.requestView(ctx, r))
	}
	return noStore(c, http.StatusOK, map[string]any{"items": items, "next_cursor": page.Next})
}

// askApproval handles POST /admin/approvals.
func (s *Server) askApproval(c echo.Context) error {
	var in struct {
		Kind    approval.Kind `json:"kind"`
		Subject string        `json:"subject"`
		Object  string        `json:"object"`
		approval.Terms
		Reason   string `json:"reason"`
		Decision string `json:"decision_id"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	ctx := c.Request().Context()
	a := approval.Ask{Kind: in.Kind, Subject: in.Subject, Object: in.Object, Terms: in.Terms, Reason: in.Reason}
	if a.Kind == approval.Elevation && a.Subject == "" {
		a.Subject = actor.From(ctx).ID
	}
	if in.Decision != "" {
		id, err := uuid.Parse(in.Decision)
		if err != nil {
			return noDecision()
		}
		a.Decision = id
	}
	if err := s.mayAsk(ctx, a); err != nil {
		return err
	}
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

// showApproval handles GET /admin/approvals/:id.
func (s *Server) showApproval(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	r, err := s.Approvals.Get(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return s.answerRequest(c, http.StatusOK, r)
}

// decideApproval handles POST /admin/approvals/:id/approve and /deny.
func (s *Server) decideApproval(approve bool) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Set(routed, "approval.decide")
		id, err := idParam(c, "id")
		if err != nil {
			return err
		}
		var in struct {
			Reason string          `json:"reason"`
			Terms  *approval.Terms `json:"terms"`
		}
		if err := bind(c, &in); err != nil {
			return err
		}
		r, err := s.Approvals.Decide(c.Request().Context(), id, approval.Verdict{Approve: approve, Reason: in.Reason, Terms: in.Terms})
		if err != nil {
			return err
		}
		return s.answerRequest(c, http.StatusOK, r)
	}
}

// withdrawApproval handles POST /admin/approvals/:id/withdraw.
func (s *Server) withdrawApproval(c echo.Context) error {
	id, err := idParam(c, "id")
	if err != nil {
		return err
	}
	r, err := s.Approvals.Withdraw(c.Request().Context(), id)
	if err != nil {
		return err
	}
	return s.answerRequest(c, http.StatusOK, r)
}

// acceptWaiting handles POST /plugins/:id/accept: puts in force what of a plugin
// waits and has the digest that the caller was shown.
func (s *Server) acceptWaiting(c echo.Context) error {
	var in struct {
		Digest string `json:"digest"`
		Reason string `json:"reason"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	a := approval.Ask{Kind: approval.Widening, Subject: c.Param("id"), Object: in.Digest, Reason: in.Reason}
	if _, err := s.Approvals.Give(c.Request().Context(), a); err != nil {
		return err
	}
	return s.showPlugin(c)
}

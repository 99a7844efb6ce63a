package handlers

import (
	"context"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// remedies adds to a denial what whoever looks can do about it: give what would
// let it pass, or ask for it; and says whether it would pass by now.
func (v *visit) remedies(ctx context.Context, d *views.Decision, r *audit.Record) error {
	d.Now = v.anew(ctx, r)
	a, ok := remedyOf(r)
	switch {
	case ok && a.Kind == approval.Grant:
		d.Remedy = "A grant for " + v.nameOf(ctx, a.Subject) + " to call " + v.nameOf(ctx, a.Object) + "."
	case ok && a.Kind == approval.Egress:
		d.Remedy = "An approval for " + v.nameOf(ctx, a.Subject) + " to reach " + a.Object + "."
	}
	if d.Remedy != "" {
		d.Helpers = v.helpers(ctx, v.snap.Traits().Names(trait.SetOf(approval.Deciders(a.Kind)...))...)
	}
	if !ok || d.Now != nil && d.Now.Passes {
		return nil
	}
	waiting, found, err := v.Approvals.Waiting(ctx, a)
	if err != nil {
		return err
	}
	path := func(verb string) string { return views.DecisionPath(d.ID, verb) }
	if approval.MayDecide(v.who.Traits, a.Kind) {
		d.Actions = []views.Action{{
			Label: "Grant for some days", Icon: "badge-check", Ask: true, Primary: true, Href: path("grant"), Why: v.whyNotDecide(ctx, waiting, true),
		}}
		if d.Actions[0].Why == nil {
			return nil
		}
	}
	if found && waiting.AskedBy(v.who.ID) {
		d.Actions = append(d.Actions, views.Action{Label: "Your request waits", Icon: "hourglass", Get: true, Href: views.ApprovalPath(waiting.ID.String())})
		return nil
	}
	d.Actions = append(d.Actions, views.Action{Label: "Request it", Icon: "send", Ask: true, Primary: len(d.Actions) == 0, Href: path("request")})
	return nil
}

// askRemedy handles GET /console/decisions/:id/request and /grant.
func (s *Server) askRemedy(give bool) echo.HandlerFunc {
	return func(c echo.Context) error {
		a, r, err := s.fromDecision(c)
		if err != nil {
			return err
		}
		return s.confirmRemedy(c, http.StatusOK, a, r, give, remedyFields(a, nil), "")
	}
}

func remedyFields(a approval.Ask, in url.Values) []*views.Field {
	return append(daysFields(in, 1, a.Kind != approval.Elevation), reasonField(in))
}

// confirmRemedy asks for how long and why.
func (s *Server) confirmRemedy(c echo.Context, status int, a approval.Ask, r *audit.Record, give bool, fields []*views.Field, refused string) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	path := views.DecisionPath(r.ID.String())
	q := views.Confirm{
		Title: "Ask for what was missing?", Text: "Somebody who may grant it decides, and sees why it was denied.", Back: path, Error: refused,
		Action: views.Action{Label: "Ask", Icon: "send", Primary: true, Href: views.DecisionPath(r.ID.String(), "request")},
		Reach:  v.approvalFacts(ctx, approval.Request{Kind: a.Kind, Subject: a.Subject, Object: a.Object, Terms: a.Terms}),
	}
	if give {
		q.Title, q.Text = "Grant what was missing?", wordText[a.Kind]
		q.Action = views.Action{Label: "Grant", Icon: "badge-check", Primary: true, Href: views.DecisionPath(r.ID.String(), "grant")}
	}
	for _, f := range fields {
		q.Fields = append(q.Fields, *f)
	}
	q.Action.Fields = []views.Hidden{{Name: "back", Value: path}}
	return ask(c, v, status, at("", "Why denied", path), q)
}

// doRemedy handles POST /console/decisions/:id/request and /grant.
func (s *Server) doRemedy(give bool) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Set(routed, "approval.decide")
		in, err := formOf(c)
		if err != nil {
			return err
		}
		a, r, err := s.fromDecision(c)
		if err != nil {
			return err
		}
		fields := remedyFields(a, in)
		days, ok := readDays(in, fields)
		if !ok {
			return s.confirmRemedy(c, http.StatusUnprocessableEntity, a, r, give, fields, "The number of days needs a correction; nothing was done.")
		}
		a.Terms.Days, a.Reason = days, in.Get("reason")
		ctx, told := c.Request().Context(), "You asked for it; somebody who may grant it decides."
		if give {
			_, err = s.Approvals.Give(ctx, a)
			told = "Granted."
			if days > 0 {
				told = "Granted for " + count(days, "day", "days") + "."
			}
		} else {
			_, _, err = s.Approvals.Ask(ctx, a)
		}
		if f := fault.Of(err); err != nil && (isForm(f) || f.Kind == fault.Conflict || f.Kind == fault.TooMany) {
			return s.confirmRemedy(c, http.StatusUnprocessableEntity, a, r, give, fields, f.Sentence)
		}
		if err != nil {
			return err
		}
		return s.done(c, flash{Text: told}, views.DecisionPath(r.ID.String()))
	}
}

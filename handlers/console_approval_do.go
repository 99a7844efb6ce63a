package handlers

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// reasonField asks why.
func reasonField(in url.Values) *views.Field {
	return &views.Field{Name: "reason", Label: "Reason", Type: views.Area, Value: in.Get("reason"), Required: true, MaxLength: 500, Help: "Kept in the audit, and shown to whoever is concerned."}
}

// other is the choice of a number of days of one's own.
const other = "other"

// daysFields ask for how long something is to last; endless offers no end.
func daysFields(in url.Values, usual int, endless bool) []*views.Field {
	days := in.Get("days")
	if !in.Has("days") {
		days = strconv.Itoa(usual)
	}
	options := []views.Option{{Value: "1", Label: "1 day"}, {Value: "7", Label: "7 days"}, {Value: "30", Label: "30 days"}}
	if !slices.ContainsFunc(options, func(o views.Option) bool { return o.Value == days }) && days != other && days != "" {
		options = append(options, views.Option{Value: days, Label: days + " days"})
	}
	options = append(options, views.Option{Value: other, Label: "Another number of days"})
	if endless {
		options = append(options, views.Option{Value: "", Label: "No end"})
	}
	return []*views.Field{
		{Name: "days", Label: "For", Type: views.Select, Value: days, Options: options},
		{Name: "other_days", Label: "Days", Type: views.Number, Value: in.Get("other_days"), Short: true, Min: "1", Max: "3650", Help: "Where another number of days is chosen."},
	}
}

// readDays reads for how long something is to last. What cannot be read is noted
// in its field, and ok is false.
func readDays(in url.Values, fields []*views.Field) (days int, ok bool) {
	text, name := strings.TrimSpace(in.Get("days")), "days"
	if text == other {
		text, name = strings.TrimSpace(in.Get("other_days")), "other_days"
	} else if text == "" {
		return 0, true
	}
	days, err := strconv.Atoi(text)
	if err != nil || days < 1 || days > 3650 {
		named(fields, name).Error = "It is a number of days from 1 to 3650."
		return 0, false
	}
	return days, true
}

// askApproveRequest handles GET /console/approvals/:id/approve.
func (s *Server) askApproveRequest(c echo.Context) error {
	r, err := s.approvalOf(c)
	if err != nil {
		return err
	}
	return s.confirmWord(c, http.StatusOK, r, true, s.wordFields(r, nil, true), "")
}

// askDenyRequest handles GET /console/approvals/:id/deny.
func (s *Server) askDenyRequest(c echo.Context) error {
	r, err := s.approvalOf(c)
	if err != nil {
		return err
	}
	return s.confirmWord(c, http.StatusOK, r, false, s.wordFields(r, nil, false), "")
}

// wordFields ask for what goes with a word on a request: the terms of what is
// given, and why.
func (s *Server) wordFields(r approval.Request, in url.Values, approve bool) []*views.Field {
	usual := r.Terms.Days
	if usual == 0 {
		usual = 30
	}
	switch {
	case !approve || slices.Contains(untimed, r.Kind):
		return []*views.Field{reasonField(in)}
	case r.Kind == approval.Egress:
		fields := approvalFields(in)
		named(fields, "reason").Required = true
		return fields
	}
	return append(daysFields(in, usual, r.Kind == approval.Grant), reasonField(in))
}

// confirmWord asks before a request is approved or denied.
func (s *Server) confirmWord(c echo.Context, status int, r approval.Request, approve bool, fields []*views.Field, refused string) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	title, path := v.wants(ctx, r), views.ApprovalPath(r.ID.String())
	q := views.Confirm{
		Title: "Deny: " + title + "?", Text: "Whoever asked is told, with your reason.", Back: back(c, path), Error: refused,
		Action: views.Action{Label: "Deny", Icon: "ban", Danger: true, Href: views.ApprovalPath(r.ID.String(), "deny")},
	}
	if approve {
		q.Title, q.Text = "Approve: "+title+"?", wordText[r.Kind]
		q.Action = views.Action{Label: "Approve", Icon: "badge-check", Primary: true, Href: views.ApprovalPath(r.ID.String(), "approve")}
		for _, change := range v.widened(r) {
			if change.Added {
				q.Reach = append(q.Reach, views.KV{Label: "Adds " + change.Name, Value: change.After})
			}
		}
		if r.Terms.Learned {
			q.Title = "Propose: " + r.Object + " for " + v.nameOf(ctx, r.Subject) + "?"
			q.Text = "Its manifest does not declare this host, so nothing passes yet. Once a manifest that does is accepted, these terms count."
			q.Action.Label = "Propose"
		}
	}
	for _, f := range fields {
		q.Fields = append(q.Fields, *f)
	}
	q.Action.Fields = append(q.Action.Fields, views.Hidden{Name: "back", Value: q.Back})
	return ask(c, v, status, at(views.PathApprovals, "Home", "", "Approvals", views.PathApprovals, title, path), q)
}

// untimed are the kinds that are given as they were asked for, and last.
var untimed = []approval.Kind{approval.Widening, approval.Policy, approval.Setting}

// wordText says what follows from an approval.
var wordText = map[approval.Kind]string{
	approval.Egress:    "Its requests to this host pass the proxy lane on these terms, and each is recorded.",
	approval.Widening:  "It goes on running. What its manifest asks for counts from then on; until then the old one does.",
	approval.Elevation: "They hold it from now on until it ends, and sign in again to use it. Every use is recorded.",
	approval.Grant:     "Its calls pass the operator lane until this ends, and each is recorded.",
	approval.Policy:    "The rules are in force everywhere within a second.",
	approval.Setting:   "It is changed at once, on the word of two people.",
}

// decideRequest handles POST /console/approvals/:id/approve and /deny.
func (s *Server) decideRequest(approve bool) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Set(routed, "approval.decide")
		in, err := formOf(c)
		if err != nil {
			return err
		}
		r, err := s.approvalOf(c)
		if err != nil {
			return err
		}
		fields := s.wordFields(r, in, approve)
		word := approval.Verdict{Approve: approve, Reason: in.Get("reason")}
		if approve {
			terms, ok := readTerms(r.Kind, in, fields)
			if !ok {
				return s.confirmWord(c, http.StatusUnprocessableEntity, r, approve, fields, "Some terms need a correction; nothing was decided.")
			}
			if r.Kind == approval.Elevation || r.Kind == approval.Grant {
				terms.Operations = r.Terms.Operations
			}
			word.Terms = &terms
		}
		v := s.visit(c.Request())
		title := v.wants(c.Request().Context(), r)
		if _, err := s.Approvals.Decide(c.Request().Context(), r.ID, word); err != nil {
			if f := fault.Of(err); isForm(f) {
				return s.confirmWord(c, http.StatusUnprocessableEntity, r, approve, fields, f.Sentence)
			}
			return err
		}
		told := "Denied: " + title + "."
		if approve {
			told = "Approved: " + title + "."
		}
		return s.done(c, flash{Text: told}, back(c, views.PathApprovals))
	}
}

// readTerms reads the terms of what is given. What cannot be read is noted in its
// field, and ok is false.
func readTerms(k approval.Kind, in url.Values, fields []*views.Field) (t approval.Terms, ok bool) {
	switch k {
	case approval.Egress:
		a, ok := readApproval(in, fields, time.Now())
		return egressAsk(a).Terms, ok
	}
	if slices.Contains(untimed, k) {
		return t, true
	}
	t.Days, ok = readDays(in, fields)
	return t, ok
}

// withdrawRequest handles POST /console/approvals/:id/withdraw.
func (s *Server) withdrawRequest(c echo.Context) error {
	r, err := s.approvalOf(c)
	if err != nil {
		return err
	}
	if _, err := s.Approvals.Withdraw(c.Request().Context(), r.ID); err != nil {
		return err
	}
	return s.done(c, flash{Text: "Your request is withdrawn."}, back(c, views.PathApprovals))
}

// askNewRequest handles GET /console/approvals/new.
func (s *Server) askNewRequest(c echo.Context) error {
	return s.confirmNew(c, http.StatusOK, s.newFields(c, c.QueryParams()), "")
}

// newFields ask for a trait and for how long.
func (s *Server) newFields(c echo.Context, in url.Values) []*views.Field {
	v := s.visit(c.Request())
	f := &views.Field{Name: "trait", Label: "Trait", Type: views.Select, Value: in.Get("trait")}
	for _, t := range v.snap.Traits().All() {
		if t.Assignable.Has(trait.ToUser) && !v.has(t.ID) {
			f.Options = append(f.Options, views.Option{Value: t.Name, Label: t.Label + " (" + t.Name + ")"})
		}
	}
	return append([]*views.Field{f}, append(daysFields(in, 7, false), reasonField(in))...)
}

// confirmNew asks which trait somebody wants, for how long and why.
func (s *Server) confirmNew(c echo.Context, status int, fields []*views.Field, refused string) error {
	v := s.visit(c.Request())
	q := views.Confirm{
		Title: "Ask for a trait?", Text: "Somebody who may grant it decides. You see here what became of it.", Back: back(c, views.PathApprovals), Error: refused,
		Action: views.Action{Label: "Ask", Icon: "send", Primary: true, Href: views.PathApprovals + "/new"},
	}
	if names := v.holders(c.Request().Context(), trait.UserManager); len(names) > 0 {
		q.Reach = []views.KV{{Label: "Decided by", Value: some(names)}}
	}
	for _, f := range fields {
		q.Fields = append(q.Fields, *f)
	}
	return ask(c, v, status, at(views.PathApprovals, "Home", "", "Approvals", views.PathApprovals), q)
}

// newRequest handles POST /console/approvals/new.
func (s *Server) newRequest(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	fields := s.newFields(c, in)
	days, ok := readDays(in, fields)
	if !ok {
		return s.confirmNew(c, http.StatusUnprocessableEntity, fields, "The number of days needs a correction; nothing was asked for.")
	}
	v := s.visit(c.Request())
	a := approval.Ask{Kind: approval.Elevation, Subject: v.who.ID, Object: in.Get("trait"), Terms: approval.Terms{Days: days}, Reason: in.Get("reason")}
	if err := s.mayAsk(c.Request().Context(), a); err != nil {
		return err
	}
	if _, _, err := s.Approvals.Ask(c.Request().Context(), a); err != nil {
		if f := fault.Of(err); isForm(f) || f.Kind == fault.Conflict || f.Kind == fault.TooMany {
			return s.confirmNew(c, http.StatusUnprocessableEntity, fields, f.Sentence)
		}
		return err
	}
	return s.done(c, flash{Text: "You asked for " + in.Get("trait") + "; somebody who may grant it decides."}, views.PathApprovals+"?tab=mine")
}

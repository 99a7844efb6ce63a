package handlers

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/views"
)

// auditPage handles GET /console/audit.
func (s *Server) auditPage(c echo.Context) error {
	return s.auditWith(c, c.QueryParams(), nil)
}

// verifyPage handles POST /console/audit/verify: the page it was asked from, with
// what was found.
func (s *Server) verifyPage(c echo.Context) error {
	began := time.Now()
	report, err := s.verify(c.Request().Context())
	if err != nil {
		return err
	}
	from, err := url.Parse(back(c, views.PathAudit))
	if err != nil {
		return err
	}
	return s.auditWith(c, from.Query(), verification(report, time.Since(began)))
}

// auditWith draws the part of the audit that a query asks for, with the outcome of
// a verification just made.
func (s *Server) auditWith(c echo.Context, q url.Values, verified *views.Verification) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	shown := views.ReadAuditFilter(q)
	bar := shown.Bar(views.PathAudit, nil, v.pluginOptions())
	bar.Saved = v.saved(ctx, views.PathAudit)
	list, err := s.auditList(c, v, q, shown, bar)
	if err != nil {
		return err
	}
	props := views.Audit{
		List: list, Verified: verified, Export: true,
		Verify: views.Action{Label: "Verify the chain", Icon: "shield-check", Primary: true, Href: views.PathVerify},
	}
	if props.Chain, err = v.chain(ctx); err != nil {
		return err
	}
	where := at(views.PathAudit, "Govern", "", "Audit", "")
	where.live = list.Tail != ""
	return answer(c, v, http.StatusOK, where, props, views.AuditPage, views.AuditBody)
}

// activityPage handles GET /console/plugins/:id/activity.
func (s *Server) activityPage(c echo.Context) error {
	p, err := s.pluginOf(c)
	if err != nil {
		return err
	}
	ctx, v := c.Request().Context(), s.visit(c.Request())
	shown := views.ReadAuditFilter(c.QueryParams())
	shown.Plugin = p.ID
	bar := shown.Bar(views.PluginPath(p.ID, "activity"), nil, nil)
	bar.Fields = slices.DeleteFunc(bar.Fields, func(f views.FilterField) bool { return f.Name == "plugin" })
	list, err := s.auditList(c, v, c.QueryParams(), shown, bar)
	if err != nil {
		return err
	}
	props := views.PluginActivity{Head: v.head(ctx, p, "activity"), List: list}
	return answer(c, v, http.StatusOK, pluginFrame(p), props, views.PluginActivityPage, views.PluginActivityBody)
}

// exportPage handles GET /console/audit/export: exactly the records that the
// page's filter describes.
func (s *Server) exportPage(c echo.Context) error {
	f, err := s.visit(c.Request()).auditFilter(views.ReadAuditFilter(c.QueryParams()))
	if err != nil {
		return err
	}
	return s.sendExport(c, f)
}

// auditFilter translates the filter of a page, whose times are in the zone of
// whoever looks.
func (v *visit) auditFilter(shown views.AuditFilter) (audit.Filter, error) {
	since, until, ok := shown.Range.Bounds(v.reader.Now, v.zone())
	if !ok {
		return audit.Filter{}, fault.New(fault.Invalid, "query.since", "The range cannot be read; a time is written as 2026-03-17T14:00.")
	}
	return audit.Filter{
		Since: since, Until: until, Actor: shown.Actor, Plugin: shown.Plugin, Action: shown.Action, Object: shown.Object,
		Outcome: audit.Outcome(shown.Outcome), Rule: shown.Rule, Class: shown.Class, Trace: shown.Trace, Address: shown.Address, Text: shown.Text,
	}, nil
}

// auditList is a page of records, recorded as read before it is shown.
func (s *Server) auditList(c echo.Context, v *visit, q url.Values, shown views.AuditFilter, bar views.Filter) (views.AuditList, error) {
	ctx := c.Request().Context()
	f, err := v.auditFilter(shown)
	if err != nil {
		return views.AuditList{}, err
	}
	f.Limit, f.Cursor = views.AuditPerPage, q.Get("cursor")
	if err := f.Check(); err != nil {
		return views.AuditList{}, err
	}
	if err := s.readAudit(c, "audit.read", f); err != nil {
		return views.AuditList{}, err
	}
	tail, from, err := s.auditTailOf(ctx, f, shown, bar)
	if err != nil {
		return views.AuditList{}, err
	}
	page, err := s.Audit.Search(ctx, f)
	if err != nil {
		return views.AuditList{}, err
	}
	l := views.AuditList{Tail: tail, Here: bar.Link(bar.Path, nil), Filter: bar, None: views.Empty{Kind: views.NoneYet, Title: "No record yet", Text: "Every decision and every change appears here."}}
	here := url.Values{}
	if f.Cursor != "" {
		here.Set("cursor", f.Cursor)
		l.Pager.Newer = bar.Link(bar.Path, nil)
	}
	if page.Next != "" {
		l.Pager.Older = bar.Link(bar.Path, url.Values{"cursor": {page.Next}})
	}
	opened := q.Get("open")
	for i := range page.Records {
		r := &page.Records[i]
		if tail != "" && !from.Covers(r) {
			continue // the stream sends it
		}
		row := v.auditRow(ctx, r)
		name := views.ChainSegment(r.Chain) + "." + strconv.FormatInt(r.Seq, 10)
		if opened == name {
			row.Toggle = bar.Link(bar.Path, here)
			full := v.auditRecord(ctx, r)
			full.AuditRow = row
			l.Open = &full
		} else {
			row.Toggle = bar.Link(bar.Path, withOpen(here, name))
		}
		l.Rows = append(l.Rows, row)
	}
	return l, nil
}

func withOpen(q url.Values, name string) url.Values {
	out := url.Values{"open": {name}}
	for k, v := range q {
		out[k] = v
	}
	return out
}

// pluginOptions are the plugins a list can be filtered by.
func (v *visit) pluginOptions() []views.Option {
	var options []views.Option
	for _, p := range slices.SortedFunc(slices.Values(v.snap.Plugins()), byName) {
		options = append(options, views.Option{Value: p.ID, Label: p.Name})
	}
	return options
}

// chain is the state of the audit's chains as last verified.
func (v *visit) chain(ctx context.Context) (views.Chain, error) {
	proof, err := v.proof(ctx)
	if err != nil {
		return views.Chain{}, err
	}
	c := views.Chain{Proof: proof}
	if proof.Status == views.Broken {
		c.Broken = "The last verification found a record that is not as it was written. Verify again to see which."
	}
	return c, nil
}

// verification puts the outcome of a run into words.
func verification(r audit.Report, took time.Duration) *views.Verification {
	out := &views.Verification{Status: views.Intact, Records: r.Rows, Took: took}
	if !r.OK {
		out.Status = views.Broken
	}
	for _, c := range r.Chains {
		check := views.ChainCheck{Chain: c.Chain, Records: c.Rows, Status: views.Intact}
		if c.Bad != nil {
			check.Status, check.Bad, check.Reason = views.Broken, c.Bad.Seq, c.Bad.Sentence
			check.Href = views.RecordPath(c.Chain, c.Bad.Seq)
		}
		out.Chains = append(out.Chains, check)
	}
	slices.SortFunc(out.Chains, func(a, b views.ChainCheck) int { return strings.Compare(a.Chain, b.Chain) })
	return out
}

package handlers

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/a-h/templ"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/rulebook"
	"github.com/vivified/vivified/views"
)

// shadowsPage handles GET /console/policies/shadow and /shadow/:id.
func (s *Server) shadowsPage(c echo.Context) error {
	return s.answerShadows(c, http.StatusOK, url.Values{}, nil)
}

// answerShadows draws the replays, the one in the address open.
func (s *Server) answerShadows(c echo.Context, status int, typed url.Values, refused *fault.Fault) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	d, err := s.Rules.Draft(ctx)
	if err != nil {
		return err
	}
	var p views.Shadows
	if p.Head, err = v.policyHead(ctx, views.PathPolicyShadow, "Shadow", d); err != nil {
		return err
	}
	p.Start = shadowForm(typed, refused)
	list, err := s.Rules.Shadows(ctx)
	if err != nil {
		return err
	}
	for i, one := range list {
		if i < views.ReplaysShown {
			row := shadowRow(one)
			row.Open = one.ID.String() == c.Param("id")
			p.Rows = append(p.Rows, row)
		}
		if one.State == "running" {
			p.Start.Why = &views.Why{Text: "A replay runs already."}
		}
	}
	if c.Param("id") != "" {
		if p.Open, err = v.shadowDetail(ctx, c); err != nil {
			return err
		}
	}
	return answer(c, v, status, policyFrame("Shadow"), p, views.ShadowsPage, views.ShadowsBody)
}

func shadowForm(typed url.Values, refused *fault.Fault) *views.ShadowForm {
	fields := []views.Field{
		{Name: "days", Label: "Days back", Type: views.Number, Value: orElse(typed.Get("days"), "7"), Min: "1", Max: strconv.Itoa(rulebook.MaxDays), Short: true, Required: true},
		{Name: "limit", Label: "Decisions at most", Type: views.Number, Value: orElse(typed.Get("limit"), strconv.Itoa(rulebook.UsualReplay)), Min: "1", Max: strconv.Itoa(rulebook.MaxReplay), Short: true, Required: true,
			Help: "The newest first."},
	}
	f := &views.ShadowForm{}
	if refused != nil {
		f.Errors = corrections(refused, &fields[0], &fields[1])
	}
	f.Fields = fields
	return f
}

// shadowStates are the states of a replay as the console draws them.
var shadowStates = map[string]views.Status{"running": views.Running, "done": views.Done, "cancelled": views.Cancelled, "failed": views.Failed}

func shadowRow(one rulebook.Shadow) views.ShadowRow {
	return views.ShadowRow{
		ID: one.ID.String(), At: one.StartedAt, By: one.StartedAs, State: shadowStates[one.State], Days: one.Days, Replayed: one.Replayed,
		Flips: one.Flips, Drifts: one.Drifts, Stale: !one.Draft,
	}
}

// shadowDetail is what the replay in the address found.
func (v *visit) shadowDetail(ctx context.Context, c echo.Context) (*views.ShadowDetail, error) {
	one, err := v.shadowOf(c)
	if err != nil {
		return nil, err
	}
	against := rulebook.Flips
	if c.QueryParam("against") == string(rulebook.Drifts) {
		against = rulebook.Drifts
	}
	after, err := numberCursor(c)
	if err != nil {
		return nil, err
	}
	d := &views.ShadowDetail{
		ShadowRow: shadowRow(one), Running: one.State == "running", Progress: one.Progress, Reached: when(one.Reached), Version: "version " + strconv.FormatInt(one.Version, 10),
		Skipped: one.Skipped, Why: one.Why, Against: string(against),
	}
	if one.Version == 0 {
		d.Version = "the built-in rules alone"
	}
	if d.Running {
		d.Cancel = &views.Action{Label: "Cancel", Icon: "x", Href: views.ShadowPath(d.ID, "cancel")}
	}
	groups := one.Groups(against)
	if one.Flips+one.Drifts > rulebook.MaxFlips {
		d.Cut = rulebook.MaxFlips
	}
	for _, g := range groups[:min(len(groups), views.FlipGroupsShown)] {
		was, now := sides(g.Kind, g.Was, g.Now)
		d.Groups = append(d.Groups, views.FlipGroup{
			Was: was, Now: now, Action: g.Action, Caller: v.someone(ctx, g.Caller), Target: v.someone(ctx, g.Target), Count: g.Count, Last: g.LastAt,
			Decision: views.DecisionPath(g.Decision.String()), Test: views.PathPolicyNewTest + "?decision=" + g.Decision.String(),
		})
	}
	if d.Running {
		return d, nil // what is listed one by one would move under the reader
	}
	flips, err := v.Rules.ListFlips(ctx, one.ID, against, after, views.FlipsPerPage+1)
	if err != nil {
		return nil, err
	}
	if len(flips) > views.FlipsPerPage {
		flips = flips[:views.FlipsPerPage]
		d.Pager.Older = views.ShadowPath(d.ID) + "?" + url.Values{"against": {d.Against}, "cursor": {strconv.FormatInt(flips[views.FlipsPerPage-1].Seq, 10)}}.Encode()
	}
	if after > 0 {
		d.Pager.Newer = views.ShadowPath(d.ID) + "?against=" + d.Against
	}
	for _, f := range flips {
		was, now := sides(f.Kind, f.Was, f.Now)
		d.Flips = append(d.Flips, views.FlipRow{
			At: f.At, Was: was, Now: now, Action: f.Action, Caller: v.someone(ctx, f.Caller), Object: f.Object, Decision: views.DecisionPath(f.Decision.String()),
		})
	}
	return d, nil
}

// sides says how a decision was made and how it would be.
func sides(kind, was, now string) (views.FlipSide, views.FlipSide) {
	a, b := views.FlipSide{Status: views.Allowed, Rule: was}, views.FlipSide{Status: views.Allowed, Rule: now}
	switch kind {
	case "denied":
		b.Status = views.Denied
	case "allowed":
		a.Status = views.Denied
	case "rule":
		a.Status, b.Status = views.Otherwise, views.Otherwise
	}
	return a, b
}

// someone is a party known by its id alone: a plugin, a person, or a name such as
// a host.
func (v *visit) someone(ctx context.Context, id string) views.Party {
	if _, ok := v.snap.Plugin(id); ok {
		return v.plugin(id)
	}
	if _, err := uuid.Parse(id); err == nil {
		return v.party(string(actor.User), id, v.nameOf(ctx, id))
	}
	return views.Party{Kind: views.System, Name: orElse(id, "–")}
}

// beginShadow handles POST /console/policies/shadow.
func (s *Server) beginShadow(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	days, _ := strconv.Atoi(in.Get("days")) // what is no number is out of bounds
	limit, err := strconv.Atoi(in.Get("limit"))
	if err != nil {
		limit = -1
	}
	one, err := s.Rules.StartShadow(c.Request().Context(), days, limit)
	if err != nil {
		if f := fault.Of(err); isForm(f) || isRefusal(f) {
			return s.answerShadows(c, http.StatusUnprocessableEntity, in, f)
		}
		return err
	}
	return s.done(c, flash{Tone: views.Info, Text: "The replay has begun."}, views.ShadowPath(one.ID.String()))
}

// endShadow handles POST /console/policies/shadow/:id/cancel.
func (s *Server) endShadow(c echo.Context) error {
	one, err := s.shadowOf(c)
	if err != nil {
		return err
	}
	if err := s.Rules.CancelShadow(c.Request().Context(), one.ID); err != nil {
		return err
	}
	return s.done(c, flash{Text: "The replay is cancelled; what it found stays."}, views.ShadowPath(one.ID.String()))
}

// replayWord sums up the latest replay of the draft as it is.
func (v *visit) replayWord(ctx context.Context) (templ.Component, error) {
	list, err := v.Rules.Shadows(ctx)
	if err != nil {
		return nil, err
	}
	for _, one := range list {
		if one.Draft && one.State != "failed" {
			return views.ShadowWord(shadowRow(one)), nil
		}
	}
	return views.ShadowWord(views.ShadowRow{}), nil
}

// testsWord sums up what the tests of the draft say.
func (s *Server) testsWord(d rulebook.Draft) templ.Component {
	check, err := s.Rules.Check(d.Text, d.Tests)
	if err != nil {
		return views.TestsWord(len(d.Tests), 0, fault.Of(err).Sentence)
	}
	return views.TestsWord(len(d.Tests), len(check.Failing()), "")
}

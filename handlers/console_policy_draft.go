package handlers

import (
	"context"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/rulebook"
	"github.com/vivified/vivified/views"
)

// draftPage handles GET /console/policies/draft.
func (s *Server) draftPage(c echo.Context) error {
	d, err := s.Rules.Draft(c.Request().Context())
	if err != nil {
		return err
	}
	check, err := s.Rules.Check(d.Text, d.Tests)
	if err != nil && fault.Of(err).Kind != fault.Unprocessable {
		return err
	}
	return s.answerDraft(c, http.StatusOK, d, d.Text, check, "")
}

// answerDraft draws the editor with a text, which may not be what is kept.
func (s *Server) answerDraft(c echo.Context, status int, d rulebook.Draft, text string, check rulebook.Check, conflict string) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	p := views.PolicyDraft{
		Text: text, Revision: d.Revision, EditedBy: d.EditedAs, EditedAt: d.EditedAt, Failing: len(check.Failing()), Conflict: conflict, Schema: policy.Schema(),
	}
	var err error
	if p.Head, err = v.policyHead(ctx, views.PathPolicyDraft, "Draft", d); err != nil {
		return err
	}
	for _, f := range check.Findings {
		p.Findings = append(p.Findings, views.FindingRow{Line: f.Line, Column: f.Column, Warning: f.Severity != "error", Text: f.Message, Fix: f.Fix})
	}
	p.Lines = views.Around(text, p.Findings)
	for _, r := range check.Rules {
		p.Rules = append(p.Rules, views.RuleRow{ID: r.ID, Effect: r.Effect, Text: r.Sentence, Line: r.Line})
	}
	if d.Changed {
		p.Discard = &views.Action{Label: "Discard the edits", Ask: true, Get: true, Href: views.PathPolicyDiscard}
	}
	return answer(c, v, status, policyFrame("Draft"), p, views.PolicyDraftPage, views.PolicyDraftBody)
}

// revisionOf reads which draft a form was drawn from.
func revisionOf(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n // 0, of what is no number, is none there ever was
}

// keepDraft handles POST /console/policies/draft. A text with findings comes back
// with them, as it was typed.
func (s *Server) keepDraft(c echo.Context) error {
	ctx := c.Request().Context()
	in, err := formOf(c)
	if err != nil {
		return err
	}
	text := in.Get("text")
	d, check, err := s.Rules.Save(ctx, rulebook.Edit{Text: &text, Revision: revisionOf(in.Get("revision"))})
	if err == nil {
		told := flash{Text: "The draft is saved; all of its tests pass."}
		switch failing := len(check.Failing()); {
		case len(check.Results) == 0:
			told.Text = "The draft is saved. It has no tests yet."
		case failing > 0:
			told = flash{Tone: views.Warn, Text: "The draft is saved; " + count(failing, "test fails", "tests fail") + "."}
		}
		return s.done(c, told, views.PathPolicyDraft)
	}
	f := fault.Of(err)
	if !isForm(f) && f.Kind != fault.Conflict {
		return err
	}
	if d.Revision == 0 { // the transaction read no draft
		if d, err = s.Rules.Draft(ctx); err != nil {
			return err
		}
	}
	conflict := ""
	switch {
	case f.Kind == fault.Conflict:
		conflict = "Somebody else edited the draft meanwhile. Below is what you wrote: copy what you need, and load the page again."
		d.Revision = revisionOf(in.Get("revision")) // saving again must not overwrite it either
	case len(check.Findings) == 0:
		conflict = f.Sentence
	}
	return s.answerDraft(c, http.StatusUnprocessableEntity, d, text, check, conflict)
}

// askDiscard handles GET /console/policies/draft/discard.
func (s *Server) askDiscard(c echo.Context) error {
	d, err := s.Rules.Draft(c.Request().Context())
	if err != nil {
		return err
	}
	return s.confirmDiscard(c, http.StatusOK, d, "")
}

func (s *Server) confirmDiscard(c echo.Context, status int, d rulebook.Draft, refused string) error {
	return ask(c, s.visit(c.Request()), status, policyFrame("Draft"), views.Confirm{
		Title: "Discard the edits of the draft?", Text: "The draft becomes what is published, its tests too. What was edited is lost.", Back: views.PathPolicyDraft, Error: refused,
		Action: views.Action{
			Label: "Discard", Icon: "trash-2", Danger: true, Primary: true, Href: views.PathPolicyDiscard,
			Fields: []views.Hidden{{Name: "revision", Value: strconv.FormatInt(d.Revision, 10)}},
		},
	})
}

// discardEdits handles POST /console/policies/draft/discard.
func (s *Server) discardEdits(c echo.Context) error {
	ctx := c.Request().Context()
	in, err := formOf(c)
	if err != nil {
		return err
	}
	if _, err := s.Rules.Discard(ctx, revisionOf(in.Get("revision"))); err != nil {
		return s.refusedQuestion(c, err, s.confirmDiscard)
	}
	return s.done(c, flash{Text: "The draft is what is published again."}, views.PathPolicyDraft)
}

// refusedQuestion asks again with what was refused, over the draft as it is now.
func (s *Server) refusedQuestion(c echo.Context, err error, again func(echo.Context, int, rulebook.Draft, string) error) error {
	f := fault.Of(err)
	if !isForm(f) && !isRefusal(f) {
		return err
	}
	d, err := s.Rules.Draft(c.Request().Context())
	if err != nil {
		return err
	}
	return again(c, http.StatusUnprocessableEntity, d, f.Sentence)
}

// draftAt returns the draft a form was drawn from, or a Conflict.
func (s *Server) draftAt(ctx context.Context, revision int64) (rulebook.Draft, error) {
	d, err := s.Rules.Draft(ctx)
	if err == nil && d.Revision != revision {
		return d, fault.New(fault.Conflict, "policy.draft", "Somebody else edited the draft meanwhile; look at it again.")
	}
	return d, err
}

package handlers

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/rulebook"
)

// draftView is the draft and what is to say of it.
type draftView struct {
	rulebook.Draft
	rulebook.Check
}

// showDraft handles GET /admin/policies/draft. A draft that compiles no more is
// shown with its findings.
func (s *Server) showDraft(c echo.Context) error {
	d, err := s.Rules.Draft(c.Request().Context())
	if err != nil {
		return err
	}
	check, err := s.Rules.Check(d.Text, d.Tests)
	if err != nil && fault.Of(err).Kind != fault.Unprocessable {
		return err
	}
	return noStore(c, http.StatusOK, draftView{d, check})
}

// saveDraft handles PUT /admin/policies/draft.
func (s *Server) saveDraft(c echo.Context) error {
	var in struct {
		Text     *string          `json:"text"`
		Tests    *[]rulebook.Test `json:"tests"`
		Revision int64            `json:"revision"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	d, check, err := s.Rules.Save(c.Request().Context(), rulebook.Edit{Text: in.Text, Tests: in.Tests, Revision: in.Revision})
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, draftView{d, check})
}

// discardDraft handles POST /admin/policies/draft/discard.
func (s *Server) discardDraft(c echo.Context) error {
	var in struct {
		Revision int64 `json:"revision"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	if _, err := s.Rules.Discard(c.Request().Context(), in.Revision); err != nil {
		return err
	}
	return s.showDraft(c)
}

// validatePolicy handles POST /admin/policies/validate. That a text does not
// compile is the answer, not a refusal.
func (s *Server) validatePolicy(c echo.Context) error {
	var in struct {
		Text string `json:"text"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	check, err := s.Rules.Check(in.Text, nil)
	if err != nil && len(check.Findings) == 0 {
		return err
	}
	return noStore(c, http.StatusOK, map[string]any{"ok": err == nil, "findings": check.Findings, "rules": check.Rules})
}

// testPolicy handles POST /admin/policies/test: one request, or every test, by
// the text given, the draft, or what is published.
func (s *Server) testPolicy(c echo.Context) error {
	var in struct {
		Against string            `json:"against"`
		Text    *string           `json:"text"`
		Request *rulebook.Request `json:"request"`
		Tests   []rulebook.Test   `json:"tests"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	if in.Against == "published" && in.Request != nil && in.Text == nil {
		r, err := s.Rules.TryPublished(*in.Request)
		if err != nil {
			return err
		}
		return noStore(c, http.StatusOK, r)
	}
	text, tests, err := s.textAndTests(c, orElse(in.Against, "draft"))
	if err != nil {
		return err
	}
	if in.Text != nil {
		text = *in.Text
	}
	if in.Request != nil {
		r, err := s.Rules.Try(text, *in.Request)
		if err != nil {
			return err
		}
		return noStore(c, http.StatusOK, r)
	}
	if in.Tests != nil {
		tests = in.Tests
	}
	check, err := s.Rules.Check(text, tests)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, map[string]any{"results": check.Results, "failing": len(check.Failing())})
}

// textAndTests are those of the draft or of the newest published version.
func (s *Server) textAndTests(c echo.Context, of string) (string, []rulebook.Test, error) {
	ctx := c.Request().Context()
	switch of {
	case "draft":
		d, err := s.Rules.Draft(ctx)
		return d.Text, d.Tests, err
	case "published":
		list, err := s.Rules.Versions(ctx, 0, 1)
		if err != nil || len(list) == 0 {
			return "", nil, err
		}
		return list[0].Text, list[0].Tests, nil
	}
	return "", nil, fault.New(fault.Invalid, "policy.against", "against is draft or published.")
}

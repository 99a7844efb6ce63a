package handlers

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/rulebook"
	"github.com/vivified/vivified/views"
)

// testsPage handles GET /console/policies/tests: they are run each time.
func (s *Server) testsPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	d, err := s.Rules.Draft(ctx)
	if err != nil {
		return err
	}
	p := views.PolicyTests{Add: views.Action{Label: "Add a test", Icon: "plus", Get: true, Href: views.PathPolicyNewTest}}
	if p.Head, err = v.policyHead(ctx, views.PathPolicyTests, "Tests", d); err != nil {
		return err
	}
	check, err := s.Rules.Check(d.Text, d.Tests)
	if err != nil {
		f := fault.Of(err)
		if f.Kind != fault.Unprocessable {
			return err
		}
		p.Broken = f.Sentence
	}
	p.Failed = len(check.Failing())
	for i, t := range d.Tests {
		row := views.TestRow{
			Number: i + 1, Name: t.Name, Action: string(t.Request.Action), Who: orElse(t.Request.Subject.Name, t.Request.Subject.ID, "somebody"),
			What: t.Request.Resource.Name, Expect: views.Status(t.Expect), Rule: t.Rule, Why: p.Broken,
			Actions: []views.Action{
				{Label: "Edit", Object: t.Name, Icon: "pencil", Get: true, Href: views.PolicyTestPath(i + 1)},
				{Label: "Remove", Object: t.Name, Icon: "trash-2", Href: views.PolicyTestPath(i+1, "remove"),
					Fields: []views.Hidden{{Name: "revision", Value: strconv.FormatInt(d.Revision, 10)}}},
			},
		}
		if t.Request.Target != nil && t.Request.Target.ID != "" {
			row.What = strings.TrimSpace(orElse(t.Request.Target.Name, t.Request.Target.ID) + " " + row.What)
		}
		if i < len(check.Results) {
			row.Pass, row.Why = check.Results[i].Pass, check.Results[i].Why
		}
		p.Rows = append(p.Rows, row)
	}
	return answer(c, v, http.StatusOK, policyFrame("Tests"), p, views.PolicyTestsPage, views.PolicyTestsBody)
}

// testNumber reads the place of a test in the address: from 1; 0 for a new one.
func testNumber(c echo.Context, d rulebook.Draft) (int, error) {
	if c.Param("number") == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(c.Param("number"))
	if err != nil || n < 1 || n > len(d.Tests) {
		return 0, fault.New(fault.NotFound, "policy.test", "The draft has no such test.")
	}
	return n, nil
}

// newTest is what the form of a new test begins with.
const newTest = `{
  "action": "operator.call",
  "subject": {"kind": "plugin", "id": "hello-greeter", "tenant": "default", "state": "active", "traits": []},
  "target": {"kind": "plugin", "id": "hello-publisher", "tenant": "default", "state": "active", "traits": []},
  "resource": {"name": "get_profile", "classes": ["internal"], "declared": true, "granted": true},
  "at": "2026-03-17T04:30:00Z"
}`

// testPage handles GET /console/policies/tests/new and /tests/:number. A decision
// named in the address gives a new test its facts.
func (s *Server) testPage(c echo.Context) error {
	d, err := s.Rules.Draft(c.Request().Context())
	if err != nil {
		return err
	}
	n, err := testNumber(c, d)
	if err != nil {
		return err
	}
	t, request := rulebook.Test{Expect: "deny"}, newTest
	switch id := c.QueryParam("decision"); {
	case n > 0:
		t = d.Tests[n-1]
		request = indented(t.Request)
	case id != "":
		if t, err = s.testOf(c, id); err != nil {
			return err
		}
		request = indented(t.Request)
	}
	return s.answerTest(c, http.StatusOK, d, n, t, request, nil)
}

// testOf returns a test of what was decided: the facts as they were recorded, and
// the outcome they had.
func (s *Server) testOf(c echo.Context, id string) (rulebook.Test, error) {
	c.SetParamNames("id")
	c.SetParamValues(id)
	records, err := s.decisionRecords(c)
	if err != nil {
		return rulebook.Test{}, err
	}
	var said struct {
		Facts      *gate.Facts `json:"facts"`
		Deliveries []struct {
			Facts gate.Facts `json:"facts"`
		} `json:"deliveries"`
	}
	t := rulebook.Test{Expect: "allow", Request: rulebook.Request{Action: policy.Action(records[0].Action)}}
	if records[0].Outcome == audit.Deny {
		t.Expect = "deny"
	}
	switch err := json.Unmarshal(records[0].Detail, &said); {
	case err == nil && said.Facts != nil:
		t.Request.Facts = *said.Facts
	case err == nil && len(said.Deliveries) > 0:
		t.Request.Facts = said.Deliveries[0].Facts
	default:
		return t, fault.New(fault.NotFound, "policy.test", "The record of this decision has no facts to make a test of.")
	}
	return t, nil
}

// indented writes a request as people read JSON.
func indented(r rulebook.Request) string {
	raw, err := json.Marshal(r)
	if err != nil {
		return ""
	}
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}

// answerTest draws the form of a test, with how the draft decides it.
func (s *Server) answerTest(c echo.Context, status int, d rulebook.Draft, n int, t rulebook.Test, request string, refused *fault.Fault) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	fields := []views.Field{
		{Name: "name", Label: "What it shows", Value: t.Name, Required: true, MaxLength: 120, Placeholder: "The greeter is refused at night"},
		{Name: "request", Label: "Request, as JSON", Type: views.Area, Value: request, Mono: true, Required: true,
			Help: "The facts of a decision in names, as Why denied and the audit show them."},
		{Name: "expect", Label: "Has to be decided", Type: views.Select, Value: t.Expect, Options: []views.Option{{Value: "deny", Label: "Denied"}, {Value: "allow", Label: "Allowed"}}},
		{Name: "rule", Label: "By the rule", Value: t.Rule, Mono: true, Placeholder: "admin.night", Help: "Empty: by any."},
	}
	p := views.PolicyTest{Number: n, Revision: d.Revision}
	if refused != nil {
		p.Errors = corrections(refused, &fields[0], &fields[1], &fields[2], &fields[3])
	}
	p.Fields = fields
	title := "New test"
	if n > 0 {
		title = "Test " + strconv.Itoa(n)
	}
	var err error
	if p.Head, err = v.policyHead(ctx, views.PathPolicyTests, title, d); err != nil {
		return err
	}
	if n > 0 && refused == nil {
		if r, err := s.Rules.Try(d.Text, t.Request); err == nil {
			p.Steps, p.Verdict = steps(r.Reasons), r.Why
		}
	}
	return answer(c, v, status, policyFrame(title), p, views.PolicyTestPage, views.PolicyTestBody)
}

// saveTest handles POST /console/policies/tests and /tests/:number.
func (s *Server) saveTest(c echo.Context) error {
	ctx := c.Request().Context()
	in, err := formOf(c)
	if err != nil {
		return err
	}
	d, err := s.draftAt(ctx, revisionOf(in.Get("revision")))
	if err != nil {
		return err
	}
	n, err := testNumber(c, d)
	if err != nil {
		return err
	}
	t := rulebook.Test{Name: strings.TrimSpace(in.Get("name")), Expect: in.Get("expect"), Rule: strings.TrimSpace(in.Get("rule"))}
	request := in.Get("request")
	if err := json.Unmarshal([]byte(request), &t.Request); err != nil {
		f := fault.New(fault.Unprocessable, "policy.test", "The request is not JSON of the form it should have: %s.", err.Error())
		f.Violations = []fault.Violation{{Rule: f.Code, Path: "/request", Message: f.Sentence}}
		return s.answerTest(c, http.StatusUnprocessableEntity, d, n, t, request, f)
	}
	tests := slices.Clone(d.Tests)
	if n == 0 {
		tests = append(tests, t)
	} else {
		tests[n-1] = t
	}
	_, check, err := s.Rules.Save(ctx, rulebook.Edit{Tests: &tests, Revision: d.Revision})
	if err != nil {
		f := fault.Of(err)
		if !isForm(f) {
			return err
		}
		return s.answerTest(c, http.StatusUnprocessableEntity, d, n, t, request, oneTest(f))
	}
	told := flash{Text: "The test is saved, and passes."}
	if i := len(tests) - 1; n > 0 && !check.Results[n-1].Pass || n == 0 && !check.Results[i].Pass {
		told = flash{Tone: views.Warn, Text: "The test is saved, and fails."}
	}
	return s.done(c, told, views.PathPolicyTests)
}

// oneTest has the violations of a list of tests name the fields of one.
func oneTest(f *fault.Fault) *fault.Fault {
	g := *f
	g.Violations = slices.Clone(f.Violations)
	for i, v := range g.Violations {
		if strings.Contains(v.Path, "/request/") {
			g.Violations[i].Path = "/request"
		}
	}
	return &g
}

// removeTest handles POST /console/policies/tests/:number/remove.
func (s *Server) removeTest(c echo.Context) error {
	ctx := c.Request().Context()
	in, err := formOf(c)
	if err != nil {
		return err
	}
	d, err := s.draftAt(ctx, revisionOf(in.Get("revision")))
	if err != nil {
		return err
	}
	n, err := testNumber(c, d)
	if err != nil {
		return err
	}
	name := d.Tests[n-1].Name
	tests := slices.Delete(slices.Clone(d.Tests), n-1, n)
	if _, _, err := s.Rules.Save(ctx, rulebook.Edit{Tests: &tests, Revision: d.Revision}); err != nil {
		return err
	}
	return s.done(c, flash{Text: "The test “" + name + "” is removed."}, views.PathPolicyTests)
}

package handlers

import (
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/rulebook"
	"github.com/vivified/vivified/core/trait"
)

// rules is how many bytes a request may have that carries rules and their tests.
const rules = 512 << 10

// apiPolicies are the routes of the rules: to be read by those who look, to be
// written by those who manage them. What a replay found is in the audit, and
// who waits is business of managers.
func (s *Server) apiPolicies() []route {
	view, manage := []trait.ID{trait.Viewer}, []trait.ID{trait.PolicyManager}
	const at = "/admin/policies"
	return []route{
		{method: get, path: at, who: users, needs: view, action: "policy.view", handler: s.listPolicies},
		{method: get, path: at + "/schema", who: users, needs: view, action: "policy.view", handler: s.policySchema},
		{method: get, path: at + "/coverage", who: users, needs: view, action: "policy.view", handler: s.policyCoverage},
		{method: get, path: at + "/draft", who: users, needs: view, action: "policy.view", handler: s.showDraft},
		{method: put, path: at + "/draft", who: users, needs: manage, action: "policy.draft", handler: s.saveDraft, body: rules},
		{method: post, path: at + "/draft/discard", who: users, needs: manage, action: "policy.draft", handler: s.discardDraft},
		{method: post, path: at + "/validate", who: users, needs: view, action: "policy.view", handler: s.validatePolicy, body: rules},
		{method: post, path: at + "/test", who: users, needs: view, action: "policy.view", handler: s.testPolicy, body: rules},
		{method: post, path: at + "/publish", who: users, needs: manage, action: "policy.publish", handler: s.publishPolicy, fresh: true},
		{method: get, path: at + "/versions", who: users, needs: view, action: "policy.view", handler: s.listPolicyVersions},
		{method: get, path: at + "/versions/:version", who: users, needs: view, action: "policy.view", handler: s.showPolicyVersion},
		{method: post, path: at + "/versions/:version/restore", who: users, needs: manage, action: "policy.restore", handler: s.restorePolicy, fresh: true},
		{method: get, path: at + "/diff", who: users, needs: view, action: "policy.view", handler: s.diffPolicies},
		{method: get, path: at + "/waiting", who: users, needs: manage, action: "policy.view", handler: s.listPolicyWaiting},
		{method: post, path: at + "/waiting/:id/approve", who: users, needs: manage, action: "policy.publish", handler: s.approvePolicy, fresh: true},
		{method: post, path: at + "/waiting/:id/deny", who: users, needs: manage, action: "policy.publish", handler: s.denyPolicy},
		{method: post, path: at + "/waiting/:id/withdraw", who: users, needs: manage, action: "policy.publish", handler: s.withdrawPolicy},
		{method: get, path: at + "/shadow", who: users, needs: manage, action: "policy.shadow", handler: s.listShadows},
		{method: post, path: at + "/shadow", who: users, needs: manage, action: "policy.shadow", handler: s.startShadow},
		{method: get, path: at + "/shadow/:id", who: users, needs: manage, action: "policy.shadow", handler: s.showShadow},
		{method: get, path: at + "/shadow/:id/flips", who: users, needs: manage, action: "policy.shadow", handler: s.listFlips},
		{method: del, path: at + "/shadow/:id", who: users, needs: manage, action: "policy.shadow", handler: s.cancelShadow},
	}
}

// ruleView is one rule, built in or an administrator's.
type ruleView struct {
	ID       string          `json:"id"`
	Builtin  bool            `json:"builtin"`
	Effect   string          `json:"effect,omitempty"` // of an administrator's
	Sentence string          `json:"sentence"`
	Actions  []policy.Action `json:"actions"`
	Grantors []string        `json:"grantors"`
	Denials  uint64          `json:"denials"` // of this replica, since its start
	Line     int             `json:"line,omitempty"`
}

// listPolicies handles GET /admin/policies: the built-in rules in the order they
// are asked, then the administrators'.
func (s *Server) listPolicies(c echo.Context) error {
	denials := s.Gate.Meter().Denials()
	items := []ruleView{}
	for _, r := range policy.Rules() {
		v := ruleView{ID: r.ID, Builtin: true, Sentence: r.Sentence, Actions: r.Actions, Grantors: r.Grantors, Denials: denials[r.ID]}
		if v.Actions == nil {
			v.Actions = []policy.Action{}
		}
		if v.Grantors == nil {
			v.Grantors = []string{}
		}
		items = append(items, v)
	}
	for _, r := range s.Rules.RulesInForce() {
		items = append(items, ruleView{
			ID: r.ID, Effect: r.Effect, Sentence: r.Sentence, Actions: r.Actions, Grantors: []string{"policy_manager"}, Denials: denials[r.ID], Line: r.Line,
		})
	}
	return noStore(c, http.StatusOK, map[string]any{"items": items, "in_force": s.Rules.InForce()})
}

// policySchema handles GET /admin/policies/schema.
func (s *Server) policySchema(c echo.Context) error {
	return c.JSON(http.StatusOK, map[string]any{"schema": policy.Schema(), "actions": policy.Actions()})
}

// policyCoverage handles GET /admin/policies/coverage: every rule there is, those
// that never applied too.
func (s *Server) policyCoverage(c echo.Context) error {
	over := orElse(c.QueryParam("over"), "24h")
	span, ok := rulebook.Spans[over]
	if !ok {
		return fault.New(fault.Invalid, "query.over", "over is 24h, 7d or 30d.")
	}
	counts, err := s.Rules.Coverage(c.Request().Context(), span)
	if err != nil {
		return err
	}
	items := []rulebook.Coverage{}
	add := func(id string) {
		one := counts[id]
		one.Rule = id
		items = append(items, one)
	}
	for _, r := range policy.Rules() {
		add(r.ID)
	}
	for _, r := range s.Rules.RulesInForce() {
		add(r.ID)
	}
	return noStore(c, http.StatusOK, map[string]any{"items": items, "over": over})
}

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

// publishPolicy handles POST /admin/policies/publish: 201 with the version, or
// 202 with what waits for a second person.
func (s *Server) publishPolicy(c echo.Context) error {
	var in struct {
		Revision int64  `json:"revision"`
		Comment  string `json:"comment"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	out, err := s.Rules.Publish(c.Request().Context(), in.Revision, in.Comment)
	return afterPublishing(c, out, err)
}

func afterPublishing(c echo.Context, out rulebook.Outcome, err error) error {
	switch {
	case err != nil:
		return err
	case out.Version == nil:
		return noStore(c, http.StatusAccepted, out)
	}
	return noStore(c, http.StatusCreated, out)
}

// versionView is a version in a list, without its text.
type versionView struct {
	Version      int64     `json:"version"`
	Digest       string    `json:"sha256"`
	Comment      string    `json:"comment"`
	Restored     *int64    `json:"restored,omitempty"`
	Author       string    `json:"author"`
	AuthorName   string    `json:"author_name"`
	Approver     string    `json:"approver,omitempty"`
	ApproverName string    `json:"approver_name,omitempty"`
	PublishedAt  time.Time `json:"published_at"`
	Tests        int       `json:"tests"`
}

// listPolicyVersions handles GET /admin/policies/versions.
func (s *Server) listPolicyVersions(c echo.Context) error {
	limit, err := pageSize(c, 50, 200)
	if err != nil {
		return err
	}
	before, err := numberCursor(c)
	if err != nil {
		return err
	}
	list, err := s.Rules.Versions(c.Request().Context(), before, limit)
	if err != nil {
		return err
	}
	items, next := []versionView{}, ""
	for _, v := range list {
		items = append(items, versionView{v.Number, v.Digest, v.Comment, v.Restored, v.Author, v.AuthorName, v.Approver, v.ApproverName, v.PublishedAt, len(v.Tests)})
	}
	if len(list) == limit && list[limit-1].Number > 1 {
		next = strconv.FormatInt(list[limit-1].Number, 10)
	}
	return noStore(c, http.StatusOK, map[string]any{"items": items, "next_cursor": next, "in_force": s.Rules.InForce()})
}

// numberCursor reads ?cursor of a list whose places are numbers.
func numberCursor(c echo.Context) (int64, error) {
	raw := c.QueryParam("cursor")
	if raw == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || n < 1 {
		return 0, fault.New(fault.Invalid, "query.cursor", "The cursor is the one of the page before.")
	}
	return n, nil
}

// versionParam reads the number in the address.
func versionParam(c echo.Context) (int64, error) {
	n, err := strconv.ParseInt(c.Param("version"), 10, 64)
	if err != nil || n < 1 {
		return 0, fault.New(fault.NotFound, "policy.version", "There is no such version of the policy.")
	}
	return n, nil
}

// showPolicyVersion handles GET /admin/policies/versions/:version.
func (s *Server) showPolicyVersion(c echo.Context) error {
	n, err := versionParam(c)
	if err != nil {
		return err
	}
	v, err := s.Rules.Version(c.Request().Context(), n)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, v)
}

// restorePolicy handles POST /admin/policies/versions/:version/restore.
func (s *Server) restorePolicy(c echo.Context) error {
	n, err := versionParam(c)
	if err != nil {
		return err
	}
	var in struct {
		Comment string `json:"comment"`
	}
	if err := bind(c, &in); err != nil {
		return err
	}
	out, err := s.Rules.Restore(c.Request().Context(), n, in.Comment)
	return afterPublishing(c, out, err)
}

// diffPolicies handles GET /admin/policies/diff.
func (s *Server) diffPolicies(c echo.Context) error {
	d, err := s.Rules.Diff(c.Request().Context(), orElse(c.QueryParam("from"), "published"), orElse(c.QueryParam("to"), "draft"))
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, d)
}

// listPolicyWaiting handles GET /admin/policies/waiting.
func (s *Server) listPolicyWaiting(c echo.Context) error {
	list, err := s.Rules.Waiting(c.Request().Context())
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, map[string]any{"items": list})
}

// waitingParam reads the id of a publication that waits, and the reason given.
func waitingParam(c echo.Context) (id uuid.UUID, reason string, err error) {
	if id, err = waitingID(c); err != nil {
		return id, "", err
	}
	var in struct {
		Reason string `json:"reason"`
	}
	err = bind(c, &in)
	return id, in.Reason, err
}

// approvePolicy handles POST /admin/policies/waiting/:id/approve.
func (s *Server) approvePolicy(c echo.Context) error {
	id, reason, err := waitingParam(c)
	if err != nil {
		return err
	}
	v, err := s.Rules.Approve(c.Request().Context(), id, reason)
	if err != nil {
		return err
	}
	return noStore(c, http.StatusOK, rulebook.Outcome{Version: &v})
}

// denyPolicy handles POST /admin/policies/waiting/:id/deny.
func (s *Server) denyPolicy(c echo.Context) error {
	id, reason, err := waitingParam(c)
	if err != nil {
		return err
	}
	if err := s.Rules.Deny(c.Request().Context(), id, reason); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "denied"})
}

// withdrawPolicy handles POST /admin/policies/waiting/:id/withdraw.
func (s *Server) withdrawPolicy(c echo.Context) error {
	id, _, err := waitingParam(c)
	if err != nil {
		return err
	}
	if err := s.Rules.Withdraw(c.Request().Context(), id); err != nil {
		return err
	}
	return c.JSON(http.StatusOK, map[string]string{"status": "withdrawn"})
}

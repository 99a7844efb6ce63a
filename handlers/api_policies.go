package handlers

import (
	"net/http"

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

package handlers

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/rulebook"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// consolePolicies are the pages of the rules, all of them for those who manage them.
func (s *Server) consolePolicies() []route {
	manage := []trait.ID{trait.PolicyManager}
	const (
		versions = views.PathPolicyVersions + "/:version"
		tests    = views.PathPolicyTests + "/:number"
		shadow   = views.PathPolicyShadow + "/:id"
		waiting  = views.PathPolicyWaiting + "/:id"
	)
	return []route{
		{method: get, path: views.PathPolicies, who: users, needs: manage, action: "policy.view", handler: s.policiesPage},
		{method: get, path: views.PathPolicyDraft, who: users, needs: manage, action: "policy.view", handler: s.draftPage},
		{method: post, path: views.PathPolicyDraft, who: users, needs: manage, action: "policy.draft", handler: s.keepDraft, body: rules},
		{method: get, path: views.PathPolicyDiscard, who: users, needs: manage, action: "policy.draft", handler: s.askDiscard},
		{method: post, path: views.PathPolicyDiscard, who: users, needs: manage, action: "policy.draft", handler: s.discardEdits, body: form},
		{method: get, path: views.PathPolicyTests, who: users, needs: manage, action: "policy.view", handler: s.testsPage},
		{method: get, path: views.PathPolicyNewTest, who: users, needs: manage, action: "policy.draft", handler: s.testPage},
		{method: post, path: views.PathPolicyTests, who: users, needs: manage, action: "policy.draft", handler: s.saveTest, body: form},
		{method: get, path: tests, who: users, needs: manage, action: "policy.view", handler: s.testPage},
		{method: post, path: tests, who: users, needs: manage, action: "policy.draft", handler: s.saveTest, body: form},
		{method: post, path: tests + "/remove", who: users, needs: manage, action: "policy.draft", handler: s.removeTest, body: form},
		{method: get, path: views.PathPolicyVersions, who: users, needs: manage, action: "policy.view", handler: s.versionsPage},
		{method: get, path: versions + "/restore", who: users, needs: manage, action: "policy.restore", handler: s.askRestoreRules},
		{method: post, path: versions + "/restore", who: users, needs: manage, action: "policy.restore", handler: s.restoreRules, body: form, fresh: true},
		{method: get, path: views.PathPolicyPublish, who: users, needs: manage, action: "policy.publish", handler: s.askPublish},
		{method: post, path: views.PathPolicyPublish, who: users, needs: manage, action: "policy.publish", handler: s.publishDraft, body: form, fresh: true},
		{method: get, path: waiting + "/approve", who: users, needs: manage, action: "policy.publish", handler: s.askApproveRules},
		{method: post, path: waiting + "/approve", who: users, needs: manage, action: "policy.publish", handler: s.approveRules, body: form, fresh: true},
		{method: get, path: waiting + "/deny", who: users, needs: manage, action: "policy.publish", handler: s.askDenyRules},
		{method: post, path: waiting + "/deny", who: users, needs: manage, action: "policy.publish", handler: s.denyRules, body: form},
		{method: post, path: waiting + "/withdraw", who: users, needs: manage, action: "policy.publish", handler: s.withdrawRules, body: form},
		{method: get, path: views.PathPolicyShadow, who: users, needs: manage, action: "policy.shadow", handler: s.shadowsPage},
		{method: post, path: views.PathPolicyShadow, who: users, needs: manage, action: "policy.shadow", handler: s.beginShadow, body: form},
		{method: get, path: shadow, who: users, needs: manage, action: "policy.shadow", handler: s.shadowsPage},
		{method: post, path: shadow + "/cancel", who: users, needs: manage, action: "policy.shadow", handler: s.endShadow, body: form},
	}
}

// policyFrame is where the pages of the rules stand.
func policyFrame(title string) frame {
	return at(views.PathPolicies, "Govern", "", "Policies", views.PathPolicies, title, "")
}

// policyHead is the head of a page of the rules.
func (v *visit) policyHead(ctx context.Context, path, title string, d rulebook.Draft) (views.PolicyHead, error) {
	h := views.PolicyHead{Title: title + ", policies", Changed: d.Changed, Tabs: views.PolicyTabs(path, len(d.Tests))}
	standing := v.Rules.InForce()
	h.Version = standing.Version
	if h.Version > 0 {
		now, err := v.Rules.Version(ctx, h.Version)
		if err != nil {
			return h, err
		}
		h.Since, h.By = now.PublishedAt, now.AuthorName
	}
	waiting, err := v.Rules.Waiting(ctx)
	if err != nil {
		return h, err
	}
	publish := views.Action{Label: "Publish", Icon: "upload", Primary: true, Ask: true, Get: true, Href: views.PathPolicyPublish}
	switch {
	case standing.Broken != "":
		h.Banner = &views.Banner{Tone: views.Danger, Title: "The newest version is not in force here.", Text: standing.Broken + " The last one that did stays in force."}
	case len(waiting) > 0:
		h.Banner = v.waitingBanner(waiting[0])
		publish.Why = &views.Why{Text: "A publication waits for a second person."}
	}
	if !d.Changed {
		publish.Why = &views.Why{Text: "The draft is what is published already."}
	}
	h.Actions = []views.Action{publish}
	return h, nil
}

// waitingBanner tells of a publication that waits for a second person.
func (v *visit) waitingBanner(w rulebook.Waiting) *views.Banner {
	id := w.ID.String()
	b := &views.Banner{
		Tone: views.Warn, Title: w.AuthorName + " asks to publish.",
		Text: count(w.Diff.Added, "line", "lines") + " added, " + strconv.Itoa(w.Diff.Removed) + " removed; it waits for a second person until " + day(w.ExpiresAt) + ". " + w.Comment,
	}
	if w.Author == v.who.ID {
		b.Actions = []views.Action{{Label: "Withdraw", Icon: "undo-2", Href: views.PolicyWaitingPath(id, "withdraw")}}
		return b
	}
	b.Actions = []views.Action{
		{Label: "Approve", Icon: "check", Ask: true, Get: true, Href: views.PolicyWaitingPath(id, "approve")},
		{Label: "Deny", Icon: "ban", Ask: true, Get: true, Danger: true, Href: views.PolicyWaitingPath(id, "deny")},
	}
	return b
}

// policiesPage handles GET /console/policies.
func (s *Server) policiesPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	d, err := s.Rules.Draft(ctx)
	if err != nil {
		return err
	}
	p := views.Policies{Span: "24h"}
	if p.Head, err = v.policyHead(ctx, views.PathPolicies, "Rules", d); err != nil {
		return err
	}
	if _, ok := rulebook.Spans[c.QueryParam("over")]; ok {
		p.Span = c.QueryParam("over")
	}
	counts, err := s.Rules.Coverage(ctx, rulebook.Spans[p.Span])
	if err != nil {
		return err
	}
	for _, r := range policy.Rules() {
		p.Builtin = append(p.Builtin, v.ruleRow(r.ID, r.Sentence, nil, counts))
	}
	for _, r := range s.Rules.RulesInForce() {
		row := v.ruleRow(r.ID, r.Sentence, r.Actions, counts)
		row.Effect, row.Line = r.Effect, r.Line
		p.Own = append(p.Own, row)
	}
	for _, r := range p.Own {
		if r.Last.IsZero() {
			p.Never++
		}
	}
	return answer(c, v, http.StatusOK, at(views.PathPolicies, "Govern", "", "Policies", ""), p, views.PoliciesPage, views.PoliciesBody)
}

// ruleRow is one rule with how often it applied.
func (v *visit) ruleRow(id, text string, actions []policy.Action, counts map[string]rulebook.Coverage) views.RuleRow {
	n := counts[id]
	row := views.RuleRow{ID: id, Text: text, Matched: n.Matched, Denied: n.Denied, Last: when(n.LastAt)}
	for _, a := range actions {
		row.Actions = append(row.Actions, string(a))
	}
	if v.may(views.PathAudit) && n.Denied > 0 {
		row.Href = views.PathAudit + "?" + url.Values{"rule": {id}, "range": {"7d"}, "outcome": {"deny"}}.Encode()
	}
	return row
}

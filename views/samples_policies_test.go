package views_test

import (
	"strings"
	"time"

	"github.com/vivified/vivified/views"
)

func policyHead(path string) views.PolicyHead {
	return views.PolicyHead{
		Title: "Rules, policies", Version: 41, Since: ago(50 * time.Hour), By: "Mara Lindqvist", Changed: true, Tabs: views.PolicyTabs(path, 3),
		Actions: []views.Action{{Label: "Publish", Icon: "upload", Primary: true, Ask: true, Get: true, Href: views.PathPolicyPublish}},
		Banner: &views.Banner{Tone: views.Warn, Title: "Joel Whitaker asks to publish.", Text: "2 lines added, 1 removed.", Actions: []views.Action{
			{Label: "Approve", Icon: "check", Ask: true, Get: true, Href: views.PolicyWaitingPath(decisionID, "approve")},
			{Label: "Deny", Icon: "ban", Danger: true, Ask: true, Get: true, Href: views.PolicyWaitingPath(decisionID, "deny")},
		}},
	}
}

func policies() views.Policies {
	p := views.Policies{Head: policyHead(views.PathPolicies), Span: "7d", Never: 2}
	for _, id := range []string{"core.active", "core.tenant", "operator.target", "core.dangerous", "event.publish", "operator.endpoint", "operator.grant", "operator.traits", "proxy.trait", "proxy.url", "proxy.address", "proxy.domain", "proxy.approved", "user.sensitive", "data.class", "data.encryption", "event.deliver", "console.access"} {
		p.Builtin = append(p.Builtin, views.RuleRow{ID: id, Text: "Both sides are active plugins or signed-in people.", Matched: 10423, Denied: 12, Last: ago(time.Minute), Href: views.PathAudit + "?q=rule"})
	}
	p.Builtin[3].Matched, p.Builtin[3].Denied, p.Builtin[3].Last, p.Builtin[3].Href = 0, 0, time.Time{}, ""
	for range 12 {
		p.Own = append(p.Own, views.RuleRow{ID: "admin.night", Effect: "forbid", Text: "Nobody is greeted at night.", Actions: []string{"operator.call"}, Line: 3, Matched: 41, Denied: 41, Last: ago(time.Hour)})
	}
	p.Own[1].Effect = "permit"
	return p
}

func policyDraft() views.PolicyDraft {
	return views.PolicyDraft{
		Head: policyHead(views.PathPolicyDraft), Text: strings.Repeat("// nothing\n", 10) + views.PolicyExample, Revision: 7, EditedBy: "Mara Lindqvist", EditedAt: ago(time.Minute), Failing: 1,
		Rules: []views.RuleRow{{ID: "admin.night", Effect: "forbid", Text: "Nobody is greeted at night.", Line: 11}}, Schema: strings.Repeat("entity Plugin;\n", 60),
		Discard: &views.Action{Label: "Discard the edits", Ask: true, Get: true, Href: views.PathPolicyDiscard},
	}
}

func policyDraftRefused() views.PolicyDraft {
	d := policyDraft()
	d.Rules = nil
	d.Findings = []views.FindingRow{{Line: 3, Column: 9, Text: "Nothing is called contxt.", Fix: "Did you mean context?"}, {Line: 14, Column: 1, Text: "A rule ends with a semicolon."}}
	d.Lines = views.Around(d.Text, d.Findings)
	return d
}

func policyTests() views.PolicyTests {
	t := views.PolicyTests{Head: policyHead(views.PathPolicyTests), Failed: 1, Add: views.Action{Label: "Add a test", Icon: "plus", Get: true, Href: views.PathPolicyNewTest}}
	for i := range 20 {
		t.Rows = append(t.Rows, views.TestRow{
			Number: i + 1, Name: "The greeter is refused at night", Action: "operator.call", Who: "Hello Greeter", What: "Hello Publisher get_profile", Expect: views.Denied,
			Rule: "admin.night", Pass: i != 2, Why: "The rules deny by admin.night.", Actions: []views.Action{
				{Label: "Edit", Object: "The greeter is refused at night", Icon: "pencil", Get: true, Href: views.PolicyTestPath(i + 1)},
				{Label: "Remove", Object: "The greeter is refused at night", Icon: "trash-2", Href: views.PolicyTestPath(i+1, "remove"), Fields: []views.Hidden{{Name: "revision", Value: "7"}}},
			},
		})
	}
	return t
}

func policyTest() views.PolicyTest {
	t := views.PolicyTest{Head: policyHead(views.PathPolicyTests), Number: 3, Revision: 7, Steps: steps(), Verdict: "Nobody is greeted at night.", Fields: []views.Field{
		{Name: "name", Label: "What it shows", Value: "The greeter is refused", Required: true},
		{Name: "request", Label: "Request, as JSON", Type: views.Area, Mono: true, Value: "{}", Error: "The request is not JSON.", Required: true},
		{Name: "expect", Label: "Has to be decided", Type: views.Select, Value: "deny", Options: []views.Option{{Value: "deny", Label: "Denied"}, {Value: "allow", Label: "Allowed"}}},
	}}
	t.Errors = views.Errors("1 value needs a correction; nothing was saved", t.Fields...)
	return t
}

func policyVersions() views.PolicyVersions {
	v := views.PolicyVersions{
		Head: policyHead(views.PathPolicyVersions), From: "40", To: "draft", Names: []views.Option{{Value: "draft", Label: "the draft"}, {Value: "40", Label: "version 40"}}, Pager: views.Pager{Older: views.PathPolicyVersions + "?cursor=21"},
		Diff: &views.TextDiff{From: "version 40", To: "draft", Added: 1, Removed: 1, Lines: views.ReadUnified("diff a b\n--- a\n+++ b\n@@ -1,3 +1,3 @@\n a\n-b\n+c\n d\n")},
	}
	for i := range 20 {
		n := int64(41 - i)
		v.Rows = append(v.Rows, views.VersionRow{
			Number: n, At: ago(time.Duration(i) * 26 * time.Hour), By: "Mara Lindqvist", Approver: "Joel Whitaker", Comment: "Nobody is greeted at night", Restored: int64(i % 3), Tests: 12, InForce: i == 0,
			Diff: views.PathPolicyVersions + "?from=1&to=2#diff", Actions: []views.Action{{Label: "Restore", Object: "version 40", Icon: "history", Ask: true, Get: true, Href: views.PolicyVersionPath(n, "restore")}},
		})
	}
	return v
}

func shadowRows() []views.ShadowRow {
	var rows []views.ShadowRow
	for i := range views.ReplaysShown {
		rows = append(rows, views.ShadowRow{ID: decisionID, At: ago(time.Duration(i) * time.Hour), By: "Mara Lindqvist", State: views.Done, Days: 7, Replayed: 18231, Flips: 412, Stale: i > 0, Open: i == 0})
	}
	return rows
}

func shadows() views.Shadows {
	was, now := views.FlipSide{Status: views.Allowed, Rule: "user.sensitive"}, views.FlipSide{Status: views.Denied, Rule: "admin.night"}
	d := &views.ShadowDetail{ShadowRow: shadowRows()[0], Version: "version 41", Against: "published", Reached: ago(70 * time.Hour), Skipped: 3, Pager: views.Pager{Older: views.PathPolicyShadow + "?cursor=30"}}
	for range views.FlipGroupsShown {
		d.Groups = append(d.Groups, views.FlipGroup{Was: was, Now: now, Action: "operator.call", Caller: greeter, Target: publisher, Count: 41, Last: ago(time.Minute), Decision: views.DecisionPath(decisionID)})
	}
	for range views.FlipsPerPage {
		d.Flips = append(d.Flips, views.FlipRow{At: ago(time.Minute), Was: was, Now: now, Action: "operator.call", Caller: greeter, Object: "hello-publisher/get_profile", Decision: views.DecisionPath(decisionID)})
	}
	return views.Shadows{Head: policyHead(views.PathPolicyShadow), Open: d, Rows: shadowRows(), Start: &views.ShadowForm{Fields: []views.Field{{Name: "days", Label: "Days back", Type: views.Number, Value: "7"}}}}
}

func shadowRunning() views.Shadows {
	s := shadows()
	s.Open.Running, s.Open.State, s.Open.Progress, s.Open.Flips, s.Open.Groups = true, views.Running, 0.41, nil, nil
	s.Open.Cancel = &views.Action{Label: "Cancel", Icon: "x", Href: views.ShadowPath(decisionID, "cancel")}
	s.Start.Why = &views.Why{Text: "A replay runs already."}
	return s
}

// policySamples are the pages of the rules.
func policySamples() []sample {
	way := crumbs("Govern", "", "Policies", views.PathPolicies, "Draft", "")
	first := views.PolicyHead{Title: "Rules, policies", Tabs: views.PolicyTabs(views.PathPolicies, 0)}
	return []sample{
		in("policies", views.PathPolicies, way, policies, views.PoliciesPage, views.PoliciesBody),
		in("policies-first", views.PathPolicies, way, func() views.Policies { return views.Policies{Head: first, Span: "24h", Builtin: policies().Builtin} }, views.PoliciesPage, views.PoliciesBody),
		in("policy-draft", views.PathPolicyDraft, way, policyDraft, views.PolicyDraftPage, views.PolicyDraftBody),
		in("policy-draft-refused", views.PathPolicyDraft, way, policyDraftRefused, views.PolicyDraftPage, views.PolicyDraftBody),
		in("policy-draft-first", views.PathPolicyDraft, way, func() views.PolicyDraft { return views.PolicyDraft{Head: first} }, views.PolicyDraftPage, views.PolicyDraftBody),
		in("policy-tests", views.PathPolicyTests, way, policyTests, views.PolicyTestsPage, views.PolicyTestsBody),
		in("policy-tests-first", views.PathPolicyTests, way, func() views.PolicyTests { t := policyTests(); t.Rows = nil; return t }, views.PolicyTestsPage, views.PolicyTestsBody),
		in("policy-test", views.PolicyTestPath(3), way, policyTest, views.PolicyTestPage, views.PolicyTestBody),
		in("policy-versions", views.PathPolicyVersions, way, policyVersions, views.PolicyVersionsPage, views.PolicyVersionsBody),
		in("policy-versions-first", views.PathPolicyVersions, way, func() views.PolicyVersions { return views.PolicyVersions{Head: first} }, views.PolicyVersionsPage, views.PolicyVersionsBody),
		in("policy-shadow", views.ShadowPath(decisionID), way, shadows, views.ShadowsPage, views.ShadowsBody),
		in("policy-shadow-running", views.ShadowPath(decisionID), way, shadowRunning, views.ShadowsPage, views.ShadowsBody),
		in("policy-shadow-first", views.PathPolicyShadow, way, func() views.Shadows { return views.Shadows{Head: first, Start: shadows().Start} }, views.ShadowsPage, views.ShadowsBody),
		alone("policy-publish", views.PathPolicyPublish, func() views.Confirm {
			return views.Confirm{
				Title: "Publish the draft?", Text: "It is in force everywhere within a second.", Back: views.PathPolicyDraft, Action: views.Action{Label: "Publish", Primary: true, Href: views.PathPolicyPublish},
				Reach: []views.KV{
					{Label: "Tests", Body: views.TestsWord(12, 0, "")}, {Label: "Shadow", Body: views.ShadowWord(shadowRows()[0])}, {Label: "Before", Body: views.ShadowWord(views.ShadowRow{})},
					{Label: "Changes", Body: views.UnifiedDiff(*policyVersions().Diff)},
				},
			}
		}, views.ConfirmDialog),
	}
}

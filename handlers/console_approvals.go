package handlers

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// approvalTab is one view of the inbox: its place in the address, its label, and
// what it lists.
type approvalTab struct {
	name, label string
	filter      approval.Filter
	empty       views.Empty
}

// approvalTabs are the views there are.
var approvalTabs = []approvalTab{
	{"", "Waiting", approval.Filter{State: approval.Waiting}, views.Empty{Kind: views.NoneYet, Title: "Nothing waits", Text: "What plugins and people ask for comes here."}},
	{"decided", "Decided", approval.Filter{Decided: true}, views.Empty{Kind: views.NoneYet, Title: "Nothing was decided yet", Text: "Each word on a request stays here, with its reason."}},
	{"mine", "Yours", approval.Filter{Mine: true}, views.Empty{Kind: views.NoneYet, Title: "You asked for nothing yet", Text: "Ask for a trait here, or from the page that says why you were refused."}},
}

// approvalsPage handles GET /console/approvals. Whoever may decide on nothing sees
// what they asked for.
func (s *Server) approvalsPage(c echo.Context) error {
	ctx, v, q := c.Request().Context(), s.visit(c.Request()), c.QueryParams()
	sees := approval.Sees(v.who.Traits)
	i := max(0, slices.IndexFunc(approvalTabs, func(t approvalTab) bool { return t.name == q.Get("tab") }))
	if len(sees) == 0 {
		i = len(approvalTabs) - 1
	}
	tab := approvalTabs[i]
	f := tab.filter
	f.Cursor, f.Limit = q.Get("after"), views.ApprovalsPerPage
	if k := approval.Kind(q.Get("kind")); slices.Contains(approval.Kinds(), k) {
		f.Kind = k
	}
	page, err := s.Approvals.List(ctx, f)
	if err != nil {
		return err
	}
	props := views.Approvals{
		Filter: approvalFilter(tab.name, f.Kind), Empty: tab.empty,
		New: views.Action{Label: "Ask for a trait", Icon: "user-cog", Ask: true, Primary: true, Href: views.PathApprovals + "/new"},
	}
	if f.Kind != "" {
		props.Empty = props.Filter.Clear("No request of this kind.")
	}
	for j, t := range approvalTabs {
		if len(sees) > 0 || t.filter.Mine {
			to := url.Values{}
			if t.name != "" {
				to.Set("tab", t.name)
			}
			props.Tabs = append(props.Tabs, views.Tab{Label: t.label, Href: strings.TrimSuffix(views.PathApprovals+"?"+to.Encode(), "?"), Current: i == j})
		}
	}
	for _, r := range page.Requests {
		props.Rows = append(props.Rows, v.approvalRow(ctx, r))
	}
	if f.Cursor != "" {
		props.Pager.Newer = props.Filter.Link(views.PathApprovals, nil)
	}
	if page.Next != "" {
		props.Pager.Older = props.Filter.Link(views.PathApprovals, url.Values{"after": {page.Next}})
	}
	return answer(c, v, http.StatusOK, at(views.PathApprovals, "Home", "", "Approvals", ""), props, views.ApprovalsPage, views.ApprovalsBody)
}

// approvalFilter is the bar above the inbox.
func approvalFilter(tab string, kind approval.Kind) views.Filter {
	var kinds []views.Option
	for _, k := range approval.Kinds() {
		kinds = append(kinds, views.Option{Value: string(k), Label: views.ApprovalKind(k).Word()})
	}
	f := views.Filter{Path: views.PathApprovals, Fields: []views.FilterField{{Name: "kind", Label: "Kind", Value: string(kind), Options: kinds}}}
	if tab != "" {
		f.Keep = url.Values{"tab": {tab}}
	}
	return f
}

// approvalStates are the states of requests as views know them.
var approvalStates = map[approval.State]views.Status{
	approval.Waiting: views.Waiting, approval.Approved: views.Approved, approval.Denied: views.Denied, approval.Withdrawn: views.Withdrawn, approval.Expired: views.Expired,
}

// approvalRow is a request as the inbox shows it.
func (v *visit) approvalRow(ctx context.Context, r approval.Request) views.ApprovalRow {
	row := views.ApprovalRow{
		ID: r.ID.String(), Kind: views.ApprovalKind(r.Kind), Title: v.wants(ctx, r), Terms: approvalTerms(r), Reason: r.Reason,
		At: r.AskedAt, Expires: r.Expires, State: approvalStates[r.State], Actions: v.approvalActions(ctx, r),
	}
	if len(r.Askers) > 0 {
		row.By, row.Others = v.asker(ctx, r.Askers[0].ID), len(r.Askers)-1
	}
	return row
}

// asker is who asks: a plugin whose doing raised the request, or a person.
func (v *visit) asker(ctx context.Context, id string) views.Party {
	if _, ok := v.snap.Plugin(id); ok {
		return v.plugin(id)
	}
	return v.party(string(actor.User), id, v.nameOf(ctx, id))
}

// wants says what a request is about, as a sentence.
func (v *visit) wants(ctx context.Context, r approval.Request) string {
	if r.Kind == approval.Policy || r.Kind == approval.Setting {
		return v.wantsOfTwo(ctx, r)
	}
	who := v.nameOf(ctx, r.Subject)
	switch {
	case r.Kind == approval.Elevation:
		return who + " asks for " + joined(r.Terms.Traits)
	case r.Kind == approval.Grant:
		return who + " wants to call " + v.nameOf(ctx, r.Object)
	case r.Kind == approval.Widening:
		return who + " asks for more"
	case r.Terms.Learned:
		return who + " asked for " + r.Object + ", which it does not declare"
	}
	return who + " wants to reach " + r.Object
}

// approvalTerms writes what is asked for beside the thing itself.
func approvalTerms(r approval.Request) string {
	t, parts := r.Terms, []string{}
	if t.Days > 0 {
		parts = append(parts, "for "+count(t.Days, "day", "days"))
	}
	if len(t.Operations) > 0 {
		parts = append(parts, joined(t.Operations))
	}
	if r.Kind == approval.Policy {
		parts = append(parts, joined(t.Adds))
	}
	if r.Kind == approval.Widening {
		parts = append(parts, "version "+t.Version, shortened(t.Adds))
	}
	if len(t.Methods) > 0 {
		parts = append(parts, strings.Join(t.Methods, " "))
	}
	return strings.Join(parts, ", ")
}

// approvalActions are what whoever looks may do about a request now.
func (v *visit) approvalActions(ctx context.Context, r approval.Request) []views.Action {
	if r.State != approval.Waiting {
		return nil
	}
	title := v.wants(ctx, r)
	path := func(verb string) string { return views.ApprovalPath(r.ID.String(), verb) }
	if r.Kind == approval.Policy { // its questions show what changes
		path = func(verb string) string { return views.PolicyWaitingPath(r.Object, verb) }
	}
	var actions []views.Action
	if may := approval.MayDecide(v.who.Traits, r.Kind); may || v.has(trait.Approver) {
		why := v.whyNotDecide(ctx, r, may)
		verb := "Approve"
		if r.Terms.Learned {
			verb = "Propose"
		}
		actions = append(actions,
			views.Action{Label: verb, Object: title, Ask: true, Href: path("approve"), Why: why},
			views.Action{Label: "Deny", Object: title, Ask: true, Danger: true, Href: path("deny"), Why: why})
	}
	if r.AskedBy(v.who.ID) {
		actions = append(actions, views.Action{Label: "Withdraw", Object: title, Href: path("withdraw")})
	}
	return actions
}

// whyNotDecide says why a request is not theirs to decide; nil when it is.
func (v *visit) whyNotDecide(ctx context.Context, r approval.Request, may bool) *views.Why {
	if !may {
		d := approval.Deciders(r.Kind)[0]
		return v.why(ctx, d, "You see this, and others decide it.")
	}
	if !r.Concerns(v.who.ID) {
		return nil
	}
	if v.Approvals.MayDecideOwn(ctx, r.Kind) {
		return nil
	}
	return &views.Why{Text: "Nobody decides what they asked for, or would get.", Grantors: v.decidersBut(ctx, r)}
}

// decidersBut names the people who may decide a request, without those who asked.
func (v *visit) decidersBut(ctx context.Context, r approval.Request) []string {
	var names []string
	for _, u := range v.active(ctx) {
		if approval.MayDecide(u.Traits, r.Kind) && !r.Concerns(u.ID.String()) {
			names = append(names, u.Name)
		}
	}
	return names
}

// approvalOf returns the request an address names.
func (s *Server) approvalOf(c echo.Context) (approval.Request, error) {
	id, err := idParam(c, "id")
	if err != nil {
		return approval.Request{}, err
	}
	return s.Approvals.Get(c.Request().Context(), id)
}

// approvalPage handles GET /console/approvals/:id.
func (s *Server) approvalPage(c echo.Context) error {
	r, err := s.approvalOf(c)
	if err != nil {
		return err
	}
	ctx, v := c.Request().Context(), s.visit(c.Request())
	d := views.ApprovalDetail{ApprovalRow: v.approvalRow(ctx, r), Facts: v.approvalFacts(ctx, r)}
	for i := range d.Actions {
		d.Actions[i].Object = ""
	}
	if len(d.Actions) > 1 {
		d.Actions[0].Primary = true
	}
	for _, a := range r.Askers {
		d.Askers = append(d.Askers, views.ApprovalAsker{Who: v.asker(ctx, a.ID), Reason: a.Reason, At: a.At})
	}
	if r.State == approval.Waiting {
		d.Deciders = v.grantors(ctx, v.snap.Traits().Names(trait.SetOf(approval.Deciders(r.Kind)...))...)
		d.Changes = v.widened(r)
	} else if r.DecidedAt != nil {
		d.Decided = &views.ApprovalWord{By: cmp.Or(v.nameOf(ctx, r.DecidedBy), "Core"), Reason: r.DecidedReason, At: *r.DecidedAt, Until: when(r.GivenUntil), Own: r.Own}
	}
	return answer(c, v, http.StatusOK, at(views.PathApprovals, "Home", "", "Approvals", views.PathApprovals, d.Title, ""), d, views.ApprovalPage, views.ApprovalBody)
}

// approvalFacts lists what is asked for.
func (v *visit) approvalFacts(ctx context.Context, r approval.Request) []views.KV {
	if r.Kind == approval.Policy || r.Kind == approval.Setting {
		return v.factsOfTwo(r)
	}
	subject := v.asker(ctx, r.Subject)
	facts := []views.KV{{Label: "For", Value: subject.Name, Href: subject.Href}}
	add := func(label, value string, mono bool) {
		if value != "" {
			facts = append(facts, views.KV{Label: label, Value: value, Mono: mono})
		}
	}
	switch r.Kind {
	case approval.Egress:
		add("Host", r.Object, true)
		if r.Terms.Learned {
			add("Manifest", "does not declare it: an approval counts once a manifest that does is accepted", false)
		}
	case approval.Elevation:
		facts = append(facts, views.KV{Label: "Trait", Body: views.TraitChips(r.Terms.Traits)})
	case approval.Grant:
		target := v.plugin(r.Object)
		facts = append(facts, views.KV{Label: "To call", Value: target.Name, Href: target.Href})
		add("Operations", cmp.Or(joined(r.Terms.Operations), "any declared one"), false)
	case approval.Widening:
		add("Version", r.Terms.Version, true)
		for _, said := range r.Terms.Adds {
			add("Adds", said, false)
		}
		facts = append(facts, views.KV{Label: "Digest", Value: r.Object, Mono: true, Copy: true})
	}
	if r.Terms.Days > 0 {
		add("For", count(r.Terms.Days, "day", "days"), false)
	}
	if r.Decision != nil {
		facts = append(facts, views.KV{Label: "After", Value: "a denial", Href: views.DecisionPath(r.Decision.String())})
	}
	return facts
}

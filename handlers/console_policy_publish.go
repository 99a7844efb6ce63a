package handlers

import (
	"context"
	"net/http"
	"strconv"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/rulebook"
	"github.com/vivified/vivified/views"
)

// versionsPage handles GET /console/policies/versions.
func (s *Server) versionsPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	d, err := s.Rules.Draft(ctx)
	if err != nil {
		return err
	}
	before, err := numberCursor(c)
	if err != nil {
		return err
	}
	list, err := s.Rules.Versions(ctx, before, views.VersionsPerPage+1)
	if err != nil {
		return err
	}
	p := views.PolicyVersions{From: orElse(c.QueryParam("from"), "published"), To: orElse(c.QueryParam("to"), "draft")}
	if p.Head, err = v.policyHead(ctx, views.PathPolicyVersions, "Versions", d); err != nil {
		return err
	}
	if len(list) > views.VersionsPerPage {
		list = list[:views.VersionsPerPage]
		p.Pager.Older = views.PathPolicyVersions + "?cursor=" + strconv.FormatInt(list[views.VersionsPerPage-1].Number, 10)
	}
	if before > 0 {
		p.Pager.Newer = views.PathPolicyVersions
	}
	p.Names = []views.Option{{Value: "draft", Label: "the draft"}, {Value: "published", Label: "what is published"}}
	for _, one := range list {
		p.Rows = append(p.Rows, v.versionRow(one))
		p.Names = append(p.Names, versionOption(strconv.FormatInt(one.Number, 10)))
	}
	p.Names = append(p.Names, views.Option{Value: "0", Label: "no rules"})
	for _, name := range []string{p.From, p.To} { // of another page of the list
		if !known(p.Names, name) {
			p.Names = append(p.Names, versionOption(name))
		}
	}
	diff, err := s.Rules.Diff(ctx, p.From, p.To)
	if err != nil {
		return err
	}
	p.Diff = textDiff(diff)
	return answer(c, v, http.StatusOK, policyFrame("Versions"), p, views.PolicyVersionsPage, views.PolicyVersionsBody)
}

func versionOption(number string) views.Option {
	return views.Option{Value: number, Label: "version " + number}
}

func known(options []views.Option, value string) bool {
	for _, o := range options {
		if o.Value == value {
			return true
		}
	}
	return false
}

func textDiff(d rulebook.Diff) *views.TextDiff {
	return &views.TextDiff{From: d.From, To: d.To, Added: d.Added, Removed: d.Removed, Lines: views.ReadUnified(d.Unified)}
}

// versionRow is a version in the list, with what it changed and the way back to it.
func (v *visit) versionRow(one rulebook.Version) views.VersionRow {
	number := strconv.FormatInt(one.Number, 10)
	row := views.VersionRow{
		Number: one.Number, At: one.PublishedAt, By: one.AuthorName, Approver: one.ApproverName, Comment: one.Comment, Tests: len(one.Tests),
		InForce: one.Number == v.Rules.InForce().Version, Diff: views.PathPolicyVersions + "?from=" + strconv.FormatInt(one.Number-1, 10) + "&to=" + number + "#diff",
	}
	if one.Restored != nil {
		row.Restored = *one.Restored
	}
	if !row.InForce {
		row.Actions = []views.Action{{Label: "Restore", Object: "version " + number, Icon: "history", Ask: true, Get: true, Href: views.PolicyVersionPath(one.Number, "restore")}}
	}
	return row
}

// askRestoreRules handles GET /console/policies/versions/:version/restore.
func (s *Server) askRestoreRules(c echo.Context) error { return s.confirmRestore(c, http.StatusOK, "") }

func (s *Server) confirmRestore(c echo.Context, status int, refused string) error {
	n, err := versionParam(c)
	if err != nil {
		return err
	}
	diff, err := s.Rules.Diff(c.Request().Context(), "published", strconv.FormatInt(n, 10))
	if err != nil {
		return err
	}
	number := strconv.FormatInt(n, 10)
	return ask(c, s.visit(c.Request()), status, policyFrame("Versions"), views.Confirm{
		Title: "Restore version " + number + "?", Text: "Its rules and tests are published again, as a new version. " + s.whoPublishes(), Back: views.PathPolicyVersions, Error: refused,
		Reach:  []views.KV{{Label: "Changes", Body: views.UnifiedDiff(*textDiff(diff))}},
		Fields: []views.Field{commentField(c)},
		Action: views.Action{Label: "Restore version " + number, Icon: "history", Primary: true, Href: views.PolicyVersionPath(n, "restore")},
	})
}

// whoPublishes says whether publishing takes two.
func (s *Server) whoPublishes() string {
	if s.Rules.FourEyes() {
		return "A second person has to approve it first."
	}
	return "It is in force everywhere within a second."
}

func commentField(c echo.Context) views.Field {
	return views.Field{Name: "comment", Label: "Comment", Help: "For those who read the versions later.", MaxLength: 500, Value: c.FormValue("comment")}
}

// restoreRules handles POST /console/policies/versions/:version/restore.
func (s *Server) restoreRules(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	n, err := versionParam(c)
	if err != nil {
		return err
	}
	out, err := s.Rules.Restore(c.Request().Context(), n, in.Get("comment"))
	if err != nil {
		if f := fault.Of(err); isForm(f) || isRefusal(f) {
			return s.confirmRestore(c, http.StatusUnprocessableEntity, f.Sentence)
		}
		return err
	}
	return s.done(c, publishedFlash(out), views.PathPolicyVersions)
}

// publishedFlash tells what came of publishing.
func publishedFlash(out rulebook.Outcome) flash {
	if out.Version == nil {
		return flash{Tone: views.Info, Text: "It waits for a second person, until " + day(out.Waiting.ExpiresAt) + "."}
	}
	return flash{Text: "Version " + strconv.FormatInt(out.Version.Number, 10) + " is in force."}
}

// askPublish handles GET /console/policies/publish.
func (s *Server) askPublish(c echo.Context) error {
	d, err := s.Rules.Draft(c.Request().Context())
	if err != nil {
		return err
	}
	return s.confirmPublish(c, http.StatusOK, d, "")
}

// confirmPublish shows what publishing changes, what the tests say, and what the
// latest replay of this draft found.
func (s *Server) confirmPublish(c echo.Context, status int, d rulebook.Draft, refused string) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	diff, err := s.Rules.Diff(ctx, "published", "draft")
	if err != nil {
		return err
	}
	replayed, err := v.replayWord(ctx)
	if err != nil {
		return err
	}
	return ask(c, v, status, policyFrame("Draft"), views.Confirm{
		Title: "Publish the draft?", Text: s.whoPublishes(), Back: views.PathPolicyDraft, Error: refused,
		Reach: []views.KV{
			{Label: "Tests", Body: s.testsWord(d)}, {Label: "Shadow", Body: replayed}, {Label: "Changes", Body: views.UnifiedDiff(*textDiff(diff))},
		},
		Fields: []views.Field{commentField(c)},
		Action: views.Action{Label: "Publish", Icon: "upload", Primary: true, Href: views.PathPolicyPublish, Fields: []views.Hidden{{Name: "revision", Value: strconv.FormatInt(d.Revision, 10)}}},
	})
}

// publishDraft handles POST /console/policies/publish.
func (s *Server) publishDraft(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	out, err := s.Rules.Publish(c.Request().Context(), revisionOf(in.Get("revision")), in.Get("comment"))
	if err != nil {
		return s.refusedQuestion(c, err, s.confirmPublish)
	}
	return s.done(c, publishedFlash(out), views.PathPolicies)
}

// waitingID reads the id of a publication that waits.
func waitingID(c echo.Context) (uuid.UUID, error) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return id, fault.New(fault.NotFound, "policy.request_unknown", "No such publication waits.")
	}
	return id, nil
}

// waitingOf returns the publication the address names, while it waits.
func (s *Server) waitingOf(ctx context.Context, c echo.Context) (rulebook.Waiting, error) {
	id, err := waitingID(c)
	if err != nil {
		return rulebook.Waiting{}, err
	}
	list, err := s.Rules.Waiting(ctx)
	if err != nil {
		return rulebook.Waiting{}, err
	}
	for _, w := range list {
		if w.ID == id {
			return w, nil
		}
	}
	return rulebook.Waiting{}, fault.New(fault.NotFound, "policy.request_unknown", "No such publication waits.")
}

// askApproveRules handles GET /console/policies/waiting/:id/approve.
func (s *Server) askApproveRules(c echo.Context) error {
	return s.confirmWaiting(c, http.StatusOK, "approve", "")
}

// askDenyRules handles GET /console/policies/waiting/:id/deny.
func (s *Server) askDenyRules(c echo.Context) error {
	return s.confirmWaiting(c, http.StatusOK, "deny", "")
}

func (s *Server) confirmWaiting(c echo.Context, status int, verb, refused string) error {
	w, err := s.waitingOf(c.Request().Context(), c)
	if err != nil {
		return err
	}
	q := views.Confirm{
		Title: "Publish what " + w.AuthorName + " asks for?", Text: "It is in force everywhere within a second.", Back: views.PathPolicies, Error: refused,
		Reach:  []views.KV{{Label: "Comment", Value: w.Comment}, {Label: "Changes", Body: views.UnifiedDiff(*textDiff(w.Diff))}},
		Fields: []views.Field{{Name: "reason", Label: "Reason", Help: "Kept in the audit.", MaxLength: 500, Required: true, Value: c.FormValue("reason")}},
		Action: views.Action{Label: "Approve", Icon: "check", Primary: true, Href: views.PolicyWaitingPath(w.ID.String(), verb)},
	}
	if verb == "deny" {
		q.Title, q.Text = "Deny what "+w.AuthorName+" asks for?", "Nothing is published; the draft stays as it is."
		q.Action.Label, q.Action.Icon, q.Action.Danger = "Deny", "ban", true
	}
	return ask(c, s.visit(c.Request()), status, policyFrame("Waiting"), q)
}

// approveRules handles POST /console/policies/waiting/:id/approve.
func (s *Server) approveRules(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	id, err := waitingID(c)
	if err != nil {
		return err
	}
	v, err := s.Rules.Approve(c.Request().Context(), id, in.Get("reason"))
	if err != nil {
		return s.refusedWaiting(c, err, "approve")
	}
	return s.done(c, publishedFlash(rulebook.Outcome{Version: &v}), views.PathPolicies)
}

// denyRules handles POST /console/policies/waiting/:id/deny.
func (s *Server) denyRules(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	id, err := waitingID(c)
	if err != nil {
		return err
	}
	if err := s.Rules.Deny(c.Request().Context(), id, in.Get("reason")); err != nil {
		return s.refusedWaiting(c, err, "deny")
	}
	return s.done(c, flash{Text: "It is denied; nothing was published."}, views.PathPolicies)
}

func (s *Server) refusedWaiting(c echo.Context, err error, verb string) error {
	if f := fault.Of(err); isForm(f) || isRefusal(f) {
		return s.confirmWaiting(c, http.StatusUnprocessableEntity, verb, f.Sentence)
	}
	return err
}

// withdrawRules handles POST /console/policies/waiting/:id/withdraw.
func (s *Server) withdrawRules(c echo.Context) error {
	id, err := waitingID(c)
	if err != nil {
		return err
	}
	if err := s.Rules.Withdraw(c.Request().Context(), id); err != nil {
		return err
	}
	return s.done(c, flash{Text: "It is withdrawn."}, views.PathPolicies)
}

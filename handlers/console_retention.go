package handlers

import (
	"cmp"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/retention"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// consoleRetention are the pages of how long the audit is kept.
func (s *Server) consoleRetention() []route {
	read, write := []trait.ID{trait.AuditViewer}, []trait.ID{trait.AuditViewer, trait.Admin}
	const holds, hold = views.PathRetention + "/holds", views.PathRetention + "/holds/:id"
	return []route{
		{method: get, path: views.PathRetention, who: users, needs: read, action: "audit.read", handler: s.retentionPage},
		{method: get, path: views.PathRetention + "/purge", who: users, needs: write, action: "audit.read", handler: s.askPurge},
		{method: post, path: views.PathRetention + "/purge", who: users, needs: write, action: "audit.purge", handler: s.purgeNow, body: form, slow: true, fresh: true},
		{method: get, path: holds + "/new", who: users, needs: write, action: "audit.read", handler: s.askHold},
		{method: post, path: holds, who: users, needs: write, action: "audit.hold", handler: s.placeHoldNow, body: form, fresh: true},
		{method: get, path: hold + "/lift", who: users, needs: write, action: "audit.read", handler: s.askLift},
		{method: post, path: hold + "/lift", who: users, needs: write, action: "audit.hold", handler: s.liftHoldNow, body: form, fresh: true},
		{method: get, path: views.PathRetention + "/archives/:id", who: users, needs: read, action: "audit.export", handler: s.sendArchive, slow: true, fresh: true},
	}
}

func retentionFrame() frame {
	return at(views.PathAudit, "Govern", "", "Audit", views.PathAudit, "Retention", views.PathRetention)
}

// retentionPage handles GET /console/audit/retention.
func (s *Server) retentionPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	due, chains, err := s.nextPurge(c)
	if err != nil {
		return err
	}
	last, err := s.Retention.Last(ctx)
	if err != nil {
		return err
	}
	holds, err := s.Retention.Holds(ctx)
	if err != nil {
		return err
	}
	archives, err := s.Retention.Archives(ctx)
	if err != nil {
		return err
	}
	why := v.why(ctx, trait.Admin, "Only administrators may hold and purge records.")
	props := views.Retention{
		Keep: keepLines(s.Retention.Kept()), Due: due,
		Hold:  views.Action{Label: "Place a hold", Icon: "lock", Primary: true, Get: true, Ask: true, Href: views.RetentionPath("holds", "new"), Why: why},
		Purge: views.Action{Label: "Purge now", Icon: "trash-2", Danger: true, Ask: true, Href: views.RetentionPath("purge"), Why: why},
	}
	if last != nil {
		props.Last = &views.PurgeDone{At: last.Ended, By: last.By, Records: last.Records, Archives: last.Archives, Error: last.Error}
	}
	for _, d := range chains {
		props.Records += d.Records()
		props.Chains = append(props.Chains, views.ChainDue{Name: d.Chain, Records: d.Records(), Stays: d.Stays, StaysAt: d.StaysAt, Hold: d.Hold})
	}
	for _, h := range holds {
		row := views.HoldRow{ID: h.ID.String(), Name: h.Name, Reason: h.Reason, Keeps: scopeWords(h.Scope), By: h.PlacedName, At: h.PlacedAt, LiftedBy: h.LiftedName, LiftReason: h.LiftReason}
		if h.LiftedAt != nil {
			row.LiftedAt = *h.LiftedAt
		} else {
			row.Actions = []views.Action{{Label: "Lift", Object: h.Name, Icon: "x", Danger: true, Ask: true, Href: views.RetentionPath("holds", h.ID.String(), "lift"), Why: why}}
		}
		props.Holds = append(props.Holds, row)
	}
	for _, a := range archives {
		row := views.ArchiveRow{Name: a.Name, Place: a.Place, Chain: a.Chain, First: a.First, Last: a.Last, Begins: a.Begins, Ends: a.Ends, Bytes: a.Bytes, Verified: a.Verified, Purged: a.Purged != nil,
			Actions: []views.Action{{Label: "Download", Object: a.Name, Icon: "download", Get: true, Href: views.RetentionPath("archives", a.ID.String())}}}
		props.Archives = append(props.Archives, row)
	}
	return answer(c, v, http.StatusOK, retentionFrame(), props, views.RetentionPage, views.RetentionBody)
}

// keepLines says how long what is kept.
func keepLines(k retention.Keep) []views.KeepLine {
	lines := []struct {
		what, setting string
		days          int
		law           bool
	}{
		{"Protected health information", settings.AuditKeepPHI.String(), k.PHI, true},
		{"Changes, refusals and sign-ins", settings.AuditKeepSecurity.String(), k.Security, true},
		{"Personal data", settings.AuditKeepPII.String(), k.PII, false},
		{"Confidential data", settings.AuditKeepConfidential.String(), k.Confidential, false},
		{"Everything else", settings.AuditKeepOther.String(), k.Other, false},
	}
	out := make([]views.KeepLine, len(lines))
	for i, l := range lines {
		out[i] = views.KeepLine{What: l.what, Days: l.days, Setting: l.setting}
		if l.law {
			out[i].Least = retention.SixYears
		}
	}
	return out
}

// scopeWords says what a hold keeps.
func scopeWords(k retention.Scope) string {
	var parts []string
	for _, p := range [...]struct{ label, value string }{{"plugin ", k.Plugin}, {"actor ", k.Actor}, {"object ", k.Object}, {"class ", k.Class}} {
		if p.value != "" {
			parts = append(parts, p.label+p.value)
		}
	}
	if k.Since != nil {
		parts = append(parts, "from "+k.Since.UTC().Format("2 January 2006"))
	}
	if k.Until != nil {
		parts = append(parts, "before "+k.Until.UTC().Format("2 January 2006"))
	}
	return cmp.Or(strings.Join(parts, ", "), "everything")
}

// askPurge handles GET /console/audit/retention/purge.
func (s *Server) askPurge(c echo.Context) error {
	all, err := s.Retention.Preview(c.Request().Context(), s.Retention.Now())
	if err != nil {
		return err
	}
	q := views.Confirm{
		Title: "Purge the audit now?", Text: "What is kept no longer is archived, read back, verified and then deleted. Nothing under a hold goes. What is in the archive cannot be put back.", Back: views.PathRetention,
		Action: views.Action{Label: "Purge", Icon: "trash-2", Danger: true, Primary: true, Href: views.RetentionPath("purge")},
	}
	for _, d := range all {
		if d.Records() > 0 {
			q.Reach = append(q.Reach, views.KV{Label: d.Chain, Value: count(int(d.Records()), "record", "records")})
		}
	}
	if q.Reach == nil {
		q.Reach = []views.KV{{Label: "Due now", Value: "no record"}}
	}
	return ask(c, s.visit(c.Request()), http.StatusOK, retentionFrame(), q)
}

// purgeNow handles POST /console/audit/retention/purge.
func (s *Server) purgeNow(c echo.Context) error {
	done, err := s.Retention.Purge(c.Request().Context())
	if err != nil {
		f := fault.Of(err)
		if f.Kind != fault.Conflict && f.Kind != fault.Unavailable {
			return err
		}
		return s.done(c, flash{Tone: views.Warn, Text: f.Sentence}, views.PathRetention)
	}
	return s.done(c, flash{Text: count(int(done.Records), "record", "records") + " archived and purged."}, views.PathRetention)
}

// holdQuestion asks for a hold.
func holdQuestion(in url.Values) views.Confirm {
	classes := []views.Option{{Value: "", Label: "any"}}
	for _, c := range [...]trait.Class{trait.PHI, trait.PII, trait.Confidential, trait.Internal, trait.Public} {
		classes = append(classes, views.Option{Value: c.String(), Label: c.String()})
	}
	return views.Confirm{
		Title: "Place a hold", Text: "Records that fit everything said below are not purged until the hold is lifted, nor is what comes after them in their chain.", Back: views.PathRetention,
		Fields: []views.Field{
			{Name: "name", Label: "Name", Value: in.Get("name"), Required: true, MaxLength: 100, Autocomplete: "off", Focus: true},
			{Name: "reason", Label: "Reason", Type: views.Area, Value: in.Get("reason"), Required: true, MaxLength: 500, Help: "Kept in the audit."},
			{Name: "plugin", Label: "Plugin", Value: in.Get("plugin"), MaxLength: 256, Mono: true, Autocomplete: "off", Help: "Its id. Empty: any."},
			{Name: "actor", Label: "Actor", Value: in.Get("actor"), MaxLength: 256, Autocomplete: "off", Help: "Name, e-mail address or id. Empty: anybody."},
			{Name: "object", Label: "Object", Value: in.Get("object"), MaxLength: 2000, Mono: true, Autocomplete: "off", Help: "As the records have it, or its beginning and *. Empty: any."},
			{Name: "class", Label: "Class", Type: views.Select, Value: in.Get("class"), Options: classes},
			{Name: "since", Label: "From", Value: in.Get("since"), MaxLength: 10, Mono: true, Short: true, Autocomplete: "off", Placeholder: "2026-01-01", Help: "The first day, in UTC."},
			{Name: "until", Label: "Before", Value: in.Get("until"), MaxLength: 10, Mono: true, Short: true, Autocomplete: "off", Placeholder: "2027-01-01", Help: "The day after the last, in UTC."},
		},
		Action: views.Action{Label: "Place the hold", Icon: "lock", Primary: true, Href: views.RetentionPath("holds")},
	}
}

// askHold handles GET /console/audit/retention/holds/new.
func (s *Server) askHold(c echo.Context) error {
	return ask(c, s.visit(c.Request()), http.StatusOK, retentionFrame(), holdQuestion(url.Values{}))
}

// placeHoldNow handles POST /console/audit/retention/holds.
func (s *Server) placeHoldNow(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	keep := retention.Scope{Plugin: in.Get("plugin"), Actor: in.Get("actor"), Object: in.Get("object"), Class: in.Get("class")}
	keep.Since, err = dayOf(in, "since", err)
	keep.Until, err = dayOf(in, "until", err)
	var h retention.Hold
	if err == nil {
		h, err = s.Retention.Place(c.Request().Context(), in.Get("name"), in.Get("reason"), keep)
	}
	if err == nil {
		return s.done(c, flash{Text: h.Name + " is placed: nothing it describes is purged."}, views.PathRetention)
	}
	return s.askAgain(c, holdQuestion(in), err)
}

// dayOf reads a day of a form in UTC, unless something was wrong before.
func dayOf(in url.Values, name string, before error) (*time.Time, error) {
	text := strings.TrimSpace(in.Get(name))
	if text == "" || before != nil {
		return nil, before
	}
	day, err := time.Parse(time.DateOnly, text)
	if err != nil {
		f := fault.New(fault.Unprocessable, "retention.hold", "A day is written like 2026-01-31.")
		f.Violations = []fault.Violation{{Rule: f.Code, Path: "/" + name, Message: f.Sentence}}
		return nil, f
	}
	return &day, nil
}

// askAgain asks the same once more, with what was wrong; a failure that no correction
// cures is returned.
func (s *Server) askAgain(c echo.Context, q views.Confirm, err error) error {
	f := fault.Of(err)
	if !isForm(f) && f.Kind != fault.Conflict {
		return err
	}
	corrections(f, pointers(q.Fields)...)
	if len(f.Violations) == 0 {
		q.Error = f.Sentence
	}
	return ask(c, s.visit(c.Request()), http.StatusUnprocessableEntity, retentionFrame(), q)
}

// liftQuestion asks why a hold is lifted.
func liftQuestion(h retention.Hold, in url.Values) views.Confirm {
	return views.Confirm{
		Title: "Lift " + h.Name + "?", Text: "What only this hold keeps goes with the next purge.", Back: views.PathRetention,
		Reach:  []views.KV{{Label: "It keeps", Value: scopeWords(h.Scope)}, {Label: "Placed for", Value: h.Reason}},
		Fields: []views.Field{{Name: "reason", Label: "Reason", Type: views.Area, Value: in.Get("reason"), Required: true, MaxLength: 500, Help: "Kept in the audit."}},
		Action: views.Action{Label: "Lift", Icon: "x", Danger: true, Primary: true, Href: views.RetentionPath("holds", h.ID.String(), "lift")},
	}
}

// askLift handles GET /console/audit/retention/holds/:id/lift.
func (s *Server) askLift(c echo.Context) error {
	h, err := s.holdAt(c)
	if err != nil {
		return err
	}
	return ask(c, s.visit(c.Request()), http.StatusOK, retentionFrame(), liftQuestion(h, url.Values{}))
}

// liftHoldNow handles POST /console/audit/retention/holds/:id/lift.
func (s *Server) liftHoldNow(c echo.Context) error {
	in, err := formOf(c)
	if err != nil {
		return err
	}
	h, err := s.holdAt(c)
	if err != nil {
		return err
	}
	if _, err := s.Retention.Lift(c.Request().Context(), h.ID, in.Get("reason")); err != nil {
		return s.askAgain(c, liftQuestion(h, in), err)
	}
	return s.done(c, flash{Text: h.Name + " is lifted."}, views.PathRetention)
}

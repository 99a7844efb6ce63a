package handlers

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/canon"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/lanes/canonical"
	"github.com/vivified/vivified/views"
)

// eventPage handles GET /console/events/:event.
func (s *Server) eventPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	e, err := s.Events.Find(ctx, c.Param("event"))
	if err != nil {
		return err
	}
	props := views.Event{EventRow: v.eventRow(e), Envelope: v.envelope(e)}
	if props.Fields, err = v.payload(e); err != nil {
		return err
	}
	if len(e.Data) <= mostCopied {
		props.JSON = string(e.Data)
	}
	if !v.may(views.PathAudit) {
		props.Trace = "" // which leads to the audit; the envelope has it
	}
	props.Hidden = v.hidden(ctx, e)
	if len(v.hearers(e.Type)) > 0 {
		props.Replay = &views.Action{Label: "Replay", Icon: "rotate-ccw", Ask: true, Href: views.EventPath(e.ID) + "/replay"}
	}
	if err := v.received(ctx, e, &props); err != nil {
		return err
	}
	f := at(views.PathEvents, "Traffic", "", "Events", views.PathEvents, e.Type, "")
	return answer(c, v, http.StatusOK, f, props, views.EventPage, views.EventBody)
}

// envelope is what the core stamped on an event.
func (v *visit) envelope(e canonical.Event) []views.KV {
	return []views.KV{
		{Label: "Id", Value: e.ID, Mono: true, Copy: true}, {Label: "Type", Value: e.Type, Mono: true},
		{Label: "Source", Value: e.Publisher, Mono: true, Href: v.plugin(e.Publisher).Href},
		{Label: "Time", Body: views.Zoned(e.Time, views.Precise)}, {Label: "Trace", Value: e.Trace, Mono: true, Copy: true},
		{Label: "Sequence", Value: fmt.Sprint(e.Sequence)},
	}
}

// payload lists the fields of an event as whoever looks may see them.
func (v *visit) payload(e canonical.Event) ([]views.EventField, error) {
	marked, err := v.fieldClasses(e)
	if err != nil {
		return nil, err
	}
	var fields []views.EventField
	walk(e.Data, "", 0, func(path string, value json.RawMessage) bool {
		fields = append(fields, views.EventField{Path: orElse(path, whole), Value: written(value), Class: marked[path]})
		return len(fields) < mostFacts
	})
	for _, pointer := range e.Removed[:min(len(e.Removed), mostFacts)] {
		fields = append(fields, views.EventField{Path: dotted(pointer), Redacted: true, Class: v.hiddenClass(e)})
	}
	return fields, nil
}

// hiddenClass is the class of a removed field, where only one can be.
func (v *visit) hiddenClass(e canonical.Event) views.Class {
	var hidden []views.Class
	for c := trait.Confidential; c <= trait.PHI; c++ {
		if e.Classes.Has(c) && !v.who.Traits.MissingFor(trait.ClassesOf(c)).Empty() {
			hidden = append(hidden, views.Class(c.String()))
		}
	}
	if len(hidden) == 1 {
		return hidden[0]
	}
	return ""
}

// fieldClasses returns the class of each field that the publisher's schema marks.
func (v *visit) fieldClasses(e canonical.Event) (map[string]views.Class, error) {
	marked := map[string]views.Class{}
	p, ok := v.snap.Plugin(e.Publisher)
	if !ok || len(e.Data) == 0 {
		return marked, nil
	}
	declared, ok := p.Manifest.Events.MayPublish(e.Type)
	if !ok || declared.Schema == nil {
		return marked, nil
	}
	marks, err := canon.ReadMarks(declared.Schema)
	if err != nil {
		return nil, err
	}
	for _, c := range []trait.Class{trait.Confidential, trait.PII, trait.PHI} {
		if !marks.Classes().Has(c) {
			continue
		}
		_, removed, err := marks.Plan(trait.ClassesOf(c)).Redact(e.Data)
		if err != nil {
			return nil, err
		}
		for _, pointer := range removed {
			marked[dotted(pointer)] = views.Class(c.String())
		}
	}
	return marked, nil
}

// hidden says why some of an event is not shown.
func (v *visit) hidden(ctx context.Context, e canonical.Event) *views.Why {
	missing := v.snap.Traits().Names(v.who.Traits.MissingFor(e.Classes))
	switch {
	case e.Withheld != "":
		return v.whyHidden(ctx, "The payload is kept from you: "+e.Withheld, missing)
	case len(e.Removed) > 0:
		return v.whyHidden(ctx, count(len(e.Removed), "field is", "fields are")+" hidden from you.", missing)
	}
	return nil
}

func (v *visit) whyHidden(ctx context.Context, text string, missing []string) *views.Why {
	w := &views.Why{Text: text, Grantors: v.holders(ctx, trait.UserManager)}
	if len(missing) > 0 {
		w.Trait = missing[0]
	}
	return w
}

// received is what became of an event for each receiver.
func (v *visit) received(ctx context.Context, e canonical.Event, props *views.Event) error {
	rs := receipts{}
	page, err := v.Audit.Search(ctx, audit.Filter{
		Action: string(policy.EventDeliver), Object: e.Type + "/" + e.ID, Trace: e.Trace, Since: e.Time.Add(-time.Minute), Limit: 500,
	})
	if err != nil {
		return err
	}
	for i := range slices.Backward(page.Records) {
		r := &page.Records[i]
		if r.Outcome != audit.Allow {
			rs.note(r)
			continue
		}
		pair, err := v.Audit.ByID(ctx, r.ID) // with its outcomes
		if err != nil {
			return err
		}
		for j := range pair {
			rs.note(&pair[j])
		}
	}
	v.expect(e, rs)
	if err := v.died(ctx, e, rs); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(rs)) {
		props.Receipts = append(props.Receipts, v.receiptOf(id, rs[id]))
	}
	if !v.mayDecisions() {
		return nil
	}
	published, err := v.Audit.Search(ctx, audit.Filter{
		Action: string(policy.EventPublish), Object: e.Type + "/" + e.ID, Trace: e.Trace, Since: e.Time.Add(-time.Minute), Limit: 1,
	})
	if err == nil && len(published.Records) > 0 {
		props.Decision = published.Records[0].ID.String()
	}
	return err
}

// mayDecisions reports whether whoever looks may open decisions about others.
func (v *visit) mayDecisions() bool { return v.has(trait.AuditViewer) || v.has(trait.PolicyManager) }

// receiptOf puts what became of an event for one receiver into words.
func (v *visit) receiptOf(id string, r *receipt) views.Receipt {
	out := views.Receipt{Receiver: v.plugin(id), Outcome: r.status, At: r.at, Attempts: r.attempts, Reason: orElse(r.failure, r.Reason), Missing: r.Missing}
	if r.Outcome == "drop" || r.Outcome == "redact" {
		out.Rule = r.Rule
	}
	for _, pointer := range r.Fields[:min(len(r.Fields), mostFacts)] {
		out.Fields = append(out.Fields, dotted(pointer))
	}
	if r.record != nil && v.mayDecisions() {
		out.Decision = r.record.ID.String()
	}
	return out
}

package handlers

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/lanes/canonical"
	"github.com/vivified/vivified/views"
)

// mostEvents is how far back a filtered list of events looks, and how many a
// reader that was cut off may have missed.
const mostEvents = 200

// eventsPage handles GET /console/events.
func (s *Server) eventsPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	shown := views.ReadEventFilter(c.QueryParams())
	fits, err := v.eventFilter(shown)
	if err != nil {
		return err
	}
	types := v.eventTypes()
	waiting, err := v.waitingLetters(ctx, "")
	if err != nil {
		return err
	}
	props := views.Events{Tabs: views.EventTabs(views.PathEvents, waiting), Filter: shown.Bar(types, v.pluginOptions()), Types: len(types)}
	props.Filter.Saved = v.saved(ctx, views.PathEvents)
	most := views.EventsPerPage
	if props.Filter.On() || shown.Range.Value == "custom" {
		most = mostEvents
	}
	all, err := s.Events.Recent(ctx, most)
	if err != nil {
		return err
	}
	if shown.Range.Value != "custom" {
		props.Tail = shown.Tail()
	}
	fitting := slices.DeleteFunc(all, func(e canonical.Event) bool { return !fits(e) })
	if props.Rows, err = v.eventRows(ctx, fitting[:min(len(fitting), views.EventsPerPage)]); err != nil {
		return err
	}
	f := at(views.PathEvents, "Traffic", "", "Events", "")
	f.live = props.Tail != ""
	return answer(c, v, http.StatusOK, f, props, views.EventsPage, views.EventsBody)
}

// eventTypes are the types that plugins declare to publish.
func (v *visit) eventTypes() []views.Option {
	var types []string
	for _, p := range v.snap.Plugins() {
		for _, e := range p.Manifest.Events.Publishes {
			types = append(types, e.Type)
		}
	}
	slices.Sort(types)
	var options []views.Option
	for _, t := range slices.Compact(types) {
		options = append(options, views.Option{Value: t, Label: t})
	}
	return options
}

// eventFilter returns what tells whether an event is among those asked for.
func (v *visit) eventFilter(shown views.EventFilter) (func(canonical.Event) bool, error) {
	since, until, ok := shown.Range.Bounds(v.reader.Now, v.zone())
	if !ok {
		return nil, fault.New(fault.Invalid, "query.since", "The range cannot be read; a time is written as 2026-03-17T14:00.")
	}
	return func(e canonical.Event) bool {
		switch {
		case shown.Type != "" && e.Type != shown.Type, shown.Plugin != "" && e.Publisher != shown.Plugin, shown.Trace != "" && e.Trace != shown.Trace:
			return false
		case shown.Class != "" && !slices.Contains(e.Classes.Names(), shown.Class):
			return false
		case !since.IsZero() && e.Time.Before(since), !until.IsZero() && !e.Time.Before(until):
			return false
		}
		return true
	}, nil
}

// eventRows are events with what became of each.
func (v *visit) eventRows(ctx context.Context, events []canonical.Event) ([]views.EventRow, error) {
	if len(events) == 0 {
		return nil, nil
	}
	counts, err := v.eventCounts(ctx, events)
	if err != nil {
		return nil, err
	}
	rows := make([]views.EventRow, len(events))
	for i, e := range events {
		rows[i] = v.eventRow(e)
		rows[i].Counts = counts[e.ID]
	}
	return rows, nil
}

func (v *visit) eventRow(e canonical.Event) views.EventRow {
	return views.EventRow{ID: e.ID, At: e.Time, Type: e.Type, Source: v.plugin(e.Publisher), Classes: classes(e.Classes), Trace: e.Trace}
}

// eventCounts counts the outcomes of each event, from the records of its
// deliveries. A receiver nothing is recorded of yet waits.
func (v *visit) eventCounts(ctx context.Context, events []canonical.Event) (map[string]views.Deliveries, error) {
	oldest := events[0].Time
	for _, e := range events {
		if e.Time.Before(oldest) {
			oldest = e.Time
		}
	}
	page, err := v.Audit.Search(ctx, audit.Filter{Action: string(policy.EventDeliver), Since: oldest.Add(-time.Second), Limit: 500})
	if err != nil {
		return nil, err
	}
	of := map[string]receipts{}
	for i := range slices.Backward(page.Records) {
		r := &page.Records[i]
		_, id, _ := strings.Cut(r.Object, "/")
		if of[id] == nil {
			of[id] = receipts{}
		}
		of[id].note(r)
	}
	counts := map[string]views.Deliveries{}
	for _, e := range events {
		known := of[e.ID]
		if known == nil {
			known = receipts{}
		}
		v.expect(e, known)
		counts[e.ID] = known.count()
	}
	return counts, nil
}

// receipts is what became of one event, by receiver.
type receipts map[string]*receipt

type receipt struct {
	delivery
	status   views.Status
	at       time.Time
	attempts int
	record   *audit.Record // of the decision
	failure  string
}

// note takes in a record of the event's delivery; they come in their order.
func (rs receipts) note(r *audit.Record) {
	ends := r.Outcome == audit.OK || r.Outcome == audit.Failed
	for _, d := range deliveries(r) {
		if ends {
			rs.end(r, d)
		} else {
			rs.decide(r, d)
		}
	}
}

// decide takes in what was decided for one receiver.
func (rs receipts) decide(r *audit.Record, d delivery) {
	got, again := rs[d.Receiver]
	if !again {
		got = &receipt{}
		rs[d.Receiver] = got
	}
	if got.delivery, got.record = d, r; !again || got.attempts == 0 {
		got.at, got.status = r.At, views.Waiting
	}
	if d.Outcome == "drop" {
		got.status = views.Dropped
	}
}

// end takes in what came of one attempt.
func (rs receipts) end(r *audit.Record, d delivery) {
	got := rs[d.Receiver]
	if got == nil {
		return // its decision is older than what is looked at
	}
	got.at, got.attempts = r.At, max(got.attempts+1, d.Attempt)
	got.status, got.failure = views.Waiting, d.Error
	if d.Outcome == "ok" {
		got.status = decided[got.Outcome]
	}
}

// count counts receivers by outcome.
func (rs receipts) count() views.Deliveries {
	var d views.Deliveries
	for _, r := range rs {
		switch r.status {
		case views.Delivered:
			d.Delivered++
		case views.Redacted:
			d.Redacted++
		case views.Dropped:
			d.Dropped++
		default:
			d.Waiting++
		}
	}
	return d
}

// expect adds the receivers that nothing is recorded of yet, though they were
// there when the event was published.
func (v *visit) expect(e canonical.Event, rs receipts) {
	for _, p := range v.snap.Plugins() {
		if rs[p.ID] == nil && p.ID != e.Publisher && hears(p, e) {
			rs[p.ID] = &receipt{status: views.Waiting}
		}
	}
}

// hears reports whether an event was published for a plugin that is active since before.
func hears(p *registry.Plugin, e canonical.Event) bool {
	return p.State == policy.Active && p.EnabledAt != nil && p.EnabledAt.Before(e.Time) && p.Manifest.Events.Subscribed(e.Type)
}

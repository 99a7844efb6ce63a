package handlers

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
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

// mostEvents is how many events one answer holds at most, and how many a reader
// that was cut off may have missed.
const mostEvents = 200

// eventsPage handles GET /console/events.
func (s *Server) eventsPage(c echo.Context) error {
	ctx, v := c.Request().Context(), s.visit(c.Request())
	shown := views.ReadEventFilter(c.QueryParams())
	q, err := v.eventQuery(shown)
	if err != nil {
		return err
	}
	types := v.eventTypes()
	waiting, err := v.waitingLetters(ctx, "")
	if err != nil {
		return err
	}
	props := views.Events{Tabs: views.EventTabs(views.PathEvents, waiting), Filter: shown.Bar(withPatterns(types, shown.Type), v.pluginOptions()), Types: len(types)}
	props.Filter.Saved = v.saved(ctx, views.PathEvents)
	q.Most = views.EventsPerPage
	q.Before, _ = strconv.ParseUint(c.QueryParam("before"), 10, 64) // what is no number begins at the newest
	found, err := s.Events.Search(ctx, q)
	if err != nil {
		return err
	}
	if shown.Range.Value != "custom" && q.Before == 0 {
		props.Tail = shown.Tail()
	}
	if props.Rows, err = v.eventRows(ctx, found.Events); err != nil {
		return err
	}
	if found.Next > 0 {
		props.Pager.Older = props.Filter.Link(views.PathEvents, url.Values{"before": {strconv.FormatUint(found.Next, 10)}})
	}
	if q.Before > 0 {
		props.Pager.Newer = props.Filter.Link(views.PathEvents, nil)
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
	return typeOptions(types)
}

// withPatterns adds what several types begin with, and what is asked for already.
func withPatterns(types []views.Option, asked string) []views.Option {
	begin, all := map[string]int{}, []string{}
	for _, t := range types {
		all = append(all, t.Value)
		if dot := strings.LastIndexByte(t.Value, '.'); dot > 0 {
			begin[t.Value[:dot]+".*"]++
		}
	}
	for pattern, n := range begin {
		if n > 1 {
			all = append(all, pattern)
		}
	}
	if asked != "" {
		all = append(all, asked)
	}
	return typeOptions(all)
}

func typeOptions(types []string) []views.Option {
	slices.Sort(types)
	var options []views.Option
	for _, t := range slices.Compact(types) {
		options = append(options, views.Option{Value: t, Label: t})
	}
	return options
}

// eventQuery returns what a filter asks for.
func (v *visit) eventQuery(shown views.EventFilter) (canonical.Query, error) {
	since, until, ok := shown.Range.Bounds(v.reader.Now, v.zone())
	if !ok {
		return canonical.Query{}, fault.New(fault.Invalid, "query.since", "The range cannot be read; a time is written as 2026-03-17T14:00.")
	}
	q := canonical.Query{
		ID: shown.ID, Type: shown.Type, Source: shown.Plugin, Subject: shown.Subject, Trace: shown.Trace, Class: shown.Class, Since: since, Until: until,
	}
	return q, q.Check()
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

// mostNoted is how many records of deliveries are read for a list of events.
const mostNoted = 500

// eventCounts counts the outcomes of each event, from the records of its
// deliveries: of the time from the oldest event on, or of each event's trace where
// that time holds too many. A receiver nothing is recorded of yet waits.
func (v *visit) eventCounts(ctx context.Context, events []canonical.Event) (map[string]views.Deliveries, error) {
	f := audit.Filter{Action: string(policy.EventDeliver), Since: events[0].Time, Limit: mostNoted}
	for _, e := range events {
		if e.Time.Before(f.Since) {
			f.Since = e.Time
		}
	}
	f.Since = f.Since.Add(-time.Second)
	page, err := v.Audit.Search(ctx, f)
	if err != nil {
		return nil, err
	}
	if page.Next != "" {
		page.Records = nil
		traces := map[string]bool{}
		for _, e := range events {
			if f.Trace = e.Trace; traces[e.Trace] || e.Trace == "" {
				continue
			}
			traces[e.Trace] = true
			one, err := v.Audit.Search(ctx, f)
			if err != nil {
				return nil, err
			}
			page.Records = append(page.Records, one.Records...)
		}
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

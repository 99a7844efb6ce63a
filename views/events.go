package views

import (
	"net/url"
	"time"
)

// Events is the live tail of the canonical lane.
type Events struct {
	Tabs   []Tab
	Filter Filter
	Rows   []EventRow // newest first
	Tail   string     // address of the stream, with the filter; empty: not live
	Pager  Pager
	Types  int // that plugins declare; 0: nothing can arrive yet
}

// EventRow is one event in the list.
type EventRow struct {
	ID      string
	At      time.Time
	Type    string
	Source  Party
	Classes []Class
	Counts  Deliveries
	Trace   string
}

// Deliveries counts what became of an event, receiver by receiver.
type Deliveries struct {
	Delivered, Redacted, Dropped, Waiting, Dead int
}

// each yields the outcomes that happened.
func (d Deliveries) each() []deliveryCount {
	var out []deliveryCount
	for _, c := range []deliveryCount{{Delivered, d.Delivered}, {Redacted, d.Redacted}, {Dropped, d.Dropped}, {Waiting, d.Waiting}, {Dead, d.Dead}} {
		if c.n > 0 {
			out = append(out, c)
		}
	}
	return out
}

type deliveryCount struct {
	status Status
	n      int
}

// Event is one event in full.
type Event struct {
	EventRow
	Envelope []KV
	Fields   []EventField // the payload as this reader may see it
	Hidden   *Why         // why fields are redacted for this reader
	Receipts []Receipt
	JSON     string // the event as this reader may see it
	Decision string // that let it be published
	Replay   *Action
}

// EventField is one value of a payload by its path.
type EventField struct {
	Path     string
	Value    string
	Class    Class
	Redacted bool // the value is not here, and was not sent to the page
}

// Receipt says what became of an event for one receiver, and why.
type Receipt struct {
	Receiver Party
	Outcome  Status // delivered, redacted, dropped, waiting, dead
	At       time.Time
	Attempts int
	Fields   []string // redacted for this receiver
	Rule     string
	Reason   string
	Missing  []string // traits it lacks
	Decision string
}

// EventFilter is what events can be filtered by.
type EventFilter struct {
	ID, Type, Plugin, Class, Subject, Trace string
	Range                                   Range
}

// ReadEventFilter reads a filter from a query.
func ReadEventFilter(q url.Values) EventFilter {
	return EventFilter{
		ID: q.Get("id"), Type: q.Get("type"), Plugin: q.Get("plugin"), Class: q.Get("class"), Subject: q.Get("subject"), Trace: q.Get("trace"), Range: ReadRange(q),
	}
}

// Bar returns the filter as a bar. Types and plugins are choices when known.
func (f EventFilter) Bar(types, plugins []Option) Filter {
	return Filter{
		Path: PathEvents, Range: &f.Range,
		Fields: []FilterField{
			{Name: "type", Label: "Type", Value: f.Type, Options: types},
			{Name: "plugin", Label: "Plugin", Value: f.Plugin, Options: plugins},
			{Name: "class", Label: "Class", Value: f.Class, Options: classOptions()},
			{Name: "subject", Label: "Subject", Value: f.Subject},
			{Name: "trace", Label: "Trace", Value: f.Trace},
			{Name: "id", Label: "Event id", Value: f.ID},
		},
	}
}

// Tail returns the address of the stream that carries the same filter.
func (f EventFilter) Tail() string {
	return f.Bar(nil, nil).Link(PathTail, nil)
}

package views

import (
	"net/url"
	"strconv"
	"time"
)

// PathTraces is the address below which traces lie.
const PathTraces = PathEvents + "/traces"

// TracePath returns the address of a trace: all that one request set off.
func TracePath(id string) string { return join(PathTraces, id, nil) }

// Trace is what the audit holds of one trace, in order of time.
type Trace struct {
	ID    string
	From  time.Time     // of its first record
	Took  time.Duration // until its last
	Spans []Span
	Total int   // spans on all pages
	More  bool  // it has more records than are looked at
	Pager Pager // to the spans before and after
}

// SpansPerPage is how many steps of a trace one page shows.
const SpansPerPage = 30

// Page returns the trace with a page of its spans, from the page on that holds the
// one at first.
func (t Trace) Page(first int) Trace {
	t.Total = len(t.Spans)
	at := max(0, min(first, t.Total-1)) / SpansPerPage * SpansPerPage
	link := func(at int) string { return with(TracePath(t.ID), url.Values{"from": {strconv.Itoa(at)}}) }
	t.Pager = Pager{ByName: true}
	if at > 0 {
		t.Pager.Newer = link(at - SpansPerPage)
	}
	end := min(at+SpansPerPage, t.Total)
	if end < t.Total {
		t.Pager.Older = link(end)
	}
	t.Pager.Note = strconv.Itoa(at+1) + " to " + strconv.Itoa(end) + " of " + number(int64(t.Total))
	t.Spans = t.Spans[at:end]
	return t
}

// Span is one decision and what came of it, or one change.
type Span struct {
	Lane    Lane // "" for what people administer
	Action  string
	Who     Party
	Object  string
	Start   time.Duration // after the first record
	Took    time.Duration // decision to outcome; 0: it has none
	Outcome Status
	Rule    string
	Href    string // of its decision, or its record
}

// The width of a waterfall, and the least of a bar in it.
const (
	fallWidth = 1000
	fallLeast = 12
)

// bar is where a span's bar begins and how wide it is.
func (t Trace) bar(s Span) (x, width string) {
	whole := max(t.Took, 1)
	at := int(int64(s.Start) * (fallWidth - fallLeast) / int64(whole))
	wide := max(int(int64(s.Took)*fallWidth/int64(whole)), fallLeast)
	at = max(0, min(at, fallWidth-fallLeast))
	return strconv.Itoa(at), strconv.Itoa(min(wide, fallWidth-at))
}

// since writes how long after the first record something began.
func since(d time.Duration) string {
	if d <= 0 {
		return "0 ms"
	}
	return took(d)
}

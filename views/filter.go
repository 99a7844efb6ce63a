package views

import (
	"maps"
	"net/url"
	"slices"
	"time"
)

// Filter is a bar of filters over a list. All of it lives in the address, so a
// filter can be kept, shared and undone by the browser's back button.
type Filter struct {
	Path   string        // the list's address
	Search string        // what is searched for; empty with an empty SearchIn
	In     string        // what the search looks in: "actor, object, reason"; empty: no search
	Fields []FilterField // in the order shown
	Range  *Range
	Keep   url.Values // other parts of the address to keep, such as the order
	Saved  *Saved     // nil: this list is not kept
}

// FilterField is one thing to filter by. It is on while Value is not empty.
type FilterField struct {
	Name    string // in the query
	Label   string
	Value   string
	Shown   string   // the value for people, if it differs
	Options []Option // makes it a choice; otherwise any text
	Icon    IconName
}

// Range is the time a list covers.
type Range struct {
	Value    string // 15m, 1h, 24h, 7d or custom
	From, To string // of a custom range, as in a datetime-local input, in the reader's zone
}

// ranges are the choices every list offers.
var ranges = []struct {
	value, label string
	length       time.Duration
}{
	{"15m", "15 m", 15 * time.Minute},
	{"1h", "1 h", time.Hour},
	{"24h", "24 h", 24 * time.Hour},
	{"7d", "7 d", 7 * 24 * time.Hour},
	{"custom", "Custom", 0},
}

// DefaultRange is what a list covers when its address says nothing.
const DefaultRange = "24h"

// ReadRange reads a range from a query; what it does not know becomes DefaultRange.
func ReadRange(q url.Values) Range {
	r := Range{Value: DefaultRange, From: q.Get("from"), To: q.Get("to")}
	for _, known := range ranges {
		if q.Get("range") == known.value {
			r.Value = known.value
		}
	}
	return r
}

// localTime is the form of a datetime-local input.
const localTime = "2006-01-02T15:04"

// chosen is the choice in force; an empty Range is the usual one.
func (r Range) chosen() string {
	if r.Value == "" {
		return DefaultRange
	}
	return r.Value
}

// Bounds returns the moments a range covers, seen at now in the reader's zone. A
// zero moment is no bound; ok is false when a custom bound cannot be read.
func (r Range) Bounds(now time.Time, zone *time.Location) (from, to time.Time, ok bool) {
	for _, known := range ranges {
		if known.value == r.chosen() && known.length > 0 {
			return now.Add(-known.length), time.Time{}, true
		}
	}
	ok = true
	read := func(s string) (t time.Time) {
		if s == "" {
			return t
		}
		for _, form := range []string{localTime, localTime + ":05", time.RFC3339} {
			if t, err := time.ParseInLocation(form, s, zone); err == nil {
				return t
			}
		}
		ok = false
		return t
	}
	return read(r.From), read(r.To), ok
}

// query returns the address's query, less the named parts.
func (f Filter) query(less ...string) url.Values {
	q := url.Values{}
	maps.Copy(q, f.Keep)
	set := func(name, value string) {
		if value != "" && !slices.Contains(less, name) {
			q.Set(name, value)
		}
	}
	set("q", f.Search)
	for _, field := range f.Fields {
		set(field.Name, field.Value)
	}
	if f.Range != nil {
		if f.Range.chosen() != DefaultRange {
			set("range", f.Range.Value)
		}
		if f.Range.Value == "custom" {
			set("from", f.Range.From)
			set("to", f.Range.To)
		}
	}
	return q
}

// without returns the address with one filter taken away.
func (f Filter) without(name string) string { return with(f.Path, f.query(name)) }

// ranged returns the address with another range.
func (f Filter) ranged(value string) string {
	q := f.query("range", "from", "to")
	if value != DefaultRange {
		q.Set("range", value)
	}
	return with(f.Path, q)
}

// cleared returns the address with no filter, the range kept.
func (f Filter) cleared() string {
	less := []string{"q"}
	for _, field := range f.Fields {
		less = append(less, field.Name)
	}
	return with(f.Path, f.query(less...))
}

// Link returns an address below the list's that carries the same filter, such as
// that of an export, with more added to its query.
func (f Filter) Link(path string, more url.Values) string {
	q := f.query()
	maps.Copy(q, more)
	return with(path, q)
}

// On reports whether anything is filtered out besides the time.
func (f Filter) On() bool {
	return f.Search != "" || slices.ContainsFunc(f.Fields, func(field FilterField) bool { return field.Value != "" })
}

// Clear returns the empty state of a list whose filter leaves nothing over.
func (f Filter) Clear(text string) Empty {
	return Empty{Kind: FilteredOut, Title: "Nothing matches", Text: text, Action: &Action{Label: "Clear filters", Get: true, Href: f.cleared()}}
}

// shown returns the value of a filter for people.
func (f FilterField) shown() string {
	if f.Shown != "" {
		return f.Shown
	}
	for _, o := range f.Options {
		if o.Value == f.Value {
			return o.Label
		}
	}
	return f.Value
}

package views

import (
	"net/url"
	"strings"
	"time"
	"unicode"
)

// PluginLogs is what a plugin writes that the core runs, and how its runs went.
type PluginLogs struct {
	Head   PluginHead
	Filter Filter
	Lines  []LogLine // newest first
	Any    bool      // it wrote something at some time
	Tail   string    // address of the stream; empty: the filter looks back
	Pager  Pager
	Runs   []RunLine // newest first
}

// LogLine is one line that a plugin wrote.
type LogLine struct {
	Seq    uint64
	At     time.Time
	Stream string
	Text   string // as it was written: may hold anything
	Cut    bool   // it goes on in the next
}

// RunLine is one run of a plugin.
type RunLine struct {
	Started time.Time
	Ended   time.Time // zero: it runs
	Status  Status
	Version string
	How     string // how it ended
	Href    string // its lines
}

// LogsPerPage is how many lines a page holds.
const LogsPerPage = 200

// LogFilter is what a plugin's lines can be filtered by.
type LogFilter struct {
	Plugin, Text, Stream, Instance string
	Before                         string // the number of a line: older ones only
	Range                          Range
}

// ReadLogFilter reads a filter from a query.
func ReadLogFilter(plugin string, q url.Values) LogFilter {
	return LogFilter{Plugin: plugin, Text: q.Get("q"), Stream: q.Get("stream"), Instance: q.Get("instance"), Before: q.Get("before"), Range: ReadRange(q)}
}

// Bar returns the filter as a bar.
func (f LogFilter) Bar() Filter {
	return Filter{
		Path: PluginPath(f.Plugin, "logs"), Search: f.Text, In: "what it wrote", Range: &f.Range,
		Fields: []FilterField{
			{Name: "stream", Label: "Stream", Value: f.Stream, Options: []Option{{Value: "stdout", Label: "stdout"}, {Value: "stderr", Label: "stderr"}}},
			{Name: "instance", Label: "Run", Value: f.Instance, Shown: shorten(f.Instance)},
		},
	}
}

// Tail returns the address of the stream that carries the same filter; empty when
// the filter looks back.
func (f LogFilter) Tail() string {
	if f.Before != "" || f.Range.Value == "custom" {
		return ""
	}
	return f.Bar().Link(PluginPath(f.Plugin, "logs", "stream"), nil)
}

// printable is foreign text as a page may show it: what would turn the direction of
// writing, or is not to be seen, is replaced.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if unicode.IsGraphic(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

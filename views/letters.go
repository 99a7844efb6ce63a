package views

import (
	"net/url"
	"slices"
	"time"
)

// PathLetters is where the deliveries stand that were given up.
const PathLetters = PathEvents + "/dead-letters"

// LetterPath returns the address below a dead letter, such as that of its replay.
func LetterPath(id string, below ...string) string { return join(PathLetters, id, below) }

// EventTabs are the tabs of the events; waiting counts the dead letters that
// nobody has settled.
func EventTabs(path string, waiting int) []Tab {
	return []Tab{
		{Label: "Live", Href: PathEvents, Current: path == PathEvents},
		{Label: "Dead letters", Href: PathLetters + "?state=" + string(Waiting), Current: path == PathLetters, Count: waiting},
	}
}

// Letters is the list of deliveries that were given up.
type Letters struct {
	Tabs   []Tab
	Head   *PluginHead // on a plugin's page
	Filter Filter
	Rows   []LetterRow // newest first
	Pager  Pager
	All    *Action // replays all that wait and fit; nil: there is none
}

// LetterRow is one delivery that was given up.
type LetterRow struct {
	ID       string
	At       time.Time
	Type     string
	Event    string // its id
	Source   Party
	Receiver Party
	Attempts int
	Reason   string
	State    Status
	Settled  string    // by whom and why
	SettleAt time.Time // when
	Actions  []Action
}

// LetterFilter is what dead letters can be filtered by.
type LetterFilter struct{ Type, Plugin, State, Text string }

// ReadLetterFilter reads a filter from a query.
func ReadLetterFilter(q url.Values) LetterFilter {
	return LetterFilter{Type: q.Get("type"), Plugin: q.Get("plugin"), State: q.Get("state"), Text: q.Get("q")}
}

// Bar returns the filter as a bar. Plugins are choices when known.
func (f LetterFilter) Bar(path string, types, plugins []Option) Filter {
	bar := Filter{
		Path: path, Search: f.Text, In: "reason",
		Fields: []FilterField{
			{Name: "state", Label: "State", Value: f.State, Options: []Option{{Value: string(Waiting), Label: "Waiting"}, {Value: string(Replayed), Label: "Replayed"}, {Value: string(Discarded), Label: "Discarded"}}},
			{Name: "type", Label: "Type", Value: f.Type, Options: types},
		},
	}
	if plugins != nil {
		bar.Fields = append(bar.Fields, FilterField{Name: "plugin", Label: "Receiver", Value: f.Plugin, Options: plugins})
	}
	return bar
}

// narrowed reports whether more is filtered out than what is settled.
func (l Letters) narrowed() bool {
	return l.Filter.Search != "" || slices.ContainsFunc(l.Filter.Fields, func(f FilterField) bool { return f.Name != "state" && f.Value != "" })
}

package views

import (
	"iter"
	"maps"
	"net/url"
	"slices"
)

// How many rows a list shows at once, so that a page stays below 60 KB of HTML
// even with long names and every filter on.
const (
	PluginsPerPage = 20
	EventsPerPage  = 30
	AuditPerPage   = 30
	UsersPerPage   = 30
	KeysPerPage    = 30
	GroupsPerPage  = 30
	MembersPerPage = 30
	TokensPerPage  = 30

	ExpiringPerPage = 30
	LettersPerPage  = 20

	FlipGroupsShown = 15
	FlipsPerPage    = 15
	ReplaysShown    = 8
	VersionsPerPage = 20
)

// Column is the head of a table's column.
type Column struct {
	Label  string
	Num    bool // figures stand right
	Hidden bool // heard, not seen
	Zone   bool // times: the zone stands beside the label
}

// Pager leads through a list by keyset: no page numbers, no totals.
type Pager struct {
	Newer, Older string // addresses; empty at an end
	ByName       bool   // the list is ordered by name, not by time
	Note         string // "50 a page"
}

// sorted yields a query's parts in a stable order.
func sorted(q url.Values) iter.Seq2[string, []string] {
	return func(yield func(string, []string) bool) {
		for _, name := range slices.Sorted(maps.Keys(q)) {
			if !yield(name, q[name]) {
				return
			}
		}
	}
}

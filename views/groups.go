package views

import "time"

// PathGroups is the list of groups.
const PathGroups = "/console/groups" // with /new and /{id}

// GroupPath returns the address of a group's page, or of what is below it.
func GroupPath(id string, below ...string) string { return join(PathGroups, id, below) }

// Groups is the list of groups.
type Groups struct {
	Filter Filter
	Rows   []GroupRow
	New    Action
	Pager  Pager
}

// GroupRow is a group in the list.
type GroupRow struct {
	ID, Name, Text string
	Roles          []string
	People         int
}

// GroupDetail is one group: what it carries, and who is in it.
type GroupDetail struct {
	ID, Name, Text string
	Actions        []Action
	Facts          []KV
	Roles          []CarriedRole
	Give           Action // Ask
	Traits         []string
	Members        []MemberRow
	Join           Action // Ask
	Pager          Pager
}

// CarriedRole is a role that a group gives everybody in it.
type CarriedRole struct {
	Label, Href string
	Expires     time.Time // zero: no end
	Actions     []Action
}

// MemberRow is a person in a group.
type MemberRow struct {
	Name, Email, Href string
	By                string // who put them in: a person, or an identity provider
	At                time.Time
	Reason            string
	Expires           time.Time // zero: no end
	State             Status
	Actions           []Action // none for those whom an identity provider puts in
}

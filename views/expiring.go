package views

import "time"

// PathExpiring is the list of what people were given that ends by itself.
const PathExpiring = PathRoles + "/expiring"

// ExpiringGrants is what people were given that ends by itself, the soonest first.
type ExpiringGrants struct {
	Tabs  []Tab
	Rows  []ExpiringRow
	Pager Pager
}

// ExpiringRow is a role, a trait or a place in a group that ends.
type ExpiringRow struct {
	Person, Email, Href string
	Trait               string // when it is a trait
	What                string // otherwise: Role Auditor, Group Ward 4B
	By                  string
	At                  time.Time
	Reason              string
	Expires             time.Time
	Actions             []Action // none where an identity provider gave it
}

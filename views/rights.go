package views

import "time"

// GivenRow is a role or a trait that somebody gave a person by hand.
type GivenRow struct {
	Name    string // label of the role, or name of the trait
	Trait   bool
	By      string
	At      time.Time
	Reason  string
	Expires time.Time // zero: no end
	Actions []Action
}

// PlaceRow is a group a person is in.
type PlaceRow struct {
	Group    string
	Href     string
	Provider string // the identity provider that put them in; empty: By did
	By       string
	At       time.Time
	Reason   string
	Expires  time.Time // zero: no end
	Actions  []Action
}

func (p PlaceRow) giver() string {
	if p.Provider != "" {
		return p.Provider
	}
	return p.By
}

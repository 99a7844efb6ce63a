package views

import "time"

// Matrix is what every role gives: roles across, traits down.
type Matrix struct {
	Tabs   []Tab
	Filter Filter
	Roles  []MatrixRole
	Groups []MatrixGroup
	New    Action // makes a role
	Grant  Action // Ask
	Older  Pager  // further roles, when there are many
}

// MatrixRole is a column.
type MatrixRole struct {
	Name, Label string
	People      int // who have it now, by any way
	Groups      int // that carry it
	Builtin     bool
}

func (r MatrixRole) use() string {
	kind := "shipped"
	if !r.Builtin {
		kind = "own"
	}
	return kind + ", in " + number(int64(r.Groups)) + " groups"
}

// MatrixGroup is the traits of one category.
type MatrixGroup struct {
	Label string
	Rows  []MatrixRow
}

// MatrixRow is a trait. Cells stand in the order of the roles.
type MatrixRow struct {
	Trait     string
	Href      string
	ImpliedBy []string
	People    int
	Cells     []MatrixCell
}

// MatrixCell says how a role gives a trait: directly, because another trait of it
// brings it along, or not.
type MatrixCell struct {
	Direct bool
	By     string // the trait that implies it; empty with not Direct: it does not
}

// TraitDetail is one trait and who has it.
type TraitDetail struct {
	Name    string
	Text    string
	Facts   []KV
	Actions []Action
	Holders []HolderRow
	Pager   Pager
}

// HolderRow is a person who has a trait.
type HolderRow struct {
	Name, Email, Href string
	From              string
	Expires           time.Time // zero: no end
	State             Status
}

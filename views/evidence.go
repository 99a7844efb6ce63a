package views

import "time"

// Evidence is what can be shown for each control of the Security Rule.
type Evidence struct {
	Days     int
	Periods  []Tab
	Pack     Action
	Controls []EvidenceControl
}

// EvidenceControl is one control, and what there is for it.
type EvidenceControl struct {
	ID         string
	Reference  string // where the rule says so
	Title      string
	Asks       string // the rule's words
	Status     EvidenceStatus
	Configured []KV
	Records    []EvidenceTrail
	Missing    []EvidenceGap
	Beyond     string // what the core cannot see
}

// EvidenceTrail is a kind of record.
type EvidenceTrail struct {
	Text   string
	Action string
	Href   string    // to the records
	Last   time.Time // zero: none in the period
}

// EvidenceGap is what is missing, and what to do about it.
type EvidenceGap struct {
	Text, Do   string
	Href, Page string // where that is done; empty: a setting, or not for this reader
}

// EvidenceStatus is in_place, partly or missing.
type EvidenceStatus string

var evidenceLooks = map[EvidenceStatus]struct {
	tone Tone
	icon IconName
	word string
}{
	"in_place": {OK, "circle-check", "In place"},
	"partly":   {Warn, "triangle-alert", "Partly"},
	"missing":  {Danger, "circle-alert", "Missing"},
}

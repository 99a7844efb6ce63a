package policy

import (
	"cmp"
	"slices"
)

// Severity tells whether a finding keeps a document from being used.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one thing that is wrong, or suspicious, in a document of admin rules.
type Finding struct {
	Line     int      `json:"line"`   // from 1
	Column   int      `json:"column"` // from 1, in characters
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule,omitempty"` // the @id of the rule, where it has one
	Message  string   `json:"message"`        // what is wrong, one sentence
	Fix      string   `json:"fix,omitempty"`  // what to do, one sentence
}

// maxFindings is how many of them anybody reads.
const maxFindings = 200

// inOrder sorts findings by place, without those that say the same twice.
func inOrder(found []Finding) []Finding {
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Message, b.Message))
	})
	found = slices.CompactFunc(found, func(a, b Finding) bool {
		return a.Line == b.Line && a.Column == b.Column && a.Message == b.Message
	})
	return found[:min(len(found), maxFindings)]
}

// hasError reports whether one of them keeps the document from being used.
func hasError(found []Finding) bool {
	return slices.ContainsFunc(found, func(f Finding) bool { return f.Severity == Error })
}

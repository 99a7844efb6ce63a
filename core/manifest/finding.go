package manifest

import (
	"strings"

	"github.com/vivified/vivified/core/fault"
)

// Severity tells what refuses a manifest from what an author should know.
type Severity string

// The severities.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one broken rule.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	Path     string   `json:"path"` // JSON Pointer (RFC 6901); empty: the whole document
	Message  string   `json:"message"`
	Fix      string   `json:"fix"`
}

// Findings are everything wrong with a manifest: errors before warnings, and
// within each what is malformed or missing first, then in the order of the
// rule table.
type Findings []Finding

// NewFinding returns a finding of a rule of the table, with its severity and fix.
func NewFinding(rule, path, message string) Finding {
	r := ruleOf(rule)
	return Finding{Rule: rule, Severity: r.Severity, Path: path, Message: message, Fix: r.Fix}
}

// OK reports whether no finding refuses the manifest.
func (fs Findings) OK() bool { return len(fs) == 0 || fs[0].Severity != Error }

// Errors returns the findings that refuse the manifest.
func (fs Findings) Errors() Findings { return fs.of(Error) }

// Warnings returns the findings that do not refuse it.
func (fs Findings) Warnings() Findings { return fs.of(Warning) }

func (fs Findings) of(s Severity) Findings {
	var some Findings
	for _, f := range fs {
		if f.Severity == s {
			some = append(some, f)
		}
	}
	return some
}

// formatPrefix opens every message about a document that is no manifest at all.
const formatPrefix = "Invalid manifest format: "

// Problem returns the sentence for the first error, as an HTTP detail; empty
// when there is none.
func (fs Findings) Problem() string {
	switch {
	case fs.OK():
		return ""
	case strings.HasPrefix(fs[0].Message, formatPrefix):
		return fs[0].Message
	}
	return "Security validation failed: " + fs[0].Message
}

// Err returns nil when the manifest stands, else a Fault (Invalid; TooLarge for
// a document over the limit) with the first error's rule as code and all
// findings as violations.
func (fs Findings) Err() error {
	if fs.OK() {
		return nil
	}
	kind := fault.Invalid
	if fs[0].Rule == "json.too_large" {
		kind = fault.TooLarge
	}
	f := fault.New(kind, fs[0].Rule, "%s", fs.Problem())
	for _, x := range fs {
		f.Violations = append(f.Violations, fault.Violation{Rule: x.Rule, Path: x.Path, Message: x.Message, Fix: x.Fix})
	}
	return f
}

// Report is the answer about one manifest in the form programs read.
type Report struct {
	Valid    bool     `json:"valid"`
	Findings Findings `json:"findings"`
}

// Report returns the answer; its Findings are never nil.
func (fs Findings) Report() Report {
	return Report{Valid: fs.OK(), Findings: append(Findings{}, fs...)}
}

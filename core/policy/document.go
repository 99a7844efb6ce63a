package policy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/vivified/vivified/core/trait"
)

// Effect is what a rule does when it matches.
type Effect string

// The effects. A forbid that matches denies, always. A permit that matches an
// operator call of a plugin stands for the grant that operator.grant asks for;
// it overrides no denial.
const (
	Permit Effect = "permit"
	Forbid Effect = "forbid"
)

// AdminPrefix begins the ids of admin rules wherever rules are named.
const AdminPrefix = "admin."

// AdminRule is one rule an administrator wrote. The slice of an AdminRule is
// shared and must not be changed.
type AdminRule struct {
	ID      string // its @id; decisions name it with AdminPrefix before it
	Effect  Effect
	Reason  string   // its @reason: what a refused person reads
	Audit   Level    // its @audit: how much the audit keeps of what it matches, at least
	Actions []Action // those it can match, by name
	Line    int      // where it begins in its document
}

// Name is how decisions name the rule.
func (r *AdminRule) Name() string { return AdminPrefix + r.ID }

// Document is a compiled document of admin rules. It is immutable and safe for
// concurrent use; With puts it in force.
type Document struct {
	text  string
	rules []AdminRule
	names []string // of the rules, as decisions name them
	index map[Action]*binding
}

// Rules returns the rules in the order of the document. The slice is the caller's own.
func (d *Document) Rules() []AdminRule {
	if d == nil {
		return nil
	}
	return slices.Clone(d.rules)
}

// Text returns the document as written.
func (d *Document) Text() string {
	if d == nil {
		return ""
	}
	return d.text
}

// Compile reads a document of admin rules in Cedar, checks every rule against
// the schema and the registry of traits, and compiles it. The document is nil
// when a finding is an error. Two compilations of one text decide the same.
func Compile(text string, traits *trait.Registry) (*Document, []Finding) {
	if f, ok := unreadable(text); ok {
		return nil, []Finding{f}
	}
	statements, found := split(text)
	d := &Document{text: text}
	taken := map[string]int{}
	for i := range statements {
		s := &statements[i]
		rule, parsed, wrong := s.read(taken)
		found = append(found, wrong...)
		if parsed == nil {
			continue
		}
		wrong = s.validate(parsed)
		found = append(found, wrong...)
		if hasError(wrong) {
			continue
		}
		found = append(found, inOrder(d.add(s, rule, parsed, traits))...) // once, not once for each kind of request
		if len(found) > maxFindings {
			break
		}
	}
	found = inOrder(found)
	if hasError(found) {
		return nil, found
	}
	return d, found
}

// unreadable refuses what is no text of a sensible size.
func unreadable(text string) (Finding, bool) {
	at := Finding{Line: 1, Column: 1, Severity: Error}
	switch {
	case len(text) > MaxText:
		at.Message, at.Fix = fmt.Sprintf("The document is larger than %d KiB.", MaxText>>10), "Join rules that say the same of several things."
	case !utf8.ValidString(text):
		at.Message, at.Fix = "The document is not UTF-8.", "Save it as UTF-8."
	case strings.ContainsRune(text, 0):
		at.Message, at.Fix = "The document holds a NUL character.", "Remove it."
	default:
		return Finding{}, false
	}
	return at, true
}

// ruleID is the form of an @id.
var ruleID = regexp.MustCompile(`^[a-z][a-z0-9-]{0,63}$`)

// maxReason is how long an @reason may be, in characters.
const maxReason = 400

// read parses a statement and reads its annotations. A nil rule cannot be looked
// at any further.
func (s *statement) read(taken map[string]int) (AdminRule, *ast.Policy, []Finding) {
	parsed, wrong := s.parse()
	if wrong != nil {
		return AdminRule{}, nil, []Finding{*wrong}
	}
	rule := AdminRule{Effect: Forbid, Line: s.tokens[0].at.line}
	if parsed.Effect == ast.EffectPermit {
		rule.Effect = Permit
	}
	start := s.tokens[0].at
	for _, a := range parsed.Annotations {
		if a.Key == "id" {
			s.rule, rule.ID = string(a.Value), string(a.Value)
		}
	}
	var found []Finding
	for _, a := range parsed.Annotations {
		value := string(a.Value)
		switch a.Key {
		case "id":
		case "reason":
			if rule.Reason = strings.TrimSpace(value); utf8.RuneCountInString(rule.Reason) > maxReason {
				found = append(found, s.finding(s.at("reason"), fmt.Sprintf("The reason is longer than %d characters.", maxReason), "Say it in one sentence."))
			}
		case "audit":
			var ok bool
			if rule.Audit, ok = ParseLevel(value); !ok {
				found = append(found, s.finding(s.at("audit"), "There is no audit level “"+value+"”.", "The levels are basic, detailed and complete."))
			}
		default:
			found = append(found, s.finding(s.at(string(a.Key)), "The annotation @"+string(a.Key)+" means nothing here.", "A rule has @id and @reason, and @audit where it raises the audit level."))
		}
	}
	switch line, twice := taken[rule.ID]; {
	case !ruleID.MatchString(rule.ID):
		found = append(found, s.finding(start, "The rule has no usable @id.", "Begin it with @id(\"…\"): up to 64 lower-case letters, digits and hyphens, a letter first."))
	case twice:
		found = append(found, s.finding(start, fmt.Sprintf("The rule on line %d has the same @id.", line), "Give every rule its own."))
	default:
		taken[rule.ID] = rule.Line
	}
	if rule.Reason == "" {
		found = append(found, s.finding(start, "The rule has no @reason.", "Add @reason(\"…\"): the sentence that a refused person reads."))
	}
	return rule, parsed, found
}

package views

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The addresses of the rules.
const (
	PathPolicies       = "/console/policies"
	PathPolicyDraft    = PathPolicies + "/draft"
	PathPolicyDiscard  = PathPolicyDraft + "/discard" // asks, then POST
	PathPolicyTests    = PathPolicies + "/tests"      // POST adds one; with /{number}, /{number}/remove
	PathPolicyNewTest  = PathPolicyTests + "/new"
	PathPolicyVersions = PathPolicies + "/versions" // with /{number}/restore
	PathPolicyShadow   = PathPolicies + "/shadow"   // POST starts one; with /{id}, /{id}/cancel
	PathPolicyPublish  = PathPolicies + "/publish"
	PathPolicyWaiting  = PathPolicies + "/waiting" // POST /{id}/approve, /deny, /withdraw
)

const (
	policyTextareaID = "policy-text"
	findingContext   = 2 // lines before and after one with a finding
)

// PolicyTestPath returns the address of a test of the draft by its place, from
// 1, or of what is below it.
func PolicyTestPath(number int, below ...string) string {
	return join(PathPolicyTests, strconv.Itoa(number), below)
}

// PolicyVersionPath returns the address below a version.
func PolicyVersionPath(number int64, below ...string) string {
	return join(PathPolicyVersions, strconv.FormatInt(number, 10), below)
}

// ShadowPath returns the address of a replay, or of what is below it.
func ShadowPath(id string, below ...string) string { return join(PathPolicyShadow, id, below) }

// PolicyWaitingPath returns the address below a publication that waits.
func PolicyWaitingPath(id string, below ...string) string {
	return join(PathPolicyWaiting, id, below)
}

// PolicyHead is the title, state and tabs of every page of the rules.
type PolicyHead struct {
	Title   string // of the document
	Version int64  // in force; 0: none was published
	Since   time.Time
	By      string
	Changed bool // the draft differs from what is published
	Actions []Action
	Tabs    []Tab
	Banner  *Banner
}

// PolicyTabs returns the tabs, the one at path current.
func PolicyTabs(path string, tests int) []Tab {
	tabs := []Tab{
		{Label: "Rules", Href: PathPolicies}, {Label: "Draft", Href: PathPolicyDraft}, {Label: "Tests", Href: PathPolicyTests, Count: tests},
		{Label: "Versions", Href: PathPolicyVersions}, {Label: "Shadow", Href: PathPolicyShadow},
	}
	for i := range tabs {
		tabs[i].Current = tabs[i].Href == path
	}
	return tabs
}

// Policies is the page of the rules in force and of how often each applied.
type Policies struct {
	Head    PolicyHead
	Span    string // 24h, 7d or 30d
	Own     []RuleRow
	Builtin []RuleRow
	Never   int // how many of their own did not apply once in the last month
}

// RuleRow is one rule.
type RuleRow struct {
	ID      string
	Effect  string // permit or forbid; empty: built in
	Text    string // its sentence
	Actions []string
	Line    int // of an administrators' rule in the text in force
	Matched int64
	Denied  int64
	Last    time.Time // when it last applied, in the last month
	Href    string    // to the records it decided, for those who may see them
}

// spans are the times coverage is shown over.
var spans = []struct{ value, label string }{{"24h", "24 h"}, {"7d", "7 d"}, {"30d", "30 d"}}

func spanLink(value string) string { return with(PathPolicies, url.Values{"over": {value}}) }

// PolicyDraft is the page the rules are written on.
type PolicyDraft struct {
	Head     PolicyHead
	Text     string
	Revision int64
	EditedBy string
	EditedAt time.Time
	Findings []FindingRow
	Lines    []CodeLine // those with findings, and some around each
	Rules    []RuleRow  // what the text says, when it compiles
	Failing  int        // tests
	Conflict string     // why it was not saved: somebody else did
	Schema   string     // what rules can be about
	Discard  *Action
}

// FindingRow is what is wrong at a place of the text.
type FindingRow struct {
	Line, Column int
	Warning      bool
	Text         string
	Fix          string
}

// errors is the summary above a text with findings; each leads to its line.
func (d PolicyDraft) errors() ErrorList {
	var l ErrorList
	for _, f := range d.Findings {
		if !f.Warning {
			l.Errors = append(l.Errors, FieldError{Field: lineID(f.Line), Text: f.place() + f.Text})
		}
	}
	l.Title = plural(len(l.Errors), "line needs", "places need") + " a correction; nothing was saved"
	if d.Conflict != "" {
		l.Title = "Nothing was saved"
		l.Errors = append(l.Errors, FieldError{Field: policyTextareaID, Text: d.Conflict})
	}
	return l
}

func (f FindingRow) place() string {
	return "Line " + strconv.Itoa(f.Line) + ", column " + strconv.Itoa(f.Column) + ": "
}

func lineID(line int) string { return "line-" + strconv.Itoa(line) }

// CodeLine is a line of the text with what is wrong with it.
type CodeLine struct {
	Number   int
	Text     string
	Findings []FindingRow
	Gap      bool // lines before it are left out
}

// Around returns the lines of a text that findings are about, and some around each.
func Around(text string, findings []FindingRow) []CodeLine {
	lines := strings.Split(text, "\n")
	at := map[int][]FindingRow{}
	for _, f := range findings {
		n := min(max(f.Line, 1), len(lines))
		at[n] = append(at[n], f)
	}
	var out []CodeLine
	last := 0
	for i, line := range lines {
		n := i + 1
		near := false
		for there := range at {
			near = near || n >= there-findingContext && n <= there+findingContext
		}
		if near {
			out = append(out, CodeLine{Number: n, Text: line, Findings: at[n], Gap: last > 0 && n > last+1})
			last = n
		}
	}
	return out
}

// PolicyTests is the page of the examples the rules are held to.
type PolicyTests struct {
	Head   PolicyHead
	Rows   []TestRow
	Failed int
	Broken string // why none could be run
	Add    Action
}

// TestRow is one test and what became of it.
type TestRow struct {
	Number  int
	Name    string
	Action  string // that is asked for
	Who     string
	What    string
	Expect  Status // allow or deny
	Rule    string // that has to decide; empty: any
	Pass    bool
	Why     string
	Actions []Action
}

// PolicyTest is the form of one test.
type PolicyTest struct {
	Head     PolicyHead
	Number   int // 0: a new one
	Revision int64
	Fields   []Field
	Errors   ErrorList
	Steps    []Step // the word of each rule on it, when it could be run
	Verdict  string
}

func (t PolicyTest) title() string {
	if t.Number == 0 {
		return "Add a test"
	}
	return "Test " + strconv.Itoa(t.Number)
}

func (t PolicyTest) path() string {
	if t.Number == 0 {
		return PathPolicyTests
	}
	return PolicyTestPath(t.Number)
}

// PolicyVersions is the page of what was published.
type PolicyVersions struct {
	Head     PolicyHead
	Rows     []VersionRow
	From, To string // compared: numbers, draft
	Names    []Option
	Diff     *TextDiff
	Pager    Pager
}

// VersionRow is one version.
type VersionRow struct {
	Number   int64
	At       time.Time
	By       string
	Approver string
	Comment  string
	Restored int64
	Tests    int
	InForce  bool
	Diff     string // address of what it changed
	Actions  []Action
}

// TextDiff is what changed between two texts.
type TextDiff struct {
	From, To       string
	Added, Removed int
	Lines          []DiffLine
}

// DiffLine is one line of a unified diff.
type DiffLine struct {
	Kind byte // '+', '-', ' ', or '@' for where a part begins
	Text string
}

// ReadUnified reads a diff in the unified format.
func ReadUnified(unified string) []DiffLine {
	_, hunks, _ := strings.Cut(unified, "\n+++ ")
	_, hunks, _ = strings.Cut(hunks, "\n")
	var out []DiffLine
	for line := range strings.Lines(hunks) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '\\' {
			continue
		}
		d := DiffLine{line[0], line[1:]}
		if d.Kind == '@' {
			d.Text = line
		}
		out = append(out, d)
	}
	return out
}

// words says how much differs.
func (d TextDiff) words() string {
	if d.Added+d.Removed == 0 {
		return "Nothing differs."
	}
	return plural(d.Added, "line", "lines") + " added, " + plural(d.Removed, "line", "lines") + " removed."
}

// Shadows is the page of replays.
type Shadows struct {
	Head  PolicyHead
	Start *ShadowForm
	Open  *ShadowDetail
	Rows  []ShadowRow
}

// ShadowForm begins a replay.
type ShadowForm struct {
	Fields []Field
	Errors ErrorList
	Why    *Why // why none can begin now
}

// ShadowRow is one replay.
type ShadowRow struct {
	ID       string
	At       time.Time
	By       string
	State    Status
	Days     int
	Replayed int64
	Flips    int64
	Drifts   int64
	Stale    bool // the draft was edited since
	Open     bool
}

// ShadowDetail is what a replay found.
type ShadowDetail struct {
	ShadowRow
	Running  bool
	Progress float64 // 0 to 1
	Reached  time.Time
	Version  string // what it is compared with
	Skipped  int64
	Why      string
	Cancel   *Action
	Against  string // published or recorded: which list is shown
	Groups   []FlipGroup
	Flips    []FlipRow
	Cut      int64 // how many are kept one by one, where there are more; else 0
	Pager    Pager
}

// FlipGroup counts decisions that come out otherwise in one way.
type FlipGroup struct {
	Was, Now       FlipSide
	Action         string
	Caller, Target Party
	Count          int64
	Last           time.Time
	Decision       string // address of the latest one
	Test           string // address of a new test with its facts
}

// FlipSide is how a decision was made: allowed or denied, by a rule.
type FlipSide struct {
	Status Status
	Rule   string
}

// FlipRow is one decision that comes out otherwise.
type FlipRow struct {
	At       time.Time
	Was, Now FlipSide
	Action   string
	Caller   Party
	Object   string
	Decision string
}

func (d ShadowDetail) againstLink(against string) string {
	return with(ShadowPath(d.ID), url.Values{"against": {against}})
}

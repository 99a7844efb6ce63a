package rulebook

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/db"
)

// MaxText is how long a text of rules may be, in bytes.
const MaxText = policy.MaxText

// Draft is the text that is being worked on, with its tests.
type Draft struct {
	Text     string    `json:"text"`
	Tests    []Test    `json:"tests"`
	Revision int64     `json:"revision"` // counts every edit
	EditedBy string    `json:"edited_by,omitempty"`
	EditedAs string    `json:"edited_as,omitempty"` // the editor's name at that time
	EditedAt time.Time `json:"edited_at"`
	Changed  bool      `json:"changed"` // it differs from the newest published version
}

// Check is what is to say of a text and its tests.
type Check struct {
	Findings []Finding `json:"findings"` // what is wrong with the text, in its order
	Rules    []Rule    `json:"rules"`    // what it says, when it compiles
	Results  []Result  `json:"results"`  // of its tests, when it compiles
}

// Failing returns the tests that fail.
func (c Check) Failing() []Result {
	var bad []Result
	for _, r := range c.Results {
		if !r.Pass {
			bad = append(bad, r)
		}
	}
	return bad
}

// Edit is a change of the draft. What is nil stays.
type Edit struct {
	Text     *string
	Tests    *[]Test
	Revision int64 // of the draft its author saw
}

// Draft returns the draft.
func (b *Rulebook) Draft(ctx context.Context) (Draft, error) {
	q := db.New(b.Pool)
	row, err := q.PolicyDraftGet(ctx)
	if err != nil {
		return Draft{}, fmt.Errorf("read the draft: %w", db.Fault(err))
	}
	return draftOf(ctx, q, row)
}

// draftOf reads a row.
func draftOf(ctx context.Context, q *db.Queries, row db.PolicyDraft) (Draft, error) {
	d := Draft{Text: row.Text, Revision: row.Revision, EditedBy: row.EditedBy, EditedAs: row.EditedAs, EditedAt: row.EditedAt.UTC()}
	newest, err := newest(ctx, q)
	if err != nil {
		return d, err
	}
	if d.Tests, err = readTests(row.Tests); err != nil {
		return d, err
	}
	d.Changed = d.Text != newest.Text || !sameTests(d.Tests, newest.Tests)
	return d, nil
}

// Save edits the draft, and says what its tests say. A text that does not
// compile is Unprocessable, with a violation for each finding, and is not kept;
// one whose draft was edited meanwhile is a Conflict. The Check is there either way.
func (b *Rulebook) Save(ctx context.Context, e Edit) (Draft, Check, error) {
	var d Draft
	var c Check
	err := db.InTx(ctx, b.Pool, func(q *db.Queries) (err error) {
		d, c, err = b.save(ctx, q, e)
		return err
	})
	return d, c, err
}

func (b *Rulebook) save(ctx context.Context, q *db.Queries, e Edit) (Draft, Check, error) {
	row, err := q.PolicyDraftLock(ctx)
	if err != nil {
		return Draft{}, Check{}, err
	}
	before, err := draftOf(ctx, q, row)
	if err != nil {
		return Draft{}, Check{}, err
	}
	after := before
	if e.Text != nil {
		after.Text = plainText(*e.Text)
	}
	if e.Tests != nil {
		after.Tests = *e.Tests
	}
	c, err := b.Check(after.Text, after.Tests)
	if err != nil {
		return before, c, err
	}
	if row.Revision != e.Revision {
		return before, c, fault.New(fault.Conflict, "policy.draft", "The draft changed meanwhile: it is at edit %d, not %d; look at it again, then save.", row.Revision, e.Revision)
	}
	if after.Text == before.Text && sameTests(after.Tests, before.Tests) {
		return before, c, nil
	}
	who := actor.From(ctx)
	row, err = q.PolicyDraftPut(ctx, db.PolicyDraftPutParams{Text: after.Text, Tests: writeTests(after.Tests), EditedBy: who.ID, EditedAs: who.Name, Revision: e.Revision})
	if err != nil {
		return before, c, err
	}
	after, err = draftOf(ctx, q, row)
	if err != nil {
		return before, c, err
	}
	change := compare("draft", before.Text, "draft", after.Text)
	return after, c, audit.Append(ctx, q, audit.Entry{
		Action: "policy.draft", Object: "policy/draft", Outcome: audit.OK,
		Detail: map[string]any{"revision": after.Revision, "lines_added": change.Added, "lines_removed": change.Removed, "tests": len(after.Tests)},
		Before: digestState(before.Text, before.Tests, nil), After: digestState(after.Text, after.Tests, nil),
	})
}

// Discard makes the draft what the newest published version is. What was
// published may compile no more; as a draft it can be mended.
func (b *Rulebook) Discard(ctx context.Context, revision int64) (Draft, error) {
	var d Draft
	err := db.InTx(ctx, b.Pool, func(q *db.Queries) error {
		row, err := q.PolicyDraftLock(ctx)
		if err != nil {
			return err
		}
		if row.Revision != revision {
			return fault.New(fault.Conflict, "policy.draft", "The draft changed meanwhile; look at it again.")
		}
		before, err := draftOf(ctx, q, row)
		if err != nil {
			return err
		}
		v, err := newest(ctx, q)
		if err != nil {
			return err
		}
		who := actor.From(ctx)
		if row, err = q.PolicyDraftPut(ctx, db.PolicyDraftPutParams{Text: v.Text, Tests: writeTests(v.Tests), EditedBy: who.ID, EditedAs: who.Name, Revision: revision}); err != nil {
			return err
		}
		if d, err = draftOf(ctx, q, row); err != nil {
			return err
		}
		change := compare("draft", before.Text, "draft", d.Text)
		return audit.Append(ctx, q, audit.Entry{
			Action: "policy.draft", Object: "policy/draft", Outcome: audit.OK,
			Detail: map[string]any{"revision": d.Revision, "discarded": true, "lines_added": change.Added, "lines_removed": change.Removed},
			Before: digestState(before.Text, before.Tests, nil), After: digestState(d.Text, d.Tests, nil),
		})
	})
	return d, err
}

// Check compiles a text and runs tests on it. The error is an Unprocessable
// fault that lists what is wrong with the text or with a test's own form.
func (b *Rulebook) Check(text string, tests []Test) (Check, error) {
	c := Check{Findings: []Finding{}, Rules: []Rule{}, Results: []Result{}}
	text = plainText(text)
	if err := checkText(text); err != nil {
		return c, err
	}
	compiled, findings := b.compile(text)
	c.Findings = append(c.Findings, findings...)
	if compiled == nil {
		return c, refusedText(findings)
	}
	c.Rules = compiled.rules
	if err := checkTests(tests); err != nil {
		return c, err
	}
	for i := range tests {
		c.Results = append(c.Results, compiled.run(&tests[i]))
	}
	return c, nil
}

// plainText returns a text with the line breaks that browsers send made plain.
func plainText(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// checkText refuses what cannot be kept.
func checkText(text string) error {
	switch {
	case len(text) > MaxText:
		return fault.New(fault.Unprocessable, "policy.invalid", "The rules are %d bytes long; at most %d are kept.", len(text), MaxText)
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return fault.New(fault.Unprocessable, "policy.invalid", "The rules are not text in UTF-8, or hold the character U+0000.")
	}
	return nil
}

// refusedText is the fault for a text with findings.
func refusedText(findings []Finding) error {
	f := fault.New(fault.Unprocessable, "policy.invalid", "The rules do not compile.")
	if len(findings) > 0 {
		f = fault.New(fault.Unprocessable, "policy.invalid", "The rules do not compile: %s", first(findings))
	}
	for _, one := range findings {
		f.Violations = append(f.Violations, fault.Violation{Rule: "policy.invalid", Path: "/text", Message: sentence(one)})
	}
	return f
}

// digestState is how the audit knows a text and its tests: by what they hash to.
func digestState(text string, tests []Test, more map[string]any) json.RawMessage {
	state := map[string]any{"sha256": fmt.Sprintf("%x", digest(text, tests)), "bytes": len(text), "tests": len(tests)}
	for name, value := range more {
		state[name] = value
	}
	raw, _ := json.Marshal(state) // of strings and numbers
	return raw
}

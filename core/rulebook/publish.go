package rulebook

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/db"
)

// maxComment is how long the comment of a version, and a reason, may be, in characters.
const maxComment = 500

// Outcome is what came of asking to publish: a version, or a request that waits
// for a second person.
type Outcome struct {
	Version *Version `json:"version,omitempty"`
	Waiting *Waiting `json:"waiting,omitempty"`
}

// candidate is a text that is to be published.
type candidate struct {
	text     string
	tests    []Test
	comment  string
	restored *int64
	author   actor.Actor
	approver actor.Actor // zero: nobody had to
}

// Publish puts the draft in force, or asks for a second person where two have to
// publish. It refuses with a Conflict what its author did not see (revision),
// what fails a test, what changes nothing, and what would overtake a publication
// that waits.
func (b *Rulebook) Publish(ctx context.Context, revision int64, comment string) (Outcome, error) {
	return b.offer(ctx, comment, func(q *db.Queries) (candidate, error) {
		row, err := q.PolicyDraftGet(ctx)
		if err != nil {
			return candidate{}, err
		}
		if row.Revision != revision {
			return candidate{}, fault.New(fault.Conflict, "policy.draft", "The draft changed meanwhile: it is at edit %d, not %d; look at it again, then publish.", row.Revision, revision)
		}
		tests, err := readTests(row.Tests)
		return candidate{text: row.Text, tests: tests}, err
	})
}

// Restore publishes an old version again, as a new one, under the rules of
// Publish. A draft without edits of its own follows.
func (b *Rulebook) Restore(ctx context.Context, number int64, comment string) (Outcome, error) {
	return b.offer(ctx, comment, func(q *db.Queries) (candidate, error) {
		v, err := version(ctx, q, number)
		return candidate{text: v.Text, tests: v.Tests, restored: &number}, err
	})
}

// offer publishes a candidate at once, or lets it wait.
func (b *Rulebook) offer(ctx context.Context, comment string, find func(*db.Queries) (candidate, error)) (Outcome, error) {
	comment, err := checkComment("comment", comment)
	if err != nil {
		return Outcome{}, err
	}
	var out Outcome
	err = db.InTx(ctx, b.Pool, func(q *db.Queries) error {
		if _, err := q.PolicyDraftLock(ctx); err != nil {
			return err
		}
		c, err := find(q)
		if err != nil {
			return err
		}
		c.comment, c.author = comment, actor.From(ctx)
		now, err := newest(ctx, q)
		if err != nil {
			return err
		}
		if c.text == now.Text && sameTests(c.tests, now.Tests) {
			return fault.New(fault.Conflict, "policy.unchanged", "It is word for word what is published as %s; there is nothing to publish.", versionName(now.Number))
		}
		if err := b.passes(c); err != nil {
			return err
		}
		if err := b.noneWaits(ctx, q); err != nil {
			return err
		}
		if b.FourEyes() {
			r, err := b.ask(ctx, q, c, now.Number)
			out.Waiting = &r
			return err
		}
		v, err := b.insert(ctx, q, c, now)
		out.Version = &v
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	if out.Version != nil {
		b.publish(ctx)
	}
	return out, nil
}

// passes refuses a candidate that does not compile or fails a test of its own.
func (b *Rulebook) passes(c candidate) error {
	check, err := b.Check(c.text, c.tests)
	if err != nil {
		return err
	}
	failing := check.Failing()
	if len(failing) == 0 {
		return nil
	}
	f := fault.New(fault.Conflict, "policy.tests", "%d of its %d tests fail; correct the rules or the tests first.", len(failing), len(check.Results))
	if len(failing) == 1 {
		f = fault.New(fault.Conflict, "policy.tests", "The test %q fails; correct the rules or the test first.", failing[0].Name)
	}
	for _, r := range failing {
		f.Violations = append(f.Violations, fault.Violation{Rule: "policy.tests", Path: "/tests", Message: r.Name + ": " + r.Why})
	}
	return f
}

// insert publishes c after the version now, within the transaction of q.
func (b *Rulebook) insert(ctx context.Context, q *db.Queries, c candidate, now Version) (Version, error) {
	row, err := q.PolicyVersionInsert(ctx, db.PolicyVersionInsertParams{
		Text: c.text, Tests: writeTests(c.tests), Digest: digest(c.text, c.tests), Comment: c.comment, Restored: c.restored,
		Author: c.author.ID, AuthorName: c.author.Name, Approver: c.approver.ID, ApproverName: c.approver.Name,
	})
	if err != nil {
		return Version{}, err
	}
	v, err := versionOf(row)
	if err != nil {
		return Version{}, err
	}
	draft, err := q.PolicyDraftGet(ctx)
	if err != nil {
		return v, err
	}
	tests, err := readTests(draft.Tests)
	if err != nil {
		return v, err
	}
	if untouched := draft.Text == now.Text && sameTests(tests, now.Tests); untouched && c.restored != nil {
		if _, err := q.PolicyDraftPut(ctx, db.PolicyDraftPutParams{
			Text: c.text, Tests: writeTests(c.tests), EditedBy: c.author.ID, EditedAs: c.author.Name, Revision: draft.Revision,
		}); err != nil {
			return v, err
		}
	}
	action := "policy.publish"
	if c.restored != nil {
		action = "policy.restore"
	}
	change := compare(versionName(now.Number), now.Text, versionName(v.Number), v.Text)
	detail := map[string]any{"comment": v.Comment, "lines_added": change.Added, "lines_removed": change.Removed, "author": v.Author}
	if c.approver.ID != "" {
		detail["approver"] = v.Approver
	}
	if c.restored != nil {
		detail["restored"] = *c.restored
	}
	return v, audit.Append(ctx, q, audit.Entry{
		Action: action, Object: fmt.Sprintf("policy/%d", v.Number), Outcome: audit.OK, Detail: detail,
		Before: digestState(now.Text, now.Tests, map[string]any{"version": now.Number}),
		After:  digestState(v.Text, v.Tests, map[string]any{"version": v.Number}),
	})
}

// checkComment returns a sentence without the space around it, or refuses it.
func checkComment(field, text string) (string, error) {
	text = strings.TrimSpace(text)
	if utf8.RuneCountInString(text) > maxComment || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		f := fault.New(fault.Unprocessable, "policy.comment", "The %s has at most %d characters.", field, maxComment)
		f.Violations = []fault.Violation{{Rule: "policy.comment", Path: "/" + field, Message: f.Sentence}}
		return "", f
	}
	return text, nil
}

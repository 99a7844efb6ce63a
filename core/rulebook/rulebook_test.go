package rulebook_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/rulebook"
	"github.com/vivified/vivified/core/trait"
)

func TestADraftIsEditedByWhoSawIt(t *testing.T) {
	w := newWorld(t)
	first := must(w.Draft(w.as(mara)))(t)
	if first.Text != "" || first.Changed || len(first.Tests) != 0 {
		t.Fatalf("the first draft is %+v", first)
	}
	text := closed
	after, check, err := w.Save(w.as(mara), rulebook.Edit{Text: &text, Revision: first.Revision})
	if err != nil {
		t.Fatal(err)
	}
	if after.Text != closed || !after.Changed || after.EditedAs != mara.Name || after.Revision == first.Revision {
		t.Errorf("the draft is %+v", after)
	}
	if len(check.Rules) != 1 || check.Rules[0].ID != "admin.closed" || check.Rules[0].Effect != "forbid" || check.Rules[0].Sentence != "The stock is being counted." {
		t.Errorf("it says %+v", check.Rules)
	}
	another := open
	_, _, err = w.Save(w.as(joel), rulebook.Edit{Text: &another, Revision: first.Revision})
	refused(t, err, "policy.draft")
	_, err = w.Discard(w.as(joel), first.Revision)
	refused(t, err, "policy.draft")
	if now := must(w.Draft(w.as(joel)))(t); now.Text != closed {
		t.Errorf("a refused edit was kept: %q", now.Text)
	}
	if same, _, err := w.Save(w.as(joel), rulebook.Edit{Text: &text, Revision: after.Revision}); err != nil || same.Revision != after.Revision {
		t.Errorf("an edit that changes nothing makes revision %d, %v", same.Revision, err)
	}
	if diff := cmp.Diff([]string{"policy.draft"}, w.actions()); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyWhatCompilesIsKept(t *testing.T) {
	w := newWorld(t)
	first := must(w.Draft(w.as(mara)))(t)
	for _, tt := range []struct {
		name, text string
		findings   bool
	}{
		{"an effect misspelt", strings.Replace(closed, "forbid", "forbit", 1), true},
		{"two mistakes", strings.Replace(closed, "resource.name", "resource.moon", 1) + "nonsense", true},
		{"too long", strings.Repeat("/", rulebook.MaxText+1), false},
		{"no text", "\xff", false},
		{"a zero", "// \x00", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, check, err := w.Save(w.as(mara), rulebook.Edit{Text: &tt.text, Revision: first.Revision})
			f := refused(t, err, "policy.invalid")
			if f.Kind != fault.Unprocessable || (len(check.Findings) > 0) != tt.findings || len(f.Violations) != len(check.Findings) {
				t.Errorf("%d findings, refused by %+v", len(check.Findings), f)
			}
			if d.Text != "" || must(w.Draft(w.as(mara)))(t).Revision != first.Revision {
				t.Error("it is kept")
			}
		})
	}
	browser := strings.ReplaceAll(closed, "\n", "\r\n")
	if d, _, err := w.Save(w.as(mara), rulebook.Edit{Text: &browser, Revision: first.Revision}); err != nil || d.Text != closed {
		t.Errorf("line breaks of browsers are kept: %q, %v", d.Text, err)
	}
}

func TestTestsAreExamples(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		name  string
		edit  func(*rulebook.Test)
		code  string // "": it can be kept
		fails bool
		why   string
	}{
		{name: "what the rules do"},
		{name: "by the rule that does", edit: func(t *rulebook.Test) { t.Rule = "admin.closed" }},
		{name: "another outcome", edit: func(t *rulebook.Test) { t.Expect = "allow" }, fails: true, why: "It should allow, and the rules deny by admin.closed."},
		{name: "another rule", edit: func(t *rulebook.Test) { t.Rule = "operator.grant" }, fails: true, why: "by operator.grant"},
		{name: "without a name", edit: func(t *rulebook.Test) { t.Name = " " }, code: "policy.test"},
		{name: "expects nothing", edit: func(t *rulebook.Test) { t.Expect = "maybe" }, code: "policy.test"},
		{name: "asks for nothing", edit: func(t *rulebook.Test) { t.Request.Action = "" }, code: "policy.test"},
		{name: "nobody asks", edit: func(t *rulebook.Test) { t.Request.Subject.Kind = "" }, code: "policy.test"},
		{name: "too large", edit: func(t *rulebook.Test) { t.Request.Resource.Name = strings.Repeat("x", 9<<10) }, code: "policy.test"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			example := expects("deny", "")
			if tt.edit != nil {
				tt.edit(&example)
			}
			check, err := w.Check(closed, []rulebook.Test{example})
			if tt.code != "" {
				refused(t, err, tt.code)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := check.Results[0]; got.Pass == tt.fails || !strings.Contains(got.Why, tt.why) {
				t.Errorf("got %+v", got)
			}
		})
	}
	_, err := w.Check(closed, []rulebook.Test{expects("deny", ""), expects("deny", "")})
	refused(t, err, "policy.test")
	r, err := w.Try(closed, call())
	if err != nil || r.Allow || r.Rule != "admin.closed" || len(r.Reasons) < 3 || r.Why != "The stock is being counted." {
		t.Errorf("tried: %+v, %v", r, err)
	}
	if r, err = w.TryPublished(call()); err != nil || !r.Allow {
		t.Errorf("tried by what is published: %+v, %v", r, err)
	}
	_, err = w.Try(closed, rulebook.Request{})
	refused(t, err, "policy.request")
}

func TestPublishingIsHeldToItsTests(t *testing.T) {
	w := newWorld(t)
	d := w.save(closed, expects("allow", ""))
	_, err := w.Publish(w.as(mara), d.Revision, "")
	if f := refused(t, err, "policy.tests"); f.Kind != fault.Conflict || len(f.Violations) != 1 || !strings.Contains(f.Violations[0].Message, "Counting the stock") {
		t.Errorf("refused by %+v", f)
	}
	if !allows(w.Policy()) || w.InForce().Version != 0 {
		t.Fatal("it is in force")
	}
	d = w.save(closed, expects("deny", "admin.closed"))
	_, err = w.Publish(w.as(mara), d.Revision-1, "")
	refused(t, err, "policy.draft")
	_, err = w.Publish(w.as(mara), d.Revision, strings.Repeat("x", 501))
	refused(t, err, "policy.comment")
	out, err := w.Publish(w.as(mara), d.Revision, " Counting ")
	if err != nil {
		t.Fatal(err)
	}
	if v := out.Version; v.Number != 1 || v.Comment != "Counting" || v.AuthorName != mara.Name || len(v.Tests) != 1 {
		t.Errorf("published %+v", v)
	}
	if allows(w.Policy()) || w.InForce().Version != 1 {
		t.Error("it is not in force where it was published")
	}
	_, err = w.Publish(w.as(mara), d.Revision, "")
	refused(t, err, "policy.unchanged")
	if must(w.Draft(w.as(mara)))(t).Changed {
		t.Error("the draft passes for changed")
	}
	if diff := cmp.Diff([]string{"policy.draft", "policy.draft", "policy.publish"}, w.actions()); diff != "" {
		t.Error(diff)
	}
}

func TestVersionsAreForGood(t *testing.T) {
	w := newWorld(t)
	w.publish(closed, expects("deny", ""))
	w.publish(open)
	if !allows(w.Policy()) {
		t.Fatal("version 2 is not in force")
	}
	out, err := w.Restore(w.as(joel), 1, "It is counted again")
	if err != nil {
		t.Fatal(err)
	}
	if v := out.Version; v.Number != 3 || v.Text != closed || v.Restored == nil || *v.Restored != 1 || v.AuthorName != joel.Name {
		t.Errorf("restored %+v", v)
	}
	if allows(w.Policy()) {
		t.Error("what was restored is not in force")
	}
	if d := must(w.Draft(w.as(mara)))(t); d.Text != closed || d.Changed {
		t.Errorf("a draft without edits does not follow: %+v", d)
	}
	_, err = w.Restore(w.as(joel), 3, "")
	refused(t, err, "policy.unchanged")
	_, err = w.Restore(w.as(joel), 9, "")
	refused(t, err, "policy.version")

	w.save(open + "// an edit\n")
	if _, err := w.Restore(w.as(joel), 2, ""); err != nil {
		t.Fatal(err)
	}
	if d := must(w.Draft(w.as(mara)))(t); !strings.HasSuffix(d.Text, "// an edit\n") {
		t.Errorf("an edit is lost: %q", d.Text)
	}
	list := must(w.Versions(w.as(mara), 0, 2))(t)
	if len(list) != 2 || list[0].Number != 4 || list[1].Number != 3 {
		t.Errorf("listed %+v", list)
	}
	if older := must(w.Versions(w.as(mara), list[1].Number, 10))(t); len(older) != 2 || older[0].Number != 2 {
		t.Errorf("older ones: %+v", older)
	}
	for _, sql := range []string{"UPDATE policy_versions SET text = ''", "DELETE FROM policy_versions"} {
		_, err := w.db.Pool.Exec(t.Context(), sql)
		if pg, ok := errors.AsType[*pgconn.PgError](err); !ok || pg.Code != "42501" {
			t.Errorf("%s: %v, want permission denied", sql, err)
		}
	}
}

func TestComparing(t *testing.T) {
	w := newWorld(t)
	w.publish("// a\n// b\n// c\n")
	w.publish("// a\n// B\n// c\n// d\n")
	d := must(w.Diff(w.as(mara), "1", "2"))(t)
	want := "diff version 1 version 2\n--- version 1\n+++ version 2\n@@ -1,3 +1,4 @@\n // a\n-// b\n+// B\n // c\n+// d\n"
	if diff := cmp.Diff(rulebook.Diff{From: "version 1", To: "version 2", Added: 2, Removed: 1, Unified: want}, d); diff != "" {
		t.Error(diff)
	}
	if d = must(w.Diff(w.as(mara), "published", "draft"))(t); d.Unified != "" || d.Added+d.Removed != 0 {
		t.Errorf("what is alike differs: %+v", d)
	}
	if d = must(w.Diff(w.as(mara), "0", "1"))(t); d.Added != 3 || d.From != "no rules" {
		t.Errorf("the first version adds %+v", d)
	}
	_, err := w.Diff(w.as(mara), "-1", "2")
	refused(t, err, "policy.compare")
	_, err = w.Diff(w.as(mara), "7", "2")
	refused(t, err, "policy.version")
}

func TestEveryReplicaFollows(t *testing.T) {
	for name, muted := range map[string]bool{"woken": false, "by looking, when no bus wakes it": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.bell.muted = muted
			other := w.open("two")
			w.run(other)
			w.publish(closed)
			eventually(t, "the rule is in force on the other replica", func() bool { return !allows(other.Policy()) })
			if got := other.InForce(); got.Version != 1 || got.Published != 1 || got.Broken != "" {
				t.Errorf("in force there is %+v", got)
			}
		})
	}
}

// brokenVersion is what a later release may leave behind, or a hand in the database.
func (w *world) brokenVersion() {
	w.exec("INSERT INTO policy_versions (number, text, tests, digest, comment, author, author_name) SELECT max(number) + 1, 'forbit everything;', '[]', decode(repeat('00', 32), 'hex'), '', 'x', 'x' FROM policy_versions")
}

func TestWhatDoesNotCompileOpensNothing(t *testing.T) {
	w := newWorld(t)
	w.publish(closed)
	w.brokenVersion()
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := w.InForce()
	if allows(w.Policy()) || got.Version != 1 || got.Published != 2 || !strings.Contains(got.Broken, "version 2 of the policy does not compile") {
		t.Errorf("in force is %+v", got)
	}
	_, err := rulebook.Open(t.Context(), w.config("two"))
	if f := refused(t, err, "policy.stored"); !strings.Contains(f.Sentence, "does not start") {
		t.Errorf("it says %q", f.Sentence)
	}
	if v := w.publish(open); v.Number != 3 || !allows(w.Policy()) || w.InForce().Broken != "" {
		t.Errorf("a version that compiles does not mend it: %+v", w.InForce())
	}
}

func TestNewTraitsCountAtOnce(t *testing.T) {
	w := newWorld(t)
	w.publish(closed)
	text := strings.Replace(closed, `resource.name == "count"`, `!principal.traits.contains("counts_stock")`, 1)
	if _, err := w.Check(text, nil); err == nil {
		t.Fatal("a trait that is not there is known")
	}
	w.traits = must(w.traits.With([]trait.Trait{{Name: "counts_stock", Label: "Counts", Icon: "tag", Assignable: trait.ToPlugin}}))(t)
	if got := w.Policy(); got.Traits() != w.traits || allows(got) {
		t.Error("the rules in force do not know the new trait, or are lost")
	}
	w.publish(text)
	if allows(w.Policy()) {
		t.Error("the new rule is not in force")
	}
	w.traits = trait.Builtin() // as if it were taken back
	if allows(w.Policy()) || !strings.Contains(w.InForce().Broken, "traits") {
		t.Errorf("rules about a trait that is gone are lost: %+v", w.InForce())
	}
}

func TestADatabaseAwayChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.publish(closed)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Load(gone); err == nil {
		t.Error("what cannot be read is read")
	}
	if allows(w.Policy()) {
		t.Error("the rule is lost")
	}
}

package rulebook_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/rulebook"
)

// asked publishes where two have to, as Mara, and returns what waits.
func (w *world) asked(text string) rulebook.Waiting {
	w.t.Helper()
	w.two = true
	d := w.save(text)
	out, err := w.Publish(w.as(mara), d.Revision, "The stock is counted")
	if err != nil || out.Version != nil || out.Waiting == nil {
		w.t.Fatalf("published %+v, %v", out, err)
	}
	return *out.Waiting
}

func TestASecondPersonPublishes(t *testing.T) {
	w := newWorld(t)
	waits := w.asked(closed)
	if list := must(w.Waiting(w.as(joel)))(t); len(list) != 1 || list[0].ID != waits.ID || list[0].Diff.Added != 4 || list[0].AuthorName != mara.Name {
		t.Fatalf("there waits %+v", list)
	}
	if !allows(w.Policy()) {
		t.Fatal("it is in force unseen")
	}
	_, err := w.Approve(w.as(mara), waits.ID, "I am sure")
	if f := refused(t, err, "policy.own"); f.Kind != fault.Denied {
		t.Errorf("refused by %+v", f)
	}
	_, err = w.Approve(w.as(joel), waits.ID, " ")
	refused(t, err, "policy.reason")
	_, err = w.Approve(w.as(joel), uuid.New(), "Yes")
	refused(t, err, "policy.request_unknown")
	refused(t, w.Withdraw(w.as(joel), waits.ID), "policy.own")
	d := w.save(open)
	_, err = w.Publish(w.as(mara), d.Revision, "")
	refused(t, err, "policy.waiting")

	v, err := w.Approve(w.as(joel), waits.ID, "Agreed on Monday")
	if err != nil {
		t.Fatal(err)
	}
	if v.Text != closed || v.AuthorName != mara.Name || v.ApproverName != joel.Name || allows(w.Policy()) {
		t.Errorf("published %+v", v)
	}
	_, err = w.Approve(w.as(joel), waits.ID, "Again")
	refused(t, err, "policy.over")
	if diff := cmp.Diff([]string{"policy.draft", "policy.request", "policy.draft", "policy.publish"}, w.actions()); diff != "" {
		t.Error(diff)
	}
}

func TestWhatWaitsEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(*world, uuid.UUID) error
		code string // of approving afterwards
		last string // action
	}{
		"denied":    {func(w *world, id uuid.UUID) error { return w.Deny(w.as(joel), id, "Not on a Friday") }, "policy.over", "policy.deny"},
		"withdrawn": {func(w *world, id uuid.UUID) error { return w.Withdraw(w.as(mara), id) }, "policy.over", "policy.withdraw"},
		"expired": {func(w *world, id uuid.UUID) error {
			w.exec("UPDATE policy_requests SET expires_at = now() - interval '1 second'")
			return nil
		}, "policy.over", "policy.request"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			waits := w.asked(closed)
			if err := tt.end(w, waits.ID); err != nil {
				t.Fatal(err)
			}
			if list := must(w.Waiting(w.as(joel)))(t); len(list) != 0 {
				t.Errorf("it still waits: %+v", list)
			}
			_, err := w.Approve(w.as(joel), waits.ID, "Yes")
			refused(t, err, tt.code)
			if !allows(w.Policy()) {
				t.Error("it is in force")
			}
			if all := w.actions(); all[len(all)-1] != tt.last {
				t.Errorf("recorded are %v", all)
			}
			if again := w.asked(closed + "// once more\n"); again.ID == waits.ID {
				t.Error("nothing new waits")
			}
		})
	}
}

func TestWhatWasOvertakenIsNotPublished(t *testing.T) {
	w := newWorld(t)
	waits := w.asked(closed)
	w.exec("INSERT INTO policy_versions (number, text, tests, digest, comment, author, author_name) VALUES (1, '', '[]', decode(repeat('00', 32), 'hex'), '', 'x', 'x')")
	_, err := w.Approve(w.as(joel), waits.ID, "Yes")
	refused(t, err, "policy.overtaken")
}

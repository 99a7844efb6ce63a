package retention_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/retention"
	"github.com/vivified/vivified/core/trait"
)

// What a hold describes stays, whatever its age, until the hold is lifted.
func TestAHoldKeepsWhatItDescribes(t *testing.T) {
	w := newWorld(t)
	at := w.lane(touches("files/1"), touches("files/2"), touches("labs/3", trait.PII), touches("files/4"), touches("files/5"))
	early, late := at.Add(-time.Hour), at.Add(time.Hour)
	w.now = at.AddDate(0, 0, 3000)
	for _, c := range []struct {
		name  string
		keep  retention.Scope
		stays int64 // first record that stays; 5: none is held
	}{
		{"everything", retention.Scope{}, 1},
		{"the plugin that acted", retention.Scope{Plugin: "labs"}, 1},
		{"another plugin", retention.Scope{Plugin: "lab"}, 5},
		{"who acted, by id", retention.Scope{Actor: "labs"}, 1},
		{"who acted, by name", retention.Scope{Actor: "LABS"}, 1},
		{"an object", retention.Scope{Object: "files/2"}, 2},
		{"objects that begin alike", retention.Scope{Object: "labs/*"}, 3},
		{"an underscore is no wildcard", retention.Scope{Object: "labs_*"}, 5},
		{"a class", retention.Scope{Class: "pii"}, 3},
		{"a time around it", retention.Scope{Since: &early, Until: &late}, 1},
		{"a time after it", retention.Scope{Since: &late}, 5},
		{"a time before it", retention.Scope{Until: &early}, 5},
		{"two that do not meet", retention.Scope{Object: "files/2", Class: "pii"}, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, err := w.Place(w.as(), "Case 7", "A law suit.", c.keep)
			if err != nil {
				t.Fatal(err)
			}
			all, err := w.Preview(w.as(), w.now)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range all {
				if d.Chain == lane && d.Stays != c.stays {
					t.Errorf("record %d stays, want %d", d.Stays, c.stays)
				}
				if d.Chain == lane && (d.Hold == "Case 7") != (c.stays < 5) {
					t.Errorf("it is said to be held by %q", d.Hold)
				}
			}
			if _, err := w.Lift(w.as(), h.ID, "It was settled."); err != nil {
				t.Fatal(err)
			}
		})
	}

	h, err := w.Place(w.as(), "Case 8", "A law suit.", retention.Scope{Object: "labs/3"})
	if err != nil {
		t.Fatal(err)
	}
	w.purge()
	w.begins(lane, 3)
	w.whole()
	if _, err := w.Lift(w.as(), h.ID, "It was settled."); err != nil {
		t.Fatal(err)
	}
	w.purge()
	w.begins(lane, 5)
	w.whole()
}

func TestHoldsThatCannotBe(t *testing.T) {
	w := newWorld(t)
	now := time.Now()
	for _, c := range []struct {
		name, reason string
		keep         retention.Scope
	}{
		{"", "why", retention.Scope{}},
		{"name", " ", retention.Scope{}},
		{"name", "why", retention.Scope{Class: "secret"}},
		{"name", "why", retention.Scope{Plugin: "a\x00b"}},
		{"name", "why", retention.Scope{Since: &now, Until: &now}},
	} {
		_, err := w.Place(w.as(), c.name, c.reason, c.keep)
		isFault(t, err, "retention.hold")
	}
	h, err := w.Place(w.as(), "Case 9", "why", retention.Scope{Plugin: "labs"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Place(w.as(), "case 9", "why", retention.Scope{})
	isFault(t, err, "retention.name_taken")
	_, err = w.Lift(w.as(), h.ID, "")
	isFault(t, err, "retention.hold")
	if _, err := w.Lift(w.as(), h.ID, "settled"); err != nil {
		t.Fatal(err)
	}
	_, err = w.Lift(w.as(), h.ID, "settled")
	isFault(t, err, "retention.lifted")
	_, err = w.Lift(w.as(), uuid.Must(uuid.NewV7()), "settled")
	isFault(t, err, "retention.hold_unknown")
	if _, err := w.Place(w.as(), "Case 9", "again", retention.Scope{}); err != nil {
		t.Errorf("the name of a lifted hold cannot be used again: %v", err)
	}
	found, err := w.store.Search(w.as(), audit.Filter{Action: "audit.hold.*"})
	if err != nil || len(found.Records) != 3 {
		t.Errorf("%d records, %v; want 3", len(found.Records), err)
	}
	holds, err := w.Holds(w.as())
	if err != nil || len(holds) != 2 || holds[0].LiftedAt != nil || holds[1].LiftReason != "settled" {
		t.Errorf("holds %+v, %v", holds, err)
	}
}

package canon_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/canon"
)

func TestIDsAreFoundAndReplaced(t *testing.T) {
	marks, err := canon.ReadMarks([]byte(`{"type": "object", "properties": {
		"id": {"type": "string", "x-global-id": "user"}, "name": {"type": "string"},
		"friends": {"type": "array", "items": {"$ref": "#/$defs/user"}},
		"places": {"type": "object", "additionalProperties": {"type": "string", "x-global-id": "place"}}},
		"$defs": {"user": {"type": "string", "x-global-id": "user"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		doc, want string
		ids       []canon.ID
	}{
		{`{"id":"1","name":"1","friends":["2","1"]}`, `{"friends":["b","a"],"id":"a","name":"1"}`, []canon.ID{{Model: "user", Value: "1"}, {Model: "user", Value: "2"}}},
		{`{ "id": "9", "big": 12345678901234567890 }`, `{ "id": "9", "big": 12345678901234567890 }`, []canon.ID{{Model: "user", Value: "9"}}},
		{`{"id":"1","big":12345678901234567890,"text":"<&>"}`, `{"big":12345678901234567890,"id":"a","text":"<&>"}`, []canon.ID{{Model: "user", Value: "1"}}},
		{`{"places":{"home":"1"}}`, `{"places":{"home":"here"}}`, []canon.ID{{Model: "place", Value: "1"}}},
		{`{"id":1}`, `{"id":1}`, nil},
		{`"1"`, `"1"`, nil},
	} {
		got, err := marks.ReplaceIDs([]byte(tt.doc), map[canon.ID]string{{Model: "user", Value: "1"}: "a", {Model: "user", Value: "2"}: "b", {Model: "place", Value: "1"}: "here"})
		if err != nil || string(got) != tt.want {
			t.Errorf("%s becomes %s, want %s (%v)", tt.doc, got, tt.want, err)
		}
		ids, err := marks.IDs([]byte(tt.doc))
		less := func(a, b canon.ID) bool { return a.Model+a.Value < b.Model+b.Value }
		if diff := cmp.Diff(tt.ids, sortedIDs(ids, less)); err != nil || diff != "" {
			t.Errorf("%s: %s (%v)", tt.doc, diff, err)
		}
	}
	if marks.IDOf("id") != "user" || marks.IDOf("name") != "" {
		t.Error("a member's model is another")
	}
	for _, bad := range []string{`{`, `{} {}`, ``} {
		if _, err := marks.IDs([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
	if _, err := canon.ReadMarks([]byte(`{"x-global-id": "Not A Model"}`)); err == nil {
		t.Error("a model of no form is taken")
	}
	if none, _ := canon.ReadMarks(nil); none.HasIDs() {
		t.Error("a schema without ids has some")
	}
}

func sortedIDs(ids []canon.ID, less func(a, b canon.ID) bool) []canon.ID {
	for i := range ids {
		for j := i; j > 0 && less(ids[j], ids[j-1]); j-- {
			ids[j], ids[j-1] = ids[j-1], ids[j]
		}
	}
	return ids
}

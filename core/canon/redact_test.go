package canon_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/canon"
	"github.com/vivified/vivified/core/trait"
)

const greeting = `{
  "type": "object",
  "properties": {
    "greeting_id": {"type": "string"},
    "language": {"type": "string"},
    "name": {"type": "string", "x-class": "pii"},
    "contact": {"type": "object", "x-class": "pii", "properties": {"email": {"type": "string"}, "diagnosis": {"type": "string", "x-class": "phi"}}},
    "visits": {"type": "array", "items": {"type": "object", "properties": {"day": {"type": "string"}, "note": {"type": "string", "x-class": "phi"}}}},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "free": {"type": "object"}
  }
}`

func TestRedact(t *testing.T) {
	pii, phi := trait.ClassesOf(trait.PII), trait.ClassesOf(trait.PHI)
	for _, tt := range []struct {
		name    string
		hidden  trait.Classes
		doc     string
		want    string
		removed []string
	}{
		{"nothing hidden, nothing touched", 0, `{ "name" : "Ada" }`, `{ "name" : "Ada" }`, nil},
		{"a marked field goes, the others stay as written", pii, `{"greeting_id":"1","name":"Ada","language":"en"}`, `{"greeting_id":"1","language":"en"}`, []string{"/name"}},
		{"a hidden object goes whole", pii, `{"contact":{"email":"a@b"},"language":"en"}`, `{"language":"en"}`, []string{"/contact"}},
		{"a deeper, more sensitive field goes alone", phi, `{"contact":{"email":"a@b","diagnosis":"x"}}`, `{"contact":{"email":"a@b"}}`, []string{"/contact/diagnosis"}},
		{"inside arrays", phi, `{"visits":[{"day":"1","note":"n"},{"note":"m"}]}`, `{"visits":[{"day":"1"},{}]}`, []string{"/visits/0/note", "/visits/1/note"}},
		{"what the schema does not name goes", pii, `{"phone":"555","language":"en"}`, `{"language":"en"}`, []string{"/phone"}},
		{"an object nobody described goes", pii, `{"free":{"a":1},"language":"en"}`, `{"language":"en"}`, []string{"/free"}},
		{"described maps stay", pii, `{"labels":{"a":"1","b":"2"}}`, `{"labels":{"a":"1","b":"2"}}`, nil},
		{"keys hidden behind escapes are found", pii, `{"n\u0061me":"Ada"}`, `{}`, []string{"/name"}},
		{"a repeated key is judged each time", pii, `{"name":"Ada","name":"Bo"}`, `{}`, []string{"/name", "/name"}},
		{"brackets and quotes in strings", pii, `{"name":"}\"]{","language":"\\"}`, `{"language":"\\"}`, []string{"/name"}},
		{"a scalar where a structure was promised goes", pii, `{"labels":"Ada"}`, `{"labels":null}`, []string{"/labels"}},
		{"a pointer is escaped", pii, `{"a/b~c":1}`, `{}`, []string{"/a~1b~0c"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			marks, err := canon.ReadMarks(json.RawMessage(greeting))
			if err != nil {
				t.Fatal(err)
			}
			got, removed, err := marks.Plan(tt.hidden).Redact([]byte(tt.doc))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if diff := cmp.Diff(tt.removed, removed); diff != "" {
				t.Errorf("removed fields differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMarks(t *testing.T) {
	marks, err := canon.ReadMarks(json.RawMessage(greeting))
	if err != nil {
		t.Fatal(err)
	}
	if want := trait.ClassesOf(trait.PII, trait.PHI); marks.Classes() != want {
		t.Errorf("classes are %s, want %s", marks.Classes(), want)
	}
	if marks.Cover(trait.ClassesOf(trait.Confidential)) {
		t.Error("a class that no field is marked with cannot be redacted, and yet the marks claim to cover it")
	}
	if _, err := canon.ReadMarks(json.RawMessage(`{"properties":{"a":{"x-class":"secret"}}}`)); err == nil {
		t.Error("an unknown class was accepted")
	}
	none, err := canon.ReadMarks(nil)
	if err != nil {
		t.Fatal(err)
	}
	if none.Cover(trait.ClassesOf(trait.PII)) {
		t.Error("no schema marks nothing, and yet it claims to cover pii")
	}
	if got, _, err := none.Plan(trait.ClassesOf(trait.PII)).Redact([]byte(`{"a":1}`)); err != nil || string(got) != "null" {
		t.Errorf("without marks everything is hidden, got %s, %v", got, err)
	}
	loop := `{"$defs":{"n":{"type":"object","properties":{"next":{"$ref":"#/$defs/n"},"name":{"type":"string","x-class":"pii"}}}},"$ref":"#/$defs/n"}`
	deep, err := canon.ReadMarks(json.RawMessage(loop))
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := deep.Plan(trait.ClassesOf(trait.PII)).Redact([]byte(strings.Repeat(`{"name":"x","next":`, 40) + "null" + strings.Repeat("}", 40)))
	if err != nil || strings.Contains(string(got), "name") {
		t.Errorf("a recursive schema let a name through: %s, %v", got, err)
	}
}

// FuzzRedact: the result is valid JSON, never longer than the input, and no
// value that sat in a marked field survives.
func FuzzRedact(f *testing.F) {
	f.Add([]byte(`{"name":"CANARY","visits":[{"note":"CANARY"}],"language":"en"}`))
	f.Add([]byte(`{"n\u0061me":"CANARY"}`))
	f.Add([]byte(` [1, {"name":"CANARY"}] `))
	marks, err := canon.ReadMarks(json.RawMessage(greeting))
	if err != nil {
		f.Fatal(err)
	}
	plan := marks.Plan(trait.ClassesOf(trait.PII, trait.PHI))
	f.Fuzz(func(t *testing.T, doc []byte) {
		got, _, err := plan.Redact(doc)
		if err != nil {
			return
		}
		if !json.Valid(got) {
			t.Fatalf("%q became invalid JSON: %q", doc, got)
		}
		var after map[string]any
		if json.Unmarshal(got, &after) == nil {
			for _, field := range []string{"name", "contact", "free"} {
				if _, there := after[field]; there {
					t.Fatalf("%q still has %s: %s", doc, field, got)
				}
			}
		}
	})
}

func TestSchemaThatGrowsWithoutEnd(t *testing.T) {
	bomb := `{"$defs":{"n":{"type":"object","properties":{"a":{"$ref":"#/$defs/n"},"b":{"$ref":"#/$defs/n"}}}},"$ref":"#/$defs/n"}`
	if _, err := canon.ReadMarks(json.RawMessage(bomb)); err == nil {
		t.Fatal("a schema that doubles at every level was accepted")
	}
}

package canon_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/canon"
	"github.com/vivified/vivified/core/trait"
)

// Wherever a schema may say something of a field, a mark there counts.
func TestMarksWhereverTheyStand(t *testing.T) {
	const doc = `{"name":"Ada","language":"en"}`
	for name, schema := range map[string]string{
		"beside a reference":             `{"$defs":{"n":{"type":"string"}},"properties":{"language":{"type":"string"},"name":{"$ref":"#/$defs/n","x-class":"pii"}}}`,
		"behind a reference":             `{"$defs":{"n":{"type":"string","x-class":"pii"}},"properties":{"language":{"type":"string"},"name":{"$ref":"#/$defs/n"}}}`,
		"behind an escaped reference":    `{"$defs":{"a/b c":{"type":"string","x-class":"pii"}},"properties":{"language":{"type":"string"},"name":{"$ref":"#/$defs/a~1b%20c"}}}`,
		"behind a reference into a list": `{"properties":{"language":{"type":"string"},"name":{"$ref":"#/allOf/0/properties/x"}},"allOf":[{"properties":{"x":{"type":"string","x-class":"pii"}}}]}`,
		"in allOf":                       `{"properties":{"language":{"type":"string"},"name":{"type":"string"}},"allOf":[{"properties":{"name":{"x-class":"pii"}}}]}`,
		"in anyOf":                       `{"properties":{"language":{"type":"string"},"name":{"type":"string"}},"anyOf":[{},{"properties":{"name":{"x-class":"pii"}}}]}`,
		"in oneOf, in a reference":       `{"$defs":{"p":{"properties":{"name":{"x-class":"pii"}}}},"properties":{"language":{"type":"string"},"name":{"type":"string"}},"oneOf":[{"$ref":"#/$defs/p"}]}`,
		"in then":                        `{"properties":{"language":{"type":"string"},"name":{"type":"string"}},"if":{"required":["name"]},"then":{"properties":{"name":{"x-class":"pii"}}}}`,
		"in a dependent schema":          `{"properties":{"language":{"type":"string"},"name":{"type":"string"}},"dependentSchemas":{"language":{"properties":{"name":{"x-class":"pii"}}}}}`,
		"on a pattern that names it too": `{"properties":{"language":{"type":"string"},"name":{"type":"string"}},"patternProperties":{"^n":{"x-class":"pii"}}}`,
		"on a pattern alone":             `{"properties":{"language":{"type":"string"}},"patternProperties":{"^n":{"type":"string","x-class":"pii"}}}`,
		"on all other members":           `{"properties":{"language":{"type":"string"}},"additionalProperties":{"type":"string","x-class":"pii"}}`,
		"on the others of another part":  `{"allOf":[{"properties":{"language":{"type":"string"},"name":{"type":"string"}}},{"properties":{"language":{"type":"string"}},"additionalProperties":{"x-class":"pii"}}]}`,
		"by an older name of the class":  `{"properties":{"language":{"type":"string"},"name":{"type":"string","x-class":"contains_pii"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			marks, err := canon.ReadMarks(json.RawMessage(schema))
			if err != nil {
				t.Fatal(err)
			}
			pii := trait.ClassesOf(trait.PII)
			if marks.Classes() != pii || !marks.Cover(pii) {
				t.Errorf("the classes are %s", marks.Classes())
			}
			got, removed, err := marks.Plan(pii).Redact([]byte(doc))
			if err != nil || string(got) != `{"language":"en"}` {
				t.Errorf("left over is %s (%v)", got, err)
			}
			if diff := cmp.Diff([]string{"/name"}, removed); diff != "" {
				t.Errorf("removed (-want +got):\n%s", diff)
			}
			if whole, _, _ := marks.Plan(0).Redact([]byte(doc)); string(whole) != doc {
				t.Errorf("with nothing hidden %s is left", whole)
			}
		})
	}
}

func TestItemsAreMarkedWhereverTheyStand(t *testing.T) {
	for name, schema := range map[string]string{
		"items":       `{"type":"array","items":{"type":"object","properties":{"n":{"type":"string","x-class":"phi"},"d":{"type":"string"}}}}`,
		"prefixItems": `{"type":"array","prefixItems":[{"type":"object","properties":{"n":{"type":"string"},"d":{"type":"string"}}},{"properties":{"n":{"x-class":"phi"}}}]}`,
		"contains":    `{"type":"array","items":{"type":"object","properties":{"n":{"type":"string"},"d":{"type":"string"}}},"contains":{"properties":{"n":{"x-class":"phi"}}}}`,
		"draft 7":     `{"type":"array","items":[{"type":"object","properties":{"d":{"type":"string"}}}],"additionalItems":{"properties":{"n":{"type":"string","x-class":"phi"}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			marks, err := canon.ReadMarks(json.RawMessage(schema))
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := marks.Plan(trait.ClassesOf(trait.PHI)).Redact([]byte(`[{"n":"x","d":"1"},{"d":"2"}]`))
			if err != nil || string(got) != `[{"d":"1"},{"d":"2"}]` {
				t.Errorf("left over is %s (%v)", got, err)
			}
		})
	}
}

// What a schema promises is not taken on trust: documents from before a change,
// and answers of plugins, may hold something else.
func TestWhatTheSchemaDidNotPromiseGoes(t *testing.T) {
	const schema = `{"type":"object","properties":{
		"secret":{"type":"string","x-class":"phi"},
		"plain":{"type":"string"},
		"choice":{"enum":["a","b"]},
		"either":{"anyOf":[{"type":"string"},{"type":"object","properties":{"ok":{"type":"string"},"no":{"type":"string","x-class":"phi"}}}]},
		"nullable":{"type":["string","null"]},
		"anything":{"description":"whatever"},
		"bag":{"type":"object","x-class":"internal"}}}`
	marks, err := canon.ReadMarks(json.RawMessage(schema))
	if err != nil {
		t.Fatal(err)
	}
	plan := marks.Plan(trait.ClassesOf(trait.PHI))
	for doc, want := range map[string]string{
		`{"plain":"x"}`:                      `{"plain":"x"}`,
		`{"plain":{"ssn":"1"}}`:              `{"plain":{}}`,
		`{"plain":["1",{"ssn":"1"}]}`:        `{"plain":[]}`,
		`{"choice":"a"}`:                     `{"choice":"a"}`,
		`{"choice":{"ssn":"1"}}`:             `{"choice":{}}`,
		`{"either":"x"}`:                     `{"either":"x"}`,
		`{"either":{"ok":"1","no":"2"}}`:     `{"either":{"ok":"1"}}`,
		`{"either":[1]}`:                     `{"either":[]}`,
		`{"nullable":null}`:                  `{"nullable":null}`,
		`{"anything":"1"}`:                   `{}`,
		`{"bag":{"free":{"a":[1]}}}`:         `{"bag":{"free":{"a":[1]}}}`,
		`{"secret":"1","SECRET":"2"}`:        `{}`,
		`"a string where an object belongs"`: `null`,
	} {
		got, _, err := plan.Redact([]byte(doc))
		if err != nil || string(got) != want {
			t.Errorf("%s became %s, want %s (%v)", doc, got, want, err)
		}
	}
}

func TestMarksThatCouldBeReadInTwoWaysAreRefused(t *testing.T) {
	for name, schema := range map[string]string{
		"a dynamic reference":       `{"properties":{"a":{"$dynamicRef":"#x"}}}`,
		"a reference by its anchor": `{"$defs":{"a":{"$anchor":"x","x-class":"phi"}},"properties":{"a":{"$ref":"#x"}}}`,
		"a reference to elsewhere":  `{"properties":{"a":{"$ref":"https://example.com/s.json"}}}`,
		"a reference to nothing":    `{"properties":{"a":{"$ref":"#/$defs/none"}}}`,
		"a resource of its own":     `{"properties":{"a":{"$id":"https://example.com/s.json","$ref":"#/$defs/x"}},"$defs":{"x":{}}}`,
		"a class nobody knows":      `{"properties":{"a":{"x-class":"secret"}}}`,
		"a class that is no text":   `{"properties":{"a":{"x-class":["phi"]}}}`,
		"a pattern nobody can read": `{"patternProperties":{"(?=x)":{"x-class":"phi"}}}`,
		"no JSON":                   `{`,
	} {
		if _, err := canon.ReadMarks(json.RawMessage(schema)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// A plan is compiled once for each set of classes.
func TestPlansAreKept(t *testing.T) {
	marks, err := canon.ReadMarks(json.RawMessage(greeting))
	if err != nil {
		t.Fatal(err)
	}
	pii, phi := trait.ClassesOf(trait.PII), trait.ClassesOf(trait.PHI)
	first, again := marks.Plan(pii), marks.Plan(pii)
	if first != again || first == marks.Plan(phi) {
		t.Error("a plan is compiled anew, or shared between classes")
	}
}

func TestCheck(t *testing.T) {
	s, err := canon.CompileSchema(json.RawMessage(`{"type":"object","required":["id"],"properties":{"id":{"type":"string"},"a/b":{"type":"object","properties":{"n":{"type":"number","minimum":1}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for doc, want := range map[string][]string{
		`{"id":"1","a/b":{"n":2}}`:              nil,
		`{}`:                                    {""},
		`{"id":1,"a/b":{"n":0}}`:                {"/a~1b/n", "/id"},
		`{"id":"1","a/b":{"n":1e999999999}}`:    {"/a~1b/n"},
		`{"id":"1","a/b":{"n":1e-999999999}}`:   {"/a~1b/n"},
		`{"id":"1","deep":[[{"x":1e400}]]}`:     {"/deep/0/0/x"},
		`{"id":"1","zero":[0,0.0,-0e5,1e-300]}`: nil,
	} {
		found, err := s.Check([]byte(doc), "rule")
		if err != nil {
			t.Fatal(err)
		}
		paths := map[string]bool{}
		for _, v := range found {
			if v.Rule != "rule" || v.Message == "" {
				t.Errorf("%s: %+v", doc, v)
			}
			paths[v.Path] = true
		}
		for _, p := range want {
			if !paths[p] {
				t.Errorf("%s: nothing is said of %q: %+v", doc, p, found)
			}
		}
		if len(found) != len(want) {
			t.Errorf("%s: %d violations, want %d: %+v", doc, len(found), len(want), found)
		}
	}
	if _, err := s.Check([]byte(`{"id":`), "rule"); err == nil {
		t.Error("half a document was checked")
	}
	for _, bad := range []string{`{"type":"nothing"}`, `{"$ref":"https://example.com/s.json"}`, `{`} {
		if _, err := canon.CompileSchema(json.RawMessage(bad)); err == nil {
			t.Errorf("%s was compiled", bad)
		}
	}
}

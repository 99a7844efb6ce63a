package manifest_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/manifest"
)

// TestSyntax: what is not one small, shallow object without repeated keys is
// refused by one finding that says where.
func TestSyntax(t *testing.T) {
	deep := func(levels int) string {
		return `{"x":` + strings.Repeat("[", levels-1) + strings.Repeat("]", levels-1) + "}"
	}
	big := func(size int) string { return `{"x":"` + strings.Repeat("a", size-8) + `"}` }
	for _, tc := range []struct {
		name, doc, rule, where string
		format                 manifest.Format
	}{
		{name: "empty", doc: "", rule: "json.malformed", where: "line 1, column 1"},
		{name: "only space", doc: " \n ", rule: "json.malformed", where: "line 2, column 2"},
		{name: "only NUL", doc: "\x00\x00", rule: "json.malformed", where: "line 1, column 1"},
		{name: "HTML", doc: "<html></html>", rule: "json.malformed", where: "line 1, column 1"},
		{name: "truncated", doc: "{\n\"id\": \"x", rule: "json.malformed", where: "line 2, column 9"},
		{name: "no value", doc: `{"id":}`, rule: "json.malformed", where: "line 1, column 7"},
		{name: "bad literal", doc: "{\n  \"id\": tru}", rule: "json.malformed", where: "line 2, column 9"},
		{name: "comma at the end", doc: "{\"id\": 1,\n}", rule: "json.malformed", where: "line 2, column 1"},
		{name: "comma at the end of a list", doc: `{"id": [1,]}`, rule: "json.malformed", where: "line 1, column 11"},
		{name: "no comma", doc: `{"id": 1 "x": 2}`, rule: "json.malformed", where: "line 1, column 10"},
		{name: "no colon", doc: `{"id" 1}`, rule: "json.malformed", where: "line 1, column 7"},
		{name: "single quotes", doc: `{'id': 1}`, rule: "json.malformed", where: "line 1, column 2"},
		{name: "bare key", doc: `{id: 1}`, rule: "json.malformed", where: "line 1, column 2"},
		{name: "comment", doc: "{} // x", rule: "json.malformed", where: "line 1, column 4"},
		{name: "leading zero", doc: `{"x": 01}`, rule: "json.malformed", where: "line 1, column 8"},
		{name: "leading plus", doc: `{"x": +1}`, rule: "json.malformed", where: "line 1, column 7"},
		{name: "no digit", doc: `{"x": .5}`, rule: "json.malformed", where: "line 1, column 7"},
		{name: "hexadecimal", doc: `{"x": 0x1}`, rule: "json.malformed", where: "line 1, column 8"},
		{name: "NaN", doc: `{"x": NaN}`, rule: "json.malformed", where: "line 1, column 7"},
		{name: "infinite", doc: `{"x": Infinity}`, rule: "json.malformed", where: "line 1, column 7"},
		{name: "raw newline in a string", doc: "{\"x\": \"a\nb\"}", rule: "json.malformed", where: "line 1, column 7"},
		{name: "raw NUL in a string", doc: "{\"x\": \"a\x00\"}", rule: "json.malformed", where: "line 1, column 7"},
		{name: "bad escape", doc: `{"x": "\q"}`, rule: "json.malformed", where: "line 1, column 7"},
		{name: "high surrogate alone", doc: `{"x": "\ud83d"}`, rule: "json.malformed", where: "line 1, column 8"},
		{name: "low surrogate alone", doc: `{"x": "a\ude00"}`, rule: "json.malformed", where: "line 1, column 9"},
		{name: "two high surrogates", doc: `{"x": "\ud83d\ud83d"}`, rule: "json.malformed", where: "line 1, column 8"},
		{name: "surrogate in a key", doc: `{"\ud83d": 1}`, rule: "json.malformed", where: "line 1, column 3"},
		{name: "two documents", doc: `{} {}`, rule: "json.malformed", where: "line 1, column 4"},
		{name: "closing brace after the end", doc: `{}}`, rule: "json.malformed", where: "line 1, column 3"},
		{name: "byte-order mark", doc: "\ufeff{}", rule: "json.malformed", where: "line 1, column 1"},
		{name: "UTF-16", doc: "\xff\xfe{\x00}\x00", rule: "json.malformed", where: "line 1, column 1"},
		{name: "Latin-1", doc: "{\"é\": 1,\n\"x\": \"caf\xe9\"}", rule: "json.malformed", where: "line 2, column 10"},
		{name: "overlong UTF-8", doc: "{\"x\": \"\xc0\xaf\"}", rule: "json.malformed", where: "line 1, column 8"},
		{name: "surrogate in UTF-8", doc: "{\"x\": \"\xed\xa0\x80\"}", rule: "json.malformed", where: "line 1, column 8"},
		{name: "columns are characters", doc: `{"éééé": x}`, rule: "json.malformed", where: "line 1, column 10"},
		{name: "null", doc: "null", rule: "json.not_object", where: "line 1, column 1"},
		{name: "array", doc: "[{}]", rule: "json.not_object", where: "line 1, column 1"},
		{name: "string", doc: `"{}"`, rule: "json.not_object", where: "line 1, column 1"},
		{name: "number", doc: `1`, rule: "json.not_object", where: "line 1, column 1"},
		{name: "repeated key", doc: "{\"id\": 1,\n \"id\": 1}", rule: "json.duplicate_key", where: "line 2, column 6"},
		{name: "repeated key, escaped", doc: `{"id": 1, "\u0069d": 1}`, rule: "json.duplicate_key", where: "line 1, column 20"},
		{name: "repeated key, deep inside the unknown", doc: `{"x": [{"a": {"b": 1, "b": 1}}]}`, rule: "json.duplicate_key", where: "line 1, column 26"},
		{name: "repeated key among many", doc: manyKeys(100, "k7"), rule: "json.duplicate_key", where: "line 1"},
		{name: "keys that differ in case", doc: `{"x": 1, "X": 2}`},
		{name: "32 levels", doc: deep(32)},
		{name: "33 levels", doc: deep(33), rule: "json.too_deep", where: "line 1, column 37"},
		{name: "33 levels of objects", doc: strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33), rule: "json.too_deep", where: "line 1"},
		{name: "100,000 levels", doc: strings.Repeat("[", 100_000), rule: "json.too_deep", where: "line 1, column 33"},
		{name: "256 KiB", doc: big(256 << 10)},
		{name: "256 KiB and a byte", doc: big(256<<10 + 1), rule: "json.too_large"},
		{name: "surrogate pair", doc: `{"x": "\ud83d\ude00 \\ud83d"}`},

		{name: "YAML, empty", doc: "", rule: "json.malformed", where: "line 1", format: manifest.YAML},
		{name: "YAML, only a comment", doc: "# nothing\n", rule: "json.malformed", where: "line 1", format: manifest.YAML},
		{name: "YAML, list", doc: "- a\n- b\n", rule: "json.not_object", where: "line 1, column 1", format: manifest.YAML},
		{name: "YAML, text", doc: "hello", rule: "json.not_object", where: "line 1, column 1", format: manifest.YAML},
		{name: "YAML, null", doc: "~", rule: "json.not_object", where: "line 1, column 1", format: manifest.YAML},
		{name: "YAML, bad indent", doc: "a:\n  b: 1\n c: 2\n", rule: "json.malformed", where: "line ", format: manifest.YAML},
		{name: "YAML, tab", doc: "a:\n\tb: 1\n", rule: "json.malformed", where: "line 2", format: manifest.YAML},
		{name: "YAML, first line", doc: "{a: 1 b: 2]", rule: "json.malformed", where: "line 1", format: manifest.YAML},
		{name: "YAML, NUL", doc: "a: \"x\ny\x00\"", rule: "json.malformed", where: "line 2, column 2", format: manifest.YAML},
		{name: "YAML, repeated key", doc: "id: a\nid: b\n", rule: "json.duplicate_key", where: "line 2, column 1", format: manifest.YAML},
		{name: "YAML, repeated key in quotes", doc: "id: a\n'id': b\n", rule: "json.duplicate_key", where: "line 2, column 1", format: manifest.YAML},
		{name: "YAML, two documents", doc: "a: 1\n---\nb: 2\n", rule: "json.malformed", where: "line 2, column 1", format: manifest.YAML},
		{name: "YAML, number as key", doc: "1: a\n", rule: "json.malformed", where: "line 1, column 1", format: manifest.YAML},
		{name: "YAML, list as key", doc: "? [a]\n: b\n", rule: "json.malformed", where: "line 1, column 3", format: manifest.YAML},
		{name: "YAML, merge key", doc: "a: &a {x: 1}\nb:\n  <<: *a\n", rule: "json.malformed", where: "line 3, column 3", format: manifest.YAML},
		{name: "YAML, not a number", doc: "a: .nan\n", rule: "json.malformed", where: "line 1, column 4", format: manifest.YAML},
		{name: "YAML, infinite", doc: "resources: {memory_limit: .inf}\n", rule: "json.malformed", where: "line 1", format: manifest.YAML},
		{name: "YAML, own tag", doc: "a: !exec ls\n", rule: "json.malformed", where: "line 1, column 4", format: manifest.YAML},
		{name: "YAML, tag on a list", doc: "a: !!set {x, y}\n", rule: "json.malformed", where: "line 1, column 4", format: manifest.YAML},
		{name: "YAML, binary", doc: "a: !!binary aGk=\n", rule: "json.malformed", where: "line 1, column 4", format: manifest.YAML},
		{name: "YAML, unknown alias", doc: "a: *b\n", rule: "json.malformed", where: "line 1", format: manifest.YAML},
		{name: "YAML, alias", doc: "a: &b [1]\nc: *b\n", format: manifest.YAML},
		{name: "YAML, alias to itself", doc: "a: &a [*a]\n", rule: "json.too_deep", format: manifest.YAML},
		{name: "YAML, bomb", doc: bomb(), rule: "json.too_large", format: manifest.YAML},
		{name: "YAML, 33 levels", doc: deep(33), rule: "json.too_deep", format: manifest.YAML},
		{name: "YAML, 100,000 levels", doc: strings.Repeat("[", 100_000), rule: "json.too_deep", format: manifest.YAML},
		{name: "YAML, 256 KiB and a byte", doc: big(256<<10 + 1), rule: "json.too_large", format: manifest.YAML},
		{name: "YAML, byte-order mark", doc: "\ufeffa: 1", rule: "json.malformed", where: "line 1, column 1", format: manifest.YAML},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, found := manifest.Read([]byte(tc.doc), manifest.Options{Format: tc.format})
			if tc.rule == "" {
				if strings.HasPrefix(found[0].Rule, "json.") {
					t.Fatalf("refused: %+v", found[0])
				}
				return
			}
			if len(found) != 1 || found[0].Rule != tc.rule {
				t.Fatalf("want %s alone, got %+v", tc.rule, found)
			}
			if found[0].Path != "" || !strings.HasPrefix(found[0].Message, "Invalid manifest format: "+tc.where) {
				t.Errorf("it stands at %s, and is told as %q", tc.where, found[0].Message)
			}
		})
	}
}

// manyKeys returns an object of n keys and one of them again.
func manyKeys(n int, again string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i := range n {
		fmt.Fprintf(&b, `"k%d":1,`, i)
	}
	fmt.Fprintf(&b, `"%s":1}`, again)
	return b.String()
}

// bomb returns a short YAML document that unfolds to 10^9 values.
func bomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := range 9 {
		fmt.Fprintf(&b, "a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	return b.String()
}

// TestYAMLScalars: what a plain scalar means in YAML is what JSON would say.
func TestYAMLScalars(t *testing.T) {
	base := "name: N\nversion: 1.0.0\ncontracts: []\ntraits: [cloud]\n" +
		"security: {authentication_required: true, data_classification: [internal]}\n"
	for _, tc := range []struct{ line, rule string }{
		{"id: abc", ""},
		{"id: 'abc'", ""},
		{"id: 2026-11-20", ""},
		{"id: 42", "type.id"},
		{"id: true", "type.id"},
		{"id: no", ""}, // a string since YAML 1.2
		{"id: null", "type.id"},
		{"id: ~", "type.id"},
		{"id:", "type.id"},
		{"id: '42'", ""},
		{"id: !!str 42", ""},
		{"id: abc\nresources: {memory_limit: 0x80}", ""},
		{"id: abc\nresources: {memory_limit: 0o200}", ""},
		{"id: abc\nresources: {memory_limit: 1_024}", ""},
		{"id: abc\nresources: {memory_limit: +128, cpu_limit: .5}", ""},
		{"id: abc\nresources: {memory_limit: '128'}", "resources.memory_limit.number"},
		{"id: abc\nresources: {memory_limit: 0x20}", "resources.memory_limit.min"},
		{"id: abc\nresources: {memory_limit: 99999999999999999999}", "resources.memory_limit.max"},
		{"id: abc\nresources: {memory_limit: 1e400}", "resources.memory_limit.max"},
		{"id: abc\ndescription: |\n  two\n  lines", ""},
	} {
		_, found := manifest.Read([]byte(base+tc.line+"\n"), manifest.Options{Format: manifest.YAML})
		switch {
		case tc.rule == "" && !found.OK():
			t.Errorf("%q is refused: %+v", tc.line, found.Errors())
		case tc.rule != "" && (found.OK() || found[0].Rule != tc.rule || len(found.Errors()) != 1):
			t.Errorf("%q: want %s, got %+v", tc.line, tc.rule, found)
		}
	}
}

func TestFormatOf(t *testing.T) {
	for _, tc := range []struct {
		name, mediaType string
		want            manifest.Format
	}{
		{"manifest.json", "", manifest.JSON},
		{"manifest.yaml", "", manifest.YAML},
		{"dir.json/Manifest.YML", "", manifest.YAML},
		{"manifest", "", manifest.JSON},
		{"yaml", "", manifest.JSON},
		{"", "application/yaml; charset=utf-8", manifest.YAML},
		{"", "application/json", manifest.JSON},
		{"", "text/yaml", manifest.JSON},
		{"", "", manifest.JSON},
	} {
		if got := manifest.FormatOf(tc.name, tc.mediaType); got != tc.want {
			t.Errorf("FormatOf(%q, %q) = %d", tc.name, tc.mediaType, got)
		}
	}
}

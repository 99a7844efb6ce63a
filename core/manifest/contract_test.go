package manifest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vivified/vivified/contract"
	"github.com/vivified/vivified/core/manifest"
)

var update = flag.Bool("update", false, "write the findings of contract/codes.json anew")

// codes is contract/codes.json.
type codes struct {
	Findings []finding `json:"findings"`
	Problems []problem `json:"problems"`
}

type finding struct {
	Code     string            `json:"code"`
	Severity manifest.Severity `json:"severity"`
	Meaning  string            `json:"meaning"`
}

type problem struct {
	Code    string `json:"code"`
	Meaning string `json:"meaning"`
}

func TestCodesListEveryRule(t *testing.T) {
	var c codes
	if err := json.Unmarshal([]byte(contract.Codes), &c); err != nil {
		t.Fatal(err)
	}
	var want []finding
	for _, r := range manifest.Rules() {
		want = append(want, finding{r.Code, r.Severity, r.Meaning})
	}
	if *update {
		writeCodes(t, codes{want, c.Problems})
	} else if diff := cmp.Diff(want, c.Findings); diff != "" {
		t.Errorf("codes.json differs from the rule table; run the test with -update (-table +file):\n%s", diff)
	}
	seen := map[string]bool{}
	for _, p := range c.Problems {
		if seen[p.Code] || p.Code == "" || !strings.HasSuffix(p.Meaning, ".") {
			t.Errorf("problem %q stands twice, or has no meaning", p.Code)
		}
		seen[p.Code] = true
	}
}

// writeCodes writes one code a line, so that differences read well.
func writeCodes(t *testing.T, c codes) {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	line := func(v any, last bool) {
		b.WriteString("\t\t")
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		if !last {
			b.Truncate(b.Len() - 1)
			b.WriteString(",\n")
		}
	}
	b.WriteString("{\n\t\"findings\": [\n")
	for i, f := range c.Findings {
		line(f, i == len(c.Findings)-1)
	}
	b.WriteString("\t],\n\t\"problems\": [\n")
	for i, p := range c.Problems {
		line(p, i == len(c.Problems)-1)
	}
	b.WriteString("\t]\n}\n")
	if err := os.WriteFile("../../contract/codes.json", b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// publishedSchema compiles the published schema.
func publishedSchema(tb testing.TB) *jsonschema.Schema {
	tb.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(contract.ManifestSchema))
	if err != nil {
		tb.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("urn:vivified:manifest", doc); err != nil {
		tb.Fatal(err)
	}
	s, err := c.Compile("urn:vivified:manifest")
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// beyondSchema are the rules that a JSON Schema cannot state, or that ours
// leaves to the checks: those that join fields, read what is inside a string,
// or compile something.
var beyondSchema = []string{
	"class.", "traits.", "domain.", "compliance.audit_level.too_low", "compliance.data_retention_days.min", "dependencies.circular",
	"config_schema.invalid", "transformers.invalid", "endpoints.schema", "events.schema", "events.type", "runtime.invalid", "text.nul", "json.",
	"limit.items", "permission.", "entrypoint.path", "health_check.interval", "health_check.timeout", "endpoints.path", "endpoints.timeout",
	"dependencies.format", "name.empty",
}

// TestSchemaAgreesWithTheChecks: what the checks pass, the schema passes; what
// they refuse for its structure, it refuses.
func TestSchemaAgreesWithTheChecks(t *testing.T) {
	schema := publishedSchema(t)
	for _, pattern := range []string{"testdata/good/*.json", "testdata/bad/*.json"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, found := manifest.Read(data, manifest.Options{})
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
			if err != nil {
				continue // not JSON: nothing a schema could say
			}
			agrees(t, file, found, schema.Validate(doc))
		}
	}
}

// agrees compares the two answers about one document.
func agrees(t *testing.T, name string, found manifest.Findings, schemaErr error) {
	t.Helper()
	if found.OK() {
		if schemaErr != nil {
			t.Errorf("%s: the checks pass it, the schema does not: %v", name, schemaErr)
		}
		return
	}
	structural := slices.ContainsFunc(found.Errors(), func(f manifest.Finding) bool {
		return !slices.ContainsFunc(beyondSchema, func(prefix string) bool { return strings.HasPrefix(f.Rule, prefix) })
	})
	if structural && schemaErr == nil {
		t.Errorf("%s: the checks refuse it, the schema does not: %s", name, found[0].Message)
	}
}

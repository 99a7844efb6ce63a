package handlers_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/vivified/vivified/contract"
)

// document is the published contract of the HTTP interface.
type document struct {
	root       map[string]any
	operations []operation // by path and method
	compiler   *jsonschema.Compiler
}

// operation is what the contract says of one method of one path.
type operation struct {
	method, path string
	who          string
	traits       []string
	at           string // JSON Pointer
	node         map[string]any
}

// Where the compiler finds the documents: a schema refers to the manifest's by
// its relative address.
const (
	openAPI        = "https://vivified.invalid/contract/openapi.json"
	manifestSchema = "https://vivified.invalid/contract/manifest.schema.json"
)

// readContract reads the contract and closes its schemas: the published ones let
// newer cores add members, a core that answers with members nobody described
// fails here.
func readContract(t testing.TB) *document {
	t.Helper()
	var raw any
	if err := yaml.Unmarshal([]byte(contract.OpenAPI), &raw); err != nil {
		t.Fatalf("the contract is not YAML: %v", err)
	}
	text := must(json.Marshal(raw))(t)
	d := &document{compiler: jsonschema.NewCompiler()}
	whole := must(jsonschema.UnmarshalJSON(strings.NewReader(string(text))))(t)
	d.root = whole.(map[string]any)
	closeSchemas(d.root)
	d.compiler.AssertFormat()
	for at, doc := range map[string]any{openAPI: whole, manifestSchema: must(jsonschema.UnmarshalJSON(strings.NewReader(contract.ManifestSchema)))(t)} {
		if err := d.compiler.AddResource(at, doc); err != nil {
			t.Fatal(err)
		}
	}
	d.readOperations()
	return d
}

func closeSchemas(v any) {
	switch v := v.(type) {
	case map[string]any:
		_, object := v["properties"].(map[string]any)
		if _, said := v["additionalProperties"]; object && !said && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		for name, member := range v {
			if name != "example" && name != "examples" {
				closeSchemas(member)
			}
		}
	case []any:
		for _, item := range v {
			closeSchemas(item)
		}
	}
}

var verbs = []string{"get", "post", "put", "patch", "delete"}

func (d *document) readOperations() {
	for path, item := range d.root["paths"].(map[string]any) {
		for method, node := range item.(map[string]any) {
			if !slices.Contains(verbs, method) {
				continue
			}
			o := operation{method: strings.ToUpper(method), path: path, at: jsonPointer("paths", path, method), node: node.(map[string]any)}
			o.who, _ = o.node["x-who"].(string)
			o.traits = texts(o.node["x-traits"])
			d.operations = append(d.operations, o)
		}
	}
	slices.SortFunc(d.operations, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
}

func texts(v any) []string {
	list, _ := v.([]any)
	var all []string
	for _, w := range list {
		all = append(all, fmt.Sprint(w))
	}
	return all
}

// jsonPointer writes a JSON Pointer (RFC 6901).
func jsonPointer(names ...string) string {
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	var b strings.Builder
	for _, name := range names {
		b.WriteString("/" + escape.Replace(name))
	}
	return b.String()
}

// follow returns what a node is, wherever it is described, and its pointer.
func (d *document) follow(t testing.TB, at string, node any) (string, map[string]any) {
	t.Helper()
	m, _ := node.(map[string]any)
	ref, ok := m["$ref"].(string)
	if !ok {
		return at, m
	}
	var to any = d.root
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		to = to.(map[string]any)[part]
	}
	if to == nil {
		t.Fatalf("%s refers to %s, which is not there", at, ref)
	}
	return strings.TrimPrefix(ref, "#"), to.(map[string]any)
}

// response returns what the contract says of an answer's status: exactly, by its
// class, or for all else.
func (d *document) response(t testing.TB, o operation, status int) (at string, node map[string]any) {
	t.Helper()
	all := o.node["responses"].(map[string]any)
	for _, key := range []string{fmt.Sprint(status), fmt.Sprintf("%dXX", status/100), "default"} {
		if node, ok := all[key]; ok && (key != "default" || status >= 400) {
			return d.follow(t, o.at+jsonPointer("responses", key), node)
		}
	}
	return "", nil
}

// problems returns the codes an operation may answer a status with.
func (d *document) problems(t testing.TB, o operation, status int) []string {
	t.Helper()
	key := fmt.Sprint(status)
	_, own := d.follow(t, o.at+"/x-problems", o.node["x-problems"])
	return append(texts(own[key]), texts(d.root["x-problems-everywhere"].(map[string]any)[key])...)
}

// schema compiles the schema at a pointer.
func (d *document) schema(t testing.TB, at string) *jsonschema.Schema {
	t.Helper()
	s, err := d.compiler.Compile(openAPI + "#" + strings.ReplaceAll(at, "%", "%25"))
	if err != nil {
		t.Fatalf("the schema at %s: %v", at, err)
	}
	return s
}

package manifest_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vivified/vivified/core/manifest"
)

// FuzzRead: no document makes Read panic; findings are complete and in order;
// a valid manifest reads again from Raw as the same manifest with the same
// Raw; and the published schema passes it.
func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*/*.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, false)
	}
	for i, base := range []string{full, notes, chart, people, crm, graph, commsRules} {
		f.Add([]byte(base), i == 0)
	}
	schema := publishedSchema(f)
	f.Fuzz(func(t *testing.T, data []byte, asYAML bool) {
		o := manifest.Options{}
		if asYAML {
			o.Format = manifest.YAML
		}
		readSoundly(t, schema, data, o)
	})
}

// FuzzFields does the same with one field of a valid manifest replaced, which
// reaches further than bytes changed anywhere.
func FuzzFields(f *testing.F) {
	for i, r := range rows {
		f.Add(uint16(i), r.to)
	}
	schema := publishedSchema(f)
	f.Fuzz(func(t *testing.T, i uint16, to string) {
		if r := rows[int(i)%len(rows)]; json.Valid([]byte(to)) && r.at != "" {
			r.to = to
			readSoundly(t, schema, edit(t, r), manifest.Options{})
		}
	})
}

// readSoundly reads data and checks what must hold of every answer.
func readSoundly(t *testing.T, schema *jsonschema.Schema, data []byte, o manifest.Options) {
	t.Helper()
	m, found := manifest.Read(data, o)
	warned := false
	for _, x := range found {
		warned = warned || x.Severity == manifest.Warning
		if x.Rule == "" || x.Message == "" || x.Fix == "" || warned != (x.Severity == manifest.Warning) {
			t.Errorf("finding %+v in %+v", x, found)
		}
	}
	if !found.OK() {
		return
	}
	again, found := manifest.Read(m.Raw, manifest.Options{})
	if !found.OK() {
		t.Errorf("Raw is refused: %+v", found.Errors())
	}
	if diff := cmp.Diff(m, again); diff != "" {
		t.Errorf("Raw reads as another manifest (-first +again):\n%s", diff)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(m.Raw))
	if err != nil {
		t.Fatalf("Raw is no JSON: %v", err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Errorf("the published schema refuses what the checks pass: %v", err)
	}
}

// FuzzParseRange: a range that parses holds no version that is none, and asks
// no prerelease on anyone who named none.
func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"^1.2", "~0.1.0 || >=2", "1.x", "*", ">=1.0.0-rc.1 <2"} {
		f.Add(s, "1.2.3")
	}
	f.Fuzz(func(t *testing.T, source, version string) {
		r, ok := manifest.ParseRange(source)
		if ok && r.Contains(version) && !manifest.ValidVersion(version) {
			t.Errorf("%q holds %q", source, version)
		}
		if ok && !bytes.Contains([]byte(source), []byte("-")) && manifest.ValidVersion(version+"-rc.1") && r.Contains(version+"-rc.1") {
			t.Errorf("%q holds the prerelease %s-rc.1", source, version)
		}
	})
}

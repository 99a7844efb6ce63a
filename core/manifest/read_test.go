package manifest_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/manifest"
)

// TestCases reads every document of testdata: each bad one breaks exactly the
// rule the index names, each good one none.
func TestCases(t *testing.T) {
	var index []struct{ File, Rule string }
	data, err := os.ReadFile("testdata/index.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &index); err != nil {
		t.Fatal(err)
	}
	for _, tc := range index {
		t.Run(tc.File, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(tc.File)))
			if err != nil {
				t.Fatal(err)
			}
			m, found := manifest.Read(data, manifest.Options{Format: manifest.FormatOf(tc.File, "")})
			var got []string
			for _, f := range found.Errors() {
				got = append(got, f.Rule)
			}
			var want []string
			if tc.Rule != "" && tc.Rule != "warning" {
				want = []string{tc.Rule}
			}
			if tc.Rule == "warning" && len(found.Warnings()) == 0 {
				t.Error("no warning")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("errors (-want +got):\n%s\n%+v", diff, found)
			}
			if want == nil {
				rereads(t, m)
			}
		})
	}
}

// rereads checks that a valid manifest's Raw reads as the same manifest.
func rereads(t *testing.T, m manifest.Manifest) {
	t.Helper()
	again, found := manifest.Read(m.Raw, manifest.Options{})
	if !found.OK() {
		t.Errorf("Raw is refused: %+v", found.Errors())
	}
	if diff := cmp.Diff(m, again); diff != "" {
		t.Errorf("Raw reads as another manifest (-first +again):\n%s", diff)
	}
}

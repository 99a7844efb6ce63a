package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadProcfile(t *testing.T) {
	got, err := readProcfile("# a comment\n\n site: bin/site --here\r\ncore:bin/vivified serve\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []entry{{"site", "bin/site --here"}, {"core", "bin/vivified serve"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(entry{})); diff != "" {
		t.Errorf("the entries differ (-want +got):\n%s", diff)
	}
	for _, row := range []struct{ text, want string }{
		{"", "no line is named core"},
		{"a: b", "no line is named core"},
		{"core: a\ncore: b", "line 2 names core a second time"},
		{"core: a\nbin/site", "line 2 is not of the form"},
		{"core:", "line 1 is not of the form"},
		{"core: a\na/b: c", "line 2 is not of the form"},
	} {
		if _, err := readProcfile(row.text); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("reading %q ended with %v, want it to say %q", row.text, err, row.want)
		}
	}
}

func TestOurProcfileIsGood(t *testing.T) {
	text, err := os.ReadFile("../../Procfile")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readProcfile(string(text)); err != nil {
		t.Error(err)
	}
}

func FuzzReadProcfile(f *testing.F) {
	f.Add("# x\ncore: a b\nsite: c")
	f.Fuzz(func(t *testing.T, text string) {
		entries, err := readProcfile(text)
		if err != nil {
			return
		}
		var again strings.Builder
		for _, e := range entries {
			again.WriteString(e.name + ": " + e.command + "\n")
		}
		same, err := readProcfile(again.String())
		if err != nil || !cmp.Equal(entries, same, cmp.AllowUnexported(entry{})) {
			t.Errorf("%q was read as %v, and that as %v, %v", text, entries, same, err)
		}
	})
}

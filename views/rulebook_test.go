package views_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/views"
)

func TestLinesAroundFindings(t *testing.T) {
	text := strings.Join([]string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"}, "\n")
	for _, tt := range []struct {
		name  string
		lines []int
		want  []int // a negative one comes after a gap
	}{
		{"none", nil, nil},
		{"the first", []int{1}, []int{1, 2, 3}},
		{"the last", []int{11}, []int{9, 10, 11}},
		{"beyond the last", []int{40}, []int{9, 10, 11}},
		{"before the first", []int{0}, []int{1, 2, 3}},
		{"two that meet", []int{2, 5}, []int{1, 2, 3, 4, 5, 6, 7}},
		{"two apart", []int{1, 10}, []int{1, 2, 3, -8, 9, 10, 11}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var findings []views.FindingRow
			for _, n := range tt.lines {
				findings = append(findings, views.FindingRow{Line: n})
			}
			var got []int
			said := 0
			for _, l := range views.Around(text, findings) {
				n := l.Number
				if l.Gap {
					n = -n
				}
				got = append(got, n)
				said += len(l.Findings)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" || said != len(findings) {
				t.Errorf("%d of %d findings are shown: %s", said, len(findings), diff)
			}
		})
	}
}

// A diff of any texts reads back to the lines that it was made of.
func FuzzReadUnified(f *testing.F) {
	f.Add("diff a b\n--- a\n+++ b\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n")
	f.Add("")
	f.Add("\n+++ \n\\ No newline at end of file\n\n+")
	f.Fuzz(func(t *testing.T, unified string) {
		for _, l := range views.ReadUnified(unified) {
			if strings.Contains(l.Text, "\n") || !slices.Contains(strings.Split(unified, "\n"), string([]byte{l.Kind})+l.Text) && l.Kind != '@' {
				t.Errorf("a line reads %q %q", l.Kind, l.Text)
			}
		}
	})
}

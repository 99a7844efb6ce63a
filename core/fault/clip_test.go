package fault_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/vivified/vivified/core/fault"
)

func TestClip(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
	}{
		{"", 10, ""}, {"short", 5, "short"}, {"longer text", 8, "longe…"}, {"ααααα", 9, "ααα…"}, {"ααααα", 8, "αα…"}, {"😀😀😀", 10, "😀…"}, {"abc", 2, "…"},
	} {
		if got := fault.Clip(c.text, c.most); got != c.want {
			t.Errorf("%q in %d bytes is %q, want %q", c.text, c.most, got, c.want)
		}
	}
}

// FuzzClip: what is cut stays readable, short and the beginning of what it was.
func FuzzClip(f *testing.F) {
	f.Add("plain", 3)
	f.Add("α😀\xff", 5)
	f.Fuzz(func(t *testing.T, text string, most int) {
		most = 3 + most&0xff
		got := fault.Clip(text, most)
		if len(got) > most || utf8.ValidString(text) && !utf8.ValidString(got) || !strings.HasPrefix(text, strings.TrimSuffix(got, "…")) && got != text {
			t.Errorf("%q in %d bytes is %q", text, most, got)
		}
	})
}

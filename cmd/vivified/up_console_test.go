package main

import (
	"io"
	"strings"
	"testing"
)

func TestLinesOfProcessesStandUnderTheirNames(t *testing.T) {
	var out strings.Builder
	c := newConsole(&out, []entry{{name: "core"}, {name: "greeter"}}, nil)
	for _, write := range []struct{ name, text string }{
		{"core", "one\ntwo\r\nthr"}, {"core", "ee\n\n"}, {"greeter", "no end"},
	} {
		l := &lines{console: c, name: write.name}
		if _, err := io.WriteString(l, write.text); err != nil {
			t.Fatal(err)
		}
		l.flush()
	}
	want := "core    | one\ncore    | two\ncore    | thr\ncore    | ee\ncore    | \ngreeter | no end\n"
	if out.String() != want {
		t.Errorf("printed\n%s\nwant\n%s", out.String(), want)
	}
}

func TestALineIsPutTogetherFromPieces(t *testing.T) {
	var out strings.Builder
	l := &lines{console: newConsole(&out, nil, nil), name: "x"}
	for _, piece := range []string{"a", "b\nc", "\n"} {
		io.WriteString(l, piece)
	}
	if want := "x  | ab\nx  | c\n"; out.String() != want {
		t.Errorf("printed %q, want %q", out.String(), want)
	}
}

func TestAnEndlessLineIsCut(t *testing.T) {
	var out strings.Builder
	l := &lines{console: newConsole(&out, nil, nil), name: "x"}
	for range 5 {
		io.WriteString(l, strings.Repeat("y", longestLine/2))
	}
	if lines := strings.Count(out.String(), "\n"); lines != 2 || len(l.rest) > longestLine {
		t.Errorf("%d lines were printed and %d bytes kept", lines, len(l.rest))
	}
}

func TestTheBoxFitsItsLines(t *testing.T) {
	var out strings.Builder
	newConsole(&out, nil, nil).box([]string{"short", "größer"})
	want := "\n  ┌────────┐\n  │ short  │\n  │ größer │\n  └────────┘\n\n"
	if out.String() != want {
		t.Errorf("printed %s, want %s", out.String(), want)
	}
}

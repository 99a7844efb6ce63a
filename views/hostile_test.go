package views_test

import (
	"bufio"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/views"
)

// payloads are hostile names, descriptions and values, and a few that aim at
// this console: at htmx's own tags and at links.
func payloads(t *testing.T) []string {
	t.Helper()
	file, err := os.Open("testdata/xss_payloads.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	out := []string{
		`<hx-partial hx-target="#main"><h1>owned</h1></hx-partial>`, `"><form action=//evil.test><input name=token>`, `' autofocus onfocus=alert(1) x='`,
		"/\\evil.test", "//evil.test/x", "/\t/evil.test", "javascript:alert(1)", "</textarea><script>alert(1)</script>", "\x00\x01<b>", "\xff\xfe<i>", "\u202egnp.exe",
	}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var row struct{ Payload string }
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		out = append(out, row.Payload)
	}
	return out
}

// foreign are the named string types that may carry text from a manifest.
var foreign = []reflect.Type{reflect.TypeFor[string](), reflect.TypeFor[views.Class](), reflect.TypeFor[views.IconName](), reflect.TypeFor[views.Status]()}

// put replaces every text in a value that could come from outside.
func put(text string) func(reflect.Value) {
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			for _, t := range foreign {
				if v.Type() == t && v.CanSet() && v.Len() > 0 {
					v.SetString(text)
				}
			}
		case reflect.Struct:
			if v.Type().PkgPath() == "time" {
				return
			}
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		}
	}
	return walk
}

// tame has the length and the colons of a payload, on which the drawing of
// shortened identifiers depends, and nothing else of it.
func tame(payload string) string {
	return strings.Map(func(c rune) rune {
		if c == ':' {
			return c
		}
		return 'x'
	}, payload)
}

// Hostile text may fill every place of every page and yet change nothing but
// text: the tags and the names of their attributes stay those of harmless text.
func TestHostileTextStaysText(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			for _, payload := range payloads(t) {
				bad, _ := s.draw(put(payload))
				good, _ := s.draw(put(tame(payload)))
				d := parse(t, draw(t, bad, views.Prefs{}))
				d.wellFormed(t)
				d.safe(t)
				if diff := cmp.Diff(skeleton(parse(t, draw(t, good, views.Prefs{}))), skeleton(d)); diff != "" {
					t.Errorf("%q changes the page:\n%s", payload, diff)
				}
				if t.Failed() {
					t.Fatalf("with %q", payload)
				}
			}
		})
	}
}

// skeleton lists tags with the names of their attributes.
func skeleton(d doc) []string {
	out := make([]string, 0, len(d.tags))
	for _, g := range d.tags {
		line := g.name
		for _, a := range g.attrs {
			line += " " + a.Key
		}
		out = append(out, line)
	}
	return out
}

func TestHostilePrefsAreDropped(t *testing.T) {
	for _, payload := range payloads(t) {
		p := views.ReadPrefs("theme=" + payload + "&density=" + payload + "&zone=" + payload)
		if p != (views.Prefs{}) {
			t.Errorf("%q is taken for a preference: %+v", payload, p)
		}
	}
}

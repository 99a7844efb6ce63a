package views_test

import (
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// tag is one start tag of a page.
type tag struct {
	name  string
	attrs []html.Attribute
}

func (g tag) attr(name string) (string, bool) {
	for _, a := range g.attrs {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

// doc is a page as its tags.
type doc struct {
	source string
	tags   []tag
	errors []string // of nesting
}

var void = []string{"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}

// parse reads a page tag by tag, so that nothing is silently mended.
func parse(t *testing.T, source string) doc {
	t.Helper()
	d := doc{source: source}
	var open []string
	z := html.NewTokenizer(strings.NewReader(source))
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			if z.Err() != io.EOF {
				t.Fatal(z.Err())
			}
			for _, name := range open {
				d.errors = append(d.errors, "<"+name+"> is never closed")
			}
			return d
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			d.tags = append(d.tags, tag{token.Data, token.Attr})
			if !slices.Contains(void, token.Data) && kind == html.StartTagToken {
				open = append(open, token.Data)
			}
		case html.EndTagToken:
			name := z.Token().Data
			if n := len(open); n == 0 || open[n-1] != name {
				d.errors = append(d.errors, "</"+name+"> closes nothing; open: "+strings.Join(open, " "))
			} else {
				open = open[:n-1]
			}
		}
	}
}

func (d doc) wellFormed(t *testing.T) {
	t.Helper()
	for _, e := range d.errors {
		t.Error("not well-formed: " + e)
	}
	if _, err := html.Parse(strings.NewReader(d.source)); err != nil {
		t.Error(err)
	}
}

// local is an address of this site.
var local = regexp.MustCompile(`^(/([^/\\]|$)|\?|#)`)

// safe checks what a strict Content-Security-Policy and htmx without eval need.
func (d doc) safe(t *testing.T) {
	t.Helper()
	for _, g := range d.tags {
		switch g.name {
		case "style", "iframe", "object", "embed", "base", "math", "img", "plaintext", "marquee", "noscript":
			t.Errorf("there is a <%s>", g.name)
		case "script":
			if src, _ := g.attr("src"); !strings.HasPrefix(src, "/static/js/") {
				t.Errorf("there is a script that is not ours: %v", g.attrs)
			}
		}
		for _, a := range g.attrs {
			switch {
			case a.Key == "style", strings.HasPrefix(a.Key, "on"), strings.HasPrefix(a.Key, "hx-on"), a.Key == "srcdoc", a.Key == "_":
				t.Errorf("<%s> has the attribute %s=%q", g.name, a.Key, a.Val)
			case slices.Contains([]string{"href", "src", "action", "formaction", "hx-get", "hx-post", "hx-sse:connect"}, a.Key):
				if !local.MatchString(a.Val) || strings.ContainsAny(a.Val, "\n\r\t") {
					t.Errorf("<%s %s> leads to %q", g.name, a.Key, a.Val)
				}
			case strings.HasPrefix(a.Key, "hx-"):
				if strings.HasPrefix(a.Val, "js:") || strings.HasPrefix(a.Val, "javascript:") || a.Key == "hx-trigger" && strings.Contains(a.Val, "[") {
					t.Errorf("<%s %s=%q> needs eval", g.name, a.Key, a.Val)
				}
			}
		}
	}
}

// referencesExist checks that ids are unique and that what names an id finds it.
func (d doc) referencesExist(t *testing.T) {
	t.Helper()
	ids := map[string]int{}
	for _, g := range d.tags {
		if id, ok := g.attr("id"); ok {
			ids[id]++
			if ids[id] == 2 {
				t.Errorf("the id %q is there twice", id)
			}
		}
	}
	for _, g := range d.tags {
		for _, name := range []string{"for", "aria-labelledby", "aria-describedby", "aria-controls", "popovertarget"} {
			value, _ := g.attr(name)
			for id := range strings.FieldsSeq(value) {
				if ids[id] == 0 {
					t.Errorf("<%s %s=%q> names nothing on the page", g.name, name, value)
				}
			}
		}
	}
}

// onePage checks what a whole document must have once.
func (d doc) onePage(t *testing.T) {
	t.Helper()
	count := map[string]int{}
	for _, g := range d.tags {
		count[g.name]++
	}
	for _, name := range []string{"h1", "main", "html", "head", "body", "title"} {
		if count[name] != 1 {
			t.Errorf("there are %d <%s>, not one", count[name], name)
		}
	}
}

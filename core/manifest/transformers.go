package manifest

import (
	"fmt"
	"slices"

	"github.com/vivified/vivified/core/jq"
)

var transformerFields = []field{
	{name: "name", shape: aString, missing: "transformers.invalid", wrong: "transformers.invalid"},
	{name: "from", shape: aString, missing: "transformers.invalid", wrong: "transformers.invalid"},
	{name: "to", shape: aString, missing: "transformers.invalid", wrong: "transformers.invalid"},
	{name: "language", shape: aString, wrong: "transformers.invalid"},
	{name: "expression", shape: aString, missing: "transformers.invalid", wrong: "transformers.invalid"},
}

// maxTransformers is how many a plugin may declare.
const maxTransformers = 64

// transformers reads the mappings to and from the data of events. One side names an
// event type, or a pattern, of the manifest; the other is the plugin's own form.
func (c *checker) transformers(v *value, at place) {
	for i, d := range c.list(v, at, maxTransformers) {
		at := at.item(i)
		if d.kind != object {
			c.wrongType(at, "an object", &d)
			continue
		}
		before := c.per["transformers.invalid"]
		got := c.object(&d, at, transformerFields, "field.unknown")
		if c.per["transformers.invalid"] > before {
			continue
		}
		t := Transformer{got.ok("name").string(), got.ok("from").string(), got.ok("to").string(), got.ok("expression").string()}
		if l := got.ok("language"); l != nil && l.text != "jq" {
			c.fail("transformers.invalid", at.member("language"), fmt.Sprintf("Language '%s' is not known; only jq is", show(l.text)))
			continue
		}
		if blank(t.Name) || blank(t.From) || blank(t.To) {
			c.fail("transformers.invalid", at, "A transformer's name, from and to must not be blank")
			continue
		}
		if why := jqFault(t.Expression); why != "" {
			c.fail("transformers.invalid", at.member("expression"), fmt.Sprintf("Transformer '%s' %s", show(t.Name), why))
			continue
		}
		if why := c.m.unclear(t); why != "" {
			c.fail("transformers.invalid", at, fmt.Sprintf("Transformer '%s' %s", show(t.Name), why))
			continue
		}
		c.m.Transformers = append(c.m.Transformers, t)
	}
}

// unclear returns why it would not be clear when t is applied, beside the
// transformers before it, or "".
func (m *Manifest) unclear(t Transformer) string {
	says, hears := m.Says(t), m.Hears(t)
	if says && hears {
		return "names event types of the manifest on both sides; one must be the plugin's own form"
	}
	for _, other := range m.Transformers {
		switch {
		case other.Name == t.Name:
			return "has the name of another one"
		case says && m.Says(other) && samePattern(t.To, other.To):
			return "maps to the same event type as '" + show(other.Name) + "'"
		case hears && m.Hears(other) && samePattern(t.From, other.From):
			return "maps from the same event type as '" + show(other.Name) + "'"
		}
	}
	return ""
}

// Says reports whether t maps the plugin's own form to an event type it publishes.
func (m *Manifest) Says(t Transformer) bool {
	return slices.ContainsFunc(m.Events.Publishes, func(p Publish) bool { return samePattern(p.Type, t.To) })
}

// Hears reports whether t maps an event type, or those of a pattern, that the
// plugin subscribes to, to the plugin's own form.
func (m *Manifest) Hears(t Transformer) bool {
	return slices.ContainsFunc(m.Events.Subscribes, func(pattern string) bool { return samePattern(pattern, t.From) || MatchEventType(pattern, t.From) })
}

// samePattern reports whether two names, in either style, are of the same event types.
func samePattern(a, b string) bool {
	x, ok := NormalizeEventPattern(a)
	y, also := NormalizeEventPattern(b)
	return ok && also && x == y
}

// jqFault returns what is wrong with a jq program, or "".
func jqFault(program string) string {
	if blank(program) {
		return "has no expression"
	}
	if _, err := jq.Compile(program); err != nil {
		return show(err.Error())
	}
	return ""
}

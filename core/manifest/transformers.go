package manifest

import (
	"fmt"

	"github.com/itchyny/gojq"
)

var transformerFields = []field{
	{name: "name", shape: aString, missing: "transformers.invalid", wrong: "transformers.invalid"},
	{name: "from", shape: aString, missing: "transformers.invalid", wrong: "transformers.invalid"},
	{name: "to", shape: aString, missing: "transformers.invalid", wrong: "transformers.invalid"},
	{name: "language", shape: aString, wrong: "transformers.invalid"},
	{name: "expression", shape: aString, missing: "transformers.invalid", wrong: "transformers.invalid"},
}

// The limits of transformers.
const (
	maxTransformers = 64
	maxExpression   = 16 << 10 // bytes
)

// transformers reads the mappings to and from canonical models. Their programs
// are compiled without modules, environment or further input: they are pure.
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
		c.m.Transformers = append(c.m.Transformers, t)
	}
}

// jqFault returns what is wrong with a jq program, or "".
func jqFault(program string) string {
	if len(program) > maxExpression {
		return "is longer than 16 KiB"
	}
	if blank(program) {
		return "has no expression"
	}
	q, err := gojq.Parse(program)
	if err == nil {
		_, err = gojq.Compile(q)
	}
	if err != nil {
		return "does not compile: " + show(err.Error())
	}
	return ""
}

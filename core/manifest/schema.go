package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vivified/vivified/core/trait"
)

// The limits of schemas. Compiling takes time in the square of a schema's size.
const (
	maxSchemas      = 512     // in one manifest
	maxSchemaValues = 4000    // in one schema, counting every value inside
	maxPatterns     = 8 << 10 // bytes of regular expressions in all of them
)

// schema checks a JSON Schema (2020-12 unless it says otherwise) and returns
// it in canonical form. References may only point into the schema itself:
// nothing is fetched.
func (c *checker) schema(v *value, at place, rule string) json.RawMessage {
	if v == nil {
		return nil
	}
	if c.schemas++; c.schemas > maxSchemas {
		c.fail("limit.items", at, fmt.Sprintf("The manifest has more than %d schemas", maxSchemas))
		return nil
	}
	if v.size() > maxSchemaValues {
		c.fail("limit.items", at, fmt.Sprintf("Schema has more than %d values", maxSchemaValues))
		return nil
	}
	if why := schemaFault(v); why != "" {
		c.fail(rule, at, "Schema "+why)
		return nil
	}
	if n := hugeNumber(v); n != "" {
		c.fail(rule, at, fmt.Sprintf("Schema has a number out of range: %s", show(n)))
		return nil
	}
	if _, err := c.compileSchema(v); err != nil {
		c.fail(rule, at, "Schema does not compile: "+schemaReason(err))
		return nil
	}
	return v.canonical()
}

// configSchema checks the schema of the plugin's settings, which are an object.
func (c *checker) configSchema(v *value, at place) json.RawMessage {
	raw := c.schema(v, at, "config_schema.invalid")
	if raw == nil {
		return nil
	}
	if t := v.get("type"); t != nil && t.kind == text && t.text != "object" {
		c.fail("config_schema.invalid", at.member("type"), fmt.Sprintf("Settings are an object, and the schema wants type '%s'", show(t.text)))
		return nil
	}
	return raw
}

// schemaURL names the schema being compiled; it is never looked up.
const schemaURL = "manifest:///schema.json"

// offline refuses to load anything.
type offline struct{}

func (offline) Load(string) (any, error) {
	return nil, errors.New("references may only point into the schema itself")
}

// compileSchema compiles v. A few bytes of a pattern such as a{1000} become
// much code, so the manifest as a whole may have only so many.
func (c *checker) compileSchema(v *value) (*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(offline{})
	compiler.UseRegexpEngine(func(pattern string) (jsonschema.Regexp, error) {
		if c.patterns += len(pattern); c.patterns > maxPatterns {
			return nil, fmt.Errorf("the manifest has more than %d KiB of patterns", maxPatterns>>10)
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return nil, err
		}
		return re, nil
	})
	if err := compiler.AddResource(schemaURL, v.any()); err != nil {
		return nil, err
	}
	return compiler.Compile(schemaURL)
}

// schemaReason returns what the compiler says, without our made-up address. Of
// all places where a schema breaks the rules for schemas it takes the first by
// name, since the compiler's own order changes from run to run.
func schemaReason(err error) string {
	reason := err.Error()
	if bad, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		if v, ok := errors.AsType[*jsonschema.ValidationError](bad.Err); ok {
			reason = slices.Min(leaves(v))
		}
	}
	reason, _, _ = strings.Cut(strings.ReplaceAll(reason, schemaURL, ""), "\n")
	return show(reason)
}

// leaves returns the innermost reasons of a validation error.
func leaves(v *jsonschema.ValidationError) []string {
	if len(v.Causes) == 0 {
		return []string{v.Error()}
	}
	var all []string
	for _, cause := range v.Causes {
		all = append(all, leaves(cause)...)
	}
	return all
}

// size returns how many values v is made of.
func (v *value) size() int {
	n := 1
	for i := range v.items {
		n += v.items[i].size()
	}
	return n
}

// any returns v as encoding/json would, with numbers as json.Number.
func (v *value) any() any {
	switch v.kind {
	case boolean:
		return v.truth
	case number:
		return json.Number(v.text)
	case text:
		return v.text
	case array:
		list := make([]any, len(v.items))
		for i := range v.items {
			list[i] = v.items[i].any()
		}
		return list
	case object:
		m := make(map[string]any, len(v.items))
		for i := range v.items {
			m[v.keys[i]] = v.items[i].any()
		}
		return m
	}
	return nil
}

// named are the keywords whose members are names of the author's, each with a schema.
var named = map[string]bool{"properties": true, "patternProperties": true, "$defs": true, "definitions": true, "dependentSchemas": true}

// inert are the keywords whose values are data.
var inert = map[string]bool{"const": true, "enum": true, "default": true, "examples": true}

// schemaFault returns what is wrong with a schema that its compiler would not
// mind: our own keywords misused, which would leave a secret or a classified
// field unprotected.
func schemaFault(v *value) string {
	for i := range v.items {
		if v.kind == array {
			if why := schemaFault(&v.items[i]); why != "" {
				return why
			}
			continue
		}
		key, member := v.keys[i], &v.items[i]
		switch {
		case key == "x-class" && !isMarker(member):
			return "has an x-class that is no data classification"
		case key == "x-secret" && member.kind != boolean:
			return "has an x-secret that is not true or false"
		case inert[key]:
			continue
		case named[key]:
			member = &value{kind: array, items: member.items}
		}
		if why := schemaFault(member); why != "" {
			return why
		}
	}
	return ""
}

func isMarker(v *value) bool {
	_, ok := trait.ClassOf(v.text)
	return v.kind == text && ok
}

// hugeNumber returns a number in v that no double holds, or "". The schema
// compiler computes with exact fractions, where 1e999999999 is an attack.
func hugeNumber(v *value) string {
	if v.kind == number {
		f, err := strconv.ParseFloat(v.text, 64)
		if err != nil || len(v.text) > 64 || f == 0 && !sameNumber(v.text, "0") {
			return v.text
		}
	}
	for i := range v.items {
		if n := hugeNumber(&v.items[i]); n != "" {
			return n
		}
	}
	return ""
}

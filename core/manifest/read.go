package manifest

import (
	"errors"
	"fmt"
	"mime"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vivified/vivified/core/trait"
)

// Format is how a document is written.
type Format uint8

// The formats.
const (
	JSON Format = iota
	YAML
)

// FormatOf returns YAML for a file name in .yaml or .yml or for the media type
// application/yaml, and JSON for all else. Either argument may be empty.
func FormatOf(name, mediaType string) Format {
	if ext := strings.ToLower(filepath.Ext(name)); ext == ".yaml" || ext == ".yml" {
		return YAML
	}
	if t, _, err := mime.ParseMediaType(mediaType); err == nil && t == "application/yaml" {
		return YAML
	}
	return JSON
}

// Options is what a check depends on beside the document.
type Options struct {
	Format  Format
	Traits  *trait.Registry // nil: the built-in traits
	Blocked []string        // host names the operator refuses, with everything below them

	// RequireDigest refuses images that are not pinned by digest.
	RequireDigest bool

	// EntityClass returns the class of an entity type that isolates may ask
	// for. Nil, or false for an entity: the built-in classes, and confidential
	// for an entity these do not know.
	EntityClass func(entity string) (trait.Class, bool)
}

// Read reads a manifest and returns everything wrong with it. The Manifest is
// complete only if the findings are OK; else it holds what could be read, to
// be shown and never acted on.
func Read(data []byte, o Options) (Manifest, Findings) {
	if o.Traits == nil {
		o.Traits = trait.Builtin()
	}
	read := readJSON
	if o.Format == YAML {
		read = readYAML
	}
	doc, err := read(data)
	if err == nil && doc.kind != object {
		err = badSyntax(data, 0, "json.not_object", "a manifest is an object, not %s", article(doc.kind))
	}
	if err != nil {
		bad, _ := errors.AsType[*syntaxError](err)
		return Manifest{}, Findings{NewFinding(bad.rule, "", formatPrefix+bad.message)}
	}
	c := checker{o: o}
	c.document(&doc)
	c.noNUL(&doc, place{})
	found := c.findings()
	if !found.OK() {
		return c.m, found
	}
	if c.m.Raw = doc.canonical(); len(c.m.Raw) > MaxBytes {
		return Manifest{}, Findings{NewFinding("json.too_large", "", fmt.Sprintf("%sthe document has more than %d KiB in canonical form", formatPrefix, MaxBytes>>10))}
	}
	return c.m, found
}

// checker reads one document and collects what is wrong with it.
type checker struct {
	facts
	o        Options
	m        Manifest
	found    []Finding
	per      map[string]int // how many findings a rule has
	schemas  int            // how many were compiled
	patterns int            // bytes of regular expressions in them
}

// maxPerRule bounds what a hostile document can make us say about one rule.
const maxPerRule = 100

// fail adds a finding with the fix of the rule table.
func (c *checker) fail(rule string, at place, message string) {
	if c.per == nil {
		c.per = make(map[string]int)
	}
	if c.per[rule]++; c.per[rule] <= maxPerRule {
		c.found = append(c.found, NewFinding(rule, at.pointer, message))
	}
}

// failFix is fail with a fix that knows more than the table's.
func (c *checker) failFix(rule string, at place, message, fix string) {
	before := len(c.found)
	if c.fail(rule, at, message); len(c.found) > before {
		c.found[before].Fix = fix
	}
}

// findings returns what was found: errors first, each group in the order of the table.
func (c *checker) findings() Findings {
	rank := func(f Finding) int {
		r := rank(f.Rule)
		if f.Severity == Warning {
			r += len(table)
		}
		return r
	}
	slices.SortStableFunc(c.found, func(a, b Finding) int { return rank(a) - rank(b) })
	return c.found
}

// noNUL refuses U+0000 anywhere, since the database cannot store it, but only
// where nothing else is wrong already.
func (c *checker) noNUL(v *value, at place) {
	if v.kind == text && strings.Contains(v.text, "\x00") && !c.refused(at.pointer) {
		c.fail("text.nul", at, "Text must not contain the character U+0000")
	}
	for i := range v.items {
		if v.kind == array {
			c.noNUL(&v.items[i], at.item(i))
			continue
		}
		if strings.Contains(v.keys[i], "\x00") && !c.refused(at.pointer) {
			c.fail("text.nul", at, "A key must not contain the character U+0000")
		}
		c.noNUL(&v.items[i], at.entry(v.keys[i]))
	}
}

// refused reports whether an error stands at the pointer or above it.
func (c *checker) refused(pointer string) bool {
	return slices.ContainsFunc(c.found, func(f Finding) bool {
		return f.Severity == Error && f.Path != "" && (pointer == f.Path || strings.HasPrefix(pointer, f.Path+"/"))
	})
}

package settings

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// What marks inputs that are no value: which form of a oneOf was chosen, how many
// items a list has, the name of an entry of a map, that a secret is cleared.
const (
	formMark  = "#of"
	countMark = "#n"
	keyMark   = "#key"
	clearMark = "#clear"
	entryMark = "/+"
)

// understood are the keywords a form can show. Any other makes its place JSON.
var understood = []string{
	"$schema", "$id", "$defs", "$comment", "definitions", "type", "title", "description", "examples", "default", "deprecated", "readOnly", "writeOnly",
	"properties", "required", "additionalProperties", "dependentRequired", "minProperties", "maxProperties", "items", "minItems", "maxItems",
	"uniqueItems", "enum", "const", "oneOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
	"pattern", "format",
}

// node is one schema, its references followed.
type node struct {
	m      map[string]any
	broken bool // refers to nothing, or round in a circle
}

// node returns the schema v with what it refers to beneath.
func (b *formBuilder) node(v any) node {
	m, _ := v.(map[string]any)
	for range maxFormDepth {
		ref, ok := m["$ref"].(string)
		if !ok {
			return node{m: m, broken: m == nil}
		}
		to, ok := b.lookUp(ref)
		if !ok {
			break
		}
		merged := maps.Clone(to)
		for k, v := range m {
			if k != "$ref" {
				merged[k] = v
			}
		}
		m = merged
	}
	return node{broken: true}
}

// lookUp finds what a reference inside the schema points at.
func (b *formBuilder) lookUp(ref string) (map[string]any, bool) {
	if ref == "#" {
		return b.root, true
	}
	pointer, ok := strings.CutPrefix(ref, "#/")
	if !ok {
		return nil, false
	}
	var at any = b.root
	for part := range strings.SplitSeq(pointer, "/") {
		m, _ := at.(map[string]any)
		if at = m[unescape(part)]; at == nil {
			return nil, false
		}
	}
	m, ok := at.(map[string]any)
	return m, ok
}

// plain reports whether a form can show the place.
func (n node) plain() bool {
	if n.broken {
		return false
	}
	for k, v := range n.m {
		if !slices.Contains(understood, k) && !strings.HasPrefix(k, "ui:") && !strings.HasPrefix(k, "x-") {
			return false
		}
		if _, one := v.(string); k == "type" && !one { // several types
			return false
		}
	}
	switch n.kind() {
	case ListField:
		_, ok := n.m["items"].(map[string]any)
		return ok
	case JSONField:
		return false
	}
	return true
}

// kind returns how the place is asked for.
func (n node) kind() FieldKind {
	if mark, ok := n.m["x-secret"]; ok && mark != false {
		return SecretField
	}
	if items, _ := n.m["items"].(map[string]any); items["x-secret"] == true {
		return SecretField // see place.secret
	}
	if _, ok := n.m["enum"].([]any); ok {
		return ChoiceField
	}
	switch n.text("type") {
	case "string":
		return TextField
	case "number", "integer":
		return NumberField
	case "boolean":
		return SwitchField
	case "array":
		return ListField
	case "object":
		if n.m["properties"] == nil && n.m["oneOf"] == nil {
			if n.open() {
				return MapField
			}
			return JSONField
		}
		return GroupField
	case "":
		if n.m["properties"] != nil || n.m["oneOf"] != nil {
			return GroupField
		}
	}
	return JSONField
}

// kindAt returns how the place is asked for at its pointer; given: it has a
// value. What no form can show, and what lies too deep, is asked for as JSON.
func (b *formBuilder) kindAt(n node, pointer string, given bool) FieldKind {
	depth, kind := strings.Count(pointer, "/"), n.kind()
	if !n.plain() || n.m["oneOf"] != nil && n.forms(b) == nil || depth > maxFormDepth || depth > maxBlankDepth && kind == GroupField && !given {
		return JSONField
	}
	return kind
}

func (n node) text(key string) string { s, _ := n.m[key].(string); return s }

// flag reports whether a keyword is there and not false.
func (n node) flag(key string) bool { v, ok := n.m[key]; return ok && v != false && v != nil }

func (n node) strings(key string) (list []string) {
	values, _ := n.m[key].([]any)
	for _, v := range values {
		if s, ok := v.(string); ok {
			list = append(list, s)
		}
	}
	return list
}

func (n node) count(key string, without int) int {
	number, ok := n.m[key].(json.Number)
	if i, err := strconv.Atoi(number.String()); ok && err == nil && i >= 0 {
		return i
	}
	return without
}

func (n node) properties() map[string]any { p, _ := n.m["properties"].(map[string]any); return p }
func (n node) property(name string) any   { return n.properties()[name] }
func (n node) items() any                 { return n.m["items"] }

// values is the schema of the members that no property names.
func (n node) values() any {
	if more, ok := n.m["additionalProperties"].(map[string]any); ok {
		return more
	}
	return map[string]any{}
}

// open reports whether an object may have members of other names, each alike.
func (n node) open() bool { _, ok := n.m["additionalProperties"].(map[string]any); return ok }

// constant reports whether there is nothing to ask.
func (n node) constant() bool { _, ok := n.m["const"]; return ok }

// ordered returns the properties: as ui:order has them, then those with the
// ui:order of their own, then by name.
func (n node) ordered() []string {
	order := n.strings("ui:order")
	rank := func(name string) int {
		if i := slices.Index(order, name); i >= 0 {
			return i
		}
		return len(order)
	}
	names := slices.Collect(maps.Keys(n.properties()))
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	return names
}

// ruledOut reports whether a property may never be there.
func (n node) ruledOut(name string) bool { return n.property(name) == false }

// shows reports whether a property is asked for now, and why. x-show-if maps
// properties beside it to the value, or the values, they must have.
func (n node) shows(name string, in map[string]any) (because string, shown bool) {
	m, _ := n.property(name).(map[string]any)
	conditions, _ := m["x-show-if"].(map[string]any)
	for _, beside := range slices.Sorted(maps.Keys(conditions)) {
		value, ok := in[beside]
		if other, is := n.property(beside).(map[string]any); !ok && is {
			value = other["default"]
		}
		wanted, several := conditions[beside].([]any)
		if !several {
			wanted = []any{conditions[beside]}
		}
		if !slices.ContainsFunc(wanted, func(w any) bool { return string(encodeJSON(w)) == string(encodeJSON(value)) }) {
			return "", false
		}
		other, _ := n.property(beside).(map[string]any)
		because = "Asked because " + strings.ToLower(label(node{m: other}, beside)) + " is " + typed(value) + "."
	}
	return because, true
}

// steering returns the properties that decide whether others are asked for.
func (n node) steering() map[string]bool {
	steers := map[string]bool{}
	for _, v := range n.properties() {
		m, _ := v.(map[string]any)
		conditions, _ := m["x-show-if"].(map[string]any)
		for beside := range conditions {
			steers[beside] = true
		}
	}
	return steers
}

// form is one of the forms an object may have.
type form struct {
	node
	label string
	fixed map[string]any // its discriminator: properties with one value
}

// forms returns the forms of a oneOf that is told apart by constants, or nil.
func (n node) forms(b *formBuilder) []form {
	list, _ := n.m["oneOf"].([]any)
	var forms []form
	for _, v := range list[:min(len(list), maxChoices)] {
		f := form{node: b.node(v), fixed: map[string]any{}}
		var words []string
		for _, name := range slices.Sorted(maps.Keys(f.properties())) {
			member, _ := f.property(name).(map[string]any)
			if c, ok := member["const"]; ok {
				f.fixed[name] = c
				words = append(words, typed(c))
			}
		}
		if len(f.fixed) == 0 || !f.plain() || f.m["oneOf"] != nil || f.open() { // or it would lead to itself
			return nil
		}
		if f.label = clipText(f.text("title")); f.label == "" {
			f.label = clipText(strings.Join(words, ", "))
		}
		forms = append(forms, f)
	}
	return forms
}

// chosenForm returns the form whose discriminator in has, or -1.
func chosenForm(forms []form, in map[string]any) int {
	return slices.IndexFunc(forms, func(f form) bool {
		for name, want := range f.fixed {
			if have, ok := in[name]; !ok || string(encodeJSON(have)) != string(encodeJSON(want)) {
				return false
			}
		}
		return true
	})
}

func itoa(i int) string { return strconv.Itoa(i) }

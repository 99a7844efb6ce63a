// Package canon knows which fields of a document carry which class of data,
// and removes those that a receiver may not see.
//
// Marks are read from JSON Schemas (x-class on any property); from them a Plan
// is compiled once per set of hidden classes. It refuses to guess: a field that
// the schema does not describe is treated as the most sensitive one.
package canon

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/vivified/vivified/core/trait"
)

// Bounds of a schema: how deep references are followed, and how many places of
// a document it may describe once they are. Recursion that branches would
// otherwise grow without end.
const (
	maxDepth  = 64
	maxPlaces = 20_000
)

// Marks is what a JSON Schema says about the classes of a document's fields.
type Marks struct {
	root    *mark
	classes trait.Classes
	places  int
}

// mark is one place in a document.
type mark struct {
	class   trait.Class
	marked  bool // x-class is given here, or above
	props   map[string]*mark
	items   *mark
	rest    *mark // additionalProperties that carry a schema
	unknown bool  // the schema says nothing of what lies below
}

// ReadMarks reads x-class marks from a JSON Schema. An empty schema marks
// nothing. Local $refs (#/…) are followed; recursion ends at depth 64.
func ReadMarks(schema json.RawMessage) (*Marks, error) {
	if len(schema) == 0 {
		return &Marks{}, nil
	}
	var doc any
	if err := json.Unmarshal(schema, &doc); err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	m := &Marks{}
	root, err := m.read(doc, doc, trait.Public, false, 0)
	if err != nil {
		return nil, err
	}
	m.root = root
	return m, nil
}

// Classes returns every class that some field is marked with.
func (m *Marks) Classes() trait.Classes { return m.classes }

// Cover reports whether the marks tell, for each of the classes that need a
// trait, which fields carry it. Only then can those fields be removed.
func (m *Marks) Cover(classes trait.Classes) bool {
	for c := trait.Confidential; c <= trait.PHI; c++ {
		if classes.Has(c) && !m.classes.Has(c) {
			return false
		}
	}
	return m.root != nil
}

func (m *Marks) read(doc, at any, inherited trait.Class, marked bool, depth int) (*mark, error) {
	if m.places++; m.places > maxPlaces {
		return nil, fmt.Errorf("schema describes more than %d places once its references are followed", maxPlaces)
	}
	if depth > maxDepth {
		return &mark{class: inherited, marked: marked, unknown: true}, nil
	}
	s, ok := at.(map[string]any)
	if !ok {
		return &mark{class: inherited, marked: marked, unknown: true}, nil
	}
	if ref, ok := s["$ref"].(string); ok {
		target, ok := lookup(doc, ref)
		if !ok {
			return nil, fmt.Errorf("schema refers to %q, which is not in it", ref)
		}
		return m.read(doc, target, inherited, marked, depth+1)
	}
	n := &mark{class: inherited, marked: marked}
	if name, ok := s["x-class"].(string); ok {
		c, ok := trait.ParseClass(name)
		if !ok {
			return nil, fmt.Errorf("x-class %q is not a class", name)
		}
		// A field inside a marked one is never less sensitive than what holds it.
		n.class, n.marked = max(c, inherited), true
		m.classes = m.classes.With(n.class)
	}
	props, _ := s["properties"].(map[string]any)
	for name, sub := range props {
		child, err := m.read(doc, sub, n.class, n.marked, depth+1)
		if err != nil {
			return nil, err
		}
		if n.props == nil {
			n.props = make(map[string]*mark, len(props))
		}
		n.props[name] = child
	}
	for key, into := range map[string]**mark{"items": &n.items, "additionalProperties": &n.rest} {
		if sub, ok := s[key].(map[string]any); ok {
			child, err := m.read(doc, sub, n.class, n.marked, depth+1)
			if err != nil {
				return nil, err
			}
			*into = child
		}
	}
	// A leaf of a scalar type hides nothing below it; anything else might.
	n.unknown = n.props == nil && n.items == nil && n.rest == nil && !scalar(s["type"])
	return n, nil
}

func scalar(t any) bool {
	switch v := t.(type) {
	case string:
		return v != "object" && v != "array"
	case []any:
		for _, x := range v {
			if !scalar(x) {
				return false
			}
		}
		return len(v) > 0
	}
	return false
}

func lookup(doc any, ref string) (any, bool) {
	path, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil, false
	}
	at := doc
	for part := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if part == "" {
			continue
		}
		m, ok := at.(map[string]any)
		if !ok {
			return nil, false
		}
		if at, ok = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]; !ok {
			return nil, false
		}
	}
	return at, true
}

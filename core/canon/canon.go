// Package canon knows which fields of a document carry which class of data, and
// removes those that a receiver may not see; and it holds documents against
// their JSON Schema.
//
// Marks are read from JSON Schemas (x-class on any property); from them a Plan
// is compiled once per set of hidden classes. It refuses to guess: a field that
// the schema does not describe is treated as the most sensitive one, and a
// schema whose marks could be read in two ways is not read at all.
package canon

import (
	"encoding/json"
	"fmt"
	"regexp"
	"sync/atomic"

	"github.com/vivified/vivified/core/trait"
)

// Marks is what a JSON Schema says about the classes of a document's fields.
// They are immutable and safe for concurrent use.
type Marks struct {
	root    *mark
	classes trait.Classes
	ids     bool                     // some field holds ids of a model
	plans   [32]atomic.Pointer[Plan] // by the set of hidden classes
}

// mark is one place in a document.
type mark struct {
	class    trait.Class
	marked   bool   // x-class is given here, or above
	id       string // the model whose ids stand here; "": none
	scalars  bool   // strings, numbers and the like may stand here
	props    map[string]*mark
	patterns []pattern // of member names that props does not have
	items    *mark
	rest     *mark // additionalProperties that carry a schema
}

// pattern is what the members have in common whose name matches.
type pattern struct {
	name *regexp.Regexp
	mark *mark
}

// described reports whether the schema says what stands here.
func (n *mark) described() bool {
	return n.scalars || n.props != nil || n.patterns != nil || n.items != nil || n.rest != nil
}

// ReadMarks reads x-class marks from a JSON Schema (2020-12). An empty schema
// marks nothing. Subschemas that apply to the same place, as by allOf, anyOf or
// $ref, count together, and the highest mark wins. Local $refs (#/…) are
// followed; recursion ends at depth 64, below which nothing is described.
func ReadMarks(schema json.RawMessage) (*Marks, error) {
	m := &Marks{}
	if len(schema) == 0 {
		return m, nil
	}
	var doc any
	if err := json.Unmarshal(schema, &doc); err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	r := reader{doc: doc}
	root, err := r.read(doc, trait.Public, false, 0)
	if err != nil {
		return nil, err
	}
	m.root, m.classes, m.ids = root, r.classes, r.ids
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

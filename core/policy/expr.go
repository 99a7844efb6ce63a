package policy

import (
	"github.com/cedar-policy/cedar-go/types"

	"github.com/vivified/vivified/core/trait"
)

// truth is what a condition comes to.
type truth uint8

const (
	no truth = iota
	yes
	failed // it has no value: a number overflowed, or a fact is not there
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// kind is the type of an expression.
type kind uint8

const (
	unusable kind = iota // a finding says why
	booleanKind
	numberKind
	momentKind // milliseconds since 1970
	spanKind   // milliseconds
	textKind
	entityKind
	traitsKind  // a set of names of traits
	classesKind // a set of names of data classes
	listKind    // a set written out: strings, numbers or entities
	contextKind // the record of the moment
)

// expr is one compiled expression of a rule: how to read its value from a
// request, and what is known of it beforehand. The readers report false when
// there is no value.
type expr struct {
	kind
	test    func(*Request) truth                 // boolean
	num     func(*Request) (int64, bool)         // number, moment, span
	text    func(*Request) (string, bool)        // text; an entity's id
	traits  func(*Request) (trait.Set, bool)     // traits
	classes func(*Request) (trait.Classes, bool) // classes
	side    func(*Request) *Party                // entity: the party whose attributes it has; traits: whose they are; nil: nobody's
	of      types.EntityType                     // entity
	what    role                                 // entity: which one of the request it is
	literal types.Value                          // of a constant; of a list, a types.Set
	elems   []types.Value                        // of a list, as written
	never   bool                                 // boolean: is never true; it may have no value
	always  bool                                 // boolean: is always true, and has a value
	among   []string                             // text: the only values it can have
	lo, hi  int64                                // number: the bounds of its value, where hi > lo
}

// role is which of a request's entities an expression is.
type role uint8

const (
	anyEntity role = iota
	asPrincipal
	asResource
	asAction
)

// constant is a condition whose value is known.
func constant(b bool) expr {
	t := truthOf(b)
	return expr{kind: booleanKind, test: func(*Request) truth { return t }, literal: types.Boolean(b), never: !b, always: b}
}

// test makes a condition out of a reading of the request.
func test(f func(*Request) truth) expr { return expr{kind: booleanKind, test: f} }

// literalText is a string as written.
func literalText(s types.String) expr {
	return expr{kind: textKind, literal: s, text: func(*Request) (string, bool) { return string(s), true }}
}

// literalNumber is a number, a moment or a span as written.
func literalNumber(k kind, v types.Value, n int64) expr {
	return expr{kind: k, literal: v, num: func(*Request) (int64, bool) { return n, true }}
}

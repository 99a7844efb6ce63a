package policy

import (
	"fmt"
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/vivified/vivified/core/trait"
)

// compiler turns the conditions of one rule into functions of a Request, for one
// kind of principal, one kind of resource and one action. What the three settle
// is settled here, as Cedar's validator does, so that nothing is compiled that
// cannot be asked of them.
//
// The functions say what Cedar's evaluator would say of the same facts. A fuzz
// test holds them against it.
type compiler struct {
	who, what types.EntityType
	action    Action
	registry  *trait.Registry
	from      *statement
	found     []Finding
}

// complain adds a finding at the first place that reads like mark.
func (c *compiler) complain(mark, message, fix string) expr {
	c.found = append(c.found, c.from.finding(c.from.at(mark), message, fix))
	return expr{kind: unusable}
}

// compile returns a condition's or a value's reader.
func (c *compiler) compile(n ast.IsNode) expr {
	switch n := n.(type) {
	case ast.NodeValue:
		return c.value(n.Value)
	case ast.NodeTypeVariable:
		return c.variable(string(n.Name))
	case ast.NodeTypeAnd:
		return c.and(n)
	case ast.NodeTypeOr:
		return c.or(n)
	case ast.NodeTypeNot:
		return not(c.compile(n.Arg))
	case ast.NodeTypeIfThenElse:
		return c.choose(n)
	case ast.NodeTypeEquals:
		return c.equal(c.compile(n.Left), c.compile(n.Right))
	case ast.NodeTypeNotEquals:
		return not(c.equal(c.compile(n.Left), c.compile(n.Right)))
	case ast.NodeTypeLessThan:
		return compare(c.compile(n.Left), c.compile(n.Right), func(a, b int64) bool { return a < b })
	case ast.NodeTypeLessThanOrEqual:
		return compare(c.compile(n.Left), c.compile(n.Right), func(a, b int64) bool { return a <= b })
	case ast.NodeTypeGreaterThan:
		return compare(c.compile(n.Left), c.compile(n.Right), func(a, b int64) bool { return a > b })
	case ast.NodeTypeGreaterThanOrEqual:
		return compare(c.compile(n.Left), c.compile(n.Right), func(a, b int64) bool { return a >= b })
	case ast.NodeTypeAdd:
		return arithmetic(c.compile(n.Left), c.compile(n.Right), add)
	case ast.NodeTypeSub:
		return arithmetic(c.compile(n.Left), c.compile(n.Right), subtract)
	case ast.NodeTypeMult:
		return arithmetic(c.compile(n.Left), c.compile(n.Right), multiply)
	case ast.NodeTypeNegate:
		return arithmetic(literalNumber(numberKind, types.Long(0), 0), c.compile(n.Arg), subtract)
	case ast.NodeTypeIn:
		return c.in(c.compile(n.Left), c.compile(n.Right))
	case ast.NodeTypeIs:
		return is(c.compile(n.Left), n.EntityType)
	case ast.NodeTypeIsIn:
		return c.isIn(n)
	case ast.NodeTypeLike:
		return like(c.compile(n.Arg), n.Value)
	case ast.NodeTypeHas:
		return c.has(c.compile(n.Arg), string(n.Value))
	case ast.NodeTypeAccess:
		return c.access(c.compile(n.Arg), string(n.Value))
	case ast.NodeTypeSet:
		return c.list(n)
	case ast.NodeTypeContains:
		return c.contains(c.compile(n.Left), c.compile(n.Right))
	case ast.NodeTypeContainsAll:
		return c.containsAll(c.compile(n.Left), c.compile(n.Right))
	case ast.NodeTypeContainsAny:
		return c.containsAny(c.compile(n.Left), c.compile(n.Right))
	case ast.NodeTypeIsEmpty:
		return c.isEmpty(c.compile(n.Arg))
	case ast.NodeTypeExtensionCall:
		return c.call(n)
	case ast.NodeTypeRecord:
		return c.complain("{", "A rule cannot make records: no fact is one.", "Compare the facts one by one.")
	case ast.NodeTypeHasTag, ast.NodeTypeGetTag:
		return c.complain("getTag", "Nothing here has tags.", "Use the attributes that the schema lists.")
	}
	return c.complain("", fmt.Sprintf("A rule cannot use this: %T.", n), "Write it in a simpler way.")
}

// value is a constant.
func (c *compiler) value(v types.Value) expr {
	switch v := v.(type) {
	case types.Boolean:
		return constant(bool(v))
	case types.Long:
		return literalNumber(numberKind, v, int64(v))
	case types.String:
		return literalText(v)
	case types.EntityUID:
		c.checkID(v)
		return expr{kind: entityKind, of: v.Type, literal: v, text: func(*Request) (string, bool) { return string(v.ID), true }}
	}
	return c.complain("", fmt.Sprintf("A rule cannot use the constant %s.", v), "Use strings, numbers, and names of things.")
}

// variable is one of the four that every rule has.
func (c *compiler) variable(name string) expr {
	switch name {
	case "principal":
		e := sideOf(c.who, principalOf(c.action))
		e.what = asPrincipal
		return e
	case "action":
		v := types.NewEntityUID("Action", types.String(c.action))
		return expr{kind: entityKind, of: "Action", what: asAction, literal: v, text: func(*Request) (string, bool) { return string(v.ID), true }}
	case "resource":
		return c.resource()
	}
	return expr{kind: contextKind}
}

// principalOf returns the side that asks; of a delivery, the one who would receive.
func principalOf(a Action) func(*Request) *Party {
	if a == EventDeliver {
		return target
	}
	return subject
}

func subject(r *Request) *Party  { return &r.Subject }
func target(r *Request) *Party   { return &r.Target }
func onBehalf(r *Request) *Party { return r.OnBehalf }

// sideOf is a party as an entity.
func sideOf(of types.EntityType, side func(*Request) *Party) expr {
	return expr{kind: entityKind, of: of, side: side, text: func(r *Request) (string, bool) {
		if p := side(r); p != nil {
			return p.ID, true
		}
		return "", false
	}}
}

// resource is what the action touches, as an entity.
func (c *compiler) resource() expr {
	e := expr{kind: entityKind, of: c.what, what: asResource}
	switch c.what {
	case "Plugin":
		e = sideOf("Plugin", target)
		e.what = asResource
	case "Operation":
		e.text = func(r *Request) (string, bool) { return r.Target.ID + "/" + r.Resource.Name, true }
	case "Object":
		e.text = func(r *Request) (string, bool) { return r.Resource.id(), true }
	default:
		e.text = func(r *Request) (string, bool) { return r.Resource.Name, true }
	}
	return e
}

// id is what a stored or administered thing is known by.
func (r *Resource) id() string {
	if r.ID != "" {
		return r.ID
	}
	return r.Name
}

func (c *compiler) and(n ast.NodeTypeAnd) expr {
	l := c.compile(n.Left)
	if l.kind != booleanKind {
		return expr{}
	}
	if l.never {
		return l // Cedar looks no further, and neither does its validator
	}
	r := c.compile(n.Right)
	switch {
	case r.kind != booleanKind:
		return expr{}
	case l.always:
		return r
	}
	a, b := l.test, r.test
	return expr{kind: booleanKind, never: r.never, test: func(q *Request) truth {
		if t := a(q); t != yes {
			return t
		}
		return b(q)
	}}
}

func (c *compiler) or(n ast.NodeTypeOr) expr {
	l := c.compile(n.Left)
	if l.kind != booleanKind || l.always {
		return l
	}
	r := c.compile(n.Right)
	if r.kind != booleanKind {
		return expr{}
	}
	a, b := l.test, r.test
	return expr{kind: booleanKind, never: l.never && r.never, test: func(q *Request) truth {
		if t := a(q); t != no {
			return t
		}
		return b(q)
	}}
}

func not(e expr) expr {
	if e.kind != booleanKind {
		return expr{}
	}
	if e.literal != nil {
		return constant(!e.always)
	}
	a := e.test
	return test(func(q *Request) truth {
		switch a(q) {
		case no:
			return yes
		case yes:
			return no
		}
		return failed
	})
}

// choose is if, then, else.
func (c *compiler) choose(n ast.NodeTypeIfThenElse) expr {
	cond := c.compile(n.If)
	switch {
	case cond.kind != booleanKind:
		return expr{}
	case cond.always:
		return c.compile(n.Then)
	case cond.never && cond.literal != nil:
		return c.compile(n.Else)
	}
	b := c.compile(n.Else)
	a := b
	if !cond.never { // else nobody checked what stands there, and nobody gets there
		a = c.compile(n.Then)
	}
	if a.kind != b.kind || a.of != b.of {
		return expr{}
	}
	first := func(q *Request) (bool, bool) { t := cond.test(q); return t == yes, t != failed }
	e := expr{kind: a.kind, of: a.of, never: a.never && b.never, among: either(a, b)}
	switch a.kind {
	case booleanKind:
		e.test = func(q *Request) truth {
			switch cond.test(q) {
			case yes:
				return a.test(q)
			case no:
				return b.test(q)
			}
			return failed
		}
	case numberKind, momentKind, spanKind:
		e.num = pick(first, a.num, b.num)
	case textKind:
		e.text = pick(first, a.text, b.text)
	case traitsKind:
		e.traits = pick(first, a.traits, b.traits)
	case classesKind:
		e.classes = pick(first, a.classes, b.classes)
	default:
		return c.complain("if", "Only texts, numbers, times, sets of facts and conditions can be chosen between.", "Write one rule for each case.")
	}
	return e
}

// pick chooses between two readers.
func pick[T any](first func(*Request) (bool, bool), a, b func(*Request) (T, bool)) func(*Request) (T, bool) {
	return func(q *Request) (T, bool) {
		switch isFirst, ok := first(q); {
		case !ok:
			var none T
			return none, false
		case isFirst:
			return a(q)
		}
		return b(q)
	}
}

// either returns the values that one of two texts can have, nil for any.
func either(a, b expr) []string {
	if a.among == nil || b.among == nil {
		return nil
	}
	return slices.Concat(a.among, b.among)
}

package policy

import (
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/vivified/vivified/core/trait"
)

// list is a set as written, of constants of one type.
func (c *compiler) list(n ast.NodeTypeSet) expr {
	e := expr{kind: listKind}
	for _, node := range n.Elements {
		one := c.compile(node)
		if one.kind == unusable {
			return expr{}
		}
		if one.literal == nil || one.kind == listKind || one.what != anyEntity {
			return c.complain("[", "A set is written out of constants.", "Compare facts with “==”, joined by “||”.")
		}
		e.elems = append(e.elems, one.literal)
	}
	e.literal = types.NewSet(e.elems...)
	return e
}

// asTraits reads a set of names as traits, and complains of names that are none.
func (c *compiler) asTraits(e expr) expr {
	if e.kind != listKind {
		return e
	}
	var set trait.Set
	for _, v := range e.elems {
		if s, ok := v.(types.String); ok {
			set = set.Union(c.traitNamed(string(s)))
		}
	}
	return expr{kind: traitsKind, traits: func(*Request) (trait.Set, bool) { return set, true }}
}

// traitNamed returns the set of the one trait of that name.
func (c *compiler) traitNamed(name string) trait.Set {
	t, alias, ok := c.registry.Lookup(name)
	switch {
	case alias:
		c.complain(name, "“"+name+"” is an older name of a trait.", "Write "+t.Name+".")
	case !ok:
		fix := "The page of traits lists all there are."
		if near := c.nearest(name); near != "" {
			fix = "Did you mean " + near + "? " + fix
		}
		c.complain(name, "There is no trait “"+name+"”.", fix)
	default:
		return trait.SetOf(t.ID)
	}
	return trait.Set{}
}

// nearest returns the trait whose name differs least, if it is close.
func (c *compiler) nearest(name string) string {
	best, least := "", 4
	for _, t := range c.registry.All() {
		if d := distance(name, t.Name, least); d < least {
			best, least = t.Name, d
		}
	}
	return best
}

// distance counts the letters to change, add or leave out between two names; it
// gives up at most.
func distance(a, b string, most int) int {
	if len(a)-len(b) >= most || len(b)-len(a) >= most {
		return most
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			d := last
			if a[i] != b[j] {
				d++
			}
			last = row[j+1]
			row[j+1] = min(d, last+1, row[j]+1)
		}
	}
	return row[len(b)]
}

// asClasses reads a set of names as data classes, and complains of names that are none.
func (c *compiler) asClasses(e expr) expr {
	if e.kind != listKind {
		return e
	}
	var set trait.Classes
	for _, v := range e.elems {
		if s, ok := v.(types.String); ok {
			set |= c.classNamed(string(s))
		}
	}
	return expr{kind: classesKind, classes: func(*Request) (trait.Classes, bool) { return set, true }}
}

func (c *compiler) classNamed(name string) trait.Classes {
	class, ok := trait.ParseClass(name)
	if !ok {
		c.complain(name, "There is no data class “"+name+"”.", "The classes are "+strings.Join((^trait.Classes(0)).Names(), ", ")+".")
		return 0
	}
	return trait.ClassesOf(class)
}

// contains reports whether a set has a value.
func (c *compiler) contains(l, r expr) expr {
	switch l.kind {
	case traitsKind, classesKind:
		name, ok := r.literal.(types.String)
		if !ok {
			return c.complain("contains", "Which trait or class is meant must be written out.", "Write its name in quotation marks.")
		}
		if l.kind == classesKind {
			class := c.classNamed(string(name))
			return read(l.classes, func(have trait.Classes) bool { return have&class != 0 })
		}
		one := c.traitNamed(string(name)).IDs()
		if len(one) == 0 {
			return expr{}
		}
		if l.side != nil {
			return holds(l.side, one[0])
		}
		return read(l.traits, func(have trait.Set) bool { return have.Has(one[0]) })
	case listKind:
		return c.listed(l, r)
	}
	return expr{}
}

// holds reports whether a party has a trait. It is what most conditions ask.
func holds(side func(*Request) *Party, id trait.ID) expr {
	return test(func(q *Request) truth {
		p := side(q)
		if p == nil {
			return failed
		}
		return truthOf(p.Traits.Has(id))
	})
}

// listed reports whether a value is among those written.
func (c *compiler) listed(l, r expr) expr {
	if r.literal != nil {
		return constant(l.literal.(types.Set).Contains(r.literal))
	}
	switch r.kind {
	case textKind:
		var words []string
		for _, v := range l.elems {
			c.checkAmong(r, expr{literal: v})
			words = append(words, string(v.(types.String)))
		}
		return read(r.text, func(s string) bool { return slices.Contains(words, s) })
	case numberKind:
		var numbers []int64
		for _, v := range l.elems {
			numbers = append(numbers, int64(v.(types.Long)))
		}
		return read(r.num, func(n int64) bool { return slices.Contains(numbers, n) })
	case entityKind, booleanKind, momentKind, spanKind:
		any := constant(false)
		for _, v := range l.elems {
			any = eitherTrue(any, c.equal(r, c.constantOf(v)))
		}
		return any
	}
	return c.complain("contains", "Such a set cannot be asked for this.", "Compare the facts with “==”, joined by “||”.")
}

// constantOf is a value of a list as an expression.
func (c *compiler) constantOf(v types.Value) expr {
	switch v := v.(type) {
	case types.Datetime:
		return literalNumber(momentKind, v, v.Milliseconds())
	case types.Duration:
		return literalNumber(spanKind, v, v.ToMilliseconds())
	}
	return c.value(v)
}

// eitherTrue is l or r, where r is asked only if l is false.
func eitherTrue(l, r expr) expr {
	switch {
	case l.kind != booleanKind || r.kind != booleanKind:
		return expr{}
	case l.always || r.literal != nil && r.never:
		return l
	case l.literal != nil && l.never:
		return r
	}
	a, b := l.test, r.test
	return expr{kind: booleanKind, never: l.never && r.never, test: func(q *Request) truth {
		if t := a(q); t != no {
			return t
		}
		return b(q)
	}}
}

// sameSets brings two sets to one kind: names become traits or classes where the
// other side is that.
func (c *compiler) sameSets(l, r expr) (expr, expr, bool) {
	switch {
	case l.kind == traitsKind || r.kind == traitsKind:
		l, r = c.asTraits(l), c.asTraits(r)
	case l.kind == classesKind || r.kind == classesKind:
		l, r = c.asClasses(l), c.asClasses(r)
	}
	if l.kind != r.kind && l.kind != unusable && r.kind != unusable {
		c.complain("classes", "Traits and data classes are different things.", "Compare traits with traits, and classes with classes.")
		return expr{}, expr{}, false
	}
	return l, r, l.kind == r.kind && (l.kind == traitsKind || l.kind == classesKind || l.kind == listKind)
}

// equalSets compares two sets; ok is false when they are no sets.
func (c *compiler) equalSets(l, r expr) (_ expr, ok bool) {
	if l.kind != listKind && l.kind != traitsKind && l.kind != classesKind {
		return expr{}, false
	}
	if l, r, ok = c.sameSets(l, r); !ok {
		return expr{}, true
	}
	switch l.kind {
	case traitsKind:
		return readBoth(l.traits, r.traits, func(a, b trait.Set) bool { return a == b }), true
	case classesKind:
		return readBoth(l.classes, r.classes, func(a, b trait.Classes) bool { return a == b }), true
	}
	return constant(l.literal.Equal(r.literal)), true
}

// containsAll reports whether a set has every value of another.
func (c *compiler) containsAll(l, r expr) expr {
	l, r, ok := c.sameSets(l, r)
	if !ok {
		return expr{}
	}
	switch l.kind {
	case traitsKind:
		return readBoth(l.traits, r.traits, trait.Set.Covers)
	case classesKind:
		return readBoth(l.classes, r.classes, func(a, b trait.Classes) bool { return b&^a == 0 })
	}
	return constant(!slices.ContainsFunc(r.elems, func(v types.Value) bool { return !l.literal.(types.Set).Contains(v) }))
}

// containsAny reports whether a set has a value of another.
func (c *compiler) containsAny(l, r expr) expr {
	l, r, ok := c.sameSets(l, r)
	if !ok {
		return expr{}
	}
	switch l.kind {
	case traitsKind:
		return readBoth(l.traits, r.traits, func(a, b trait.Set) bool { return a.Missing(b) != b })
	case classesKind:
		return readBoth(l.classes, r.classes, func(a, b trait.Classes) bool { return a&b != 0 })
	}
	return constant(slices.ContainsFunc(r.elems, func(v types.Value) bool { return l.literal.(types.Set).Contains(v) }))
}

// isEmpty reports whether a set has no value.
func (c *compiler) isEmpty(e expr) expr {
	switch e.kind {
	case traitsKind:
		return read(e.traits, func(a trait.Set) bool { return a.Empty() })
	case classesKind:
		return read(e.classes, func(a trait.Classes) bool { return a == 0 })
	case listKind:
		return constant(len(e.elems) == 0)
	}
	return expr{}
}

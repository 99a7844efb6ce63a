package policy

import (
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// equal compares two values of one type. Entities of different types are
// different, whatever they are called.
func (c *compiler) equal(l, r expr) expr {
	if l.literal != nil && r.literal != nil && l.kind != listKind && r.kind != listKind {
		return constant(l.literal.Equal(r.literal))
	}
	if l.kind == entityKind && r.kind == entityKind {
		return c.sameEntity(l, r)
	}
	if set, ok := c.equalSets(l, r); ok {
		return set
	}
	if l.kind != r.kind {
		return expr{}
	}
	switch l.kind {
	case textKind:
		c.checkAmong(l, r)
		c.checkAmong(r, l)
		return readBoth(l.text, r.text, func(a, b string) bool { return a == b })
	case numberKind:
		return compare(l, r, func(a, b int64) bool { return a == b })
	case momentKind, spanKind:
		return readBoth(l.num, r.num, func(a, b int64) bool { return a == b })
	case booleanKind:
		a, b := l.test, r.test
		return test(func(q *Request) truth {
			x, y := a(q), b(q)
			if x == failed || y == failed {
				return failed
			}
			return truthOf(x == y)
		})
	}
	return expr{}
}

// read is a condition on one value.
func read[T any](e func(*Request) (T, bool), holds func(T) bool) expr {
	return test(func(q *Request) truth {
		v, ok := e(q)
		if !ok {
			return failed
		}
		return truthOf(holds(v))
	})
}

// readBoth is a condition on two values.
func readBoth[T any](l, r func(*Request) (T, bool), holds func(a, b T) bool) expr {
	return test(func(q *Request) truth {
		a, ok := l(q)
		if !ok {
			return failed
		}
		b, ok := r(q)
		if !ok {
			return failed
		}
		return truthOf(holds(a, b))
	})
}

// sameEntity compares two entities.
func (c *compiler) sameEntity(l, r expr) expr {
	switch {
	case l.of != r.of:
		return constant(false)
	case l.what != anyEntity && l.what == r.what:
		return constant(true)
	case l.what == asResource && l.of == "Operation" && r.literal != nil:
		return isOperation(r.literal)
	case r.what == asResource && r.of == "Operation" && l.literal != nil:
		return isOperation(l.literal)
	}
	return readBoth(l.text, r.text, func(a, b string) bool { return a == b })
}

// isOperation compares the operation called with one written as plugin/name,
// without putting the two together for every request.
func isOperation(v types.Value) expr {
	id := string(v.(types.EntityUID).ID)
	return test(func(q *Request) truth {
		plugin := len(q.Target.ID)
		return truthOf(len(id) == plugin+1+len(q.Resource.Name) && id[plugin] == '/' && id[:plugin] == q.Target.ID && id[plugin+1:] == q.Resource.Name)
	})
}

// in reports whether an entity is another, or within it, or one of a list.
func (c *compiler) in(l, r expr) expr {
	switch {
	case l.kind != entityKind:
		return expr{}
	case r.kind == entityKind:
		return c.within(l, r)
	case r.kind != listKind:
		return expr{}
	}
	any := constant(false)
	for _, v := range r.elems {
		any = eitherTrue(any, c.within(l, c.constantOf(v)))
	}
	return any
}

// within reports whether l is r or in it, by what the schema says of their types.
func (c *compiler) within(l, r expr) expr {
	switch {
	case l.of == "Action" && r.of == "Action" && l.literal != nil && r.literal != nil:
		return constant(catalogue().in(Action(l.literal.(types.EntityUID).ID), string(r.literal.(types.EntityUID).ID)))
	case l.literal != nil && l.of != "Action":
		return c.complain("in", "On the left of “in” stands the name of a thing; only the facts of the request are known, and not what else exists.", "Write principal, resource or an attribute of theirs on the left.")
	case l.of == "Operation" && r.of == "Plugin":
		return readBoth(func(q *Request) (string, bool) { return q.Target.ID, true }, r.text, func(a, b string) bool { return a == b })
	case l.of != r.of:
		return constant(false)
	case l.of == "Domain" || l.of == "EventType":
		inside := ends
		if l.of == "EventType" {
			inside = begins
		}
		return readBoth(l.text, r.text, func(a, b string) bool { return a == b || inside(a, b) })
	}
	return c.sameEntity(l, r)
}

// ends reports whether a host lies below a domain.
func ends(host, domain string) bool {
	n := len(host) - len(domain) - 1
	return n > 0 && domain != "" && host[n] == '.' && host[n+1:] == domain
}

// begins reports whether the name of an event type goes on from that of another.
func begins(name, prefix string) bool {
	n := len(prefix)
	return n > 0 && len(name) > n+1 && name[n] == '.' && name[:n] == prefix
}

// is tells the type of an entity.
func is(e expr, of types.EntityType) expr {
	if e.kind != entityKind {
		return expr{}
	}
	return constant(e.of == of)
}

func (c *compiler) isIn(n ast.NodeTypeIsIn) expr {
	l := c.compile(n.Left)
	if t := is(l, n.EntityType); !t.always {
		return t
	}
	return c.in(l, c.compile(n.Entity))
}

// like matches a text with a pattern.
func like(e expr, p types.Pattern) expr {
	if e.kind != textKind {
		return expr{}
	}
	return read(e.text, func(s string) bool { return p.Match(types.String(s)) })
}

// checkAmong complains of a text compared with a value it never has.
func (c *compiler) checkAmong(e, with expr) {
	word, ok := with.literal.(types.String)
	if !ok || e.among == nil || slices.Contains(e.among, string(word)) {
		return
	}
	c.complain(string(word), "This never reads “"+string(word)+"”.", "It is one of "+strings.Join(e.among, ", ")+".")
}

// compare orders two numbers, moments or spans. A number whose bounds settle the
// answer makes a condition that is known.
func compare(l, r expr, holds func(a, b int64) bool) expr {
	if l.kind != r.kind || l.num == nil {
		return expr{}
	}
	e := readBoth(l.num, r.num, holds)
	if known, answer := settled(l, r, holds); known {
		return constant(answer)
	}
	return e
}

// settled tries all values of a bounded number against a constant, on either side.
func settled(l, r expr, holds func(a, b int64) bool) (known, answer bool) {
	bounded, with := l, r
	if r.hi > r.lo {
		bounded, with = r, l
	}
	n, ok := with.literal.(types.Long)
	if !ok || bounded.hi <= bounded.lo {
		return false, false
	}
	seen := [2]bool{}
	for v := bounded.lo; v <= bounded.hi; v++ {
		a, b := v, int64(n)
		if r.hi > r.lo {
			a, b = b, a
		}
		if holds(a, b) {
			seen[1] = true
		} else {
			seen[0] = true
		}
	}
	return seen[0] != seen[1], seen[1]
}

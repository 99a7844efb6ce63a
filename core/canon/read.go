package canon

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
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

// reader reads the marks of one schema.
type reader struct {
	doc     any
	classes trait.Classes
	ids     bool
	places  int
}

// The keywords of JSON Schema by what their subschemas apply to. What draft 7
// said otherwise is read as well. All others hold no subschemas, or such that
// apply to nothing that is kept: not, propertyNames, $defs.
var (
	inPlace     = []string{"if", "then", "else"}
	inPlaceAll  = []string{"allOf", "anyOf", "oneOf"}          // a list of them
	inPlaceEach = []string{"dependentSchemas", "dependencies"} // by a member's name
	toMembers   = []string{"additionalProperties", "unevaluatedProperties"}
	toItems     = []string{"items", "additionalItems", "unevaluatedItems", "contains"}
	toItemsAll  = []string{"items", "prefixItems"} // a list of them
)

// read returns what the schema at says of one place. inherited is the class of
// what holds it: nothing inside is less sensitive.
func (r *reader) read(at any, inherited trait.Class, marked bool, depth int) (*mark, error) {
	if r.places++; r.places > maxPlaces {
		return nil, fmt.Errorf("schema describes more than %d places once its references are followed", maxPlaces)
	}
	n := &mark{class: inherited, marked: marked}
	s, ok := at.(map[string]any)
	if !ok || depth > maxDepth {
		return n, nil
	}
	for _, keyword := range []string{"$dynamicRef", "$recursiveRef"} {
		if _, ok := s[keyword]; ok {
			return nil, fmt.Errorf("schema uses %s, which has another meaning wherever it is reached from", keyword)
		}
	}
	if _, ok := s["$id"]; ok && depth > 0 {
		return nil, errors.New("schema has an $id inside, which turns its references elsewhere")
	}
	if x, ok := s["x-class"]; ok {
		name, _ := x.(string)
		c, ok := trait.ClassOf(name)
		if !ok {
			return nil, fmt.Errorf("x-class %v is not a class", x)
		}
		n.class, n.marked = max(c, inherited), true
		r.classes = r.classes.With(n.class)
	}
	if err := r.readID(n, s); err != nil {
		return nil, err
	}
	n.scalars = takesScalars(s)
	if err := r.readMembers(n, s, depth); err != nil {
		return nil, err
	}
	if err := r.readItems(n, s, depth); err != nil {
		return nil, err
	}
	return n, r.readInPlace(n, s, depth)
}

// readMembers reads what s says of the members of an object.
func (r *reader) readMembers(n *mark, s map[string]any, depth int) error {
	props, _ := s["properties"].(map[string]any)
	for name, sub := range props {
		child, err := r.read(sub, n.class, n.marked, depth+1)
		if err != nil {
			return err
		}
		if n.props == nil {
			n.props = make(map[string]*mark, len(props))
		}
		n.props[name] = child
	}
	patterns, _ := s["patternProperties"].(map[string]any)
	for _, expression := range slices.Sorted(maps.Keys(patterns)) {
		re, err := regexp.Compile(expression)
		if err != nil {
			return fmt.Errorf("schema names members by a pattern that cannot be read: %w", err)
		}
		child, err := r.read(patterns[expression], n.class, n.marked, depth+1)
		if err != nil {
			return err
		}
		n.patterns = append(n.patterns, pattern{re, child})
		for name, prop := range n.props {
			if re.MatchString(name) {
				n.props[name] = merge(prop, child)
			}
		}
	}
	for _, keyword := range toMembers {
		if err := r.readInto(&n.rest, s[keyword], n, depth); err != nil {
			return err
		}
	}
	return nil
}

// readItems reads what s says of the items of an array. Items are not told apart
// by their place: what is said of one holds for all.
func (r *reader) readItems(n *mark, s map[string]any, depth int) error {
	for _, keyword := range toItems {
		if err := r.readInto(&n.items, s[keyword], n, depth); err != nil {
			return err
		}
	}
	for _, keyword := range toItemsAll {
		list, _ := s[keyword].([]any)
		for _, sub := range list {
			if err := r.readInto(&n.items, sub, n, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

// readInto reads a subschema that applies below n, beside what is there. Only an
// object describes anything: true and false do not.
func (r *reader) readInto(into **mark, sub any, n *mark, depth int) error {
	if _, ok := sub.(map[string]any); !ok {
		return nil
	}
	child, err := r.read(sub, n.class, n.marked, depth+1)
	if err != nil {
		return err
	}
	*into = merge(*into, child)
	return nil
}

// readInPlace adds to n what further subschemas of s say of the same place.
func (r *reader) readInPlace(n *mark, s map[string]any, depth int) error {
	var subs []any
	if ref, ok := s["$ref"].(string); ok {
		target, ok := lookup(r.doc, ref)
		if !ok {
			return fmt.Errorf("schema refers to %q, which is not in it", ref)
		}
		subs = append(subs, target)
	}
	for _, keyword := range inPlaceAll {
		list, _ := s[keyword].([]any)
		subs = append(subs, list...)
	}
	for _, keyword := range inPlace {
		subs = append(subs, s[keyword])
	}
	for _, keyword := range inPlaceEach {
		each, _ := s[keyword].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(each)) {
			subs = append(subs, each[name])
		}
	}
	for _, sub := range subs {
		if _, ok := sub.(map[string]any); !ok {
			continue
		}
		same, err := r.read(sub, n.class, n.marked, depth+1)
		if err != nil {
			return err
		}
		*n = *merge(n, same)
	}
	return nil
}

// merge returns what two schemas of one place say together: the higher mark, and
// all that either describes. A member that only one of them names is also one of
// the other's patterns and rest.
func merge(a, b *mark) *mark {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	n := &mark{
		id: cmp.Or(a.id, b.id), class: max(a.class, b.class), marked: a.marked || b.marked, scalars: a.scalars || b.scalars,
		patterns: slices.Concat(a.patterns, b.patterns), items: merge(a.items, b.items), rest: merge(a.rest, b.rest),
	}
	if a.props != nil || b.props != nil {
		n.props = make(map[string]*mark, len(a.props)+len(b.props))
	}
	for name, p := range a.props {
		n.props[name] = merge(p, b.member(name))
	}
	for name, p := range b.props {
		if _, both := a.props[name]; !both {
			n.props[name] = merge(p, a.member(name))
		}
	}
	return n
}

// member returns what n says of a member of that name; nil when nothing.
func (n *mark) member(name string) *mark {
	m := n.props[name]
	matched := m != nil
	for _, p := range n.patterns {
		if p.name.MatchString(name) {
			m, matched = merge(m, p.mark), true
		}
	}
	if matched {
		return m
	}
	return n.rest
}

// takesScalars reports whether a schema says that scalars may stand in its place.
func takesScalars(s map[string]any) bool {
	if list, ok := s["enum"].([]any); ok {
		return slices.ContainsFunc(list, func(v any) bool { return !isStructure(v) })
	}
	if c, ok := s["const"]; ok {
		return !isStructure(c)
	}
	types, _ := s["type"].([]any)
	if one, ok := s["type"].(string); ok {
		types = []any{one}
	}
	return slices.ContainsFunc(types, func(t any) bool { return t != "object" && t != "array" })
}

func isStructure(v any) bool {
	switch v.(type) {
	case map[string]any, []any:
		return true
	}
	return false
}

// unescape turns a reference token of a JSON Pointer (RFC 6901) into a name.
var unescape = strings.NewReplacer("~1", "/", "~0", "~")

// lookup returns what a local reference points to (RFC 6901, section 6).
func lookup(doc any, ref string) (any, bool) {
	fragment, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil, false
	}
	path, err := url.PathUnescape(fragment)
	if err != nil || path != "" && path[0] != '/' {
		return nil, false
	}
	at := doc
	for i, token := range strings.Split(path, "/") {
		if i == 0 {
			continue // before the first slash
		}
		switch holder := at.(type) {
		case map[string]any:
			if at, ok = holder[unescape.Replace(token)]; !ok {
				return nil, false
			}
		case []any:
			n, err := strconv.ParseUint(token, 10, 16)
			if err != nil || n >= uint64(len(holder)) {
				return nil, false
			}
			at = holder[n]
		default:
			return nil, false
		}
	}
	return at, true
}

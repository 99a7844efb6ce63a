// Package trait knows the traits that users, plugins and data carry, what each
// needs and excludes, and the data classifications they open.
//
// It decides nothing: it answers from one table, which administrators extend
// with traits of their own. It refuses custom traits that would redefine a
// built-in one or hand out a sensitive one in passing.
package trait

import (
	"fmt"
	"maps"
	"math/bits"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Assignable says to whom a trait may be given; the values are flags.
type Assignable uint8

// Who may carry a trait.
const (
	ToUser Assignable = 1 << iota
	ToPlugin
	ToData
)

// Has reports whether every flag of b is in a.
func (a Assignable) Has(b Assignable) bool { return a&b == b }

// Trait is one row of the registry. The slices of a Trait are shared and must not be changed.
type Trait struct {
	ID            ID
	Name          string // snake_case, as in manifests
	Category      string
	Label         string // for people
	Icon          string // name of a Lucide icon
	Description   string // one sentence
	Prerequisites []ID   // a plugin's manifest must declare all of these as well
	Implies       []ID   // a user who holds the trait is given these as well
	Conflicts     []ID   // none of these may be declared beside it; holds in both directions
	Sensitive     bool   // granting it deserves a second look
	Assignable    Assignable
	Custom        bool // added by an administrator
}

// limit is how many traits a Set can hold.
const limit = 256

// Registry is an immutable table of traits, safe for concurrent use.
type Registry struct {
	traits  []Trait
	byName  map[string]ID
	closure []Set // by ID: the trait and all it implies, directly or not
}

// Builtin returns the registry of the built-in traits.
func Builtin() *Registry { return builtinRegistry() }

// builtinRegistry builds the built-in registry once; nothing changes it after.
var builtinRegistry = sync.OnceValue(func() *Registry {
	r := &Registry{traits: slices.Clone(builtin[:]), byName: make(map[string]ID, builtinCount)}
	for i := range r.traits {
		r.traits[i].ID = ID(i)
		r.byName[r.traits[i].Name] = ID(i)
	}
	// A conflict stands once in the table and holds both ways.
	for _, t := range builtin {
		for _, c := range t.Conflicts {
			r.traits[c].Conflicts = append(slices.Clip(r.traits[c].Conflicts), r.byName[t.Name])
		}
	}
	r.close()
	return r
})

// customName is the form of a custom trait's name.
var customName = regexp.MustCompile(`^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$`)

// maxName is how long a trait's name may be, in bytes.
const maxName = 64

// forbidden names would claim to stand above policy.
var forbidden = [...]string{"admin", "root", "system", "superuser"}

// Forbidden reports whether no manifest may claim a trait of that name, in
// whatever case and however padded.
func Forbidden(name string) bool {
	return slices.Contains(forbidden[:], strings.ToLower(strings.TrimFunc(name, padding)))
}

// Refusal is one reason why custom traits are refused.
type Refusal struct {
	Rule    string // stable code, such as trait.duplicate
	Index   int    // of the trait in the list; -1: the list as a whole
	Message string // one sentence
}

// RefusedError lists every reason why custom traits are refused.
type RefusedError []Refusal

// Error returns the first reason.
func (e RefusedError) Error() string { return e[0].Message }

// With returns a registry with custom traits added after those of r, in the
// order given; their ID, Category and Custom are set here. References may point
// to any trait of the result. When any trait is refused it returns a nil
// registry and a RefusedError.
func (r *Registry) With(custom []Trait) (*Registry, error) {
	if len(r.traits)+len(custom) > limit {
		return nil, RefusedError{{"trait.limit", -1, fmt.Sprintf("There can be at most %d traits, built-in ones included.", limit)}}
	}
	n := &Registry{traits: slices.Clone(r.traits), byName: maps.Clone(r.byName)}
	var bad RefusedError
	for i, t := range custom {
		t.ID, t.Category, t.Custom = ID(len(n.traits)), CategoryCustom, true
		t.Prerequisites, t.Implies, t.Conflicts = slices.Clone(t.Prerequisites), slices.Clone(t.Implies), slices.Clone(t.Conflicts)
		n.traits = append(n.traits, t)
		if rule, why := n.checkName(t.Name); rule != "" {
			bad = append(bad, Refusal{rule, i, fmt.Sprintf("Trait %q %s.", t.Name, why)})
			continue
		}
		n.byName[t.Name] = t.ID
	}
	for i := range custom {
		bad = append(bad, n.check(i, n.traits[len(r.traits)+i])...)
	}
	if bad != nil {
		return nil, bad
	}
	for i := range custom {
		t := n.traits[len(r.traits)+i]
		for _, c := range t.Conflicts {
			if other := &n.traits[c]; !slices.Contains(other.Conflicts, t.ID) {
				other.Conflicts = append(slices.Clip(other.Conflicts), t.ID)
			}
		}
	}
	n.close()
	return n, nil
}

// check returns what is wrong with the i-th custom trait beside its name.
func (r *Registry) check(i int, t Trait) (bad []Refusal) {
	if t.Assignable == 0 || t.Assignable > ToUser|ToPlugin|ToData {
		bad = append(bad, Refusal{"trait.assignable", i, fmt.Sprintf("Trait %q must be assignable to users, plugins or data.", t.Name)})
	}
	for _, id := range slices.Concat(t.Prerequisites, t.Implies, t.Conflicts) {
		if int(id) >= len(r.traits) || id == t.ID {
			bad = append(bad, Refusal{"trait.reference", i, fmt.Sprintf("Trait %q refers to a trait that does not exist, or to itself.", t.Name)})
		}
	}
	for _, id := range t.Implies {
		if int(id) < len(r.traits) && (r.traits[id].Sensitive || r.traits[id].Category == CategoryRole) {
			bad = append(bad, Refusal{"trait.escalation", i, fmt.Sprintf("Trait %q may not imply %q; grant that one by itself.", t.Name, r.traits[id].Name)})
		}
	}
	return bad
}

// checkName returns the rule a new trait's name breaks and what is wrong with it.
func (r *Registry) checkName(name string) (rule, why string) {
	_, _, known := r.Lookup(name)
	_, isClass := ClassOf(name)
	switch {
	case len(name) > maxName || !customName.MatchString(name):
		return "trait.name", "is not a valid name; use up to 64 lower-case letters, digits and single underscores"
	case Forbidden(name):
		return "trait.reserved", "is reserved"
	case known:
		return "trait.duplicate", "exists already"
	case isClass || strings.HasPrefix(name, "contains_") || strings.HasPrefix(name, "handles_"):
		return "trait.reserved", "is reserved for data classifications"
	}
	return "", ""
}

// close computes the closure of every trait over Implies.
func (r *Registry) close() {
	r.closure = make([]Set, len(r.traits))
	for i := range r.traits {
		open := []ID{ID(i)}
		for len(open) > 0 {
			id := open[len(open)-1]
			open = open[:len(open)-1]
			if !r.closure[i].Has(id) {
				r.closure[i] = r.closure[i].With(id)
				open = append(open, r.traits[id].Implies...)
			}
		}
	}
}

// Len returns how many traits there are.
func (r *Registry) Len() int { return len(r.traits) }

// Get returns the trait at id; the zero Trait when there is none.
func (r *Registry) Get(id ID) Trait {
	if int(id) >= len(r.traits) {
		return Trait{}
	}
	return r.traits[id]
}

// Lookup returns the trait of that exact name, or the one a legacy name means;
// alias says that it was the latter.
func (r *Registry) Lookup(name string) (t Trait, alias, ok bool) {
	if id, ok := r.byName[name]; ok {
		return r.traits[id], false, true
	}
	for _, a := range aliases {
		if a.name == name {
			return r.traits[a.id], true, true
		}
	}
	return Trait{}, false, false
}

// Parse returns the set of the named traits, legacy names resolved, and the
// names that are none, in the order given.
func (r *Registry) Parse(names []string) (s Set, unknown []string) {
	for _, name := range names {
		if t, _, ok := r.Lookup(name); ok {
			s = s.With(t.ID)
		} else {
			unknown = append(unknown, name)
		}
	}
	return s, unknown
}

// Names returns the names of s, sorted by ID. IDs that r does not know are left out.
func (r *Registry) Names(s Set) []string { return r.AppendNames(make([]string, 0, s.Len()), s) }

// AppendNames appends what Names returns, for work that is done with each request.
func (r *Registry) AppendNames(names []string, s Set) []string {
	for w, word := range s {
		for ; word != 0; word &= word - 1 {
			if id := w<<6 + bits.TrailingZeros64(word); id < len(r.traits) {
				names = append(names, r.traits[id].Name)
			}
		}
	}
	return names
}

// All returns every trait, sorted by ID. The slice is the caller's own.
func (r *Registry) All() []Trait { return slices.Clone(r.traits) }

// Effective returns the traits a user has who was given s: s and everything it
// implies. A plugin has only what its manifest declares.
func (r *Registry) Effective(s Set) Set {
	all := s
	for _, id := range s.IDs() {
		if int(id) < len(r.closure) {
			all = all.Union(r.closure[id])
		}
	}
	return all
}

// ImpliedBy returns the traits that give a user id, directly or not, sorted by
// ID and without id itself.
func (r *Registry) ImpliedBy(id ID) []ID {
	var by []ID
	for i, c := range r.closure {
		if ID(i) != id && c.Has(id) {
			by = append(by, ID(i))
		}
	}
	return by
}

// padding reports whether a rune is one that people do not see around a name.
func padding(c rune) bool {
	return c <= ' ' || c == 0x7f || (c >= 0x80 && !isGraphic(c))
}

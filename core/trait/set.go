package trait

import "math/bits"

// ID is a trait's place in the registry. Built-in traits have constant places;
// custom ones follow in the order of their registration.
type ID uint8

// Set is a set of traits. The zero value is empty; sets are compared with ==.
type Set [4]uint64

// SetOf returns the set of the given traits.
func SetOf(ids ...ID) Set {
	var s Set
	for _, id := range ids {
		s = s.With(id)
	}
	return s
}

// With returns s and id.
func (s Set) With(id ID) Set { s[id>>6] |= 1 << (id & 63); return s }

// Without returns s less id.
func (s Set) Without(id ID) Set { s[id>>6] &^= 1 << (id & 63); return s }

// Has reports whether id is in s.
func (s Set) Has(id ID) bool { return s[id>>6]&(1<<(id&63)) != 0 }

// Union returns the traits in s or t.
func (s Set) Union(t Set) Set {
	return Set{s[0] | t[0], s[1] | t[1], s[2] | t[2], s[3] | t[3]}
}

// Missing returns the traits of want that s lacks.
func (s Set) Missing(want Set) Set {
	return Set{want[0] &^ s[0], want[1] &^ s[1], want[2] &^ s[2], want[3] &^ s[3]}
}

// Covers reports whether every trait of want is in s.
func (s Set) Covers(want Set) bool { return s.Missing(want) == Set{} }

// Empty reports whether s has no trait.
func (s Set) Empty() bool { return s == Set{} }

// Len returns how many traits s has.
func (s Set) Len() int {
	return bits.OnesCount64(s[0]) + bits.OnesCount64(s[1]) + bits.OnesCount64(s[2]) + bits.OnesCount64(s[3])
}

// IDs returns the members in ascending order.
func (s Set) IDs() []ID {
	ids := make([]ID, 0, s.Len())
	for w, word := range s {
		for word != 0 {
			ids = append(ids, ID(w<<6+bits.TrailingZeros64(word)))
			word &= word - 1
		}
	}
	return ids
}

package trait

import "strings"

// Class is a data classification, ordered from open to sensitive.
type Class uint8

// The classes, least sensitive first.
const (
	Public Class = iota
	Internal
	Confidential
	PII
	PHI
)

var classNames = [...]string{"public", "internal", "confidential", "pii", "phi"}

// String returns the name used in manifests.
func (c Class) String() string { return classNames[c] }

// ParseClass returns the class of that exact name.
func ParseClass(name string) (Class, bool) {
	for i, n := range classNames {
		if n == name {
			return Class(i), true
		}
	}
	return 0, false
}

// Classes is a set of data classifications.
type Classes uint8

// ClassesOf returns the set of the given classes.
func ClassesOf(cs ...Class) Classes {
	var s Classes
	for _, c := range cs {
		s |= 1 << c
	}
	return s
}

// Has reports whether c is in s.
func (s Classes) Has(c Class) bool { return s&(1<<c) != 0 }

// With returns s and c.
func (s Classes) With(c Class) Classes { return s | 1<<c }

// Names returns the names, least sensitive first.
func (s Classes) Names() []string {
	names := make([]string, 0, len(classNames))
	for i, n := range classNames {
		if s.Has(Class(i)) {
			names = append(names, n)
		}
	}
	return names
}

// Highest returns the most sensitive class of s; Public when s is empty.
func (s Classes) Highest() Class {
	for c := PHI; c > Public; c-- {
		if s.Has(c) {
			return c
		}
	}
	return Public
}

// String returns the names joined by a comma.
func (s Classes) String() string { return strings.Join(s.Names(), ", ") }

// Needs returns the traits a party must hold to see data of the classes:
// phi needs handles_phi and audit_required, pii needs handles_pii and
// audit_required, confidential needs handles_confidential (or a higher
// data-access trait, which CoversClasses allows for); the others need none.
func (s Classes) Needs() Set { return needs[s&(1<<len(classNames)-1)] }

// needs holds the answer for every set of classes: it is asked for at each decision.
var needs = func() (all [1 << len(classNames)]Set) {
	for s := range all {
		classes := Classes(s)
		if classes.Has(PHI) {
			all[s] = all[s].With(HandlesPHI).With(AuditRequired)
		}
		if classes.Has(PII) {
			all[s] = all[s].With(HandlesPII).With(AuditRequired)
		}
		if classes.Has(Confidential) && !classes.Has(PII) && !classes.Has(PHI) {
			all[s] = all[s].With(HandlesConfidential)
		}
	}
	return all
}()

// MissingFor returns the traits that s lacks to see data of the classes.
// handles_pii and handles_phi stand in for handles_confidential.
func (s Set) MissingFor(classes Classes) Set {
	missing := s.Missing(classes.Needs())
	if s.Has(HandlesPII) || s.Has(HandlesPHI) {
		missing = missing.Without(HandlesConfidential)
	}
	return missing
}

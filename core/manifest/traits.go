package manifest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vivified/vivified/core/trait"
)

// maxTraits is how many traits a plugin may declare.
const maxTraits = 256

// traits reads the declared traits; it reports whether they can be relied on
// by rules that join them with other fields.
func (c *checker) traits(v *value, at place) bool {
	if v == nil {
		return false
	}
	if len(v.items) > 0 && c.list(v, at, maxTraits) == nil {
		return false
	}
	c.m.DeclaredTraits = v.strings()
	if !slices.ContainsFunc(c.m.DeclaredTraits, func(name string) bool { return !blank(name) }) {
		c.fail("traits.empty", at, "Plugin must have at least one trait")
		return false
	}
	var dangerous []string
	for i, name := range c.m.DeclaredTraits {
		if trait.Forbidden(name) {
			dangerous = append(dangerous, show(name))
			continue
		}
		t, ok := c.lookup(name, at.item(i))
		switch {
		case !ok:
			c.m.UnknownTraits = append(c.m.UnknownTraits, name)
		case !t.Assignable.Has(trait.ToPlugin):
			c.fail("traits.not_assignable", at.item(i), fmt.Sprintf("Trait '%s' is held by users and cannot be declared by a plugin", t.Name))
		case c.m.Traits.Has(t.ID):
			c.fail("traits.duplicate", at.item(i), fmt.Sprintf("Trait '%s' is declared twice", t.Name))
		default:
			c.m.Traits = c.m.Traits.With(t.ID)
		}
	}
	if dangerous != nil {
		c.fail("traits.forbidden", at, "Dangerous traits not allowed: "+cut(dangerous))
	}
	return true
}

// cut joins names for a message, the first of them when there are many.
func cut(names []string) string {
	const most = 10
	if len(names) > most {
		names = append(names[:most:most], "…")
	}
	return strings.Join(names, ", ")
}

// lookup finds a trait by name, and warns of one that is unknown or has its old name.
func (c *checker) lookup(name string, at place) (trait.Trait, bool) {
	t, alias, ok := c.o.Traits.Lookup(name)
	class, isClass := trait.ClassOf(name)
	switch {
	case alias:
		c.failFix("traits.alias", at, fmt.Sprintf("Trait '%s' is now called '%s'", name, t.Name), fmt.Sprintf("Write '%s'.", t.Name))
	case !ok && isClass:
		c.failFix("traits.unknown", at, fmt.Sprintf("'%s' marks data and is no trait of a plugin", name),
			fmt.Sprintf("Put '%s' into security.data_classification.", class))
	case !ok:
		c.fail("traits.unknown", at, fmt.Sprintf("Trait '%s' is not known and grants nothing", show(name)))
	}
	return t, ok
}

// requirement reads traits that others must hold. Here an unknown name does
// not grant but close: nobody meets it until an administrator registers it.
func (c *checker) requirement(v *value, at place) (r Requirement) {
	for i, name := range v.strings() {
		if t, ok := c.lookup(name, at.item(i)); ok {
			r.Traits = r.Traits.With(t.ID)
		} else {
			r.Unknown = append(r.Unknown, name)
		}
	}
	return r
}

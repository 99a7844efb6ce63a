package manifest

import "fmt"

// shape is what a field must be.
type shape uint8

const (
	anything shape = iota
	aString
	aBool
	aNumber
	anArray
	anObject
	stringList // an array of strings
)

// shapes names each shape, and the JSON type it needs.
var shapes = [...]struct {
	name string
	kind kind
}{
	aString: {"a string", text}, aBool: {"true or false", boolean}, aNumber: {"a number", number},
	anArray: {"an array", array}, anObject: {"an object", object}, stringList: {"an array of strings", array},
}

// article names a JSON type in a sentence.
func article(k kind) string {
	return [...]string{null: "null", boolean: "a boolean", number: "a number", text: "a string", array: "an array", object: "an object"}[k]
}

// field is one row of an object's table of fields.
type field struct {
	name    string
	shape   shape
	missing string // rule when it is absent; empty: it may be
	wrong   string // rule when it has the wrong type; empty: type.FIELD
}

// generic, as the rule of a missing field, stands for required.FIELD.
const generic = "required.FIELD"

// members are the fields of one object that are present. A field of the wrong
// type is reported and then kept as nil, so that rules about it stay silent.
type members map[string]*value

// ok returns a member that is present and of the right type, else nil.
func (m members) ok(name string) *value { return m[name] }

// absent reports whether a member is not there at all.
func (m members) absent(name string) bool { _, there := m[name]; return !there }

// wrong reports whether a member is there with the wrong type.
func (m members) wrong(name string) bool { v, there := m[name]; return there && v == nil }

// object checks the fields of v, which stands at a place, against a table:
// missing, wrong types, and under the rule unknown those the table lacks.
func (c *checker) object(v *value, at place, table []field, unknown string) members {
	got := make(members, len(table))
	for _, f := range table {
		v, where := v.get(f.name), at.member(f.name)
		switch {
		case v != nil:
			got[f.name] = c.shaped(v, where, f)
		case f.missing == generic:
			c.fail("required."+where.dotted, where, formatPrefix+"field "+where.dotted+" is required")
		case f.missing != "":
			c.fail(f.missing, where, missingMessage(f.missing, where))
		}
	}
	for i, key := range v.keys {
		if got.absent(key) {
			c.unknown(&v.items[i], at.entry(key), key, table, unknown)
		}
	}
	return got
}

// missingMessages are the sentences for missing fields that have a rule of their own.
var missingMessages = map[string]string{
	"security.authentication_required":     "Authentication must be required for all plugins",
	"security.data_classification.missing": "Data classification must be specified",
}

func missingMessage(rule string, at place) string {
	if m, ok := missingMessages[rule]; ok {
		return m
	}
	return fmt.Sprintf("Field %s must be specified", at.label())
}

// shaped returns v if it has the shape of f, else reports it and returns nil.
func (c *checker) shaped(v *value, at place, f field) *value {
	if f.shape == anything {
		return v
	}
	want := shapes[f.shape]
	bad := -1
	if v.kind == want.kind && f.shape == stringList {
		bad = notText(v)
	}
	switch {
	case bad >= 0:
		c.wrongType(at.item(bad), "a string", &v.items[bad])
	case v.kind == want.kind:
		return v
	case f.wrong != "":
		c.fail(f.wrong, at, fmt.Sprintf("Field %s must be %s, not %s", at.label(), want.name, article(v.kind)))
	default:
		c.wrongType(at, want.name, v)
	}
	return nil
}

// wrongType reports type.FIELD.
func (c *checker) wrongType(at place, want string, got *value) {
	c.failFix("type."+at.dotted, at, fmt.Sprintf("%sfield %s must be %s, not %s", formatPrefix, at.label(), want, article(got.kind)),
		fmt.Sprintf("Make %s %s.", at.label(), want))
}

// notText returns the index of the first item that is no string, or -1.
func notText(v *value) int {
	for i := range v.items {
		if v.items[i].kind != text {
			return i
		}
	}
	return -1
}

// unknown reports a field that no table knows, and a known one it may stand for.
func (c *checker) unknown(v *value, at place, key string, table []field, rule string) {
	message := fmt.Sprintf("Field '%s' is not known", show(key))
	for _, f := range table {
		if lowerASCII(key) == f.name {
			c.failFix(rule, at, message, fmt.Sprintf("Write it '%s'.", f.name))
			return
		}
	}
	c.fail(rule, at, message)
}

// list returns the items of an array when there are not too many.
func (c *checker) list(v *value, at place, most int) []value {
	if v == nil {
		return nil
	}
	if len(v.items) > most {
		c.fail("limit.items", at, fmt.Sprintf("Field %s has %d items; at most %d are allowed", at.label(), len(v.items), most))
		return nil
	}
	return v.items
}

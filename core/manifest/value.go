package manifest

import (
	"math"
	"strconv"
	"strings"
)

// kind is the JSON type of a value.
type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	array
	object
)

// value is a JSON value that keeps what encoding/json would lose: the order of
// members and the digits of numbers.
type value struct {
	kind  kind
	truth bool
	text  string   // a string's content or a number's literal
	items []value  // of an array, or the members of an object
	keys  []string // of an object, beside items
}

// get returns the member of that exact name, or nil.
func (v *value) get(key string) *value {
	for i, k := range v.keys {
		if k == key {
			return &v.items[i]
		}
	}
	return nil
}

// integer returns a number that is a whole one however it is written (64, 64.0
// and 6.4e1 are equal), within the range where doubles are exact.
func (v *value) integer() (int64, bool) {
	f, ok := v.float()
	if !ok || f > 1<<53 || f < -1<<53 || f != math.Trunc(f) {
		return 0, false
	}
	return int64(f), true
}

// float returns a number as the nearest double; one beyond its range becomes
// infinite.
func (v *value) float() (float64, bool) {
	if v.kind != number {
		return 0, false
	}
	f, _ := strconv.ParseFloat(v.text, 64) // the only error left is the range
	return f, true
}

// strings returns the items of an array of strings.
func (v *value) strings() []string {
	if v == nil {
		return nil
	}
	list := make([]string, len(v.items))
	for i := range v.items {
		list[i] = v.items[i].text
	}
	return list
}

// string returns the content of a string; empty when v is nil.
func (v *value) string() string {
	if v == nil {
		return ""
	}
	return v.text
}

// place is where a value stands: as a JSON Pointer for the reader, and as the
// dotted path that codes use, which stops at the container of items and of
// members whose names the author chose.
type place struct {
	pointer, dotted string
	inside          bool // of such a container
}

// member returns the place of a member with a fixed name.
func (p place) member(name string) place {
	p.pointer += "/" + escapePointer(name)
	switch {
	case p.inside:
	case p.dotted == "":
		p.dotted = name
	default:
		p.dotted += "." + name
	}
	return p
}

// entry returns the place of a member whose name the author chose.
func (p place) entry(name string) place {
	return place{p.pointer + "/" + escapePointer(name), p.dotted, true}
}

// item returns the place of the i-th item.
func (p place) item(i int) place {
	return place{p.pointer + "/" + strconv.Itoa(i), p.dotted, true}
}

// label names the place in a sentence.
func (p place) label() string {
	if p.inside {
		return show(p.pointer)
	}
	return p.dotted
}

// escapePointer escapes a reference token (RFC 6901, 3).
func escapePointer(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// longest is how much of a hostile value a message repeats, in bytes.
const longest = 80

// show returns s for a message: cut, and with everything unprintable escaped.
func show(s string) string {
	cut := ""
	if len(s) > longest {
		s, cut = strings.ToValidUTF8(s[:longest], ""), "…"
	}
	q := strconv.QuoteToGraphic(s)
	return strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`) + cut
}

package settings

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A document is the settings of a plugin as decoded JSON. Whole means with its
// secrets; open, without them.

// keep completes next, a document as somebody sent it, with secrets of last,
// the whole one before: where next leaves a secret out, or shows it the way it
// was shown, it keeps its value; null clears it. A secret goes with the object
// it lies in. The items of a list have no names, so an item keeps the secrets of
// the item that was otherwise equal: if the host beside a password changes, the
// password has to be entered again and goes to no other host by mistake.
func keep(next, last any, at place) any {
	switch next := next.(type) {
	case map[string]any:
		before, _ := last.(map[string]any)
		for name, value := range before {
			if sent, ok := next[name]; (!ok || isShown(sent)) && at.member(name).secret() {
				next[name] = value
			}
		}
		for name, value := range next {
			switch member := at.member(name); {
			case !member.secret():
				next[name] = keep(value, before[name], member)
			case value == nil || isShown(value):
				delete(next, name)
			}
		}
	case []any:
		before, _ := last.([]any)
		pairs := matches(next, before, at.item())
		for i := range next {
			next[i] = keep(next[i], pairs[i], at.item())
		}
	}
	return next
}

// matches returns for each item the one of before that is equal without its
// secrets, that of the same index if it is one of several; nil: none.
func matches(next, before []any, at place) []any {
	pairs := make([]any, len(next))
	if len(before) == 0 {
		return pairs
	}
	bare := func(v any) string { return string(encodeJSON(open(v, at))) }
	indexes := map[string][]int{} // of before, by what they are without secrets
	for j, v := range before {
		b := bare(v)
		indexes[b] = append(indexes[b], j)
	}
	take := func(b string, k int) any {
		j := indexes[b][k]
		indexes[b] = slices.Delete(indexes[b], k, k+1)
		return before[j]
	}
	names := make([]string, len(next))
	for i, v := range next {
		names[i] = bare(v)
		if k := slices.Index(indexes[names[i]], i); k >= 0 {
			pairs[i] = take(names[i], k)
		}
	}
	for i := range next {
		if pairs[i] == nil && len(indexes[names[i]]) > 0 {
			pairs[i] = take(names[i], 0)
		}
	}
	return pairs
}

// isShown reports whether v is what people are shown of a secret: {"set": …}.
func isShown(v any) bool {
	m, ok := v.(map[string]any)
	if _, set := m["set"].(bool); !ok || !set {
		return false
	}
	_, at := m["set_at"].(string)
	return len(m) == 1 || len(m) == 2 && at
}

// open returns a copy of v without its secrets.
func open(v any, at place) any {
	o, _ := split(v, at, "")
	return o
}

// split returns v without its secrets, as a copy, and the secrets by JSON Pointer.
func split(v any, at place, pointer string) (any, map[string]any) {
	secrets := map[string]any{}
	switch v := v.(type) {
	case map[string]any:
		without := make(map[string]any, len(v))
		for name, value := range v {
			member, below := at.member(name), pointer+"/"+escape(name)
			if member.secret() {
				secrets[below] = value
				continue
			}
			o, found := split(value, member, below)
			without[name] = o
			maps.Copy(secrets, found)
		}
		return without, secrets
	case []any:
		without := make([]any, len(v))
		for i, value := range v {
			o, found := split(value, at.item(), pointer+"/"+strconv.Itoa(i))
			without[i] = o
			maps.Copy(secrets, found)
		}
		return without, secrets
	}
	return v, secrets
}

// insert puts value at a pointer into doc and reports whether there was a place for it.
func insert(doc map[string]any, pointer string, value any) bool {
	parts := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	var at any = doc
	for i, part := range parts {
		last := i == len(parts)-1
		switch in := at.(type) {
		case map[string]any:
			name := unescape(part)
			if last {
				in[name] = value
				return true
			}
			at = in[name]
		case []any:
			n, err := strconv.Atoi(part)
			if err != nil || n < 0 || n >= len(in) || last { // an item that is a secret is no place: see place.secret
				return false
			}
			at = in[n]
		default:
			return false
		}
	}
	return false
}

// maxDefaults bounds how many members one document is given: a schema that
// refers to itself may have defaults without end.
const maxDefaults = 1000

// fill returns a copy of doc in which absent members have their defaults, as far
// as the schema is sure of them.
func fill(doc any, at place) any {
	doc, left := clone(doc), maxDefaults
	var in func(v any, at place, depth int)
	in = func(v any, at place, depth int) {
		switch v := v.(type) {
		case map[string]any:
			names, _ := at.names()
			for _, name := range names {
				byDefault, ok := at.defaultOf(name)
				if _, there := v[name]; there || !ok || left == 0 || depth == 0 {
					continue
				}
				left--
				v[name] = clone(byDefault)
			}
			for name, value := range v {
				in(value, at.member(name), depth-1)
			}
		case []any:
			for _, item := range v {
				in(item, at.item(), depth-1)
			}
		}
	}
	in(doc, at, maxDepth)
	return doc
}

// clone returns a deep copy of decoded JSON.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for name, value := range v {
			m[name] = clone(value)
		}
		return m
	case []any:
		l := slices.Clone(v)
		for i := range l {
			l[i] = clone(l[i])
		}
		return l
	}
	return v
}

// escape and unescape write and read a name in a JSON Pointer (RFC 6901, 3).
func escape(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

func unescape(part string) string {
	return strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
}

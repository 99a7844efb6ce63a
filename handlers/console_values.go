package handlers

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/views"
)

// What a page shows of a document that others wrote: so many values, so many
// levels deep, so many characters of each, and whole for copying up to a size.
const (
	mostFacts  = 60
	mostLevels = 8
	mostText   = 400
	mostCopied = 16 << 10
)

// whole names a document that is a single value.
const whole = "value"

// facts lists the values of a JSON document by their path, in its order.
func facts(raw json.RawMessage) []views.KV {
	var kvs []views.KV
	walk(raw, "", 0, func(path string, value json.RawMessage) bool {
		if text := shown(value); text != "" {
			kvs = append(kvs, views.KV{Label: orElse(path, whole), Value: text})
		}
		return len(kvs) < mostFacts
	})
	return kvs
}

// walk calls f for the values of a JSON document that hold no others, with their
// path joined by dots, until f returns false. What lies deeper than pages show is
// one value.
func walk(raw json.RawMessage, path string, level int, f func(path string, value json.RawMessage) bool) bool {
	d := json.NewDecoder(bytes.NewReader(raw))
	t, err := d.Token()
	if err != nil {
		return true
	}
	delim, nested := t.(json.Delim)
	if !nested || level == mostLevels || !d.More() {
		return f(path, raw)
	}
	for i := 0; d.More(); i++ {
		name := strconv.Itoa(i)
		if delim == '{' {
			key, err := d.Token()
			if err != nil {
				return true
			}
			name, _ = key.(string)
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return true
		}
		if !walk(value, joinPath(path, name), level+1, f) {
			return false
		}
	}
	return true
}

func joinPath(path, name string) string {
	if path == "" {
		return clip(name)
	}
	return clip(path + "." + name)
}

// shown writes a JSON value for people: text without its quotes, nothing for an
// empty object or array.
func shown(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return clip(text)
	}
	switch s := string(value); s {
	case "{}", "[]":
		return ""
	default:
		return clip(s)
	}
}

// written is a JSON value as shown, or as it is where nothing would be shown.
func written(value json.RawMessage) string { return orElse(shown(value), clip(string(value))) }

// clip cuts text that is longer than pages show.
func clip(text string) string { return fault.Clip(text, mostText) }

// changes compares what was with what is, value by value.
func changes(before, after json.RawMessage) []views.Change {
	var order []string
	read := func(raw json.RawMessage) map[string]string {
		values := map[string]string{}
		walk(raw, "", 0, func(path string, value json.RawMessage) bool {
			values[path] = written(value)
			order = append(order, path)
			return len(values) < 16*mostFacts
		})
		return values
	}
	was, is := read(before), read(after)
	slices.Sort(order)
	var out []views.Change
	for _, path := range slices.Compact(order) {
		b, had := was[path]
		a, has := is[path]
		if b == a && had == has {
			continue
		}
		if out = append(out, views.Change{Name: orElse(path, whole), Before: b, After: a, Added: !had, Gone: !has}); len(out) == mostFacts {
			break
		}
	}
	return out
}

// dotted writes a JSON Pointer as a path joined by dots.
func dotted(pointer string) string {
	path := strings.ReplaceAll(strings.TrimPrefix(pointer, "/"), "/", ".")
	return clip(strings.NewReplacer("~1", "/", "~0", "~").Replace(path))
}

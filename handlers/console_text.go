package handlers

import (
	"strconv"
	"strings"
	"time"

	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// orElse returns the first text that is not empty.
func orElse(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// count writes a number with what is counted: 1 plugin, 3 plugins.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// joined writes names as a sentence does: A, B and C.
func joined(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// day writes a date as people read it, in UTC.
func day(t time.Time) string { return t.UTC().Format("2 January 2006") }

// when is the moment of a pointer; a moment that never was for nil.
func when(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// classes lists classifications as views draw them, the most sensitive first.
func classes(cs trait.Classes) []views.Class {
	var out []views.Class
	for _, name := range cs.Names() {
		out = append([]views.Class{views.Class(name)}, out...)
	}
	return out
}

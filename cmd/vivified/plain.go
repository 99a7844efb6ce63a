package main

import (
	"strings"
	"unicode"
)

// plain returns text of plugins and people as a terminal may show it: what would
// steer it, or turn the direction of writing, is replaced.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsGraphic(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// plainAll joins texts, each plain.
func plainAll(texts []string, between string) string { return plain(strings.Join(texts, between)) }

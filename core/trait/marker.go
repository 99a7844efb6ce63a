package trait

import (
	"strings"
	"unicode"
)

// ClassOf returns the class that a data marker means: a class's own name, the
// data-access trait that opens it (handles_phi, or a legacy name of one), or
// contains_ and the class. Markers are case-sensitive.
func ClassOf(marker string) (Class, bool) {
	if c, ok := ParseClass(marker); ok {
		return c, true
	}
	if rest, ok := strings.CutPrefix(marker, "contains_"); ok {
		return ParseClass(rest)
	}
	for _, d := range dataAccess {
		if builtin[d.id].Name == marker {
			return d.class, true
		}
		for _, a := range aliases {
			if a.name == marker && a.id == d.id {
				return d.class, true
			}
		}
	}
	return 0, false
}

// Access returns the data-access trait that opens the class.
func (c Class) Access() ID {
	for _, d := range dataAccess {
		if d.class == c {
			return d.id
		}
	}
	return HandlesPHI // a class out of range is treated as the most sensitive
}

// isGraphic reports whether people see c: letters, marks, digits, punctuation
// and symbols, but neither spaces nor format characters.
func isGraphic(c rune) bool { return unicode.IsGraphic(c) && !unicode.IsSpace(c) && c != '\u2800' }

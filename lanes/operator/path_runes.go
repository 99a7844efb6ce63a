package operator

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// structural characters change what a path means to some server: they separate
// segments, parameters, query and fragment, or begin an escape or a template.
const structural = `./\%;?#{}`

// lookalikes are drawn like a dot, slash or backslash, or become one in an older
// character set, though NFKC leaves them alone.
const lookalikes = "\u2044\u2215\u2216\u2571\u2572\u27cb\u27cd\u29f5\u29f8\u29f9\u3002"

const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

// judgeRunes refuses the characters that no segment may contain.
func judgeRunes(segment string) error {
	for i, r := range segment {
		if r < utf8.RuneSelf {
			switch {
			case r < ' ' || r == 0x7f:
				return refuse(CodeCharacter, "The path contains a control character.")
			case r == '/' || r == '\\':
				return refuse(CodeSeparator, "A segment of the path contains a slash or backslash.")
			case r == ';' || r == '?' || r == '#' || r == '{' || r == '}':
				return refuse(CodeCharacter, "The path contains the reserved character %q.", r)
			}
			continue
		}
		// Controls (C1 too), line separators and format characters: one hop drops
		// them, or a log shows another order of letters. The joiners stay, which
		// Persian, Indic scripts and emoji need.
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) && r != zeroWidthNonJoiner && r != zeroWidthJoiner {
			return refuse(CodeCharacter, "The path contains the invisible character %U.", r)
		}
		if mistakable(r, segment[i:i+utf8.RuneLen(r)]) {
			return refuse(CodeLookalike, "The path contains %U, which can be taken for a dot, a slash or another reserved character.", r)
		}
	}
	return nil
}

// mistakable reports whether r, whose UTF-8 is text, is or becomes under NFKC
// (UAX #15) one of the look-alikes or structural characters.
func mistakable(r rune, text string) bool {
	if strings.ContainsRune(lookalikes, r) {
		return true
	}
	if norm.NFKC.QuickSpanString(text) == len(text) {
		return false
	}
	return strings.ContainsAny(norm.NFKC.String(text), structural+lookalikes)
}

// onlyDots reports whether the segment has nothing but dots and what nobody sees:
// some servers trim that, and what remains is a dot segment or none.
func onlyDots(segment string) bool {
	for _, r := range segment {
		if r != '.' && r != zeroWidthNonJoiner && r != zeroWidthJoiner && !unicode.IsSpace(r) &&
			!unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) {
			return false
		}
	}
	return true
}

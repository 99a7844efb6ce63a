package audit

import (
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// clip returns text as PostgreSQL can hold it, in at most limit bytes: invalid
// UTF-8 and U+0000 become U+FFFD, and what is cut off is marked by "…".
//
// Line breaks and other controls stay: they are evidence. Every way out
// (export, log, page) escapes them in its own manner.
func clip(text string, limit int) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
	if len(text) <= limit {
		return text
	}
	const mark = "…"
	n := limit - len(mark)
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + mark
}

// printable reports whether r may stand in an export as it is: neither a
// control, nor a line or paragraph separator, nor a character that turns
// around what follows it or is not seen at all.
func printable(r rune) bool {
	return r < utf8.RuneSelf && r >= 0x20 && r != 0x7F || r >= utf8.RuneSelf && (unicode.IsPrint(r) || r == 0x00A0 || r == utf8.RuneError)
}

// escapeFrom is escapeUnprintable of b from start on.
func escapeFrom(b []byte, start int) []byte {
	if clean(b[start:]) {
		return b
	}
	return append(b[:start], escapeUnprintable(b[start:])...)
}

// clean reports whether all of json may stand as it is.
func clean(json []byte) bool {
	for i, c := range json {
		if c < 0x20 || c >= 0x7F {
			for _, r := range string(json[i:]) {
				if !printable(r) {
					return false
				}
			}
			return true
		}
	}
	return true
}

// escapeUnprintable rewrites JSON so that its strings hold printable characters
// only. It stands for the same value.
func escapeUnprintable(json []byte) []byte {
	if clean(json) {
		return json
	}
	out := make([]byte, 0, len(json)+32)
	for _, r := range string(json) {
		switch {
		case printable(r):
			out = utf8.AppendRune(out, r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			out = appendUnit(appendUnit(out, high), low)
		default:
			out = appendUnit(out, r)
		}
	}
	return out
}

func appendUnit(b []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

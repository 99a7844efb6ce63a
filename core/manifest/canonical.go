package manifest

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/gowebpki/jcs"
)

// canonical returns v in the form of RFC 8785, so that equal documents have
// equal bytes. A number that a double cannot hold keeps its digits instead of
// turning into another number.
func (v *value) canonical() json.RawMessage {
	var b bytes.Buffer
	v.write(&b)
	return b.Bytes()
}

func (v *value) write(b *bytes.Buffer) {
	switch v.kind {
	case null:
		b.WriteString("null")
	case boolean:
		b.WriteString(strconv.FormatBool(v.truth))
	case number:
		b.WriteString(canonicalNumber(v.text))
	case text:
		writeString(b, v.text)
	case array:
		b.WriteByte('[')
		for i := range v.items {
			if i > 0 {
				b.WriteByte(',')
			}
			v.items[i].write(b)
		}
		b.WriteByte(']')
	case object:
		b.WriteByte('{')
		for n, i := range v.sorted() {
			if n > 0 {
				b.WriteByte(',')
			}
			writeString(b, v.keys[i])
			b.WriteByte(':')
			v.items[i].write(b)
		}
		b.WriteByte('}')
	}
}

// sorted returns the indices of the members, ordered by the UTF-16 code units
// of their keys (RFC 8785, 3.2.3).
func (v *value) sorted() []int {
	order := make([]int, len(v.keys))
	units := make([][]uint16, len(v.keys))
	for i, k := range v.keys {
		order[i], units[i] = i, utf16.Encode([]rune(k))
	}
	slices.SortFunc(order, func(a, b int) int { return slices.Compare(units[a], units[b]) })
	return order
}

// writeString escapes only what must be (RFC 8785, 3.2.2.2).
func writeString(b *bytes.Buffer, s string) {
	const hex = "0123456789abcdef"
	b.WriteByte('"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c >= 0x20:
			b.WriteByte(c)
		case strings.IndexByte("\b\t\n\f\r", c) >= 0:
			b.WriteByte('\\')
			b.WriteByte("btnfr"[strings.IndexByte("\b\t\n\f\r", c)])
		default:
			b.WriteString(`\u00`)
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	b.WriteByte('"')
}

// canonicalNumber returns the form ECMAScript prints (RFC 8785, 3.2.2.3) where
// that is the same number, else the literal.
func canonicalNumber(literal string) string {
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return literal
	}
	short, err := jcs.NumberToJSON(f)
	if err != nil || !sameNumber(short, literal) {
		return literal
	}
	return short
}

// sameNumber reports whether two literals mean the same decimal number. It
// compares digits, since exponents come from outside and may be huge.
func sameNumber(a, b string) bool {
	negA, digitsA, expA := decimal(a)
	negB, digitsB, expB := decimal(b)
	return digitsA == digitsB && (digitsA == "" || negA == negB && expA == expB)
}

// decimal splits a JSON number into sign, significant digits without zeros at
// either end, and the power of ten behind the last of them.
func decimal(literal string) (negative bool, digits string, exp int64) {
	literal, negative = strings.CutPrefix(literal, "-")
	mantissa, power := literal, ""
	if i := strings.IndexAny(literal, "eE"); i >= 0 {
		mantissa, power = literal[:i], literal[i+1:]
		exp, _ = strconv.ParseInt(power, 10, 32) // saturates, and then equals nothing a double prints
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits = strings.TrimLeft(whole+fraction, "0")
	exp -= int64(len(fraction))
	trimmed := strings.TrimRight(digits, "0")
	return negative, trimmed, exp + int64(len(digits)-len(trimmed))
}

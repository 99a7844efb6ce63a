package audit

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep a JSON value may nest.
const maxDepth = 64

var (
	errSyntax = errors.New("not JSON")
	errDepth  = errors.New("nested too deep")
)

// canonical returns raw in the form of RFC 8785. What that form or PostgreSQL's
// jsonb cannot hold is made into something both can: a number that is not
// exactly a double becomes a string of its digits, U+0000 and lone surrogates
// become U+FFFD. Of members with the same name the last one counts.
//
// Applied to what jsonb makes of its result, it returns that result again.
func canonical(raw []byte) ([]byte, error) {
	return appendCanonical(make([]byte, 0, len(raw)), raw)
}

// appendCanonical appends the canonical form of raw to dst.
func appendCanonical(dst, raw []byte) ([]byte, error) {
	s := scanner{src: raw}
	dst, err := s.value(dst, 0)
	if err != nil {
		return dst, err
	}
	if s.space(); s.at != len(raw) {
		return dst, errSyntax
	}
	return dst, nil
}

// scanner reads one JSON text (RFC 8259) once, from left to right.
type scanner struct {
	src []byte
	at  int
}

// space skips white space and returns the next byte, 0 at the end.
func (s *scanner) space() byte {
	for s.at < len(s.src) {
		switch c := s.src[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) value(dst []byte, depth int) ([]byte, error) {
	if depth > maxDepth {
		return dst, errDepth
	}
	switch c := s.space(); {
	case c == '{':
		return s.object(dst, depth)
	case c == '[':
		return s.array(dst, depth)
	case c == '"':
		return s.str(dst)
	case c == '-' || '0' <= c && c <= '9':
		return s.number(dst)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if bytes.HasPrefix(s.src[s.at:], []byte(word)) {
			s.at += len(word)
			return append(dst, word...), nil
		}
	}
	return dst, errSyntax
}

func (s *scanner) array(dst []byte, depth int) ([]byte, error) {
	s.at++
	dst = append(dst, '[')
	if s.space() == ']' {
		s.at++
		return append(dst, ']'), nil
	}
	for {
		var err error
		if dst, err = s.value(dst, depth+1); err != nil {
			return dst, err
		}
		c := s.space()
		s.at++
		switch c {
		case ',':
			dst = append(dst, ',')
		case ']':
			return append(dst, ']'), nil
		default:
			return dst, errSyntax
		}
	}
}

// member is one of an object: where in the output its quoted name and its
// value are.
type member struct{ name, colon, end int }

// object appends the members in the order they come and sorts them after.
func (s *scanner) object(dst []byte, depth int) ([]byte, error) {
	s.at++
	dst = append(dst, '{')
	if s.space() == '}' {
		s.at++
		return append(dst, '}'), nil
	}
	var (
		few     [16]member
		members = few[:0]
		sorted  = true
		start   = len(dst)
	)
	for {
		if s.space() != '"' {
			return dst, errSyntax
		}
		m := member{name: len(dst)}
		var err error
		if dst, err = s.str(dst); err != nil {
			return dst, err
		}
		m.colon = len(dst)
		if s.space() != ':' {
			return dst, errSyntax
		}
		s.at++
		dst = append(dst, ':')
		if dst, err = s.value(dst, depth+1); err != nil {
			return dst, err
		}
		m.end = len(dst)
		if n := len(members); n > 0 && compareNames(dst[members[n-1].name:members[n-1].colon], dst[m.name:m.colon]) >= 0 {
			sorted = false
		}
		members = append(members, m)
		c := s.space()
		s.at++
		switch c {
		case ',':
			dst = append(dst, ',')
			continue
		case '}':
			if !sorted {
				dst = sortMembers(dst, start, members)
			}
			return append(dst, '}'), nil
		}
		return dst, errSyntax
	}
}

// sortMembers rewrites dst[start:], the members, by name; of equal names the
// last one stays.
func sortMembers(dst []byte, start int, members []member) []byte {
	src := bytes.Clone(dst[start:])
	name := func(m member) []byte { return src[m.name-start : m.colon-start] }
	slices.SortStableFunc(members, func(a, b member) int { return compareNames(name(a), name(b)) })
	dst = dst[:start]
	for i, m := range members {
		if i+1 < len(members) && bytes.Equal(name(m), name(members[i+1])) {
			continue
		}
		if len(dst) > start {
			dst = append(dst, ',')
		}
		dst = append(dst, src[m.name-start:m.end-start]...)
	}
	return dst
}

// compareNames orders quoted names by their UTF-16 code units, as RFC 8785
// section 3.2.3 wants.
func compareNames(a, b []byte) int {
	if bytes.Equal(a, b) {
		return 0
	}
	if !special(a) && !special(b) {
		return bytes.Compare(a[1:len(a)-1], b[1:len(b)-1])
	}
	return slices.Compare(units(a), units(b))
}

// special reports whether the order of the bytes of a quoted name may differ
// from that of its code units: it has an escape, or characters from U+E000 on.
func special(quoted []byte) bool {
	return slices.ContainsFunc(quoted, func(c byte) bool { return c == '\\' || c >= 0xEE })
}

// units decodes a quoted name in canonical form to UTF-16.
func units(quoted []byte) []uint16 {
	s := scanner{src: quoted}
	plain, _ := s.unquote(nil)
	return utf16.Encode([]rune(string(plain)))
}

// str appends a string in canonical form.
func (s *scanner) str(dst []byte) ([]byte, error) {
	// Most strings are canonical as they stand.
	for i := s.at + 1; i < len(s.src); i++ {
		switch c := s.src[i]; {
		case c == '"':
			quoted := s.src[s.at : i+1]
			if !utf8.Valid(quoted) {
				return s.strSlow(dst)
			}
			s.at = i + 1
			return append(dst, quoted...), nil
		case c == '\\':
			return s.strSlow(dst)
		case c < 0x20:
			return dst, errSyntax
		}
	}
	return dst, errSyntax
}

func (s *scanner) strSlow(dst []byte) ([]byte, error) {
	plain, err := s.unquote(nil)
	if err != nil {
		return dst, err
	}
	return appendString(dst, string(plain)), nil
}

// escapes are the letters after a backslash and what they stand for.
var escapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// unquote appends the text of the string that begins here.
func (s *scanner) unquote(dst []byte) ([]byte, error) {
	for s.at++; s.at < len(s.src); {
		c := s.src[s.at]
		switch {
		case c == '"':
			s.at++
			return dst, nil
		case c < 0x20:
			return dst, errSyntax
		case c != '\\':
			dst = append(dst, c)
			s.at++
		case s.at+1 < len(s.src) && escapes[s.src[s.at+1]] != 0:
			dst = append(dst, escapes[s.src[s.at+1]])
			s.at += 2
		default:
			r, ok := s.unit(s.at)
			if !ok {
				return dst, errSyntax
			}
			s.at += 6
			if low, ok := s.unit(s.at); ok && utf16.IsSurrogate(r) {
				if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
					r = pair
					s.at += 6
				}
			}
			dst = utf8.AppendRune(dst, r) // a lone surrogate becomes U+FFFD
		}
	}
	return dst, errSyntax
}

// unit reads the escape \uXXXX at i.
func (s *scanner) unit(i int) (rune, bool) {
	if i+6 > len(s.src) || s.src[i] != '\\' || s.src[i+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(s.src[i+2:i+6]), 16, 16)
	return rune(n), err == nil
}

// appendString appends text as a JSON string in canonical form (RFC 8785,
// section 3.2.2.2): the shortest escapes, and only where they must be.
func appendString(dst []byte, text string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i, r := range text {
		switch {
		case r == 0:
			dst = append(dst, "\uFFFD"...)
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r >= 0x20 && r != utf8.RuneError:
			if r < utf8.RuneSelf {
				dst = append(dst, byte(r))
			} else {
				dst = utf8.AppendRune(dst, r)
			}
		case r == utf8.RuneError:
			dst = append(dst, "\uFFFD"...)
		default:
			if k := strings.IndexByte("\b\t\n\f\r", text[i]); k >= 0 {
				dst = append(dst, '\\', "btnfr"[k])
			} else {
				dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
			}
		}
	}
	return append(dst, '"')
}

// number appends a number as ECMAScript writes it (RFC 8785, section 3.2.2.3),
// or as a string when it is not exactly what a double stands for.
func (s *scanner) number(dst []byte) ([]byte, error) {
	start := s.at
	if s.src[s.at] == '-' {
		s.at++
	}
	lead := s.at
	whole := s.digits()
	if whole == 0 || whole > 1 && s.src[lead] == '0' {
		return dst, errSyntax
	}
	simple := whole <= 15
	if s.at < len(s.src) && s.src[s.at] == '.' {
		s.at++
		simple = false
		if s.digits() == 0 {
			return dst, errSyntax
		}
	}
	if s.at < len(s.src) && s.src[s.at]|0x20 == 'e' {
		s.at++
		simple = false
		if s.at < len(s.src) && (s.src[s.at] == '+' || s.src[s.at] == '-') {
			s.at++
		}
		if s.digits() == 0 {
			return dst, errSyntax
		}
	}
	literal := string(s.src[start:s.at])
	if simple {
		if literal == "-0" {
			literal = "0"
		}
		return append(dst, literal...), nil
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return appendString(dst, literal), nil
	}
	n := len(dst)
	dst = appendDouble(dst, f)
	if !sameDecimal(literal, string(dst[n:])) {
		return appendString(dst[:n], literal), nil
	}
	return dst, nil
}

func (s *scanner) digits() int {
	start := s.at
	for s.at < len(s.src) && '0' <= s.src[s.at] && s.src[s.at] <= '9' {
		s.at++
	}
	return s.at - start
}

// appendDouble appends f like ECMAScript's Number::toString.
func appendDouble(dst []byte, f float64) []byte {
	if f == 0 {
		return append(dst, '0')
	}
	if abs := math.Abs(f); abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	// Go writes e-07 and e+21, ECMAScript e-7 and e+21.
	if e := bytes.LastIndexByte(dst[n:], 'e') + n; dst[e+2] == '0' {
		dst = append(dst[:e+2], dst[e+3:]...)
	}
	return dst
}

// sameDecimal reports whether two number literals stand for the same decimal.
func sameDecimal(a, b string) bool {
	if a == b {
		return true
	}
	da, ea := decimal(a)
	db, eb := decimal(b)
	return da == db && (ea == eb || da == "" || da == "-")
}

// decimal takes a literal apart: sign and digits without zeros at either end,
// and the power of ten of the last digit. Zero has no digits and no sign.
func decimal(literal string) (digits string, exponent int) {
	mantissa, exp := literal, ""
	if i := strings.IndexAny(literal, "eE"); i >= 0 {
		mantissa, exp = literal[:i], literal[i+1:]
	}
	exponent, err := strconv.Atoi(exp)
	if exp != "" && err != nil {
		return literal, math.MaxInt // beyond any double: equal to nothing but itself
	}
	sign := ""
	if strings.HasPrefix(mantissa, "-") {
		sign, mantissa = "-", mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	exponent -= len(fraction)
	all := strings.TrimLeft(whole+fraction, "0")
	digits = strings.TrimRight(all, "0")
	exponent += len(all) - len(digits)
	if digits == "" {
		return "", 0
	}
	return sign + digits, exponent
}

package audit

import (
	"bytes"
	"errors"
	"slices"
	"unicode/utf16"
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

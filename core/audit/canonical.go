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
	return new(scanner).canonical(dst, raw)
}

// canonical is appendCanonical for whoever has many values to read.
func (s *scanner) canonical(dst, raw []byte) ([]byte, error) {
	s.src, s.at = raw, 0
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
	src  []byte
	at   int
	room []byte // for members on their way to their order
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
type member struct {
	name, colon, end int
	special          bool // its name, see special
}

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
		m.special = special(dst[m.name:m.colon])
		if n := len(members); n > 0 && compareMembers(dst, members[n-1], m) >= 0 {
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
				dst = s.sort(dst, start, members)
			}
			return append(dst, '}'), nil
		}
		return dst, errSyntax
	}
}

// fewMembers is up to how many members are put in order by insertion.
const fewMembers = 32

// sort rewrites dst[start:], the members, by name; of equal names the last one stays.
func (s *scanner) sort(dst []byte, start int, members []member) []byte {
	if len(members) > fewMembers {
		slices.SortStableFunc(members, func(a, b member) int { return compareMembers(dst, a, b) })
	} else {
		for i := 1; i < len(members); i++ {
			for j := i; j > 0 && compareMembers(dst, members[j-1], members[j]) > 0; j-- {
				members[j-1], members[j] = members[j], members[j-1]
			}
		}
	}
	s.room = s.room[:0]
	for i, m := range members {
		if i+1 < len(members) && compareMembers(dst, m, members[i+1]) == 0 {
			continue
		}
		if len(s.room) > 0 {
			s.room = append(s.room, ',')
		}
		s.room = append(s.room, dst[m.name:m.end]...)
	}
	return append(dst[:start], s.room...)
}

// compareMembers orders members of src by the UTF-16 code units of their names, as
// RFC 8785 section 3.2.3 wants.
func compareMembers(src []byte, a, b member) int {
	x, y := src[a.name:a.colon], src[b.name:b.colon]
	if a.special || b.special {
		return slices.Compare(units(x), units(y))
	}
	return bytes.Compare(x[1:len(x)-1], y[1:len(y)-1])
}

// special reports whether the order of the bytes of a quoted name may differ
// from that of its code units: it has an escape, or characters from U+E000 on.
func special(quoted []byte) bool {
	for _, c := range quoted {
		if c == '\\' || c >= 0xEE {
			return true
		}
	}
	return false
}

// units decodes a quoted name in canonical form to UTF-16.
func units(quoted []byte) []uint16 {
	s := scanner{src: quoted}
	plain, _ := s.unquote(nil)
	return utf16.Encode([]rune(string(plain)))
}

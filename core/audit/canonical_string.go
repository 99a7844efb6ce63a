package audit

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// str appends a string in canonical form.
func (s *scanner) str(dst []byte) ([]byte, error) {
	// Most strings are canonical as they stand.
	ascii := true
	for i := s.at + 1; i < len(s.src); i++ {
		switch c := s.src[i]; {
		case c >= utf8.RuneSelf:
			ascii = false
		case c == '"':
			quoted := s.src[s.at : i+1]
			if !ascii && !utf8.Valid(quoted) {
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
	if plain(text) {
		dst = append(dst, text...)
		return append(dst, '"')
	}
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

// plain reports whether text is ASCII that needs no escape.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

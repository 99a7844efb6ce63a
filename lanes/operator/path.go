package operator

import (
	"strings"
	"unicode/utf8"

	"github.com/vivified/vivified/core/fault"
)

// Codes of refused request targets.
const (
	CodeForm      = "path.form"      // not a path: absolute, authority or asterisk form, or a relative one
	CodeLength    = "path.length"    // a path, segment or query over its limit
	CodeEncoding  = "path.encoding"  // malformed or double escapes, invalid or overlong UTF-8
	CodeSeparator = "path.separator" // an encoded slash, a backslash, an empty segment
	CodeDots      = "path.dots"      // a dot segment, in any spelling
	CodeCharacter = "path.character" // a control, reserved or invisible character
	CodeLookalike = "path.lookalike" // a character that another hop may turn into a dot, slash or the like
	CodeBlank     = "path.blank"     // a segment without a visible character
	CodeName      = "path.name"      // a target or operation that is no name, or spelled with escapes
)

// Limits in bytes; the segment's is counted after decoding.
const (
	MaxPath    = 8 << 10
	MaxSegment = 1 << 10
	MaxQuery   = 32 << 10
)

// Path is a request path in its one canonical form, with the query beside it.
type Path struct {
	Segments []string // decoded; the last is "" when the path ends in a slash
	Query    string   // as sent, without the question mark; authorises nothing
}

// CanonicalPath reads a raw request target in origin form (RFC 9112 section
// 3.2.1), before anything cleaned it. The error is an Invalid fault.
//
// Servers and frameworks differ in what they clean, decode and merge, and every
// difference is a way to have one path authorised and another one served. So a
// target is never repaired: it has one possible reading, or it is refused.
func CanonicalPath(raw string) (Path, error) {
	path, query, err := splitTarget(raw)
	if err != nil {
		return Path{}, err
	}
	p := Path{Segments: make([]string, 0, strings.Count(path, "/")), Query: query}
	if err := eachSegment(path, func(segment string) { p.Segments = append(p.Segments, segment) }); err != nil {
		return Path{}, err
	}
	return p, nil
}

// CheckTarget judges the raw request target of any route, before routing. The
// error is an Invalid fault.
func CheckTarget(requestURI string) error {
	path, _, err := splitTarget(requestURI)
	if err != nil {
		return err
	}
	return eachSegment(path, func(string) {})
}

// String returns the path percent-encoded the one way the core sends it, without
// the query. It is what was authorised, what is audited and what is forwarded.
func (p Path) String() string {
	if len(p.Segments) == 0 {
		return "/"
	}
	var b strings.Builder
	for _, s := range p.Segments {
		b.WriteByte('/')
		encodeSegment(&b, s)
	}
	return b.String()
}

// splitTarget returns the path, which begins with a slash, and the query.
func splitTarget(raw string) (path, query string, err error) {
	if raw == "" || raw[0] != '/' {
		return "", "", refuse(CodeForm, "The request target must be a path that begins with a slash.")
	}
	if strings.IndexByte(raw, '#') >= 0 {
		return "", "", refuse(CodeCharacter, "A request target has no fragment.")
	}
	path, query, _ = strings.Cut(raw, "?")
	if len(path) > MaxPath {
		return "", "", refuse(CodeLength, "The path is longer than %d bytes.", MaxPath)
	}
	return path, query, judgeQuery(query)
}

// eachSegment yields the decoded segments of a path that begins with a slash.
func eachSegment(path string, yield func(string)) error {
	rest := path[1:]
	for {
		raw, after, more := strings.Cut(rest, "/")
		if raw == "" {
			if more {
				return refuse(CodeSeparator, "The path has an empty segment.")
			}
			yield("")
			return nil
		}
		segment, err := decodeSegment(raw)
		if err != nil {
			return err
		}
		if err := judgeSegment(segment); err != nil {
			return err
		}
		yield(segment)
		if !more {
			return nil
		}
		rest = after
	}
}

// decodeSegment undoes percent-encoding once. Bytes that no client may send as
// they are (RFC 3986 section 2) are refused here: encoded, a space is a letter
// of a name; raw, it is somebody's attempt at a second request line.
func decodeSegment(raw string) (string, error) {
	escapes := 0
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c <= ' ' || c == 0x7f:
			return "", refuse(CodeCharacter, "The path contains a raw space or control character.")
		case c == '%':
			if i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
				return "", refuse(CodeEncoding, "The path contains a malformed percent escape.")
			}
			escapes++
			i += 2
		}
	}
	if escapes == 0 {
		return raw, nil
	}
	var b strings.Builder
	b.Grow(len(raw) - 2*escapes)
	for i := 0; i < len(raw); i++ {
		if raw[i] == '%' {
			b.WriteByte(unhex(raw[i+1])<<4 | unhex(raw[i+2]))
			i += 2
			continue
		}
		b.WriteByte(raw[i])
	}
	return b.String(), nil
}

// judgeSegment judges one decoded, non-empty segment, from a request or from a
// template value.
func judgeSegment(segment string) error {
	if len(segment) > MaxSegment {
		return refuse(CodeLength, "A segment of the path is longer than %d bytes.", MaxSegment)
	}
	if !utf8.ValidString(segment) {
		return refuse(CodeEncoding, "The path is not valid UTF-8.")
	}
	if another := escapeAgain(segment); another {
		return refuse(CodeEncoding, "The path is percent-encoded more than once.")
	}
	if err := judgeRunes(segment); err != nil {
		return err
	}
	switch {
	case !onlyDots(segment):
		return nil
	case strings.IndexByte(segment, '.') < 0:
		return refuse(CodeBlank, "A segment of the path is blank.")
	default:
		return refuse(CodeDots, "The path contains a dot segment.")
	}
}

// escapeAgain reports whether a second decoding would find an escape, of the
// usual form or of the %uXXXX form some servers still know.
func escapeAgain(segment string) bool {
	for i := 0; i+1 < len(segment); i++ {
		if segment[i] != '%' {
			continue
		}
		if segment[i+1] == 'u' || segment[i+1] == 'U' || (i+2 < len(segment) && isHex(segment[i+1]) && isHex(segment[i+2])) {
			return true
		}
	}
	return false
}

// judgeQuery lets a query through as data. It is refused only when a hop that
// overlooked the question mark would read a dot segment in it.
func judgeQuery(query string) error {
	if len(query) > MaxQuery {
		return refuse(CodeLength, "The query is longer than %d bytes.", MaxQuery)
	}
	for i := 0; i < len(query); i++ {
		if query[i] <= ' ' || query[i] == 0x7f {
			return refuse(CodeCharacter, "The query contains a raw space or control character.")
		}
	}
	if dotsBetweenSlashes(query) {
		return refuse(CodeDots, "The query reads like a path with a dot segment.")
	}
	if !strings.Contains(query, "%") {
		return nil
	}
	for parameter := range strings.SplitSeq(query, "&") {
		name, _, _ := strings.Cut(parameter, "=")
		if dotsBetweenSlashes(plainSlashes.Replace(name)) {
			return refuse(CodeDots, "A query parameter is named like a path with a dot segment.")
		}
	}
	return nil
}

var (
	plainSlashes = strings.NewReplacer("%2f", "/", "%2F", "/", "%5c", "/", "%5C", "/")
	plainDots    = strings.NewReplacer("%2e", ".", "%2E", ".")
)

// dotsBetweenSlashes reports whether s has a slash and beside it a dot segment.
func dotsBetweenSlashes(s string) bool {
	if !strings.ContainsAny(s, `/\`) {
		return false
	}
	for piece := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '/' || r == '\\' }) {
		piece, _, _ = strings.Cut(plainDots.Replace(piece), ";")
		if piece == "." || piece == ".." {
			return true
		}
	}
	return false
}

// encodeSegment writes a segment percent-encoded: what RFC 3986 lets stand in a
// path segment stays, all else becomes upper-case escapes.
func encodeSegment(b *strings.Builder, segment string) {
	const hex = "0123456789ABCDEF"
	for i := 0; i < len(segment); i++ {
		c := segment[i]
		if isAlphanumeric(c) || strings.IndexByte("-._~!$&'()*+,=:@", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// unhex returns the value of a hexadecimal digit.
func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	default:
		return c - 'a' + 10
	}
}

func refuse(code, format string, args ...any) error {
	return fault.New(fault.Invalid, code, format, args...)
}

package manifest

import "strings"

// maxEventType is how long a normalised event type may be, in bytes.
const maxEventType = 128

// NormalizeEventType returns an event type in its dotted lower-case form:
// UserCreated and User.Created both become user.created. It reports false for
// what is no type: letters, digits, underscores and hyphens in dotted parts
// that begin with a letter or digit, the whole with a letter, at most 128 bytes.
func NormalizeEventType(name string) (string, bool) {
	if isEventType(name) {
		return name, true
	}
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if !isUpper(c) {
			b.WriteByte(c)
			continue
		}
		if i > 0 && wordBegins(name, i) {
			b.WriteByte('.')
		}
		b.WriteByte(c + 'a' - 'A')
	}
	return b.String(), isEventType(b.String())
}

// wordBegins reports whether the capital at i > 0 begins a word: after a small
// letter or digit, or as the last of several capitals (PHIRead is phi.read).
func wordBegins(s string, i int) bool {
	before := s[i-1]
	if isUpper(before) {
		return i+1 < len(s) && s[i+1] >= 'a' && s[i+1] <= 'z'
	}
	return before >= 'a' && before <= 'z' || before >= '0' && before <= '9'
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// isEventType reports whether s is a normalised event type.
func isEventType(s string) bool {
	if s == "" || len(s) > maxEventType || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case c == '_' || c == '-':
			if s[i-1] == '.' {
				return false
			}
		case c == '.':
			if s[i-1] == '.' || i == len(s)-1 {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// NormalizeEventPattern does the same for a subscription: a type, or a prefix
// of whole parts followed by .* as in user.*.
func NormalizeEventPattern(pattern string) (string, bool) {
	prefix, wild := strings.CutSuffix(pattern, ".*")
	typ, ok := NormalizeEventType(prefix)
	if wild {
		typ += ".*"
	}
	return typ, ok
}

// MatchEventType reports whether a type or pattern covers an event type, each
// in either style: user.* covers user.created and user.role.changed, but not
// user. What is malformed matches nothing.
func MatchEventType(pattern, typ string) bool {
	p, ok := NormalizeEventPattern(pattern)
	if !ok {
		return false
	}
	t, ok := NormalizeEventType(typ)
	if !ok {
		return false
	}
	if prefix, wild := strings.CutSuffix(p, "*"); wild {
		return strings.HasPrefix(t, prefix)
	}
	return p == t
}

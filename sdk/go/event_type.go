package vivified

import "strings"

// normal returns an event type or wildcard in its dotted lower-case form, as the
// core does: UserCreated and User.Created both become user.created.
func normal(name string) string {
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
	return b.String()
}

// wordBegins reports whether the capital at i > 0 begins a word: after a small
// letter or digit, or as the last of several capitals (PHIRead is phi.read).
func wordBegins(name string, i int) bool {
	before := name[i-1]
	if isUpper(before) {
		return i+1 < len(name) && name[i+1] >= 'a' && name[i+1] <= 'z'
	}
	return before >= 'a' && before <= 'z' || before >= '0' && before <= '9'
}

func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }

// covers reports whether an event type, or a narrower wildcard, falls under
// pattern, each in either style: user.* covers user.created and
// user.role.changed, but not user.
func covers(pattern, eventType string) bool {
	pattern, eventType = normal(pattern), normal(eventType)
	if prefix, wild := strings.CutSuffix(pattern, "*"); wild {
		return strings.HasPrefix(eventType, prefix)
	}
	return pattern == eventType
}

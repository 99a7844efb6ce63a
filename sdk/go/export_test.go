package vivified

import "io"

// ReadMessages returns id, event and data of every message of a stream.
func ReadMessages(r io.Reader, limit int) (all [][3]string, err error) {
	in := newMessages(r, limit)
	for {
		m, err := in.next()
		if err != nil {
			return all, err
		}
		all = append(all, [3]string{m.id, m.event, string(m.data)})
	}
}

// CountKeys returns how many keys a JWK set holds for us.
func CountKeys(text []byte) (int, error) {
	keys, err := readKeys(text)
	return len(keys), err
}

// TokenPart decodes one part of a token and returns its "aud".
func TokenPart(part string) (string, error) {
	m, err := members(part)
	return m.text("aud"), err
}

// Covers reports whether a pattern covers an event type.
func Covers(pattern, eventType string) bool { return covers(pattern, eventType) }

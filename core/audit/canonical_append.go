package audit

import "encoding/json"

// Canonical is JSON in the canonical form in which it is hashed and stored: RFC
// 8785, with U+FFFD for what PostgreSQL cannot hold. An [Entry] whose Detail is
// Canonical is taken at its word, which saves two passes over it. It is for
// records that are written with each request, built by [AppendString] and
// [AppendJSON]; everything else is better marshalled.
type Canonical []byte

// MarshalJSON implements json.Marshaler: it is JSON already.
func (c Canonical) MarshalJSON() ([]byte, error) { return c, nil }

// AppendString appends text as a canonical JSON string.
func AppendString(dst []byte, text string) []byte { return appendString(dst, text) }

// AppendJSON appends what v marshals to, in canonical form. What cannot be
// marshalled is told of in its place.
func AppendJSON(dst []byte, v any) []byte {
	raw, err := json.Marshal(v)
	if err == nil {
		at := len(dst)
		if dst, err = appendCanonical(dst, raw); err == nil {
			return dst
		}
		dst = dst[:at]
	}
	dst = append(dst, `{"unreadable":`...)
	return append(appendString(dst, err.Error()), '}')
}

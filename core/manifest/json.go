package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"
)

// The limits of a document.
const (
	MaxBytes = 256 << 10
	MaxDepth = 32
)

// syntaxError is a document that is not one readable JSON object.
type syntaxError struct{ rule, message string }

func (e *syntaxError) Error() string { return e.message }

// badSyntax returns a syntaxError at a byte offset of data.
func badSyntax(data []byte, offset int64, rule, format string, args ...any) error {
	line, column := position(data, offset)
	return &syntaxError{rule, fmt.Sprintf("line %d, column %d: ", line, column) + fmt.Sprintf(format, args...)}
}

// position returns the line and column, both from 1 and columns in characters.
func position(data []byte, offset int64) (line, column int) {
	before := data[:min(offset, int64(len(data)))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return bytes.Count(before, []byte("\n")) + 1, utf8.RuneCount(before[start:]) + 1
}

// checkBytes refuses what no format may be.
func checkBytes(data []byte) error {
	if len(data) > MaxBytes {
		return &syntaxError{"json.too_large", fmt.Sprintf("the document has more than %d KiB", MaxBytes>>10)}
	}
	if bytes.HasPrefix(data, []byte("\ufeff")) {
		return badSyntax(data, 0, "json.malformed", "the document begins with a byte-order mark")
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return badSyntax(data, int64(i), "json.malformed", "the document is not UTF-8")
		}
		i += size
	}
	return nil
}

// jsonReader reads tokens into values, and stops at the first thing that no
// manifest may hold.
type jsonReader struct {
	data []byte
	dec  *json.Decoder
}

// readJSON reads exactly one value.
func readJSON(data []byte) (value, error) {
	if err := checkBytes(data); err != nil {
		return value{}, err
	}
	r := &jsonReader{data, json.NewDecoder(bytes.NewReader(data))}
	r.dec.UseNumber()
	tok, err := r.token()
	if err != nil {
		return value{}, err
	}
	v, err := r.value(tok, 1)
	if err != nil {
		return value{}, err
	}
	end := r.dec.InputOffset()
	if rest := bytes.TrimLeft(data[end:], " \t\r\n"); len(rest) > 0 {
		return value{}, badSyntax(data, int64(len(data)-len(rest)), "json.malformed", "something follows the end of the document")
	}
	return v, nil
}

// token returns the next token; strings are checked for halves of surrogate
// pairs, which the decoder would silently replace.
func (r *jsonReader) token() (json.Token, error) {
	from := r.dec.InputOffset()
	tok, err := r.dec.Token()
	if err != nil {
		return nil, r.syntax(from, err)
	}
	if _, ok := tok.(string); ok {
		if i := loneSurrogate(r.data[from:r.dec.InputOffset()]); i >= 0 {
			return nil, badSyntax(r.data, from+int64(i), "json.malformed", "a \\u escape is half a surrogate pair")
		}
	}
	return tok, nil
}

// syntax says where the decoder gave up. Its own offsets count differently
// from case to case, so the place is where the offending token begins.
func (r *jsonReader) syntax(from int64, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return badSyntax(r.data, int64(len(r.data)), "json.malformed", "the document ends too early")
	}
	for from < int64(len(r.data)) && slices.Contains([]byte(" \t\r\n"), r.data[from]) {
		from++
	}
	if from < int64(len(r.data)) && (r.data[from] == ',' || r.data[from] == ':') {
		for next := from + 1; next < int64(len(r.data)); next++ {
			if !slices.Contains([]byte(" \t\r\n"), r.data[next]) {
				from = next
				break
			}
		}
	}
	return badSyntax(r.data, from, "json.malformed", "%s", err)
}

// value builds the value that begins with tok.
func (r *jsonReader) value(tok json.Token, depth int) (value, error) {
	switch t := tok.(type) {
	case nil:
		return value{kind: null}, nil
	case bool:
		return value{kind: boolean, truth: t}, nil
	case json.Number:
		return value{kind: number, text: t.String()}, nil
	case string:
		return value{kind: text, text: t}, nil
	}
	if depth > MaxDepth {
		return value{}, badSyntax(r.data, r.dec.InputOffset()-1, "json.too_deep", "the document is nested deeper than %d levels", MaxDepth)
	}
	if tok == json.Delim('[') {
		return r.array(depth)
	}
	return r.object(depth)
}

func (r *jsonReader) array(depth int) (value, error) {
	v := value{kind: array}
	for {
		tok, err := r.token()
		if err != nil {
			return v, err
		}
		if tok == json.Delim(']') {
			return v, nil
		}
		item, err := r.value(tok, depth+1)
		if err != nil {
			return v, err
		}
		v.items = append(v.items, item)
	}
}

func (r *jsonReader) object(depth int) (value, error) {
	v := value{kind: object}
	var seen keySet
	for {
		tok, err := r.token()
		if err != nil {
			return v, err
		}
		key, ok := tok.(string)
		if !ok { // the decoder lets nothing else pass here than a closing brace
			return v, nil
		}
		if !seen.add(v.keys, key) {
			return v, badSyntax(r.data, r.dec.InputOffset(), "json.duplicate_key", "the key '%s' stands twice in one object", show(key))
		}
		if tok, err = r.token(); err != nil {
			return v, err
		}
		member, err := r.value(tok, depth+1)
		if err != nil {
			return v, err
		}
		v.keys, v.items = append(v.keys, key), append(v.items, member)
	}
}

// keySet tells repeated keys of one object; small ones need no map.
type keySet struct{ m map[string]struct{} }

// add reports whether key is new to an object that has keys so far.
func (s *keySet) add(keys []string, key string) bool {
	if s.m == nil {
		if len(keys) < 16 {
			return !slices.Contains(keys, key)
		}
		s.m = make(map[string]struct{}, 2*len(keys))
		for _, k := range keys {
			s.m[k] = struct{}{}
		}
	}
	_, old := s.m[key]
	s.m[key] = struct{}{}
	return !old
}

// loneSurrogate returns the offset of the first \u escape in a JSON string's
// source that is half a surrogate pair, or -1.
func loneSurrogate(src []byte) int {
	for i := 0; i+1 < len(src); i++ {
		if src[i] != '\\' {
			continue
		}
		if src[i+1] != 'u' {
			i++ // an escaped backslash opens no escape
			continue
		}
		hi := escaped(src[i:])
		if hi < 0xd800 || hi > 0xdfff {
			i += 5
			continue
		}
		if lo := escaped(src[min(i+6, len(src)):]); hi > 0xdbff || lo < 0xdc00 || lo > 0xdfff {
			return i
		}
		i += 11
	}
	return -1
}

// escaped returns the code unit of the \uXXXX that src begins with, or -1.
func escaped(src []byte) int {
	if len(src) < 6 || src[0] != '\\' || src[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(src[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return int(n)
}

package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep objects and arrays may nest.
const maxDepth = 64

// decodeJSON reads one JSON document whose numbers keep their digits. It
// refuses what the database could not keep (U+0000) and what would cost more to
// compute with than to send: deep nesting and numbers beyond a double.
func decodeJSON(raw []byte) (any, error) {
	if !utf8.Valid(raw) {
		return nil, errors.New("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value")
	}
	return v, sane(v, maxDepth)
}

// sane reports what decodeJSON refuses.
func sane(v any, depth int) error {
	if depth == 0 {
		return errors.New("nested too deep")
	}
	switch v := v.(type) {
	case string:
		if strings.ContainsRune(v, 0) {
			return errors.New("contains the character U+0000")
		}
	case json.Number:
		return saneNumber(v.String())
	case []any:
		for _, item := range v {
			if err := sane(item, depth-1); err != nil {
				return err
			}
		}
	case map[string]any:
		for name, member := range v {
			if strings.ContainsRune(name, 0) {
				return errors.New("contains the character U+0000")
			}
			if err := sane(member, depth-1); err != nil {
				return err
			}
		}
	}
	return nil
}

// saneNumber refuses numbers that exact arithmetic would expand into megabytes.
func saneNumber(text string) error {
	digits, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	if exponent == "" {
		exponent = "0"
	}
	if e, err := strconv.Atoi(exponent); err != nil || e < -308 || e > 308 || len(digits) > 400 {
		return errors.New("a number is out of range")
	}
	return nil
}

// encodeJSON writes a decoded document with its numbers as they were.
func encodeJSON(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // v was decoded from JSON
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

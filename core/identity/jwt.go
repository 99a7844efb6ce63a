package identity

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// skew is how far clocks may be apart.
const skew = 30 * time.Second

// maxToken is the longest token that is looked at, in bytes.
const maxToken = 8 << 10

// encodeHeader returns the JOSE header of everything a key signs.
func encodeHeader(kid string) string {
	return encode([]byte(`{"alg":"EdDSA","typ":"JWT","kid":"` + kid + `"}`))
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// sign returns claims as a compact JWS (RFC 7515) signed by k.
func (k *key) sign(claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	input := k.header + "." + encode(payload)
	return input + "." + encode(ed25519.Sign(k.private, []byte(input))), nil
}

// object is a JSON object whose members are text, whole numbers or lists of text:
// all that our tokens consist of. Names are exact; encoding/json would fold case.
type object map[string]any

// str returns the member of that name if it is text.
func (o object) str(name string) (string, bool) { s, ok := o[name].(string); return s, ok }

// seconds returns the member of that name if it is a NumericDate in whole seconds.
func (o object) seconds(name string) (time.Time, bool) {
	n, ok := o[name].(int64)
	if !ok || n < 0 || n > 1<<33 {
		return time.Time{}, false
	}
	return time.Unix(n, 0).UTC(), true
}

// token is a compact JWS taken apart; nothing in it is proved yet.
type token struct {
	header, payload object
	input           []byte // what is signed
	signature       []byte
}

// parseToken takes a compact JWS apart. It refuses whatever can be read in two
// ways: padding or spare bits in base64url, white space, invalid UTF-8, a name
// given twice, text after the object, values of a form no claim of ours has.
func parseToken(compact string) (token, error) {
	if len(compact) > maxToken {
		return token{}, errors.New("too long")
	}
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		return token{}, errors.New("not three parts")
	}
	var raw [3][]byte
	for i, part := range parts {
		if part == "" || !isBase64URL(part) {
			return token{}, fmt.Errorf("part %d is not base64url", i+1)
		}
		b, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil {
			return token{}, fmt.Errorf("part %d is not base64url", i+1)
		}
		raw[i] = b
	}
	header, err := parseObject(raw[0])
	if err != nil {
		return token{}, fmt.Errorf("header: %w", err)
	}
	payload, err := parseObject(raw[1])
	if err != nil {
		return token{}, fmt.Errorf("payload: %w", err)
	}
	return token{header, payload, []byte(compact[:len(parts[0])+1+len(parts[1])]), raw[2]}, nil
}

// parseObject reads one JSON object (RFC 8259) of simple members.
func parseObject(b []byte) (object, error) {
	if !utf8.Valid(b) || !json.Valid(b) || len(b) == 0 || b[0] != '{' || b[len(b)-1] != '}' {
		return nil, errors.New("not one JSON object")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	o := object{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		if _, twice := o[name.(string)]; twice {
			return nil, errors.New("a name stands twice")
		}
		if o[name.(string)], err = parseValue(d); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("text after the object")
	}
	return o, nil
}

// parseValue reads text, a whole number or a list of text.
func parseValue(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch v := t.(type) {
	case string:
		return v, nil
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil {
			return nil, errors.New("a number is not whole")
		}
		return n, nil
	case json.Delim:
		if v != '[' {
			return nil, errors.New("an object inside")
		}
		list := []string{}
		for d.More() {
			item, err := d.Token()
			if err != nil {
				return nil, err
			}
			text, ok := item.(string)
			if !ok {
				return nil, errors.New("a list of something else than text")
			}
			list = append(list, text)
		}
		_, err := d.Token()
		return list, err
	}
	return nil, errors.New("a value of another form")
}

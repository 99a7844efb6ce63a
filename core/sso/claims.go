package sso

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of claims.
const (
	maxClaims = 64 << 10 // bytes
	maxDepth  = 16
	maxValues = 2_000 // at one path
)

// Document is the claims of a token: a JSON object. Numbers are json.Number.
type Document map[string]any

// ParseDocument reads claims, or says why they are none.
func ParseDocument(raw []byte) (Document, error) {
	if len(raw) > maxClaims {
		return nil, fmt.Errorf("claims are longer than %d bytes", maxClaims)
	}
	if !utf8.Valid(raw) {
		return nil, errors.New("claims are not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var doc Document
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("claims are not a JSON object: %w", err)
	}
	if doc == nil || d.More() {
		return nil, errors.New("claims are not one JSON object")
	}
	return doc, nil
}

// Values returns what stands at a path, as text, and whether anything does. A
// path is the name of a claim, or names with dots between them; a claim whose name
// has dots itself is found by its whole name. Lists are walked through.
func (d Document) Values(path string) (values []string, present bool) {
	walk(map[string]any(d), path, 0, func(v any) {
		present = true
		if len(values) < maxValues {
			if text, ok := textOf(v); ok {
				values = append(values, text)
			}
		}
	})
	return values, present
}

// Text returns the one text at a path, or "".
func (d Document) Text(path string) string {
	if v, _ := d.Values(path); len(v) == 1 {
		return v[0]
	}
	return ""
}

func walk(at any, path string, depth int, found func(any)) {
	if depth > maxDepth {
		return
	}
	switch v := at.(type) {
	case []any:
		for _, one := range v {
			walk(one, path, depth+1, found)
		}
		return
	case map[string]any:
		if path == "" {
			found(v)
			return
		}
		if one, ok := v[path]; ok {
			walk(one, "", depth+1, found)
			return
		}
		// The longest name first, so that https://example.com/roles.list is found.
		for i := len(path) - 1; i > 0; i-- {
			if path[i] != '.' {
				continue
			}
			if one, ok := v[path[:i]]; ok {
				walk(one, path[i+1:], depth+1, found)
				return
			}
		}
		return
	}
	if path == "" && at != nil {
		found(at)
	}
}

func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// isPath reports whether text can be the path of a claim.
func isPath(text string) bool {
	return text != "" && oneLine(text, maxText) && !strings.HasPrefix(text, ".") && !strings.HasSuffix(text, ".") && strings.Count(text, ".") < maxDepth
}

// clear are the claims that are shown in clear: who somebody is and what the
// protocol needs. Of others only the kind is shown, except where a rule reads them.
var clear = map[string]bool{
	"iss": true, "sub": true, "aud": true, "azp": true, "iat": true, "nbf": true, "exp": true, "auth_time": true, "acr": true, "amr": true,
	"email": true, "email_verified": true, "name": true, "given_name": true, "family_name": true, "preferred_username": true,
	"groups": true, "roles": true, "hd": true, "tid": true, "_claim_names": true,
}

// Masked returns claims as they are shown, one line each: the names in order, and
// of what nobody needs to see only the kind. paths are shown in clear as well.
func (d Document) Masked(paths []string) string {
	shown := Document{}
	for name, v := range d {
		if !clear[name] && !isRead(name, paths) {
			v = "•••• (" + kindOf(v) + ")"
		}
		shown[name] = v
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(shown) // it was read as JSON
	return strings.TrimSpace(b.String())
}

func isRead(name string, paths []string) bool {
	for _, p := range paths {
		if p == name || strings.HasPrefix(p, name+".") {
			return true
		}
	}
	return false
}

func kindOf(v any) string {
	switch v := v.(type) {
	case string:
		return fmt.Sprintf("text of %d characters", utf8.RuneCountInString(v))
	case json.Number:
		return "number"
	case bool:
		return "true or false"
	case []any:
		return fmt.Sprintf("list of %d", len(v))
	case nil:
		return "null"
	}
	return "object"
}

package settings

import (
	"encoding/json"
	"fmt"
	"testing"
)

// Open returns what of doc would be stored in clear.
func Open(t testing.TB, schema, doc string) string {
	t.Helper()
	s, err := compile(json.RawMessage(schema))
	if err != nil {
		t.Fatal(err)
	}
	v, err := decodeJSON([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return string(encodeJSON(open(v, s.any)))
}

// RoundTrip runs a document through everything a change does to it but the
// database, and reports what of it would be lost or shown on the way. "" is fine.
func RoundTrip(schema, last, next string) string {
	s, err := compile(json.RawMessage(schema))
	if err != nil {
		return ""
	}
	before, err := decodeJSON([]byte(last))
	if err != nil {
		return ""
	}
	sent, err := decodeJSON([]byte(next))
	if err != nil {
		return ""
	}
	if _, ok := sent.(map[string]any); !ok {
		return ""
	}
	whole := keep(sent, before, s.any)
	want := string(encodeJSON(whole))
	if _, err := s.check(fill(whole, s.sure)); err != nil {
		return fmt.Sprintf("check: %v", err)
	}
	if got := string(encodeJSON(whole)); got != want {
		return fmt.Sprintf("checking changed %s to %s", want, got)
	}
	doc := map[string]any{}
	for _, p := range disassemble(whole, s.any) {
		if err := insertRaw(doc, p.key, p.value); err != nil {
			return fmt.Sprintf("row %s: %v", p.key, err)
		}
	}
	if got := string(encodeJSON(doc)); got != want {
		return fmt.Sprintf("stored as rows, %s comes back as %s", want, got)
	}
	return ""
}

// MasterKeyIDs returns the ids of the keys m holds.
func MasterKeyIDs(m *MasterKey) (ids []string) {
	for _, k := range m.keys {
		ids = append(ids, k.id)
	}
	return ids
}

// BuildForm is the form of a schema and a document.
var BuildForm = buildForm

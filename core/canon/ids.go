package canon

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
)

// ID is what somebody calls a thing of some model.
type ID struct{ Model, Value string }

// modelForm is how a schema may name what an id is of.
var modelForm = regexp.MustCompile(`^[a-z][a-z0-9_.-]{0,63}$`)

// IsModel reports whether ids can be of a model of that name.
func IsModel(name string) bool { return modelForm.MatchString(name) }

// readID reads x-global-id: that the strings standing here are ids of a model.
func (r *reader) readID(n *mark, s map[string]any) error {
	x, ok := s["x-global-id"]
	if !ok {
		return nil
	}
	name, _ := x.(string)
	if !IsModel(name) {
		return fmt.Errorf("x-global-id %v names no model", x)
	}
	n.id, r.ids = name, true
	return nil
}

// HasIDs reports whether some field holds ids that the id map translates.
func (m *Marks) HasIDs() bool { return m != nil && m.ids }

// IDOf returns the model whose id a member of the root holds, "" when it holds none.
func (m *Marks) IDOf(member string) string {
	if !m.HasIDs() {
		return ""
	}
	if n := m.root.member(member); n != nil {
		return n.id
	}
	return ""
}

// IDs returns the ids in a document, each once.
func (m *Marks) IDs(doc []byte) ([]ID, error) {
	var all []ID
	seen := map[ID]bool{}
	_, err := m.walkIDs(doc, func(id ID) string {
		if !seen[id] {
			seen[id] = true
			all = append(all, id)
		}
		return id.Value
	})
	return all, err
}

// ReplaceIDs returns a document with other ids in the places of those that with names.
func (m *Marks) ReplaceIDs(doc []byte, with map[ID]string) ([]byte, error) {
	return m.walkIDs(doc, func(id ID) string {
		if other, ok := with[id]; ok {
			return other
		}
		return id.Value
	})
}

// walkIDs gives every id of a document to f and puts what it returns in its place.
// A document in which nothing changes is returned as it is.
func (m *Marks) walkIDs(doc []byte, f func(ID) string) ([]byte, error) {
	if !m.HasIDs() {
		return doc, nil
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, errDocument
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errDocument
	}
	changed := false
	v = m.root.walkIDs(v, func(id ID) string {
		other := f(id)
		changed = changed || other != id.Value
		return other
	})
	if !changed {
		return doc, nil
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

func (n *mark) walkIDs(v any, f func(ID) string) any {
	if n == nil {
		return v
	}
	switch v := v.(type) {
	case string:
		if n.id != "" {
			return f(ID{n.id, v})
		}
	case map[string]any:
		for name, member := range v {
			v[name] = n.member(name).walkIDs(member, f)
		}
	case []any:
		for i, item := range v {
			v[i] = n.items.walkIDs(item, f)
		}
	}
	return v
}

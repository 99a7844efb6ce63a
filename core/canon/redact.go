package canon

import (
	"encoding/json"
	"errors"
	"strconv"

	"github.com/vivified/vivified/core/trait"
)

// Plan removes the fields of hidden classes from documents of one schema.
// It is immutable and safe for concurrent use.
type Plan struct{ root *step }

// step says what to do with one place of a document.
type step struct {
	hide  bool
	props map[string]*step
	items *step
	rest  *step // what the schema does not name; nil: hidden
	whole bool  // nothing below is hidden: copy as it is
}

// Plan compiles the removal of the hidden classes. What the schema does not
// describe is removed too.
func (m *Marks) Plan(hidden trait.Classes) *Plan {
	if hidden == 0 {
		return &Plan{root: &step{whole: true}}
	}
	return &Plan{root: m.root.plan(hidden)}
}

func (n *mark) plan(hidden trait.Classes) *step {
	if n == nil {
		return &step{hide: true}
	}
	if n.marked && hidden.Has(n.class) {
		return &step{hide: true}
	}
	if n.unknown {
		// An object of unknown members: hidden, unless its own mark says what it is.
		return &step{hide: !n.marked, whole: n.marked}
	}
	s := &step{}
	if n.props == nil && n.items == nil && n.rest == nil {
		s.whole = true
		return s
	}
	s.props = make(map[string]*step, len(n.props))
	for name, child := range n.props {
		s.props[name] = child.plan(hidden)
	}
	if n.items != nil {
		s.items = n.items.plan(hidden)
	}
	if n.rest != nil {
		s.rest = n.rest.plan(hidden)
	}
	return s
}

// errDocument is what Redact returns for anything that is not one JSON value.
var errDocument = errors.New("not a JSON document")

// Redact returns doc without its hidden fields, and the JSON Pointers of what
// was removed (array positions as they were). doc must be valid JSON; the spans
// that stay are copied, never re-encoded. A value hidden at the root becomes null.
func (p *Plan) Redact(doc []byte) (clean []byte, removed []string, err error) {
	if !json.Valid(doc) {
		return nil, nil, errDocument
	}
	if p.root.whole {
		return doc, nil, nil
	}
	if p.root.hide {
		return []byte("null"), []string{""}, nil
	}
	r := redactor{in: doc, out: make([]byte, 0, len(doc))}
	r.value(p.root, "")
	return r.out, r.removed, nil
}

// redactor walks a valid document once, copying what stays.
type redactor struct {
	in      []byte
	at      int
	out     []byte
	removed []string
}

func (r *redactor) space() {
	for r.at < len(r.in) {
		switch r.in[r.at] {
		case ' ', '\t', '\r', '\n':
			r.at++
		default:
			return
		}
	}
}

func (r *redactor) value(s *step, path string) {
	r.space()
	switch {
	case s.whole:
		from := r.at
		r.skip()
		r.out = append(r.out, r.in[from:r.at]...)
	case r.in[r.at] == '{':
		r.object(s, path)
	case r.in[r.at] == '[':
		r.array(s, path)
	default:
		// A scalar where the schema promised a structure: it describes nothing, so it goes.
		from := r.at
		r.skip()
		if len(s.props) == 0 && s.items == nil && s.rest == nil {
			r.out = append(r.out, r.in[from:r.at]...)
			return
		}
		r.removed = append(r.removed, path)
		r.out = append(r.out, "null"...)
	}
}

func (r *redactor) object(s *step, path string) {
	r.out = append(r.out, '{')
	r.at++
	first := true
	for {
		r.space()
		if r.in[r.at] == '}' {
			r.at++
			break
		}
		if r.in[r.at] == ',' {
			r.at++
			continue
		}
		keyFrom := r.at
		r.string()
		rawKey := r.in[keyFrom:r.at]
		var key string
		_ = json.Unmarshal(rawKey, &key) // valid by contract
		r.space()
		r.at++ // ':'
		r.space()
		child := s.props[key]
		if child == nil {
			child = s.rest
		}
		at := path + "/" + pointer(key)
		if child == nil || child.hide {
			r.skip()
			r.removed = append(r.removed, at)
			continue
		}
		if !first {
			r.out = append(r.out, ',')
		}
		first = false
		r.out = append(append(r.out, rawKey...), ':')
		r.value(child, at)
	}
	r.out = append(r.out, '}')
}

func (r *redactor) array(s *step, path string) {
	r.out = append(r.out, '[')
	r.at++
	first := true
	for i := 0; ; {
		r.space()
		if r.in[r.at] == ']' {
			r.at++
			break
		}
		if r.in[r.at] == ',' {
			r.at++
			continue
		}
		at := path + "/" + strconv.Itoa(i)
		i++
		if s.items == nil || s.items.hide {
			r.skip()
			r.removed = append(r.removed, at)
			continue
		}
		if !first {
			r.out = append(r.out, ',')
		}
		first = false
		r.value(s.items, at)
	}
	r.out = append(r.out, ']')
}

// skip passes over one value.
func (r *redactor) skip() {
	r.space()
	switch r.in[r.at] {
	case '"':
		r.string()
	case '{', '[':
		depth := 0
		for {
			switch r.in[r.at] {
			case '"':
				r.string()
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			r.at++
			if depth == 0 {
				return
			}
		}
	default:
		for r.at < len(r.in) {
			switch r.in[r.at] {
			case ',', '}', ']', ' ', '\t', '\r', '\n':
				return
			}
			r.at++
		}
	}
}

// string passes over one quoted string.
func (r *redactor) string() {
	for r.at++; r.in[r.at] != '"'; r.at++ {
		if r.in[r.at] == '\\' {
			r.at++
		}
	}
	r.at++
}

// pointer escapes one reference token (RFC 6901).
func pointer(key string) string {
	for i := 0; i < len(key); i++ {
		if key[i] == '~' || key[i] == '/' {
			b := make([]byte, 0, len(key)+4)
			for j := 0; j < len(key); j++ {
				switch key[j] {
				case '~':
					b = append(b, "~0"...)
				case '/':
					b = append(b, "~1"...)
				default:
					b = append(b, key[j])
				}
			}
			return string(b)
		}
	}
	return key
}

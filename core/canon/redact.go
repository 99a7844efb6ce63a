package canon

import (
	"encoding/json"
	"errors"
	"regexp"
	"strconv"

	"github.com/vivified/vivified/core/trait"
)

// Plan removes the fields of hidden classes from documents of one schema.
// It is immutable and safe for concurrent use.
type Plan struct{ root *step }

// step says what to do with one place of a document.
type step struct {
	hide     bool
	whole    bool // copy as it is
	scalars  bool // a scalar stays
	props    map[string]*step
	patterns []stepPattern
	items    *step
	rest     *step // what the schema does not name; nil: hidden
}

type stepPattern struct {
	name *regexp.Regexp
	step *step
}

// Plan returns the removal of the hidden classes, compiled at its first use. What
// the schema does not describe is removed too.
func (m *Marks) Plan(hidden trait.Classes) *Plan {
	at := &m.plans[int(hidden)%len(m.plans)]
	if p := at.Load(); p != nil {
		return p
	}
	p := &Plan{root: &step{whole: true}}
	if hidden != 0 {
		p.root = m.root.plan(hidden)
	}
	at.Store(p)
	return p
}

func (n *mark) plan(hidden trait.Classes) *step {
	switch {
	case n == nil || n.marked && hidden.Has(n.class):
		return &step{hide: true}
	case !n.described():
		// An object of unknown members: hidden, unless its own mark says what it is.
		return &step{hide: !n.marked, whole: n.marked}
	}
	s := &step{scalars: n.scalars, props: make(map[string]*step, len(n.props))}
	for name, child := range n.props {
		s.props[name] = child.plan(hidden)
	}
	for _, p := range n.patterns {
		s.patterns = append(s.patterns, stepPattern{p.name, p.mark.plan(hidden)})
	}
	if n.items != nil {
		s.items = n.items.plan(hidden)
	}
	if n.rest != nil {
		s.rest = n.rest.plan(hidden)
	}
	return s
}

// hideStep is what is done with anything the schema does not describe.
var hideStep = &step{hide: true}

// member returns what to do with a member of that name. One that several patterns
// describe differently goes.
func (s *step) member(name string) *step {
	if child, ok := s.props[name]; ok {
		return child
	}
	found := s.rest
	matched := false
	for _, p := range s.patterns {
		if !p.name.MatchString(name) {
			continue
		}
		if matched {
			return hideStep
		}
		found, matched = p.step, true
	}
	if found == nil {
		return hideStep
	}
	return found
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
		r.copy()
	case r.in[r.at] == '{':
		r.object(s, path)
	case r.in[r.at] == '[':
		r.array(s, path)
	case s.scalars:
		r.copy()
	default:
		// A scalar where the schema promised a structure: it describes nothing, so it goes.
		r.skip()
		r.removed = append(r.removed, path)
		r.out = append(r.out, "null"...)
	}
}

// copy passes over one value that stays.
func (r *redactor) copy() {
	from := r.at
	r.skip()
	r.out = append(r.out, r.in[from:r.at]...)
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
		child := s.member(key)
		at := path + "/" + pointer(key)
		if child.hide {
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

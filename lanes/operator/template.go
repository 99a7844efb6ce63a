package operator

import (
	"cmp"
	"slices"
	"strings"
)

// Template is an endpoint's path as the manifest declares it, compiled: literal
// segments, and names in braces that each stand for exactly one segment.
// The zero value matches nothing.
type Template struct {
	source string
	parts  []part
}

// part is one segment of a template: a literal, or a name when named.
type part struct {
	text  string // decoded literal, or the name
	named bool
}

// CompileTemplate reads a declared path such as /api/users/{id}. The error is an
// Invalid fault.
func CompileTemplate(path string) (Template, error) {
	if path == "" || path[0] != '/' {
		return Template{}, refuse(CodeForm, "An endpoint's path begins with a slash.")
	}
	if strings.ContainsAny(path, "?#") {
		return Template{}, refuse(CodeCharacter, "An endpoint's path has neither query nor fragment.")
	}
	t := Template{source: path}
	segments := strings.Split(path[1:], "/")
	for i, segment := range segments {
		p, err := compilePart(segment, i == len(segments)-1)
		if err != nil {
			return Template{}, err
		}
		if p.named && slices.Contains(t.parts, p) {
			return Template{}, refuse(CodeName, "The endpoint's path uses the name %q twice.", p.text)
		}
		t.parts = append(t.parts, p)
	}
	return t, nil
}

// compilePart reads one segment of a template. What stands between the names
// obeys the rules of a request; only the last segment may be empty.
func compilePart(segment string, last bool) (part, error) {
	if segment == "" {
		if !last {
			return part{}, refuse(CodeSeparator, "An endpoint's path has an empty segment.")
		}
		return part{}, nil
	}
	if name, named := templateName(segment); named {
		return part{text: name, named: true}, nil
	}
	literal, err := decodeSegment(segment)
	if err != nil {
		return part{}, err
	}
	return part{text: literal}, judgeSegment(literal)
}

// templateName returns the name of a segment of the form {name}.
func templateName(segment string) (string, bool) {
	name, open := strings.CutPrefix(segment, "{")
	name, closed := strings.CutSuffix(name, "}")
	if !open || !closed || name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "", false
	}
	return name, true
}

// String returns the path as it was declared.
func (t Template) String() string { return t.source }

// Names returns the names in the order they stand in the path.
func (t Template) Names() []string {
	var names []string
	for _, p := range t.parts {
		if p.named {
			names = append(names, p.text)
		}
	}
	return names
}

// Match returns the values that segments (see CanonicalPath) give to the names,
// decoded. Letters match in their own case only, and a trailing slash only where
// the template has one.
func (t Template) Match(segments []string) (params map[string]string, ok bool) {
	if len(segments) != len(t.parts) || len(t.parts) == 0 {
		return nil, false
	}
	for i, p := range t.parts {
		if p.named && segments[i] == "" || !p.named && segments[i] != p.text {
			return nil, false
		}
	}
	params = make(map[string]string)
	for i, p := range t.parts {
		if p.named {
			params[p.text] = segments[i]
		}
	}
	return params, true
}

// Expand returns the encoded path with the values put in, each as exactly one
// segment. Without a value for a name it returns that name and no error; a value
// that could be anything else than one canonical segment is an Invalid fault.
func (t Template) Expand(params map[string]string) (path, missing string, err error) {
	var b strings.Builder
	for _, p := range t.parts {
		segment := p.text
		if p.named {
			value, given := params[p.text]
			if !given {
				return "", p.text, nil
			}
			if value == "" {
				return "", "", refuse(CodeBlank, "The value of %q is empty.", p.text)
			}
			if err := judgeSegment(value); err != nil {
				return "", "", err
			}
			segment = value
		}
		b.WriteByte('/')
		encodeSegment(&b, segment)
	}
	if b.Len() > MaxPath {
		return "", "", refuse(CodeLength, "The path is longer than %d bytes.", MaxPath)
	}
	return b.String(), "", nil
}

// Compare orders templates for matching, the more specific one first: where two
// match one path, a literal segment wins over a name, the leftmost one deciding.
func (t Template) Compare(u Template) int {
	for i := range min(len(t.parts), len(u.parts)) {
		switch {
		case t.parts[i].named == u.parts[i].named:
			continue
		case u.parts[i].named:
			return -1
		default:
			return 1
		}
	}
	return cmp.Or(cmp.Compare(len(t.parts), len(u.parts)), cmp.Compare(t.source, u.source))
}

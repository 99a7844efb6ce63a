package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxNodes bounds how many values aliases may unfold to: as many as a document
// of MaxBytes could spell out.
const maxNodes = MaxBytes / 2

// readYAML reads exactly one document and makes of it what the same JSON would be.
func readYAML(data []byte) (value, error) {
	if err := checkBytes(data); err != nil {
		return value{}, err
	}
	if i := bytes.IndexFunc(data, isControl); i >= 0 {
		return value{}, badSyntax(data, int64(i), "json.malformed", "a control character stands in the document")
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); err != nil {
		return value{}, yamlSyntax(err)
	}
	if err := dec.Decode(&more); err == nil {
		return value{}, badNode(&more, "json.malformed", "a second document begins")
	} else if !errors.Is(err, io.EOF) {
		return value{}, yamlSyntax(err)
	}
	r := yamlReader{nodes: maxNodes, bytes: MaxBytes}
	return r.value(doc.Content[0], 1)
}

// isControl reports whether r may not stand in a YAML document (YAML 1.2, 5.1).
func isControl(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r >= 0x7f && r < 0xa0 && r != 0x85 || r == 0xfffe || r == 0xffff
}

// yamlSyntax says what the YAML parser refused. It knows lines only, and leaves
// out the first.
func yamlSyntax(err error) error {
	if errors.Is(err, io.EOF) {
		return &syntaxError{"json.malformed", "line 1, column 1: the document is empty"}
	}
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if strings.Contains(message, "exceeded max depth") {
		return &syntaxError{"json.too_deep", fmt.Sprintf("the document is nested deeper than %d levels", MaxDepth)}
	}
	if !strings.HasPrefix(message, "line ") {
		message = "line 1: " + message
	}
	return &syntaxError{"json.malformed", show(message)}
}

// badNode returns a syntaxError at a node.
func badNode(n *yaml.Node, rule, format string, args ...any) error {
	return &syntaxError{rule, fmt.Sprintf("line %d, column %d: ", n.Line, n.Column) + fmt.Sprintf(format, args...)}
}

// yamlReader turns nodes into values. It counts down how many nodes and bytes
// of text there may still be, since aliases let a short document unfold to an
// endless one.
type yamlReader struct{ nodes, bytes int }

func (r *yamlReader) value(n *yaml.Node, depth int) (value, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	r.nodes, r.bytes = r.nodes-1, r.bytes-len(n.Value)
	if r.nodes < 0 || r.bytes < 0 {
		return value{}, badNode(n, "json.too_large", "the document unfolds to more than %d values or %d KiB", maxNodes, MaxBytes>>10)
	}
	if n.Kind == yaml.ScalarNode {
		return scalar(n)
	}
	if depth > MaxDepth {
		return value{}, badNode(n, "json.too_deep", "the document is nested deeper than %d levels", MaxDepth)
	}
	switch tag := n.ShortTag(); {
	case n.Kind == yaml.SequenceNode && tag == "!!seq":
		return r.sequence(n, depth)
	case n.Kind == yaml.MappingNode && tag == "!!map":
		return r.mapping(n, depth)
	}
	return value{}, badNode(n, "json.malformed", "the tag %s has no form in JSON", show(n.Tag))
}

func (r *yamlReader) sequence(n *yaml.Node, depth int) (value, error) {
	v := value{kind: array}
	for _, c := range n.Content {
		item, err := r.value(c, depth+1)
		if err != nil {
			return v, err
		}
		v.items = append(v.items, item)
	}
	return v, nil
}

func (r *yamlReader) mapping(n *yaml.Node, depth int) (value, error) {
	v := value{kind: object}
	var seen keySet
	for i := 0; i < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			return v, badNode(n.Content[i], "json.malformed", "a key must be a string; put it in quotes")
		}
		if r.bytes -= len(key.Value); r.bytes < 0 {
			return v, badNode(n.Content[i], "json.too_large", "the document unfolds to more than %d KiB", MaxBytes>>10)
		}
		if !seen.add(v.keys, key.Value) {
			return v, badNode(n.Content[i], "json.duplicate_key", "the key '%s' stands twice in one object", show(key.Value))
		}
		member, err := r.value(n.Content[i+1], depth+1)
		if err != nil {
			return v, err
		}
		v.keys, v.items = append(v.keys, key.Value), append(v.items, member)
	}
	return v, nil
}

// jsonNumber is the grammar of RFC 8259, 6.
var jsonNumber = regexp.MustCompile(`^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$`)

// scalar returns the JSON value of a scalar node. Dates stay the strings they
// are written as; numbers JSON cannot write are refused.
func scalar(n *yaml.Node) (value, error) {
	switch n.ShortTag() {
	case "!!null":
		return value{kind: null}, nil
	case "!!str", "!!timestamp":
		if n.Style == 0 && jsonNumber.MatchString(n.Value) { // a plain number too large for a double
			return value{kind: number, text: n.Value}, nil
		}
		return value{kind: text, text: n.Value}, nil
	case "!!bool":
		var b bool
		if n.Decode(&b) == nil {
			return value{kind: boolean, truth: b}, nil
		}
	case "!!int", "!!float":
		if jsonNumber.MatchString(n.Value) {
			return value{kind: number, text: n.Value}, nil
		}
		if n.ShortTag() == "!!int" {
			return wholeNumber(n)
		}
		var f float64
		if n.Decode(&f) == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return value{kind: number, text: strconv.FormatFloat(f, 'g', -1, 64)}, nil
		}
	}
	return value{}, noForm(n)
}

// wholeNumber returns an integer that JSON would write otherwise, such as 0x1f.
func wholeNumber(n *yaml.Node) (value, error) {
	var i int64
	var u uint64
	switch {
	case n.Decode(&i) == nil:
		return value{kind: number, text: strconv.FormatInt(i, 10)}, nil
	case n.Decode(&u) == nil:
		return value{kind: number, text: strconv.FormatUint(u, 10)}, nil
	}
	return value{}, noForm(n)
}

// noForm refuses a scalar that JSON cannot write.
func noForm(n *yaml.Node) error {
	return badNode(n, "json.malformed", "'%s' (%s) has no form in JSON", show(n.Value), show(n.ShortTag()))
}

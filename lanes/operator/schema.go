package operator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/vivified/vivified/core/canon"
	"github.com/vivified/vivified/core/fault"
)

// Codes of documents that break an endpoint's schemas.
const (
	CodeInput  = "operator.schema" // what the caller sent
	CodeOutput = "target.schema"   // what the target answered
)

// input is an endpoint's request schema.
type input struct {
	schema *canon.Schema
	types  map[string][]string // of the members it names at the top
}

// readInput compiles a request schema; nil when there is none.
func readInput(raw json.RawMessage) (*input, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	schema, err := canon.CompileSchema(raw)
	if err != nil {
		return nil, err
	}
	in := &input{schema: schema, types: map[string][]string{}}
	var top struct {
		Properties map[string]json.RawMessage `json:"properties"`
		Required   []string                   `json:"required"`
	}
	_ = json.Unmarshal(raw, &top) // a schema that is true or false names nothing
	for _, name := range top.Required {
		in.types[name] = nil
	}
	for name, property := range top.Properties {
		var one struct{ Type string }
		var several struct{ Type []string }
		switch {
		case json.Unmarshal(property, &one) == nil:
			in.types[name] = []string{one.Type}
		case json.Unmarshal(property, &several) == nil:
			in.types[name] = several.Type
		default:
			in.types[name] = nil
		}
	}
	return in, nil
}

// check holds what the target will receive against the schema: its body, or, for
// a method without one, its query as an object. Values that went into the path
// belong to it where the schema names them. The error is an Unprocessable fault
// with every violation.
func (in *input) check(operation string, query url.Values, body []byte, bodyless bool, path map[string]string) error {
	doc := body
	if bodyless {
		doc = in.object(query)
	} else if len(bytes.TrimSpace(doc)) == 0 {
		doc = []byte("{}")
	}
	if at, twice := repeated(doc); twice {
		return in.refusal(operation, fault.Violation{Rule: CodeInput, Path: at, Message: "The member stands twice in its object."})
	}
	found, err := in.schema.Check(in.withPath(doc, path), CodeInput)
	if err != nil {
		return in.refusal(operation, fault.Violation{Rule: CodeInput, Message: "The body is not JSON."})
	}
	if len(found) > 0 {
		return in.refusal(operation, found...)
	}
	return nil
}

func (in *input) refusal(operation string, found ...fault.Violation) error {
	f := fault.New(fault.Unprocessable, CodeInput, "The request does not fit what %s takes.", operation)
	f.Violations = found
	return f
}

// withPath adds the values of the path that the schema names to an object.
func (in *input) withPath(doc []byte, path map[string]string) []byte {
	var members map[string]json.RawMessage
	added := false
	for name, value := range path {
		if _, named := in.types[name]; !named {
			continue
		}
		if members == nil && (json.Unmarshal(doc, &members) != nil || members == nil) {
			return doc
		}
		if _, sent := members[name]; !sent {
			members[name], added = in.value(name, value), true
		}
	}
	if !added {
		return doc
	}
	whole, _ := json.Marshal(members)
	return whole
}

// object reads a query as an object.
func (in *input) object(query url.Values) []byte {
	members := make(map[string]any, len(query))
	for name, values := range query {
		if len(values) == 1 && !slices.Contains(in.types[name], "array") {
			members[name] = in.value(name, values[0])
			continue
		}
		members[name] = values
	}
	doc, _ := json.Marshal(members)
	return doc
}

// value is what text stands for: a number, true or false where the schema wants
// that and the text spells it, else the text.
func (in *input) value(name, text string) json.RawMessage {
	for _, want := range in.types[name] {
		var v any
		if json.Unmarshal([]byte(text), &v) != nil {
			break
		}
		switch v.(type) {
		case float64:
			if want == "number" || want == "integer" {
				return json.RawMessage(text)
			}
		case bool:
			if want == "boolean" {
				return json.RawMessage(text)
			}
		}
	}
	quoted, _ := json.Marshal(text)
	return quoted
}

// repeated finds a member that stands twice in one object of doc: two readers
// could take different ones, and only one of them would have been checked.
func repeated(doc []byte) (at string, twice bool) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	at, err := scan(d, 0)
	return at, errors.Is(err, errRepeated)
}

var (
	errRepeated = errors.New("repeated member")
	errDeep     = errors.New("nested too deeply")
)

// maxDepth bounds how deep a document may be nested that is held against a schema.
const maxDepth = 1000

// scan reads one value and returns where in it a member is repeated.
func scan(d *json.Decoder, depth int) (at string, err error) {
	token, err := d.Token()
	if err != nil || token != json.Delim('{') && token != json.Delim('[') {
		return "", err
	}
	if depth == maxDepth {
		return "", errDeep
	}
	seen := map[string]bool{}
	for i := 0; d.More(); i++ {
		part := strconv.Itoa(i)
		if token == json.Delim('{') {
			name, err := d.Token()
			if err != nil {
				return "", err
			}
			part, _ = name.(string)
			if seen[part] {
				return "/" + pointer.Replace(part), errRepeated
			}
			seen[part] = true
		}
		if at, err = scan(d, depth+1); err != nil {
			return "/" + pointer.Replace(part) + at, err
		}
	}
	_, err = d.Token() // the end of the object or array
	return "", err
}

// pointer escapes a part of a JSON Pointer (RFC 6901).
var pointer = strings.NewReplacer("~", "~0", "/", "~1")

// readOutput compiles a response schema; nil when there is none.
func readOutput(raw json.RawMessage) (*canon.Schema, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	return canon.CompileSchema(raw)
}

// checkOutput holds a target's answer against the schema. The error is a
// BadGateway fault; where the answer breaks the schema goes into the log only,
// and what stands there nowhere: it may be what the caller must not see.
func checkOutput(schema *canon.Schema, target, operation string, doc []byte) error {
	found, err := schema.Check(doc, CodeOutput)
	if err == nil && len(found) == 0 {
		return nil
	}
	f := fault.New(fault.BadGateway, CodeOutput, "%s answered %s with something that does not fit the schema in its manifest.", target, operation)
	if err != nil {
		return f.Because(err)
	}
	paths := make([]string, 0, len(found))
	for _, v := range found {
		paths = append(paths, strconv.Quote(v.Path))
	}
	return f.Because(fmt.Errorf("%d violations, at %s", len(found), strings.Join(paths, ", ")))
}

// readWhole reads a body of at most limit bytes. The error is io.ErrUnexpectedEOF
// for a longer one.
func readWhole(body io.Reader, limit int64) ([]byte, error) {
	doc, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err == nil && int64(len(doc)) > limit {
		err = io.ErrUnexpectedEOF
	}
	return doc, err
}

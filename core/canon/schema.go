package canon

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/vivified/vivified/core/fault"
)

// Schema holds documents against a JSON Schema (2020-12, unless it names another
// draft). It is immutable and safe for concurrent use.
type Schema struct{ compiled *jsonschema.Schema }

// nowhere refuses to load a schema from anywhere.
type nowhere struct{}

func (nowhere) Load(string) (any, error) {
	return nil, errors.New("schemas are not loaded from elsewhere")
}

// CompileSchema compiles a schema. It refers to nothing outside itself.
func CompileSchema(raw json.RawMessage) (*Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(nowhere{})
	const here = "schema:/document.json"
	if err := c.AddResource(here, doc); err != nil {
		return nil, err
	}
	compiled, err := c.Compile(here)
	if err != nil {
		return nil, err
	}
	return &Schema{compiled}, nil
}

// maxViolations bounds what one answer lists.
const maxViolations = 20

// errNotJSON is what Check returns for anything that is not one JSON value.
var errNotJSON = errors.New("not JSON")

// Check returns where doc breaks the schema, at most 20 violations, each under
// the rule violated; none when it stands. The error says that doc is not JSON.
func (s *Schema) Check(doc []byte, violated string) ([]fault.Violation, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(doc))
	if err != nil {
		return nil, errNotJSON
	}
	if at, ok := endlessNumber(value, ""); ok {
		return []fault.Violation{{Rule: violated, Path: at, Message: "The number is beyond what a double holds, or has more than 64 digits."}}, nil
	}
	err = s.compiled.Validate(value)
	bad, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return nil, err
	}
	var found []fault.Violation
	printer := message.NewPrinter(language.English)
	var walk func(*jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		if len(e.Causes) == 0 && len(found) < maxViolations {
			path := ""
			for _, part := range e.InstanceLocation {
				path += "/" + pointer(part)
			}
			found = append(found, fault.Violation{Rule: violated, Path: path, Message: e.ErrorKind.LocalizedString(printer)})
		}
		for _, c := range e.Causes {
			walk(c)
		}
	}
	walk(bad)
	// The library goes through an object's members in the order of a Go map.
	slices.SortStableFunc(found, func(a, b fault.Violation) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
	return found, nil
}

// endlessNumber finds a number that schemas are not held against: they compute
// with exact fractions, in which 1e999999999 has a billion digits.
func endlessNumber(v any, at string) (path string, found bool) {
	switch v := v.(type) {
	case json.Number:
		text := string(v)
		f, err := strconv.ParseFloat(text, 64)
		mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
		return at, err != nil || len(text) > 64 || f == 0 && strings.ContainsAny(mantissa, "123456789")
	case []any:
		for i, item := range v {
			if path, found = endlessNumber(item, at+"/"+strconv.Itoa(i)); found {
				return path, true
			}
		}
	case map[string]any:
		for key, member := range v {
			if path, found = endlessNumber(member, at+"/"+pointer(key)); found {
				return path, true
			}
		}
	}
	return "", false
}

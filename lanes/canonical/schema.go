package canonical

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/vivified/vivified/core/canon"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
)

// compile prepares what a manifest declares. A schema this version cannot
// compile leaves its type undeclared: nothing is published without its check.
func compile(m *manifest.Manifest) *publications {
	ps := &publications{by: make(map[string]publication, len(m.Events.Publishes))}
	for _, declared := range m.Events.Publishes {
		p := publication{declared: declared}
		var err error
		if p.marks, err = canon.ReadMarks(declared.Schema); err != nil {
			continue
		}
		if len(declared.Schema) > 0 {
			if p.schema, err = compileSchema(declared.Schema); err != nil {
				continue
			}
			sum := sha256.Sum256(declared.Schema)
			p.digest = hex.EncodeToString(sum[:8])
		}
		ps.by[declared.Type] = p
	}
	return ps
}

// nowhere refuses to load a schema from anywhere.
type nowhere struct{}

func (nowhere) Load(string) (any, error) {
	return nil, errors.New("schemas are not loaded from elsewhere")
}

func compileSchema(raw json.RawMessage) (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(nowhere{})
	if err := c.AddResource("schema:/event.json", doc); err != nil {
		return nil, err
	}
	return c.Compile("schema:/event.json")
}

// maxViolations bounds what one refusal lists.
const maxViolations = 20

// check holds data against the declared schema.
func (p publication) check(data json.RawMessage) error {
	if p.schema == nil {
		return nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return fault.New(fault.Invalid, "event.data", "The event's data is not JSON.")
	}
	err = p.schema.Validate(doc)
	bad, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return err
	}
	f := fault.New(fault.Unprocessable, "event.schema", "The data of %s does not match the schema its manifest declares.", p.declared.Type)
	printer := message.NewPrinter(language.English)
	var walk func(*jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		if len(e.Causes) == 0 && len(f.Violations) < maxViolations {
			path := ""
			for _, part := range e.InstanceLocation {
				path += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(part)
			}
			f.Violations = append(f.Violations, fault.Violation{
				Rule: "event.schema", Path: path, Message: e.ErrorKind.LocalizedString(printer), Fix: "Publish what the manifest declares, or declare what you publish.",
			})
		}
		for _, c := range e.Causes {
			walk(c)
		}
	}
	walk(bad)
	return f
}

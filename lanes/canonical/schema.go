package canonical

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/vivified/vivified/core/canon"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
)

// publications are the declarations of one manifest, compiled.
type publications struct {
	by map[string]publication // by declared type or pattern
}

// publication is one event type a plugin may publish.
type publication struct {
	declared manifest.Publish
	marks    *canon.Marks
	schema   *canon.Schema // nil: none was declared
	digest   string        // of the schema, to know marks of another version
}

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
			if p.schema, err = canon.CompileSchema(declared.Schema); err != nil {
				continue
			}
			sum := sha256.Sum256(declared.Schema)
			p.digest = hex.EncodeToString(sum[:8])
		}
		ps.by[declared.Type] = p
	}
	return ps
}

// check holds data against the declared schema.
func (p publication) check(data json.RawMessage) error {
	if p.schema == nil {
		return nil
	}
	bad, err := p.schema.Check(data, "event.schema")
	if err != nil {
		return fault.New(fault.Invalid, "event.data", "The event's data is not JSON.").Because(err)
	}
	if len(bad) == 0 {
		return nil
	}
	for i := range bad {
		bad[i].Fix = "Publish what the manifest declares, or declare what you publish."
	}
	f := fault.New(fault.Unprocessable, "event.schema", "The data of %s does not match the schema its manifest declares.", p.declared.Type)
	f.Violations = bad
	return f
}

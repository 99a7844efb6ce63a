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
	by           map[string]publication  // by declared type or pattern
	hears        map[string]*transformer // for what is received, by type or pattern
	transformers []*transformer          // all of them
}

// publication is one event type a plugin may publish.
type publication struct {
	declared manifest.Publish
	marks    *canon.Marks
	schema   *canon.Schema // nil: none was declared
	digest   string        // of the schema, to know marks of another version

	transformer *transformer // from the publisher's own form; nil: it sends the declared one
}

// compile prepares what a manifest declares. A schema this version cannot
// compile leaves its type undeclared: nothing is published without its check.
func compile(m *manifest.Manifest) *publications {
	ps := &publications{by: make(map[string]publication, len(m.Events.Publishes)), hears: map[string]*transformer{}}
	says := map[string]*transformer{}
	for _, declared := range m.Transformers {
		t := compileTransformer(declared)
		ps.transformers = append(ps.transformers, t)
		if to, ok := manifest.NormalizeEventPattern(declared.To); ok && m.Says(declared) {
			says[to] = t
		}
		if from, ok := manifest.NormalizeEventPattern(declared.From); ok && m.Hears(declared) {
			ps.hears[from] = t
		}
	}
	for _, declared := range m.Events.Publishes {
		p := publication{declared: declared, transformer: says[declared.Type]}
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

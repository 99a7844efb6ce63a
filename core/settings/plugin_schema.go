package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/vivified/vivified/core/fault"
)

// schemaURL names the schema being compiled; it is never looked up.
const schemaURL = "config:///schema.json"

// offline refuses to load anything: a schema points into itself only.
type offline struct{}

func (offline) Load(string) (any, error) {
	return nil, errors.New("references may only point into the schema itself")
}

// note is what we keep of every subschema: whether it is marked x-secret, and
// the steps that its whole schema may still take.
type note struct {
	secret bool
	steps  *int
}

// Validate counts a step.
func (n note) Validate(*jsonschema.ValidatorContext, any) {
	if *n.steps--; *n.steps < 0 {
		panic(tooManySteps{})
	}
}

// maxSteps bounds how often subschemas are applied to one document. A small
// schema that refers to itself twice at each level would never come to an end;
// an honest one takes a few steps for each value.
const maxSteps = 200_000

type tooManySteps struct{}

// notes makes the compiler keep a note of every subschema. Any x-secret but
// false marks a secret: a doubtful mark protects.
func notes(steps *int) *jsonschema.Vocabulary {
	return &jsonschema.Vocabulary{
		URL: "config:///notes",
		Compile: func(_ *jsonschema.CompilerContext, o map[string]any) (jsonschema.SchemaExt, error) {
			mark, ok := o["x-secret"]
			return note{secret: ok && mark != false, steps: steps}, nil
		},
	}
}

// schema is the config_schema of a manifest.
type schema struct {
	root  *jsonschema.Schema
	any   place // of the whole document
	sure  place // of the whole document
	steps *int
}

// validate applies the schema to a document: nil, a *jsonschema.ValidationError,
// or an Unprocessable fault when there is no end to it.
func (s *schema) validate(doc any) (err error) {
	defer func() {
		switch p := recover().(type) {
		case nil:
		case tooManySteps:
			err = fault.New(fault.Unprocessable, "config.schema", "The plugin's schema takes too long to check; its author must simplify it.")
		default:
			panic(p)
		}
	}()
	*s.steps = maxSteps
	return s.root.Validate(doc)
}

// compile reads the config_schema of a manifest. Without one any object is fine,
// and none of it secret.
func compile(raw json.RawMessage) (*schema, error) {
	if len(raw) == 0 {
		raw = json.RawMessage(`{"type": "object"}`)
	}
	doc, err := decodeJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("read config_schema: %w", err)
	}
	wrapRefs(doc)
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseLoader(offline{})
	c.AssertFormat()
	c.RegisterFormat(&jsonschema.Format{Name: "ip", Validate: isIP})
	steps := 0
	c.RegisterVocabulary(notes(&steps))
	c.AssertVocabs()
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, fmt.Errorf("read config_schema: %w", err)
	}
	root, err := c.Compile(schemaURL)
	if err != nil {
		return nil, fmt.Errorf("compile config_schema: %w", err)
	}
	all := []*jsonschema.Schema{root}
	return &schema{root: root, any: place{}.of(all, false), sure: place{sure: true}.of(all, false), steps: &steps}, nil
}

// isIP is the format ip, either version: a plugin that listens takes both.
func isIP(v any) error {
	if s, ok := v.(string); ok {
		_, err := netip.ParseAddr(s)
		return err
	}
	return nil
}

// wrapRefs moves a $ref beside x-secret into an allOf, which means the same.
// Drafts before 2019-09 ignore whatever stands beside a $ref, the mark too.
func wrapRefs(v any) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			wrapRefs(item)
		}
	case map[string]any:
		for _, member := range v {
			wrapRefs(member)
		}
		ref, isRef := v["$ref"].(string)
		if _, marked := v["x-secret"]; !isRef || !marked {
			return
		}
		all, _ := v["allOf"].([]any)
		v["allOf"] = append(slices.Clone(all), map[string]any{"$ref": ref})
		delete(v, "$ref")
	}
}

// place is every subschema that may have a say about one location of a
// document, alternatives and conditions included: what one of them calls a
// secret is one. A sure place has only those that hold in any case.
type place struct {
	schemas []*jsonschema.Schema
	marked  bool // a secret by its parent's mark
	sure    bool
}

// of returns the place of schemas and all they lead to, as sure as p.
func (p place) of(schemas []*jsonschema.Schema, marked bool) place {
	q, seen := place{marked: marked, sure: p.sure}, map[*jsonschema.Schema]bool{nil: true}
	for _, s := range schemas {
		q.add(s, seen)
	}
	return q
}

func (p *place) add(s *jsonschema.Schema, seen map[*jsonschema.Schema]bool) {
	if seen[s] {
		return
	}
	seen[s] = true
	p.schemas = append(p.schemas, s)
	follow := append(slices.Clone(s.AllOf), s.Ref, s.RecursiveRef)
	if s.DynamicRef != nil {
		follow = append(follow, s.DynamicRef.Ref)
	}
	if !p.sure {
		follow = slices.Concat(follow, s.AnyOf, s.OneOf, []*jsonschema.Schema{s.If, s.Then, s.Else}, slices.Collect(maps.Values(s.DependentSchemas)))
		for _, d := range s.Dependencies { // before 2019-09
			t, _ := d.(*jsonschema.Schema)
			follow = append(follow, t)
		}
	}
	for _, t := range follow {
		p.add(t, seen)
	}
}

// secret reports whether what lies here is sealed as a whole. A list of secrets
// is one: its items have no names by which one of them could be kept.
func (p place) secret() bool {
	return p.marked || slices.ContainsFunc(p.schemas, isMarked) || slices.ContainsFunc(p.item().schemas, isMarked)
}

func isMarked(s *jsonschema.Schema) bool {
	return slices.ContainsFunc(s.Extensions, func(e jsonschema.SchemaExt) bool { n, ok := e.(note); return ok && n.secret })
}

// member returns the place of a property. What lies in a secret is secret.
func (p place) member(name string) place {
	var list []*jsonschema.Schema
	for _, s := range p.schemas {
		known := false
		if t, ok := s.Properties[name]; ok {
			list, known = append(list, t), true
		}
		for pattern, t := range s.PatternProperties {
			if pattern.MatchString(name) {
				list, known = append(list, t), true
			}
		}
		if t, ok := s.AdditionalProperties.(*jsonschema.Schema); ok && !known {
			list = append(list, t)
		}
		list = append(list, s.UnevaluatedProperties)
	}
	return p.of(list, p.marked || slices.ContainsFunc(p.schemas, isMarked))
}

// item returns the place of the items of a list: of every one, whichever its index.
func (p place) item() place {
	var list []*jsonschema.Schema
	for _, s := range p.schemas {
		list = append(append(list, s.PrefixItems...), s.Items2020, s.UnevaluatedItems)
		for _, v := range []any{s.Items, s.AdditionalItems} { // before 2020-12
			switch v := v.(type) {
			case *jsonschema.Schema:
				list = append(list, v)
			case []*jsonschema.Schema:
				list = append(list, v...)
			}
		}
	}
	return p.of(list, p.marked)
}

// names returns the declared properties, and whether there may be others. An
// object that declares properties and says nothing of others takes no others: a
// mistyped name would be stored, ignored, and if it was a secret's, in clear.
func (p place) names() (names []string, open bool) {
	for _, s := range p.schemas {
		names = slices.AppendSeq(names, maps.Keys(s.Properties))
		if s.AdditionalProperties != nil || s.UnevaluatedProperties != nil || len(s.PatternProperties) > 0 {
			open = true
		}
	}
	slices.Sort(names)
	return slices.Compact(names), open || len(names) == 0
}

// defaultOf returns the default of a property, if it has one.
func (p place) defaultOf(name string) (any, bool) {
	for _, s := range p.member(name).schemas {
		if s.Default != nil {
			return *s.Default, true
		}
	}
	return nil, false
}

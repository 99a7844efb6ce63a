package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/vivified/vivified/core/fault"
)

// findings is what a schema says against a document. No sentence quotes a value
// of the document: it may be a secret, or about a person.
type findings struct {
	broken  []fault.Violation
	missing []fault.Violation // required and absent
	secrets []fault.Violation // the same, of secrets: they may be given later
}

// check holds a whole document, defaults filled in, against the schema.
func (s *schema) check(doc any) (*findings, error) {
	f := &findings{}
	f.undeclared(doc, s.any, nil)
	err := s.validate(doc)
	if invalid, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		f.read(invalid, s.any)
	} else if err != nil {
		return nil, err
	}
	for _, list := range []*[]fault.Violation{&f.broken, &f.missing, &f.secrets} {
		slices.SortStableFunc(*list, func(a, b fault.Violation) int { return strings.Compare(a.Path+"\x00"+a.Rule, b.Path+"\x00"+b.Rule) })
		*list = slices.Compact(*list) // alternatives may say the same
	}
	return f, nil
}

// undeclared notes members that nobody declared: see place.names.
func (f *findings) undeclared(v any, at place, path []string) {
	switch v := v.(type) {
	case map[string]any:
		if names, others := at.names(); !others {
			for name := range v {
				if !slices.Contains(names, name) {
					f.unknown(append(slices.Clone(path), name), names)
				}
			}
		}
		for name, value := range v {
			if member := at.member(name); !member.secret() {
				f.undeclared(value, member, append(slices.Clone(path), name))
			}
		}
	case []any:
		for i, value := range v {
			f.undeclared(value, at.item(), append(slices.Clone(path), strconv.Itoa(i)))
		}
	}
}

func (f *findings) unknown(path, names []string) {
	name := path[len(path)-1]
	f.add(&f.broken, "config.unknown", path, fmt.Sprintf("There is no setting %q.%s", clip(name), didYouMean(name, names)))
}

// read notes the leaves of e.
func (f *findings) read(e *jsonschema.ValidationError, root place) {
	path := e.InstanceLocation
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		f.absent(path, k.Missing, root, "is required")
	case *kind.DependentRequired:
		f.absent(path, k.Missing, root, "is required beside "+k.Prop)
	case *kind.Dependency:
		f.absent(path, k.Missing, root, "is required beside "+k.Prop)
	case *kind.AdditionalProperties:
		names, _ := root.at(path).names()
		for _, name := range k.Properties {
			f.unknown(append(slices.Clone(path), name), names)
		}
	case *kind.OneOf, *kind.AnyOf:
		if meant := meantBranch(e.Causes); meant != nil {
			f.read(meant, root)
			return
		}
		f.say(path, "oneOf", "fits none, or more than one, of the forms it may have")
	case *kind.Not, *kind.Contains, *kind.MinContains, *kind.MaxContains, *kind.PropertyNames, *kind.ContentSchema:
		f.leaf(e)
	default:
		for _, cause := range e.Causes {
			f.read(cause, root)
		}
		if len(e.Causes) == 0 {
			f.leaf(e)
		}
	}
}

// meantBranch returns the one alternative that is refused for something else
// than its discriminator, a const or enum: the one its author meant.
func meantBranch(branches []*jsonschema.ValidationError) *jsonschema.ValidationError {
	var meant *jsonschema.ValidationError
	for _, b := range branches {
		if discriminated(b) {
			continue
		}
		if meant != nil {
			return nil
		}
		meant = b
	}
	return meant
}

func discriminated(e *jsonschema.ValidationError) bool {
	switch e.ErrorKind.(type) {
	case *kind.Const, *kind.Enum:
		return true
	}
	return slices.ContainsFunc(e.Causes, discriminated)
}

// absent notes members that have to be there.
func (f *findings) absent(path, names []string, root place, why string) {
	for _, name := range names {
		at := append(slices.Clone(path), name)
		if root.at(at).secret() {
			f.add(&f.secrets, "config.required", at, title(at)+" "+why+".")
		} else {
			f.add(&f.missing, "config.required", at, title(at)+" "+why+".")
		}
	}
}

// at returns the place of a path from p.
func (p place) at(path []string) place {
	for _, part := range path {
		member := p.member(part)
		if _, err := strconv.Atoi(part); err == nil { // a name of digits or an index: both count
			member.schemas = append(member.schemas, p.item().schemas...)
		}
		p = member
	}
	return p
}

// leaf notes one broken keyword.
func (f *findings) leaf(e *jsonschema.ValidationError) {
	keyword := "unknown" // the schema false
	if path := e.ErrorKind.KeywordPath(); len(path) > 0 {
		keyword = path[0]
	}
	f.say(e.InstanceLocation, keyword, sentence(e.ErrorKind, keyword))
}

func (f *findings) say(path []string, keyword, must string) {
	f.add(&f.broken, "config."+keyword, path, title(path)+" "+must+".")
}

func (f *findings) add(to *[]fault.Violation, rule string, path []string, message string) {
	pointer := ""
	for _, part := range path {
		pointer += "/" + escape(part)
	}
	*to = append(*to, fault.Violation{Rule: rule, Path: pointer, Message: message})
}

// title names a location for people.
func title(path []string) string {
	if len(path) == 0 {
		return "The settings"
	}
	name := clip(strings.Join(path, "."))
	if !printable(name) {
		return strconv.Quote(name)
	}
	return name
}

// sentence says what a value must be, from the schema alone.
func sentence(k jsonschema.ErrorKind, keyword string) string {
	switch k := k.(type) {
	case *kind.Type:
		return "must be of type " + strings.Join(k.Want, " or ")
	case *kind.Enum:
		return "must be one of " + literals(k.Want)
	case *kind.Const:
		return "must be " + literals([]any{k.Want})
	case *kind.Format:
		return "must be a valid " + k.Want
	case *kind.Pattern:
		return "must match the pattern " + k.Want
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters", k.Want)
	case *kind.Minimum:
		return "must be at least " + number(k.Want)
	case *kind.Maximum:
		return "must be at most " + number(k.Want)
	case *kind.ExclusiveMinimum:
		return "must be more than " + number(k.Want)
	case *kind.ExclusiveMaximum:
		return "must be less than " + number(k.Want)
	case *kind.MultipleOf:
		return "must be a multiple of " + number(k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d items", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d items", k.Want)
	case *kind.UniqueItems:
		return fmt.Sprintf("has equal items at %d and %d", k.Duplicates[0], k.Duplicates[1])
	case *kind.MinProperties:
		return fmt.Sprintf("must have at least %d members", k.Want)
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %d members", k.Want)
	case *kind.FalseSchema:
		return "is not allowed here"
	}
	return "breaks the rule " + keyword + " of the plugin's schema"
}

// literals writes values of the schema, not of a document.
func literals(values []any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		raw, err := json.Marshal(v)
		if err != nil {
			raw = []byte("?")
		}
		texts[i] = string(raw)
	}
	return strings.Join(texts, ", ")
}

// number writes a bound of the schema.
func number(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}

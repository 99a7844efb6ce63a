package policy

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/schema/validate"
)

// validator checks rules against the schema. It is made once.
var validator = sync.OnceValue(func() *validate.Validator { return validate.New(schema(), validate.WithStrict()) })

// validate checks a rule against the schema with Cedar's own validator.
func (s *statement) validate(rule *ast.Policy) (found []Finding) {
	defer func() {
		if x := recover(); x != nil {
			found = []Finding{s.finding(s.tokens[0].at, "This rule cannot be checked.", "Write it in a simpler way.")}
		}
	}()
	for _, u := range unnamed(rule) {
		found = append(found, s.finding(s.at(u), "There is no action “"+u+"”.", "The schema lists all actions."))
	}
	if found != nil {
		return found
	}
	err := validator().Policy("", rule)
	if err == nil {
		return nil
	}
	for _, e := range flatten(err) {
		if what := e.Error(); what != inapplicable {
			found = append(found, s.invalid(what))
		}
	}
	if found == nil { // it follows from the others
		found = append(found, s.invalid(inapplicable))
	}
	return found
}

// inapplicable is what the validator says of a scope that no action has.
const inapplicable = "unable to find an applicable action given the policy scope constraints"

// unnamed returns the actions a rule names that stand for others: nobody is to
// name those.
func unnamed(rule *ast.Policy) (all []string) {
	check := func(name string) {
		if strings.HasSuffix(name, restOfFamily) {
			all = append(all, name)
		}
	}
	switch scope := rule.Action.(type) {
	case ast.ScopeTypeEq:
		check(string(scope.Entity.ID))
	case ast.ScopeTypeIn:
		check(string(scope.Entity.ID))
	case ast.ScopeTypeInSet:
		for _, e := range scope.Entities {
			check(string(e.ID))
		}
	}
	return all
}

// said is how Cedar's validator words what it finds, and how we do. The first
// group of the pattern is what the place is looked for by.
var said = []struct {
	pattern      *regexp.Regexp
	message, fix string
}{
	{regexp.MustCompile("^unrecognized action `Action::\"(.*)\"`$"), "There is no action “$1”.", "The schema lists all actions; a family is a group: action in Action::\"plugin\"."},
	{regexp.MustCompile("^unrecognized action `(.*)`$"), "There is no action “$1”.", "The schema lists all actions."},
	{regexp.MustCompile("^unrecognized entity type `(.*)`$"), "There is no type “$1”.", "The types are User, Plugin, Operation, EventType, Domain and Object."},
	{regexp.MustCompile("^attribute `(?:.*\\.)?([^.`]*)` on entity type `(.*)` not found$"), "A $2 has no attribute “$1”.", "The schema lists the attributes of every type."},
	{regexp.MustCompile("^attribute `(?:.*\\.)?([^.`]*)` in context for .* not found$"), "The context has no attribute “$1”.", "It has time, hour, minute, weekday, method, trace and on_behalf."},
	{regexp.MustCompile("^unable to guarantee safety of access to optional attribute `(?:.*\\.)?([^.`]*)`.*$"), "“$1” is not always there.", "Ask first: context has $1 && …"},
	{regexp.MustCompile("^" + inapplicable + "$"), "No action has such a principal and resource together.", "The schema says for each action who asks and what it is about."},
	{regexp.MustCompile("^unexpected type: expected (.*) but saw (.*)$"), "Here belongs $1, and not $2.", "The schema lists the type of every attribute."},
	{regexp.MustCompile("^the types (.*) are not compatible$"), "These types cannot be compared: $1.", "Compare values of one type."},
	{regexp.MustCompile("^empty set literals are forbidden in policies$"), "An empty set is written here.", "Use isEmpty() to ask for an empty one."},
	{regexp.MustCompile("^extension constructors may not be called with non-literal expressions$"), "The value must be written out here.", "Write it in quotation marks."},
	{regexp.MustCompile(`^wrong number of arguments in extension function application\. Expected (\d+), got (\d+)$`), "$2 values are given where $1 belong.", "Compare it with Cedar's reference."},
	{regexp.MustCompile("^error during extension function argument validation: failed to parse as (.*?): `\"(.*)\"`$"), "“$2” is not $1.", "A datetime reads 2026-12-24 or 2026-12-24T18:00:00Z, a duration 1d2h30m."},
}

// types are Cedar's names of types, as people say them.
var cedarTypes = strings.NewReplacer(
	"__cedar::internal::AnyEntity", "the name of a thing", "__cedar::internal::OpenRecord{}", "a record", "Set<__cedar::internal::Any>", "a set",
	"Set<__cedar::internal::the name of a thing>", "a set of names", "Set<String>", "a set of strings", "Bool", "a condition", "Long", "a number", "String", "a string",
)

// invalid words an error of Cedar's validator.
func (s *statement) invalid(err string) Finding {
	for _, w := range said {
		m := w.pattern.FindStringSubmatchIndex(err)
		if m == nil {
			continue
		}
		expand := func(template string) string {
			return cedarTypes.Replace(string(w.pattern.ExpandString(nil, template, err, m)))
		}
		at := s.condition()
		if len(m) >= 4 {
			if exact, ok := s.find(err[m[2]:m[3]]); ok {
				at = exact
			}
		}
		return s.finding(at, expand(w.message), expand(w.fix))
	}
	return s.finding(s.condition(), fmt.Sprintf("The schema does not allow this: %s.", strings.TrimSuffix(err, ".")), "Compare it with the schema.")
}

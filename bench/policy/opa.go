package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
)

// opaQuery asks OPA, with the whole question in Rego, prepared.
func opaQuery(rules int) (engine, error) {
	var text strings.Builder
	text.WriteString(`package vivified

needs := {"pii": {"handles_pii", "audit_required"}, "phi": {"handles_phi", "audit_required"}}

default allow := false

allow if {
	input.caller.state == "active"
	input.target.state == "active"
	input.caller.tenant == input.target.tenant
	input.declared
	input.granted
	not input.operation in {"delete_all", "format", "shutdown", "restart", "drop_all"}
	count(input.requires - input.caller.traits) == 0
	count(object.get(needs, input.class, set()) - input.caller.traits) == 0
	not forbidden
}

default forbidden := false
`)
	for i := range rules {
		has, target, hour := admin(i)
		fmt.Fprintf(&text, "\nforbidden if {\n\t%q in input.caller.traits\n\tinput.target.id == %q\n\tinput.hour == %d\n}\n", has, target, hour)
	}
	ctx := context.Background()
	query, err := rego.New(rego.Query("data.vivified.allow"), rego.Module("vivified.rego", text.String())).PrepareForEval(ctx)
	if err != nil {
		return engine{}, fmt.Errorf("OPA: %w", err)
	}
	return engine{"OPA", "a prepared query over a parsed input", func(f *facts) func() bool {
		words := func(names []string) *ast.Term {
			set := ast.NewSet()
			for _, n := range names {
				set.Add(ast.StringTerm(n))
			}
			return ast.NewTerm(set)
		}
		field := func(name string, v *ast.Term) [2]*ast.Term { return ast.Item(ast.StringTerm(name), v) }
		side := func(p party) *ast.Term {
			return ast.ObjectTerm(field("id", ast.StringTerm(p.id)), field("state", ast.StringTerm(p.state)), field("tenant", ast.StringTerm(p.tenant)), field("traits", words(p.traits)))
		}
		input := ast.NewObject(
			field("caller", side(f.caller)), field("target", side(f.target)), field("operation", ast.StringTerm(f.operation)), field("class", ast.StringTerm(f.class)),
			field("requires", words(f.requires)), field("declared", ast.BooleanTerm(f.declared)), field("granted", ast.BooleanTerm(f.granted)), field("hour", ast.IntNumberTerm(f.hour)),
		)
		return func() bool {
			results, err := query.Eval(ctx, rego.EvalParsedInput(input))
			return err == nil && results.Allowed()
		}
	}}, nil
}

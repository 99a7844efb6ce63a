package main

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
)

// celProgram asks CEL, with the whole question in one optimised expression.
func celProgram(rules int) (engine, error) {
	var text strings.Builder
	text.WriteString(`caller.state == "active" && target.state == "active" && caller.tenant == target.tenant && declared && granted &&
		requires.all(t, t in caller.traits) && !(operation in ["delete_all", "format", "shutdown", "restart", "drop_all"]) &&
		(class != "pii" || "handles_pii" in caller.traits && "audit_required" in caller.traits) &&
		(class != "phi" || "handles_phi" in caller.traits && "audit_required" in caller.traits)`)
	for i := range rules {
		has, target, hour := admin(i)
		fmt.Fprintf(&text, " &&\n\t\t!(%q in caller.traits && target.id == %q && hour == %d)", has, target, hour)
	}
	env, err := cel.NewEnv(
		cel.Variable("caller", cel.MapType(cel.StringType, cel.DynType)), cel.Variable("target", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("declared", cel.BoolType), cel.Variable("granted", cel.BoolType), cel.Variable("requires", cel.ListType(cel.StringType)),
		cel.Variable("operation", cel.StringType), cel.Variable("class", cel.StringType), cel.Variable("hour", cel.IntType),
	)
	if err != nil {
		return engine{}, fmt.Errorf("CEL: %w", err)
	}
	tree, issues := env.Compile(text.String())
	if issues.Err() != nil {
		return engine{}, fmt.Errorf("CEL: %w", issues.Err())
	}
	program, err := env.Program(tree, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return engine{}, fmt.Errorf("CEL: %w", err)
	}
	return engine{"CEL", "one optimised program over a prepared activation; it says yes or no, without a reason", func(f *facts) func() bool {
		side := func(p party) map[string]any {
			traits := map[string]bool{} // a key is found faster than an element
			for _, t := range p.traits {
				traits[t] = true
			}
			return map[string]any{"id": p.id, "state": p.state, "tenant": p.tenant, "traits": traits}
		}
		given := map[string]any{
			"caller": side(f.caller), "target": side(f.target), "declared": f.declared, "granted": f.granted, "requires": f.requires,
			"operation": f.operation, "class": f.class, "hour": int64(f.hour),
		}
		activation, err := cel.NewActivation(given)
		return func() bool {
			if err != nil {
				return false
			}
			out, _, err := program.Eval(activation)
			return err == nil && out.Value() == true
		}
	}}, nil
}

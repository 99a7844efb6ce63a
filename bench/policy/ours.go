package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// ours asks our policy. Its facts come as the lanes have them at hand: traits as
// sets, which the registry's snapshot holds.
func ours(rules int) (engine, error) {
	var text strings.Builder
	for i := range rules {
		has, target, hour := admin(i)
		fmt.Fprintf(&text, "@id(\"rule-%d\") @reason(\"Not now.\")\nforbid (principal, action == Action::\"operator.call\", resource) when { principal.traits.contains(%q) && resource.plugin == Plugin::%q && context.hour == %d };\n", i, has, target, hour)
	}
	d, found := policy.Compile(text.String(), trait.Builtin())
	if d == nil {
		return engine{}, fmt.Errorf("our rules: %v", found)
	}
	p := policy.New(trait.Builtin())
	if rules > 0 {
		p = p.With(d, 1)
	}
	return engine{"ours", "every built-in rule, with its reason; admin rules compiled to functions", func(f *facts) func() bool {
		request := translate(f)
		return func() bool { return p.Decide(&request).Allow }
	}}, nil
}

func translate(f *facts) policy.Request {
	side := func(p party) policy.Party {
		traits, _ := trait.Builtin().Parse(p.traits)
		return policy.Party{Kind: actor.Plugin, ID: p.id, Tenant: p.tenant, State: policy.State(p.state), Traits: traits}
	}
	requires, _ := trait.Builtin().Parse(f.requires)
	class, _ := trait.ParseClass(f.class)
	return policy.Request{
		Action: policy.OperatorCall, Subject: side(f.caller), Target: side(f.target), At: time.Date(2026, 3, 17, f.hour, 0, 0, 0, time.UTC),
		Resource: policy.Resource{Name: f.operation, Requires: requires, Classes: trait.ClassesOf(class), Declared: f.declared, Granted: f.granted},
	}
}

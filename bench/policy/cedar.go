package main

import (
	"fmt"
	"strings"

	"github.com/cedar-policy/cedar-go"
)

// cedarAlone asks cedar-go, with the whole question written in Cedar.
func cedarAlone(rules int) (engine, error) {
	var text strings.Builder
	text.WriteString(`permit (principal, action == Action::"operator.call", resource) when {
	principal.state == "active" && resource.plugin.state == "active" && principal.tenant == resource.plugin.tenant &&
	resource.declared && resource.granted && principal.traits.containsAll(resource.requires) &&
	(resource.class != "pii" || principal.traits.containsAll(["handles_pii", "audit_required"])) &&
	(resource.class != "phi" || principal.traits.containsAll(["handles_phi", "audit_required"])) };
forbid (principal, action, resource) when { ["delete_all", "format", "shutdown", "restart", "drop_all"].contains(resource.name) };
`)
	for i := range rules {
		has, target, hour := admin(i)
		fmt.Fprintf(&text, "forbid (principal, action == Action::\"operator.call\", resource) when { principal.traits.contains(%q) && resource.plugin == Plugin::%q && context.hour == %d };\n", has, target, hour)
	}
	policies, err := cedar.NewPolicySetFromBytes("", []byte(text.String()))
	if err != nil {
		return engine{}, fmt.Errorf("cedar-go: %w", err)
	}
	return engine{"cedar-go", "the question in Cedar, Authorize over prepared entities", func(f *facts) func() bool {
		entities, request := asCedar(f)
		return func() bool {
			decision, _ := cedar.Authorize(policies, entities, request)
			return decision == cedar.Allow
		}
	}}, nil
}

func asCedar(f *facts) (cedar.EntityMap, cedar.Request) {
	entities := cedar.EntityMap{}
	words := func(names []string) cedar.Set {
		var values []cedar.Value
		for _, n := range names {
			values = append(values, cedar.String(n))
		}
		return cedar.NewSet(values...)
	}
	add := func(typ cedar.EntityType, id string, attributes cedar.RecordMap) cedar.EntityUID {
		uid := cedar.NewEntityUID(typ, cedar.String(id))
		entities[uid] = cedar.Entity{UID: uid, Attributes: cedar.NewRecord(attributes)}
		return uid
	}
	side := func(p party) cedar.EntityUID {
		return add("Plugin", p.id, cedar.RecordMap{"state": cedar.String(p.state), "tenant": cedar.String(p.tenant), "traits": words(p.traits)})
	}
	return entities, cedar.Request{
		Principal: side(f.caller),
		Action:    cedar.NewEntityUID("Action", "operator.call"),
		Resource: add("Operation", f.target.id+"/"+f.operation, cedar.RecordMap{
			"name": cedar.String(f.operation), "plugin": side(f.target), "class": cedar.String(f.class), "requires": words(f.requires),
			"declared": cedar.Boolean(f.declared), "granted": cedar.Boolean(f.granted),
		}),
		Context: cedar.NewRecord(cedar.RecordMap{"hour": cedar.Long(f.hour)}),
	}
}

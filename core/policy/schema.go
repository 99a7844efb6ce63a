package policy

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"github.com/cedar-policy/cedar-go/types"
	cedarschema "github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
)

//go:embed vivified.cedarschema
var schemaText string

// Schema returns the Cedar schema of admin rules, to be shown to those who write them.
func Schema() string { return schemaText }

// restOfFamily ends the name of the action that stands for all those of a family
// which the schema does not name. No rule can name it; one that speaks of the
// whole family, or of all actions, binds it.
const restOfFamily = ".*"

// schema is the schema in a form to validate against, with one action more for
// each family of administration. It is read once.
var schema = sync.OnceValue(func() *resolved.Schema {
	parse := func(text string) *resolved.Schema {
		var s cedarschema.Schema
		if err := s.UnmarshalCedar([]byte(text)); err != nil {
			panic(fmt.Errorf("the embedded Cedar schema: %w", err))
		}
		r, err := s.Resolve()
		if err != nil {
			panic(fmt.Errorf("the embedded Cedar schema: %w", err))
		}
		return r
	}
	var more strings.Builder
	all := parse(schemaText).Actions
	for uid := range all {
		family := all[uid]
		if family.AppliesTo == nil && family.Entity.Parents.Contains(types.NewEntityUID(uid.Type, administration)) {
			fmt.Fprintf(&more, "action %q in [Action::%q] appliesTo { principal: [User], resource: [%s], context: Moment };\n",
				string(uid.ID)+restOfFamily, string(uid.ID), resourcesOf(string(uid.ID)))
		}
	}
	return parse(schemaText + more.String())
})

// resourcesOf names the kinds of thing that a family of administration is about.
func resourcesOf(family string) string {
	if family == "plugin" {
		return "Plugin, Object"
	}
	return "Object"
}

package handlers_test

import (
	"slices"
	"testing"

	"github.com/vivified/vivified/core/policy"
)

// Every action that a route is decided as stands in the schema of admin rules, so
// that an administrator can name it.
func TestRouteActionsAreInTheSchema(t *testing.T) {
	known := policy.Actions()
	for route, action := range newCore(t).Server.Actions() {
		if !slices.Contains(known, policy.Action(action)) {
			t.Errorf("%s %s is decided as %s, which core/policy/vivified.cedarschema does not list", route[0], route[1], action)
		}
	}
}

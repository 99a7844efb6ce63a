package main

import "slices"

// party is one side of a call.
type party struct {
	id, state, tenant string
	traits            []string
}

// facts are what every engine is given.
type facts struct {
	caller, target    party
	operation         string
	class             string
	requires          []string
	declared, granted bool
	hour              int
}

// inOrder is a call that every rule lets pass.
func inOrder() *facts {
	return &facts{
		caller:    party{"greeter", "active", "default", []string{"handles_pii", "audit_required", "can_view_user"}},
		target:    party{"profiles", "active", "default", []string{"user_data"}},
		operation: "get_profile", class: "pii", requires: []string{"can_view_user"}, declared: true, granted: true, hour: 14,
	}
}

// spoils are the ways in which a call is not in order.
var spoils = map[string]func(*facts){
	"the caller is disabled":        func(f *facts) { f.caller.state = "disabled" },
	"the target is unhealthy":       func(f *facts) { f.target.state = "unhealthy" },
	"the tenants differ":            func(f *facts) { f.target.tenant = "other" },
	"the operation is not declared": func(f *facts) { f.declared = false },
	"nobody granted it":             func(f *facts) { f.granted = false },
	"the operation is dangerous":    func(f *facts) { f.operation = "delete_all" },
	"a required trait is missing":   func(f *facts) { f.requires = []string{"admin_capable"} },
	"the class is not covered":      func(f *facts) { f.caller.traits = without(f.caller.traits, "handles_pii") },
	"the recording is not promised": func(f *facts) { f.caller.traits = without(f.caller.traits, "audit_required") },
	"phi is not covered by pii":     func(f *facts) { f.class = "phi" },
}

func without(traits []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(traits), func(t string) bool { return t == name })
}

// admin is the i-th rule of an administrator: no caller with this trait calls this
// plugin at this hour. It forbids nothing here, and has to be asked each time.
func admin(i int) (trait, target string, hour int) {
	return "external_service", []string{"profiles", "billing"}[i%2], i % 24
}

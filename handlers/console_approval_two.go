package handlers

import (
	"context"

	"github.com/vivified/vivified/core/approval"
	"github.com/vivified/vivified/views"
)

// wantsOfTwo says what a request is about that two people have to agree on.
func (v *visit) wantsOfTwo(ctx context.Context, r approval.Request) string {
	who := "Somebody"
	if len(r.Askers) > 0 {
		who = v.nameOf(ctx, r.Askers[0].ID)
	}
	if r.Kind == approval.Policy {
		return who + " wants to publish rules"
	}
	return who + " wants to set " + r.Subject + " to " + r.Object
}

// factsOfTwo lists what such a request asks for.
func (v *visit) factsOfTwo(r approval.Request) []views.KV {
	if r.Kind == approval.Policy {
		return []views.KV{{Label: "Rules", Value: joined(r.Terms.Adds), Href: views.PathPolicies}}
	}
	return []views.KV{{Label: "Setting", Value: r.Subject, Mono: true}, {Label: "New value", Value: r.Object, Mono: true}}
}

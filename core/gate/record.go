package gate

import (
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// Record is the detail of a decision's audit row: everything needed to read the
// decision back later, when plugins, people and rules have changed.
type Record struct {
	Facts   Facts           `json:"facts"`
	Reasons []policy.Reason `json:"reasons"`
	Context any             `json:"context,omitempty"`
}

// Facts are the facts of a policy.Request in names.
type Facts struct {
	Subject  Party   `json:"subject"`
	OnBehalf *Party  `json:"on_behalf,omitempty"`
	Target   *Party  `json:"target,omitempty"`
	Resource Subject `json:"resource"`
	Method   string  `json:"method,omitempty"`
}

// Party is one side of a decided request.
type Party struct {
	Kind   string   `json:"kind"`
	ID     string   `json:"id"`
	Name   string   `json:"name,omitempty"`
	Tenant string   `json:"tenant,omitempty"`
	State  string   `json:"state,omitempty"`
	Traits []string `json:"traits"`
}

// Subject is what a decided request touched.
type Subject struct {
	Name     string   `json:"name"`
	Requires []string `json:"requires,omitempty"`
	Classes  []string `json:"classes,omitempty"`
}

func describe(p *policy.Policy, r *policy.Request, context any) Record {
	return Record{Facts: facts(p.Traits(), r), Reasons: p.Explain(r), Context: context}
}

func facts(traits *trait.Registry, r *policy.Request) Facts {
	f := Facts{
		Subject: *party(traits, &r.Subject),
		Resource: Subject{
			Name: r.Resource.Name, Requires: append(traits.Names(r.Resource.Requires.Union(r.Resource.People)), r.Resource.Unknown...), Classes: r.Resource.Classes.Names(),
		},
		Method: r.Method,
	}
	if r.OnBehalf != nil {
		f.OnBehalf = party(traits, r.OnBehalf)
	}
	if r.Target.Kind != "" {
		f.Target = party(traits, &r.Target)
	}
	return f
}

func party(traits *trait.Registry, p *policy.Party) *Party {
	return &Party{Kind: string(p.Kind), ID: p.ID, Name: p.Name, Tenant: p.Tenant, State: string(p.State), Traits: traits.Names(p.Traits)}
}

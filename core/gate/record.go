package gate

import (
	"time"

	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// Record is the detail of a decision's audit row: everything needed to read the
// decision back later, when plugins, people and rules have changed.
type Record struct {
	Version int64           `json:"policy_version,omitempty"` // of the admin rules in force; 0: none
	Facts   Facts           `json:"facts"`
	Reasons []policy.Reason `json:"reasons"`
	Context any             `json:"context,omitempty"`
}

// Facts are the facts of a policy.Request in names. Request turns them back.
type Facts struct {
	Form     int       `json:"form,omitempty"` // 0: recorded before every fact was
	Subject  Party     `json:"subject"`
	OnBehalf *Party    `json:"on_behalf,omitempty"`
	Target   *Party    `json:"target,omitempty"`
	Resource Subject   `json:"resource"`
	Method   string    `json:"method,omitempty"`
	Trace    string    `json:"trace,omitempty"`
	At       time.Time `json:"at,omitzero"`
}

// complete is the form in which every fact of a request is recorded.
const complete = 1

// Complete reports whether f holds every fact that a rule could read.
func (f Facts) Complete() bool { return f.Form >= complete }

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
	ID       string   `json:"id,omitempty"`
	Name     string   `json:"name"`
	Tenant   string   `json:"tenant,omitempty"`
	Requires []string `json:"requires,omitempty"` // of everybody who asks; in rows of the first form, all that was required
	People   []string `json:"people,omitempty"`   // of people besides
	Unknown  []string `json:"unknown,omitempty"`  // required, and in no registry
	Classes  []string `json:"classes,omitempty"`
	Declared bool     `json:"declared,omitempty"`
	Granted  bool     `json:"granted,omitempty"`
	Egress   string   `json:"egress,omitempty"`
	URL      string   `json:"url,omitempty"`
	Address  string   `json:"address,omitempty"`
	Resolved bool     `json:"resolved,omitempty"`
	Encrypts bool     `json:"encrypts,omitempty"`
	Marked   bool     `json:"marked,omitempty"`
}

// Demands returns the names of all traits that were required of anybody.
func (s Subject) Demands() []string {
	return append(append(append([]string{}, s.Requires...), s.People...), s.Unknown...)
}

func facts(traits *trait.Registry, r *policy.Request) Facts {
	f := Facts{
		Form: complete, Subject: *party(traits, &r.Subject), Resource: subject(traits, &r.Resource),
		Method: r.Method, Trace: r.Trace, At: r.At.UTC().Round(0),
	}
	if r.Action != policy.ProxyRequest {
		f.Resource.Egress = ""
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

func subject(traits *trait.Registry, r *policy.Resource) Subject {
	return Subject{
		ID: r.ID, Name: r.Name, Tenant: r.Tenant, Requires: traits.Names(r.Requires), People: traits.Names(r.People), Unknown: r.Unknown,
		Classes: r.Classes.Names(), Declared: r.Declared, Granted: r.Granted, Egress: r.Egress.String(), URL: r.URL, Address: r.Address,
		Resolved: r.Resolved, Encrypts: r.Encrypts, Marked: r.Marked,
	}
}

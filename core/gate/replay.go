package gate

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// Past is one decision as it was recorded, ready to be asked again.
type Past struct {
	Request  policy.Request
	Allowed  bool
	Redacted trait.Classes // of an event that was delivered without these
	Rule     string        // the deciding rule
	Version  int64         // of the admin rules in force; 0: none
	Complete bool          // every fact a rule can read was recorded; else some were inferred from the outcome
}

// delivered is what a replay needs of one receiver's line in the row that the
// deliveries of an event share.
type delivered struct {
	Outcome string   `json:"outcome"` // deliver, redact or drop
	Rule    string   `json:"rule"`
	Version int64    `json:"policy_version"`
	Hidden  []string `json:"hidden"` // classes removed
	Facts   *Facts   `json:"facts"`
}

// Decided returns the decisions that an audit row holds: one, or one for each
// receiver of an event. A row that is no decision of the policy, or whose detail
// was too large to keep, holds none.
func Decided(row *audit.Record, traits *trait.Registry) ([]Past, error) {
	if row.Outcome != audit.Allow && row.Outcome != audit.Deny || len(row.Detail) == 0 {
		return nil, nil
	}
	var detail struct {
		delivered
		Deliveries []delivered `json:"deliveries"`
	}
	if err := json.Unmarshal(row.Detail, &detail); err != nil {
		return nil, fmt.Errorf("decision %s: %w", row.ID, err)
	}
	if one := detail.delivered; one.Facts != nil && one.Facts.Subject.Kind != "" {
		one.Rule = row.Rule
		return []Past{past(row, one, row.Outcome == audit.Allow, traits)}, nil
	}
	var all []Past
	for _, d := range detail.Deliveries {
		if d.Facts != nil {
			all = append(all, past(row, d, d.Outcome != "drop", traits))
		}
	}
	return all, nil
}

func past(row *audit.Record, d delivered, allowed bool, traits *trait.Registry) Past {
	p := Past{Request: d.Facts.Request(policy.Action(row.Action), traits), Allowed: allowed, Rule: d.Rule, Version: d.Version, Complete: d.Facts.Complete()}
	for _, name := range d.Hidden {
		if c, ok := trait.ParseClass(name); ok {
			p.Redacted = p.Redacted.With(c)
		}
	}
	if !p.Complete {
		p.infer(row)
	}
	return p
}

// infer completes a request of the first form by what was decided on it: what a
// rule let pass was in order, and what the deciding rule refused was not.
func (p *Past) infer(row *audit.Record) {
	r := &p.Request
	r.Trace, r.At = row.Trace, row.At
	r.Resource.Declared, r.Resource.Granted, r.Resource.Egress, r.Resource.Resolved = true, true, policy.Approved, true
	r.Resource.Marked = p.Redacted != 0
	switch p.Rule {
	case "event.publish", "operator.endpoint", "proxy.domain":
		r.Resource.Declared = p.Allowed
	case "operator.grant":
		r.Resource.Granted = p.Allowed
	case "proxy.approved":
		if !p.Allowed {
			r.Resource.Egress = policy.NotApproved
		}
	case "proxy.url":
		if !p.Allowed {
			r.Resource.URL = "The URL has no single reading."
		}
	case "proxy.address":
		if !p.Allowed {
			r.Resource.Address, r.Resource.Resolved = "The address may not be reached.", false
		}
	case "data.encryption":
		r.Resource.Encrypts = !p.Allowed
	}
}

// Request returns the request that f describes. Names of traits that no registry
// knows any more are held by nobody, and required still.
func (f Facts) Request(action policy.Action, traits *trait.Registry) policy.Request {
	s := f.Resource
	requires, lost := traits.Parse(s.Requires)
	people, lostToo := traits.Parse(s.People)
	r := policy.Request{
		Action: action, Subject: f.Subject.party(traits), Method: f.Method, Trace: f.Trace, At: f.At,
		Resource: policy.Resource{
			ID: s.ID, Name: s.Name, Tenant: s.Tenant, Requires: requires, People: people, Unknown: slices.Concat(s.Unknown, lost, lostToo),
			Declared: s.Declared, Granted: s.Granted, Egress: policy.ParseEgress(s.Egress), URL: s.URL, Address: s.Address,
			Resolved: s.Resolved, Encrypts: s.Encrypts, Marked: s.Marked,
		},
	}
	for _, name := range s.Classes {
		if c, ok := trait.ParseClass(name); ok {
			r.Resource.Classes = r.Resource.Classes.With(c)
		}
	}
	if f.Target != nil {
		r.Target = f.Target.party(traits)
	}
	if f.OnBehalf != nil {
		u := f.OnBehalf.party(traits)
		r.OnBehalf = &u
	}
	return r
}

func (p *Party) party(traits *trait.Registry) policy.Party {
	held, _ := traits.Parse(p.Traits)
	return policy.Party{Kind: actor.Kind(p.Kind), ID: p.ID, Name: p.Name, Tenant: p.Tenant, State: policy.State(p.State), Traits: held}
}

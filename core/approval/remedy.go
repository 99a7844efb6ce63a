package approval

import (
	"slices"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
)

// Remedy returns what could be asked for so that something denied would pass the
// rule that denied it; ok is false where no request helps: a plugin gets its
// traits by its manifest alone.
func Remedy(said gate.Record) (a Ask, ok bool) {
	i := slices.IndexFunc(said.Reasons, func(r policy.Reason) bool { return r.Outcome == "deny" })
	if i < 0 {
		return Ask{}, false
	}
	why, f := said.Reasons[i], said.Facts
	switch {
	case why.Rule == "operator.grant" && f.Target != nil:
		return Ask{Kind: Grant, Subject: f.Subject.ID, Object: f.Target.ID, Terms: Terms{Operations: []string{f.Resource.Name}}}, true
	case why.Rule == "proxy.approved":
		return Ask{Kind: Egress, Subject: f.Subject.ID, Object: f.Resource.Name}, true
	case len(why.Missing) == 0:
		return Ask{}, false
	}
	who := &f.Subject
	if f.OnBehalf != nil && !lacks(who, why.Missing) {
		who = f.OnBehalf
	}
	if who.Kind != string(actor.User) {
		return Ask{}, false
	}
	return Ask{Kind: Elevation, Subject: who.ID, Terms: Terms{Traits: slices.Clone(why.Missing)}}, true
}

// lacks reports whether a party was without any of the traits.
func lacks(p *gate.Party, traits []string) bool {
	return slices.ContainsFunc(traits, func(t string) bool { return !slices.Contains(p.Traits, t) })
}

// Package policy decides, purely: facts in, a decision with its reasons out.
//
// It does no I/O and has no clock of its own. Deny wins, and what no rule is
// responsible for is denied. Built-in rules have stable ids, which appear in
// problem documents, audit records and the console. Administrators add rules of
// their own in Cedar, which narrow what the built-in ones allow and grant what
// operator.grant asks for; Compile refuses a document that could mean something
// else than it says.
package policy

import (
	"slices"
	"strings"

	"github.com/vivified/vivified/core/trait"
)

// Policy is a compiled, immutable set of rules over one trait registry.
// It is safe for concurrent use.
type Policy struct {
	traits   *trait.Registry
	duties   map[Action]*duty
	rest     map[string]*duty // family → who speaks of its actions that the schema does not name
	document *Document
	version  int64
}

// duty is who speaks of an action: built-in rules, in the order they are asked,
// and admin rules.
type duty struct {
	rules []*Rule
	admin *binding // nil: none
}

// New compiles the built-in rules.
func New(traits *trait.Registry) *Policy {
	p := &Policy{traits: traits, duties: map[Action]*duty{}, rest: map[string]*duty{}}
	var administrative []*Rule
	for i := range rules {
		r := &rules[i]
		for _, a := range r.Actions {
			if p.duties[a] == nil {
				p.duties[a] = &duty{}
			}
			p.duties[a].rules = append(p.duties[a].rules, r)
		}
		if r.Administration {
			administrative = append(administrative, r)
		}
	}
	c := catalogue()
	for _, a := range c.actions {
		if c.in(a, administration) {
			p.duties[a] = &duty{rules: administrative}
		}
	}
	for family := range c.rest {
		p.rest[family] = &duty{rules: administrative}
	}
	return p
}

// With returns p with a document of admin rules in place of those it has, which
// the audit knows by their version. A nil document leaves the built-in rules alone.
func (p *Policy) With(d *Document, version int64) *Policy {
	n := &Policy{traits: p.traits, duties: make(map[Action]*duty, len(p.duties)), rest: make(map[string]*duty, len(p.rest)), document: d, version: version}
	for a, was := range p.duties {
		n.duties[a] = was.with(d, a)
	}
	for family, was := range p.rest {
		n.rest[family] = was.with(d, catalogue().rest[family])
	}
	return n
}

// with returns a duty in which d speaks of an action, too.
func (was *duty) with(d *Document, a Action) *duty {
	now := &duty{rules: was.rules}
	if d != nil {
		now.admin = d.index[a]
	}
	return now
}

// Document returns the admin rules in force, nil when there are none.
func (p *Policy) Document() *Document { return p.document }

// Version returns the version of the admin rules in force; 0 when there are none.
func (p *Policy) Version() int64 { return p.version }

// Traits returns the registry that names the traits of this policy's requests.
func (p *Policy) Traits() *trait.Registry { return p.traits }

// Rules returns every built-in rule in the order it is asked. The slice, and
// those in it, are the caller's own.
func Rules() []Rule {
	all := slices.Clone(rules)
	for i := range all {
		all[i].Actions, all[i].Grantors = slices.Clone(all[i].Actions), slices.Clone(all[i].Grantors)
	}
	return all
}

// nobody speaks of an action that is not known.
var nobody duty

// responsible returns who speaks of an action.
func (p *Policy) responsible(a Action) *duty {
	if d, ok := p.duties[a]; ok {
		return d
	}
	if d, ok := p.rest[a.Family()]; ok {
		return d
	}
	return &nobody
}

// Decide answers r. The first built-in rule that denies ends it; what they allow
// the admin rules may still deny.
func (p *Policy) Decide(r *Request) (d Decision) {
	d.Version = p.version
	by := p.responsible(r.Action)
	admin := ruling{}
	asked := by.admin == nil
	for _, rule := range by.rules {
		v := rule.check(r)
		switch v.outcome {
		case pass:
			if d.Redact == 0 {
				d.Rule = rule.ID
			}
		case redact:
			d.Rule, d.Redact = rule.ID, v.redact
			d.Reason = p.reason(rule, v)
		case deny:
			if !asked && rule.Permits {
				asked = true
				by.admin.rule(r, &admin)
				if admin.permit > 0 {
					admin.matched.grant = uint16(admin.permit)
					continue
				}
				if admin.broken {
					by.admin.document.deny(&d, &admin)
					return d
				}
			}
			d.Rule, d.Redact, d.Reason, d.Matched = rule.ID, 0, p.reason(rule, v), admin.matched
			return d
		}
	}
	if d.Rule == "" {
		d.Rule, d.Reason = byDefault.Rule, byDefault
		return d
	}
	if !asked {
		by.admin.rule(r, &admin)
	}
	if admin.against > 0 {
		by.admin.document.deny(&d, &admin)
		return d
	}
	if by.admin != nil {
		if place, ok := admin.matched.Grant(); ok {
			d.Rule = by.admin.document.names[place]
		}
		d.Matched = admin.matched
	}
	d.Allow, d.Audit = true, max(admin.audit, r.audit())
	return d
}

// deny turns a decision into the denial of the admin rule that is against it.
func (d *Document) deny(to *Decision, w *ruling) {
	place := w.against - 1
	w.matched.grant, w.matched.deny = 0, uint16(w.against)
	to.Rule, to.Redact, to.Matched = d.names[place], 0, w.matched
	to.Reason = d.reason(place, deny.String(), w.broken)
}

// audit is how much of the request the audit keeps whatever the manifests say:
// where people's data is touched, or a party may not go unrecorded, not nothing.
func (r *Request) audit() Level {
	const people = 1<<trait.PII | 1<<trait.PHI
	if r.Resource.Classes&people != 0 || r.Subject.Traits.Has(trait.AuditRequired) || r.Target.Traits.Has(trait.AuditRequired) ||
		r.OnBehalf != nil && r.OnBehalf.Traits.Has(trait.AuditRequired) {
		return AuditBasic
	}
	return AuditNone
}

// byDefault denies what no rule speaks of.
var byDefault = Reason{Rule: "core.default", Outcome: deny.String(), Sentence: "No rule allows this, and what no rule allows is denied."}

func (p *Policy) reason(rule *Rule, v verdict) Reason {
	out := Reason{Rule: rule.ID, Outcome: v.outcome.String(), Sentence: rule.Sentence}
	if v.word == nil {
		return out
	}
	if v.sentence != "" {
		out.Sentence = v.sentence
	}
	if !v.missing.Empty() {
		out.Missing = p.traits.Names(v.missing)
		if v.outcome == deny {
			verb := " is missing."
			if len(out.Missing) > 1 {
				verb = " are missing."
			}
			out.Sentence = strings.TrimSuffix(out.Sentence, ".") + ": " + enumerate(out.Missing) + verb
		}
	}
	if v.grantors == nil {
		v.grantors = rule.Grantors
	}
	out.Grantors = slices.Clone(v.grantors)
	return out
}

// enumerate joins names as people do.
func enumerate(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

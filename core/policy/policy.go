// Package policy decides, purely: facts in, a decision with its reasons out.
//
// It does no I/O and has no clock of its own. Deny wins, and what no rule is
// responsible for is denied. Built-in rules have stable ids, which appear in
// problem documents, audit records and the console.
package policy

import (
	"slices"
	"strings"

	"github.com/vivified/vivified/core/trait"
)

// Policy is a compiled, immutable set of rules over one trait registry.
// It is safe for concurrent use.
type Policy struct {
	traits *trait.Registry
	lanes  map[Action][]*Rule
	admin  []*Rule
}

// New compiles the built-in rules.
func New(traits *trait.Registry) *Policy {
	p := &Policy{traits: traits, lanes: make(map[Action][]*Rule)}
	for i := range rules {
		r := &rules[i]
		for _, a := range r.Actions {
			p.lanes[a] = append(p.lanes[a], r)
		}
		if len(r.Actions) == 0 {
			p.admin = append(p.admin, r)
		}
	}
	return p
}

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

// applying returns the rules that are responsible for an action; none for an
// action that nobody knows.
func (p *Policy) applying(a Action) []*Rule {
	if rs, ok := p.lanes[a]; ok {
		return rs
	}
	family, verb, _ := strings.Cut(string(a), ".")
	if verb != "" && slices.Contains(families, family) {
		return p.admin
	}
	return nil
}

// Decide answers r. The first rule that denies ends it.
func (p *Policy) Decide(r *Request) Decision {
	d := Decision{Allow: true}
	for _, rule := range p.applying(r.Action) {
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
			return Decision{Rule: rule.ID, Reason: p.reason(rule, v)}
		}
	}
	if d.Rule == "" {
		return Decision{Rule: byDefault.Rule, Reason: byDefault}
	}
	return d
}

// byDefault denies what no rule speaks of.
var byDefault = Reason{Rule: "core.default", Outcome: deny.String(), Sentence: "No rule allows this, and what no rule allows is denied."}

// Explain answers r with the word of every rule that has one, in order. Rules
// after a denial are listed as skipped: they were not reached.
func (p *Policy) Explain(r *Request) []Reason {
	var ladder []Reason
	denied := false
	for _, rule := range p.applying(r.Action) {
		if denied {
			ladder = append(ladder, Reason{Rule: rule.ID, Outcome: "skipped", Sentence: rule.Sentence})
			continue
		}
		v := rule.check(r)
		if v.outcome == skip {
			continue
		}
		ladder = append(ladder, p.reason(rule, v))
		denied = v.outcome == deny
	}
	if ladder == nil {
		return []Reason{byDefault}
	}
	return ladder
}

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
			out.Sentence = strings.TrimSuffix(out.Sentence, ".") + ": " + list(out.Missing) + verb
		}
	}
	if v.grantors == nil {
		v.grantors = rule.Grantors
	}
	out.Grantors = slices.Clone(v.grantors)
	return out
}

func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

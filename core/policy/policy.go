// Package policy decides, purely: facts in, a decision with its reasons out.
//
// It does no I/O and has no clock of its own. Deny wins, and what no rule is
// responsible for is denied. Built-in rules have stable ids, which appear in
// problem documents, audit records and the console.
package policy

import (
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

// Rules returns every built-in rule in the order it is asked.
func Rules() []Rule { return append([]Rule(nil), rules...) }

func (p *Policy) applying(a Action) []*Rule {
	if rs, ok := p.lanes[a]; ok {
		return rs
	}
	return p.admin
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
		return Decision{Rule: "core.default", Reason: Reason{Rule: "core.default", Outcome: deny.String(), Sentence: "No rule allows this, and what no rule allows is denied."}}
	}
	return d
}

// Explain answers r with every rule's word, in order. Rules after a denial are
// listed as skipped: they were not reached.
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
	return ladder
}

func (p *Policy) reason(rule *Rule, v verdict) Reason {
	sentence := v.sentence
	if sentence == "" {
		sentence = rule.Sentence
	}
	out := Reason{Rule: rule.ID, Outcome: v.outcome.String(), Sentence: sentence}
	if !v.missing.Empty() {
		out.Missing = p.traits.Names(v.missing)
		if v.outcome == deny {
			out.Sentence = strings.TrimSuffix(sentence, ".") + ": " + list(out.Missing) + " is missing."
			if len(out.Missing) > 1 {
				out.Sentence = strings.TrimSuffix(sentence, ".") + ": " + list(out.Missing) + " are missing."
			}
		}
	}
	if v.outcome == deny || v.outcome == redact {
		out.Grantors = rule.Grantors
	}
	return out
}

func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

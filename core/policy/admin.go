package policy

import (
	"cmp"
	"slices"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/trait"
)

// ruling is what the admin rules say of one request.
type ruling struct {
	against int // 1 + the place of the first rule that denies; 0: none does
	broken  bool
	permit  int // 1 + the place of the first permit that matches; 0: none does
	audit   Level
	matched Matches
}

// rule asks every clause that can match r.
func (b *binding) rule(r *Request, w *ruling) {
	who, what, ok := shapeOf(r)
	if !ok {
		return
	}
	for _, clauses := range b.candidates(r, who, what) {
		b.ask(clauses, r, w)
	}
}

// ask puts r to clauses. A rule without a value denies: whoever wrote it meant it
// to decide, and nobody can say how.
func (b *binding) ask(clauses []clause, r *Request, w *ruling) {
	for i := range clauses {
		c := &clauses[i]
		t := c.test(r)
		if t == no || b.passes(c, t, r) {
			continue
		}
		n := c.rule + 1
		if t == yes {
			w.matched.add(c.rule)
			w.audit = max(w.audit, b.document.rules[c.rule].Audit)
			if !c.forbid {
				if w.permit == 0 || n < w.permit {
					w.permit = n
				}
				continue
			}
		}
		if w.against == 0 || n < w.against {
			w.against, w.broken = n, t == failed
		}
	}
}

// passes reports whether a rule that would deny does not bind who asks.
func (b *binding) passes(c *clause, t truth, r *Request) bool {
	return b.open && (c.forbid || t == failed) && r.Subject.Kind == actor.User && r.Subject.Traits.Has(trait.PolicyManager)
}

// brokenSentence says why a rule without a value denies.
const brokenSentence = "This rule could not be evaluated, because a number overflowed or a fact was missing; what cannot be evaluated is denied. "

// reason is the word of the rule at a place.
func (d *Document) reason(place int, outcome string, broken bool) Reason {
	r := Reason{Rule: d.names[place], Outcome: outcome, Sentence: d.rules[place].Reason}
	if broken {
		r.Sentence = brokenSentence + r.Sentence
	}
	if outcome == deny.String() {
		r.Grantors = slices.Clone(rulers)
	}
	return r
}

// rulers are the traits of those who can change an admin rule.
var rulers = []string{"policy_manager"}

// spoken is one admin rule's answer to a request.
type spoken struct {
	rule   int
	forbid bool
	truth  truth
}

// speaks returns what every admin rule that matches r says, in the order of the document.
func (b *binding) speaks(r *Request) []spoken {
	who, what, ok := shapeOf(r)
	if !ok {
		return nil
	}
	var all []spoken
	for _, s := range b.candidates(r, who, what) {
		for i := range s {
			c := &s[i]
			if t := c.test(r); t != no && !b.passes(c, t, r) {
				all = append(all, spoken{c.rule, c.forbid, t})
			}
		}
	}
	slices.SortFunc(all, func(x, y spoken) int { return cmp.Compare(x.rule, y.rule) })
	return all
}

// candidates returns the clauses that can match r.
func (b *binding) candidates(r *Request, who, what types.EntityType) [3][]clause {
	s := &b.slots[slotOf(who, what)]
	return [3][]clause{s.any, s.who[principalOf(r.Action)(r).ID], s.on[keyOf(r, what)]}
}

package rulebook

import (
	"fmt"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// Finding is what is wrong with a text of rules, and where.
type Finding = policy.Finding

// Rule is one rule that administrators wrote.
type Rule struct {
	ID       string          `json:"id"`     // as decisions name it: admin.<id>
	Effect   string          `json:"effect"` // permit or forbid
	Sentence string          `json:"sentence"`
	Actions  []policy.Action `json:"actions"` // empty: every one
	Line     int             `json:"line"`
}

// inForce is what one replica decides by. It is immutable.
type inForce struct {
	policy    *policy.Policy
	traits    *trait.Registry // those it was compiled with
	text      string
	number    int64  // the version in force
	published int64  // the newest version
	broken    string // why that is not the one in force; "" when it is
}

// enforce returns what is in force once version number, with that text, is the
// newest. When it does not compile, that is what last was; without a last one it
// is a fault.
func (b *Rulebook) enforce(number int64, text string, last *inForce) (*inForce, error) {
	traits := b.Traits()
	doc, findings := policy.Compile(text, traits)
	if doc != nil {
		return &inForce{policy: policy.New(traits).With(doc, number), traits: traits, text: text, number: number, published: number}, nil
	}
	why := fmt.Sprintf("version %d of the policy does not compile: %s", number, first(findings))
	if last == nil {
		return nil, fault.New(fault.Unprocessable, "policy.stored",
			"The core does not start without its rules: %s. Start the release that published it, restore a version that compiles there, and start this one again.", why)
	}
	b.Log.Error("the published rules do not compile; the last ones that did stay in force", "version", number, "in_force", last.number, "why", why)
	kept := *last
	kept.published, kept.broken = number, why
	return &kept, nil
}

// retrait compiles the rules in force for a changed registry of traits. When
// they do not compile with it, they stay in force as they are.
func (b *Rulebook) retrait(traits *trait.Registry) *inForce {
	b.loading.Lock()
	defer b.loading.Unlock()
	now := b.force.Load()
	if now.traits == traits {
		return now
	}
	next := *now
	next.traits = traits
	if doc, findings := policy.Compile(now.text, traits); doc != nil {
		next.policy = policy.New(traits).With(doc, now.number)
	} else {
		next.broken = fmt.Sprintf("version %d of the policy does not compile with the traits there are now: %s", now.number, first(findings))
		b.Log.Error("the rules in force do not compile with the traits there are now; they stay in force as they were", "why", next.broken)
	}
	b.force.Store(&next)
	return &next
}

// compiled is a text of rules that may decide.
type compiled struct {
	policy *policy.Policy
	rules  []Rule
}

// compile returns nil for a text with errors. Its decisions name no version:
// nobody published it.
func (b *Rulebook) compile(text string) (*compiled, []Finding) {
	traits := b.Traits()
	doc, findings := policy.Compile(text, traits)
	if doc == nil {
		return nil, findings
	}
	return &compiled{policy: policy.New(traits).With(doc, 0), rules: rulesOf(doc)}, findings
}

func rulesOf(doc *policy.Document) []Rule {
	rules := []Rule{}
	for _, r := range doc.Rules() {
		one := Rule{ID: r.Name(), Effect: string(r.Effect), Sentence: r.Reason, Actions: r.Actions, Line: r.Line}
		if one.Actions == nil {
			one.Actions = []policy.Action{}
		}
		rules = append(rules, one)
	}
	return rules
}

// RulesInForce returns the administrators' rules in force on this replica.
func (b *Rulebook) RulesInForce() []Rule {
	doc := b.force.Load().policy.Document()
	if doc == nil {
		return []Rule{}
	}
	return rulesOf(doc)
}

// sentence writes a finding as one sentence for people.
func sentence(f Finding) string {
	text := fmt.Sprintf("Line %d, column %d: %s", f.Line, f.Column, f.Message)
	if f.Fix != "" {
		text += " " + f.Fix
	}
	return text
}

// first is the sentence of the first finding that is an error.
func first(findings []Finding) string {
	for _, f := range findings {
		if f.Severity == policy.Error {
			return sentence(f)
		}
	}
	return "it is not a document of rules"
}

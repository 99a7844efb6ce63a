package sso

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
)

// Match is how a rule compares. There are no patterns: what a rule does is seen by
// reading it.
type Match string

// The comparisons. Capital letters count.
const (
	Equals  Match = "equals"  // one of the values is exactly this
	Prefix  Match = "prefix"  // one of the values begins with this
	Present Match = "present" // the claim is there, whatever it says
)

// Matches are all comparisons there are.
var Matches = []Match{Equals, Prefix, Present}

// Kind is what a rule gives.
type Kind string

// The kinds.
const (
	Role  Kind = "role"
	Group Kind = "group" // of ours
)

// Rule gives a role to whoever has a claim, or puts them into a group.
type Rule struct {
	Claim string `json:"claim"` // path: see [Document.Values]
	Match Match  `json:"match"`
	Value string `json:"value,omitempty"`
	Kind  Kind   `json:"kind"`
	Give  string `json:"give"` // name of the role, id of the group
}

// Given is a role or group that claims were mapped to.
type Given struct {
	Kind Kind   `json:"kind"`
	Name string `json:"name"` // as in the rule
	Rule string `json:"rule"` // in words
}

// String returns the rule's condition in words.
func (r Rule) String() string {
	switch r.Match {
	case Present:
		return r.Claim + " is there"
	case Prefix:
		return fmt.Sprintf("%s has a value that begins with %q", r.Claim, r.Value)
	}
	return fmt.Sprintf("%s has %q", r.Claim, r.Value)
}

// Judged is what a rule made of claims.
type Judged struct {
	Rule    Rule     `json:"rule"`
	Words   string   `json:"words"`
	Matched bool     `json:"matched"`
	Why     string   `json:"why"`
	Values  []string `json:"values,omitempty"` // that decided, at most ten
}

// Mapping is what rules make of claims.
type Mapping struct {
	Rules  []Judged `json:"rules"`
	Mapped []Given  `json:"mapped"`
	Traits []string `json:"traits"` // effective, of what was mapped alone
	Hints  []string `json:"hints"`  // what to look at when too little was mapped
}

// Map applies rules to claims.
func Map(doc Document, rules []Rule) Mapping {
	m := Mapping{Rules: []Judged{}, Mapped: []Given{}, Traits: []string{}, Hints: []string{}}
	for _, r := range rules {
		j := r.judge(doc)
		m.Rules = append(m.Rules, j)
		if j.Matched && !slices.ContainsFunc(m.Mapped, func(g Given) bool { return g.Kind == r.Kind && g.Name == r.Give }) {
			m.Mapped = append(m.Mapped, Given{Kind: r.Kind, Name: r.Give, Rule: j.Words})
		}
	}
	m.Hints = append(m.Hints, hints(doc, m.Rules)...)
	return m
}

func (r Rule) judge(doc Document) Judged {
	j := Judged{Rule: r, Words: r.String()}
	values, present := doc.Values(r.Claim)
	for _, v := range values {
		switch r.Match {
		case Present:
			j.Matched = true
		case Equals:
			j.Matched = v == r.Value
		case Prefix:
			j.Matched = r.Value != "" && strings.HasPrefix(v, r.Value)
		}
		if j.Matched {
			j.Values = []string{v}
			break
		}
	}
	if r.Match == Present && present {
		j.Matched = true
	}
	switch {
	case j.Matched && r.Match == Present:
		j.Why = "The claim is there."
	case j.Matched:
		j.Why = fmt.Sprintf("It has %q.", clip(j.Values[0]))
	case !present:
		j.Why = "There is no such claim."
	case len(values) == 0:
		j.Why = "The claim holds no text, number or truth value."
	default:
		j.Values = values[:min(len(values), 10)]
		j.Why = "It has none that matches: " + clip(strings.Join(j.Values, ", ")) + more(len(values)-len(j.Values)) + "."
		for _, v := range values {
			if strings.EqualFold(v, r.Value) {
				j.Why = fmt.Sprintf("It has %q, which differs in capital letters.", clip(v))
			}
		}
	}
	return j
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf(" and %d more", n)
}

// hints say what providers are known to do when claims that rules read are not there.
func hints(doc Document, judged []Judged) []string {
	var out []string
	missing := false
	for _, j := range judged {
		_, present := doc.Values(j.Rule.Claim)
		missing = missing || !present
	}
	names, _ := doc["_claim_names"].(map[string]any)
	if _, overage := names["groups"]; overage {
		out = append(out, "The provider left the groups out because there are too many (Entra ID does so above 200): let it send only groups assigned to the application, or use app roles.")
	} else if missing {
		out = append(out, "A claim that a rule reads is missing: ask for its scope (often groups), let the provider put it into the ID token, or switch on the userinfo endpoint.")
	}
	return out
}

// external is what a mapping gives, in the name of a provider.
func (m Mapping) external(provider string) identity.External {
	e := identity.External{Provider: provider, Groups: []uuid.UUID{}}
	for _, g := range m.Mapped {
		if g.Kind == Role {
			e.Roles = append(e.Roles, g.Name)
		} else if id, err := uuid.Parse(g.Name); err == nil {
			e.Groups = append(e.Groups, id)
		}
	}
	return e
}

// DryRun says which roles, groups and traits claims would give by a provider's rules, or
// by others, and why. Nothing is changed.
func (s *Service) DryRun(ctx context.Context, doc Document, rules []Rule) (Mapping, error) {
	m := Map(doc, rules)
	var err error
	m.Traits, err = s.People.TraitsOf(ctx, m.external(""))
	if m.Traits == nil {
		m.Traits = []string{}
	}
	return m, err
}

// clip shortens text from outside for a sentence.
func clip(text string) string { return fault.Clip(text, 200) }

package rulebook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
)

// How many tests a policy may have, and how large one may be, in bytes of JSON.
const (
	maxTests    = 200
	maxTestSize = 8 << 10
	maxTestName = 120
)

// Test is an example that the rules must decide as expected.
type Test struct {
	Name    string  `json:"name"`
	Request Request `json:"request"`
	Expect  string  `json:"expect"`         // allow or deny
	Rule    string  `json:"rule,omitempty"` // that has to be the one that decides; "": any
}

// Request is what is asked, in names, as the audit records it.
type Request struct {
	Action policy.Action `json:"action"`
	gate.Facts
}

// Result is what became of a test, or of one request that was tried.
type Result struct {
	Name    string          `json:"name,omitempty"`
	Pass    bool            `json:"pass"`
	Allow   bool            `json:"allow"`
	Rule    string          `json:"rule"`             // that decided
	Redact  []string        `json:"redact,omitempty"` // classes whose fields are removed
	Why     string          `json:"why"`              // for people
	Reasons []policy.Reason `json:"reasons,omitempty"`
}

// run decides a test.
func (c *compiled) run(t *Test) Result {
	r := Result{Name: t.Name}
	req := t.Request.Facts.Request(t.Request.Action, c.policy.Traits())
	d := c.policy.Decide(&req)
	r.Allow, r.Rule, r.Redact = d.Allow, d.Rule, d.Redact.Names()
	said := outcome(d.Allow) + " by " + d.Rule
	switch {
	case outcome(d.Allow) != t.Expect:
		r.Why = "It should " + t.Expect + ", and the rules " + said + "."
	case t.Rule != "" && t.Rule != d.Rule:
		r.Why = "It should " + t.Expect + " by " + t.Rule + ", and the rules " + said + "."
	default:
		r.Pass, r.Why = true, "The rules "+said+"."
	}
	return r
}

// outcome is what tests call a decision.
func outcome(allow bool) string {
	if allow {
		return "allow"
	}
	return "deny"
}

// Try decides one request by a text of rules, with every rule's word on it.
func (b *Rulebook) Try(text string, r Request) (Result, error) {
	c, findings := b.compile(plainText(text))
	if c == nil {
		return Result{}, refusedText(findings)
	}
	return c.try(r)
}

// TryPublished decides one request by the rules in force.
func (b *Rulebook) TryPublished(r Request) (Result, error) {
	return (&compiled{policy: b.Policy()}).try(r)
}

func (c *compiled) try(r Request) (Result, error) {
	if r.Action == "" || r.Subject.Kind == "" {
		return Result{}, fault.New(fault.Unprocessable, "policy.request", "The request cannot be decided: it needs an action, and a subject with its kind and id.")
	}
	req := r.Facts.Request(r.Action, c.policy.Traits())
	d := c.policy.Decide(&req)
	out := Result{Pass: true, Allow: d.Allow, Rule: d.Rule, Redact: d.Redact.Names(), Reasons: c.policy.Explain(&req)}
	out.Why = d.Reason.Sentence
	if d.Allow && out.Why == "" {
		out.Why = "Every rule that applies lets it pass."
	}
	return out, nil
}

// checkTests refuses tests that cannot be kept or that say nothing, as an
// Unprocessable fault with a violation for each.
func checkTests(tests []Test) error {
	var bad []fault.Violation
	wrong := func(i int, field, message string) {
		bad = append(bad, fault.Violation{Rule: "policy.test", Path: fmt.Sprintf("/tests/%d/%s", i, field), Message: message})
	}
	if len(tests) > maxTests {
		return fault.New(fault.Unprocessable, "policy.test", "There are %d tests; at most %d are kept.", len(tests), maxTests)
	}
	seen := map[string]bool{}
	for i, t := range tests {
		switch name := strings.TrimSpace(t.Name); {
		case name == "" || name != t.Name || utf8.RuneCountInString(t.Name) > maxTestName || strings.ContainsFunc(t.Name, func(r rune) bool { return r < ' ' }):
			wrong(i, "name", fmt.Sprintf("A test has a name of 1 to %d characters, in one line.", maxTestName))
		case seen[t.Name]:
			wrong(i, "name", fmt.Sprintf("Two tests are called %q.", t.Name))
		}
		seen[t.Name] = true
		if t.Expect != "allow" && t.Expect != "deny" {
			wrong(i, "expect", "Expect allow or deny.")
		}
		if t.Request.Action == "" {
			wrong(i, "request/action", "Say which action is asked for, such as operator.call.")
		}
		if t.Request.Subject.Kind == "" {
			wrong(i, "request/subject", "Say who asks: a subject with its kind (user or plugin) and id.")
		}
		if raw, err := json.Marshal(t); err != nil || len(raw) > maxTestSize {
			wrong(i, "request", fmt.Sprintf("A test takes at most %d bytes.", maxTestSize))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	f := fault.New(fault.Unprocessable, "policy.test", "A test cannot be kept: %s", bad[0].Message)
	f.Violations = bad
	return f
}

// readTests reads what writeTests wrote.
func readTests(raw json.RawMessage) ([]Test, error) {
	tests := []Test{}
	if err := json.Unmarshal(raw, &tests); err != nil {
		return nil, fmt.Errorf("read the tests: %w", err)
	}
	return tests, nil
}

// writeTests returns tests as they are kept and hashed.
func writeTests(tests []Test) json.RawMessage {
	if tests == nil {
		tests = []Test{}
	}
	raw, _ := json.Marshal(tests) // of strings, numbers and times
	return raw
}

func sameTests(a, b []Test) bool { return bytes.Equal(writeTests(a), writeTests(b)) }

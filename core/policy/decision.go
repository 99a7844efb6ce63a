package policy

import "github.com/vivified/vivified/core/trait"

// Reason is one rule's word on a request.
type Reason struct {
	Rule     string   `json:"rule"`
	Outcome  string   `json:"outcome"` // pass, deny, redact or skipped
	Sentence string   `json:"sentence"`
	Missing  []string `json:"missing,omitempty"`  // traits that would have let it pass
	Grantors []string `json:"grantors,omitempty"` // traits of people who may grant them
}

// Decision is the answer to one Request, with the obligations of whoever acts on
// it. A plainly allowed one costs no allocation; Explain spells it out when
// somebody asks.
type Decision struct {
	Allow   bool
	Rule    string        // the rule that denied or redacted, the admin rule that stood for a grant, or the last one that had to pass
	Redact  trait.Classes // obligation: fields of these classes are removed before delivery
	Audit   Level         // obligation: the audit keeps at least this much
	Version int64         // of the admin rules that were asked; 0: there are none
	Matched Matches       // the admin rules that matched
	Reason  Reason        // of the denial or redaction; zero when plainly allowed
}

// Level is how much the audit keeps, in the order of its own levels.
type Level uint8

// The levels, least first.
const (
	AuditNone     Level = iota // denials and security events only
	AuditBasic                 // who, action, object, outcome, rule
	AuditDetailed              // and sizes, times, metadata
	AuditComplete              // and bodies, encrypted
)

// ParseLevel returns the level that an @audit names. None is no level that a
// rule can ask for.
func ParseLevel(name string) (Level, bool) {
	for i, n := range [...]string{"basic", "detailed", "complete"} {
		if n == name {
			return AuditBasic + Level(i), true
		}
	}
	return AuditNone, false
}

// Denier returns the place of the admin rule that denied, if one did.
func (d *Decision) Denier() (place int, ok bool) { return int(d.Matched.deny) - 1, d.Matched.deny > 0 }

// Matches are admin rules by their place in the document, as many as fit.
type Matches struct {
	count uint16
	grant uint16 // 1 + the place of the permit that stood for a grant; 0: none did
	deny  uint16 // 1 + the place of the rule that denied; 0: none did
	at    [maxMatches]uint16
}

// maxMatches is how many matching rules of one request are told of.
const maxMatches = 13

// Len returns how many there are.
func (m *Matches) Len() int { return int(m.count) }

// At returns the place of the i-th.
func (m *Matches) At(i int) int { return int(m.at[i]) }

// Grant returns the place of the permit that stood for a grant, if one did.
func (m *Matches) Grant() (place int, ok bool) { return int(m.grant) - 1, m.grant > 0 }

func (m *Matches) add(rule int) {
	if m.count < maxMatches {
		m.at[m.count] = uint16(rule)
		m.count++
	}
}

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

// Decision is the answer to one Request. An allowed one holds no pointers and
// costs no allocation; Explain spells it out when somebody asks.
type Decision struct {
	Allow  bool
	Rule   string        // the rule that denied or redacted, or the last one that had to pass
	Redact trait.Classes // fields of these classes are removed before delivery
	Reason Reason        // of the denial or redaction; zero when plainly allowed
}

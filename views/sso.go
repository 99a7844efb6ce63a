package views

import "time"

// SSO is the list of identity providers, and whether passwords kept here are a way in.
type SSO struct {
	Add   Action
	Rows  []ProviderRow
	Local LocalLogin
}

// ProviderRow is an identity provider in the list.
type ProviderRow struct {
	ID, Name, Icon, Issuer string
	On                     bool
	Rules                  int
	Last                   time.Time // of the last sign-in tried; zero: none
	LastOK                 bool
	LastNote               string // who it was, or what went wrong
}

// LocalLogin is whether passwords kept here sign people in.
type LocalLogin struct {
	On     bool
	Rescue bool // the operator of the machine has them accepted whatever is set
	Switch Action
}

// ProviderForm asks for an identity provider.
type ProviderForm struct {
	New     bool
	Title   string
	Href    string // where it is posted to
	Back    string
	Version string // of what is changed; empty for a new one
	Basics  []Field
	Reading []Field // scopes and claims
	Letting []Field // who may come, and how
	Rules   []RuleLine
	Gives   []Option // what a rule may give
	Errors  ErrorList
}

// RuleLine is one rule of a mapping as it is typed.
type RuleLine struct {
	Claim, Match, Value, Gives string
	Error                      string
}

// ruleMatches are the ways a rule compares.
var ruleMatches = []Option{{Value: "equals", Label: "has exactly"}, {Value: "prefix", Label: "begins with"}, {Value: "present", Label: "is there"}}

// RuleShown is one rule of a mapping in words.
type RuleShown struct{ If, Gives string }

// ProviderDetail is one identity provider.
type ProviderDetail struct {
	ID, Name, Icon string
	On             bool
	Actions        []Action
	Addresses      []KV // to be registered at the provider, letter by letter
	Facts          []KV
	Rules          []RuleShown
	Check          Action
	Found          *ProviderFound // after it was asked
	Try            ClaimsTry
	Attempts       []AttemptRow
	Older          string // address of earlier attempts
}

// ProviderFound is what a provider says of itself.
type ProviderFound struct {
	Problem, Fix string // empty: it answers as it must
	Facts        []KV
}

// ClaimsTry is the tester of a mapping.
type ClaimsTry struct {
	Href   string
	Claims string // as pasted, or of the last sign-in, masked
	Last   string // whose claims the last ones are; empty: there are none
	Error  string
	Result *ClaimsResult
}

// ClaimsResult is what came of it.
type ClaimsResult struct {
	Rules  []Step
	Gives  []string // Role Auditor, Group Night shift
	Traits []string
	Hints  []string
}

// AttemptRow is one sign-in by a provider.
type AttemptRow struct {
	Href    string
	At      time.Time
	Account string
	Purpose string // Sign-in, Test, Link
	OK      bool
	Note    string
}

// AttemptDetail is one sign-in by a provider, step by step.
type AttemptDetail struct {
	Provider string
	OK       bool
	Test     bool
	Sentence string // what the person saw
	Fix      string
	Steps    []Step
	Facts    []KV
	Claims   string      // masked; empty: none came
	Link     *LinkPerson // to link the identity with somebody
}

// LinkPerson asks whom an identity is to be linked with.
type LinkPerson struct {
	Href  string
	Email Field
}

// IdentityRow is an identity a person may sign in by.
type IdentityRow struct {
	Provider string
	Account  string
	Subject  string
	Linked   time.Time
	LastUsed time.Time
	Unlink   Action
}

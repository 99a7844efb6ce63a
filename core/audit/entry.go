package audit

import (
	"encoding/json"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/trait"
)

// Outcome is how an action ended.
type Outcome string

// The outcomes. Allow and Deny are decisions; OK and Failed are what came of an
// allowed action; Unknown closes an allowed action whose end a crash swallowed.
const (
	Allow   Outcome = "allow"
	Deny    Outcome = "deny"
	OK      Outcome = "ok"
	Failed  Outcome = "failed"
	Unknown Outcome = "unknown"
)

// Level is how much of lane traffic is recorded.
type Level uint8

// The levels, least first.
const (
	None     Level = iota // denials and security events only
	Basic                 // who, action, object, outcome, rule
	Detailed              // and sizes, times, metadata
	Complete              // and bodies, encrypted
)

// ParseLevel returns the level of that exact name.
func ParseLevel(name string) (Level, bool) {
	for i, n := range [...]string{"none", "basic", "detailed", "complete"} {
		if n == name {
			return Level(i), true
		}
	}
	return None, false
}

// Entry is what a caller knows of a record. Who acted, for whom, the trace and
// the source address come from the context; place in the chain, time and hash
// from the writer.
type Entry struct {
	ID      uuid.UUID // UUIDv7; a decision's id; zero: a new one
	Call    uuid.UUID // joins a decision and its outcome; zero when there is no pair
	Plugin  string    // the acting plugin, else the plugin acted upon; "" when none
	Target  string    // the plugin acted upon, when it is another than Plugin
	Action  string
	Object  string // what was acted upon, as a path of names: plugin, plugin/operation, user id …
	Outcome Outcome
	Rule    string        // the rule or fault code that decided
	Classes trait.Classes // classes of the data touched
	Detail  any           // facts, reasons, sizes; marshalled as JSON; never secrets or PHI in clear
	Before  json.RawMessage
	After   json.RawMessage

	// Receivers are the plugins an event was decided for: one row holds them all,
	// and a search for any of them finds it.
	Receivers []string
}

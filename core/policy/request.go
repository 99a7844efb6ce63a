package policy

import (
	"slices"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/trait"
)

// State is a plugin's place in its lifecycle; "" for parties that have none.
type State string

// The states of a plugin.
const (
	Registered   State = "registered"
	Active       State = "active"
	Disabled     State = "disabled"
	Unhealthy    State = "unhealthy"
	Quarantined  State = "quarantined"
	Unregistered State = "unregistered" // not known any more, such as the publisher of an older event
)

// Party is one side of a request, with the facts the rules look at.
type Party struct {
	Kind   actor.Kind
	ID     string
	Name   string
	Tenant string
	State  State     // plugins only
	Traits trait.Set // effective: accepted ones of a plugin, effective ones of a user
}

// Everyone is the tenant of a plugin that all tenants share.
const Everyone = "*"

// Egress is what an administrator's approval says of one outward request.
type Egress uint8

// The answers of an approval.
const (
	NotApproved Egress = iota
	Approved
	Expired
	MethodNotApproved
	PathNotApproved
	PortNotApproved
	PlainNotApproved // plain http, which protected data never uses
)

var egressNames = [...]string{"", "approved", "expired", "method", "path", "port", "plain"}

// String returns the name of e; "" for NotApproved.
func (e Egress) String() string {
	if int(e) < len(egressNames) {
		return egressNames[e]
	}
	return ""
}

// ParseEgress returns the answer of that name, NotApproved for any other.
func ParseEgress(name string) Egress { return Egress(max(0, slices.Index(egressNames[:], name))) }

// Resource is what the action touches.
type Resource struct {
	ID       string        // what a stored or administered thing is known by; "": its Name
	Name     string        // operation, event type, host, object or page
	Tenant   string        // of a stored or administered thing, where it has one
	Requires trait.Set     // traits the subject must hold, and the user acted for
	People   trait.Set     // traits a person must hold besides, whether they ask or are acted for
	Unknown  []string      // further required traits that no registry knows: nobody holds them
	Classes  trait.Classes // classes of the data it carries
	Declared bool          // the manifest that must declare it does: the publisher's, the receiver's, the target's
	Granted  bool          // an accepted dependency or an administrator allows this call; the object is the subject's own, or shared with it
	Egress   Egress
	URL      string // what is wrong with the URL asked for; "" when nothing is
	Address  string // why an address the URL leads to may not be reached; "" when nothing forbids it
	Resolved bool   // the addresses were looked up and judged
	Encrypts bool   // only for callers with encryption_capable
	Marked   bool   // its schema marks the class of each field, so that it can be redacted
}

// Request carries every fact of one decision. Nothing else is looked up.
type Request struct {
	Action   Action
	Subject  Party
	OnBehalf *Party // the user a plugin acts for
	Target   Party  // the plugin reached; zero when none is
	Resource Resource
	Method   string // HTTP method, where there is one
	Trace    string
	At       time.Time
}

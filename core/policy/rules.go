package policy

import (
	"slices"
	"strings"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/trait"
)

// Rule is one built-in rule.
type Rule struct {
	ID             string
	Sentence       string // what it demands, for people
	Actions        []Action
	Administration bool     // it governs all administrative actions
	Grantors       []string // traits of the people who can change the outcome
	Permits        bool     // an admin permit stands for what it asks for
	check          func(*Request) verdict
}

type outcome uint8

const (
	skip outcome = iota // says nothing of this request
	pass
	redact
	deny
)

func (o outcome) String() string { return [...]string{"skipped", "pass", "redact", "deny"}[o] }

// verdict is one rule's answer to a request. What it says beside that is there
// only when it does not simply let pass: most requests pass.
type verdict struct {
	outcome outcome
	*word
}

type word struct {
	sentence string        // overrides the rule's own
	missing  trait.Set     // traits that would have let it pass
	grantors []string      // overrides the rule's own
	redact   trait.Classes // with outcome redact
}

func denied(w word) verdict { return verdict{deny, &w} }

var (
	lanes      = []Action{EventPublish, EventDeliver, OperatorCall, ProxyRequest}
	kept       = []Action{StorageRead, StorageWrite, DataRead, DataWrite} // what the core keeps for others
	both       = slices.Concat(lanes, kept)
	called     = slices.Concat([]Action{OperatorCall}, kept)
	managers   = []string{"plugin_manager"}
	grantors   = []string{"plugin_manager", "policy_manager"}
	userGrants = []string{"user_manager"}
	bothGrants = []string{"plugin_manager", "user_manager"} // whoever may help the party that lacks something
)

// dangerous operations never pass a lane, whoever asks.
var dangerous = []string{"delete_all", "format", "shutdown", "restart", "drop_all"}

// rules in the order they are asked: who acts, then what, then which data.
var rules = []Rule{
	{ID: "core.active", Sentence: "Both sides are active plugins or signed-in people.", Actions: both, Grantors: managers, check: active},
	{ID: "core.tenant", Sentence: "Both sides belong to one tenant.", Actions: both, Administration: true, Grantors: []string{"admin"}, check: sameTenant},
	{ID: "operator.target", Sentence: "The target is a registered plugin.", Actions: []Action{OperatorCall}, Grantors: managers, check: registered},
	{ID: "core.dangerous", Sentence: "Operations that destroy or stop everything never pass a lane.", Actions: []Action{OperatorCall}, check: notDangerous},
	{ID: "event.publish", Sentence: "The publisher's manifest declares this event type.", Actions: []Action{EventPublish}, Grantors: managers, check: declaredEvent},
	{ID: "operator.endpoint", Sentence: "The target's manifest declares this operation.", Actions: []Action{OperatorCall}, Grantors: managers, check: declaredOperation},
	{ID: "operator.grant", Sentence: "A dependency accepted at enable time, or an administrator, allows the caller to use the target.", Actions: []Action{OperatorCall}, Grantors: grantors, Permits: true, check: granted},
	{ID: "operator.traits", Sentence: "The caller, and the person it acts for, hold the traits the operation requires.", Actions: []Action{OperatorCall}, Grantors: bothGrants, check: requiredTraits},
	{ID: "proxy.trait", Sentence: "Only a plugin with external_service reaches the outside.", Actions: []Action{ProxyRequest}, Grantors: managers, check: externalService},
	{ID: "proxy.url", Sentence: "The URL is an http or https one that has one reading only.", Actions: []Action{ProxyRequest}, check: readable},
	{ID: "proxy.address", Sentence: "Every address the host resolves to is public, or opened to it by the deployment.", Actions: []Action{ProxyRequest}, check: reachable},
	{ID: "proxy.domain", Sentence: "The plugin's manifest declares this host.", Actions: []Action{ProxyRequest}, Grantors: managers, check: declaredDomain},
	{ID: "proxy.approved", Sentence: "An administrator approved this host, method, path and port, and the approval has not expired.", Actions: []Action{ProxyRequest}, Grantors: []string{"egress_approver"}, check: approved},
	{ID: "data.owner", Sentence: "A plugin reaches what it keeps itself or what was shared with it, a person what their traits open.", Actions: kept, Grantors: bothGrants, check: owned},
	{ID: "user.sensitive", Sentence: "A person reaches a plugin's data only with the traits its classes need.", Actions: called, Grantors: userGrants, check: userClasses},
	{ID: "data.class", Sentence: "The classes of the data are covered by the traits of those who handle it.", Actions: slices.Concat([]Action{EventPublish}, called), Grantors: bothGrants, check: covered},
	{ID: "data.encryption", Sentence: "A resource that requires encryption is used only by callers capable of it.", Actions: slices.Concat([]Action{EventDeliver}, called), Grantors: managers, check: encryption},
	{ID: "event.deliver", Sentence: "A receiver sees an event whole, or without the fields it may not see, or not at all.", Actions: []Action{EventDeliver}, Grantors: managers, check: deliver},
	{ID: "console.access", Sentence: "The person holds the trait this page or action needs.", Administration: true, Grantors: userGrants, check: console},
}

// active looks at both sides of a call. An event accepted earlier still reaches
// its receivers when its publisher has been disabled since.
func active(r *Request) verdict {
	if r.Action != EventDeliver && r.Subject.Kind == actor.Plugin && r.Subject.State != Active {
		return denied(word{sentence: "The calling plugin is " + string(r.Subject.State) + "; only an active plugin may use a lane."})
	}
	if r.Subject.Kind == actor.Anonymous || r.Subject.Kind == "" {
		return denied(word{sentence: "Nobody proved who is asking."})
	}
	if r.Target.Kind == actor.Plugin && r.Target.State != Active {
		return denied(word{sentence: r.Target.ID + " is " + string(r.Target.State) + " and takes part in no lane."})
	}
	return verdict{outcome: pass}
}

// sameTenant compares both sides, and the person acted for: a plugin that all
// tenants share does not carry one tenant's people into another. The other side
// of what the core keeps is the tenant it is kept for.
func sameTenant(r *Request) verdict {
	other := r.Target.Tenant
	switch {
	case r.Resource.Tenant != "":
		other = r.Resource.Tenant
	case r.Target.Kind != "" || slices.Contains(kept, r.Action):
	case slices.Contains(lanes, r.Action):
		return verdict{outcome: pass}
	default:
		return verdict{}
	}
	if r.Subject.Kind == actor.System {
		return verdict{outcome: pass}
	}
	switch {
	case !shareTenant(r.Subject.Tenant, other):
		return denied(word{sentence: "The two sides belong to different tenants."})
	case r.OnBehalf != nil && !(shareTenant(r.OnBehalf.Tenant, other) && shareTenant(r.OnBehalf.Tenant, r.Subject.Tenant)):
		return denied(word{sentence: "The person acted for belongs to another tenant."})
	}
	return verdict{outcome: pass}
}

func shareTenant(a, b string) bool {
	return a == b && a != "" || a == Everyone && b != "" || b == Everyone && a != ""
}

func notDangerous(r *Request) verdict {
	name := r.Resource.Name[strings.LastIndexByte(r.Resource.Name, '/')+1:]
	for _, d := range dangerous {
		if len(name) == len(d) && strings.EqualFold(name, d) {
			return denied(word{sentence: "The operation " + d + " is dangerous and never passes a lane."})
		}
	}
	return verdict{outcome: pass}
}

func registered(r *Request) verdict {
	if r.Target.Kind == actor.Plugin {
		return verdict{outcome: pass}
	}
	return denied(word{sentence: "There is no such plugin, or it is not for you to know."})
}

func declaredEvent(r *Request) verdict {
	if r.Resource.Declared {
		return verdict{outcome: pass}
	}
	return denied(word{sentence: "The manifest of " + r.Subject.ID + " does not declare that it publishes " + r.Resource.Name + "."})
}

func declaredOperation(r *Request) verdict {
	if r.Resource.Declared {
		return verdict{outcome: pass}
	}
	return denied(word{sentence: r.Target.ID + " declares no such operation."})
}

func granted(r *Request) verdict {
	switch {
	case r.Subject.Kind != actor.Plugin:
		return verdict{}
	case r.Resource.Granted:
		return verdict{outcome: pass}
	}
	return denied(word{sentence: r.Subject.ID + " has no grant to call " + r.Target.ID + ": declare it as a dependency and have it accepted, or ask for a grant."})
}

func requiredTraits(r *Request) verdict {
	if len(r.Resource.Unknown) > 0 {
		return denied(word{sentence: "The operation requires a trait that nobody registered: " + enumerate(r.Resource.Unknown) + "."})
	}
	missing, helps := r.Subject.Traits.Missing(r.Resource.Requires), helpers(r.Subject.Kind)
	who := "The caller must hold the traits of this operation."
	if missing.Empty() && r.Subject.Kind == actor.User {
		missing = r.Subject.Traits.Missing(r.Resource.People)
		who = "This plugin answers only people who hold its traits."
	}
	if missing.Empty() && r.OnBehalf != nil {
		missing, helps = r.OnBehalf.Traits.Missing(r.Resource.Requires.Union(r.Resource.People)), userGrants
		who = "The person acted for must hold the traits of this operation."
	}
	if missing.Empty() {
		return verdict{outcome: pass}
	}
	return denied(word{sentence: who, missing: missing, grantors: helps})
}

// helpers are the traits of those who can give a party the traits it lacks: a
// plugin gets them by its manifest, accepted when it is enabled.
func helpers(k actor.Kind) []string {
	if k == actor.User {
		return userGrants
	}
	return managers
}

func externalService(r *Request) verdict {
	if r.Subject.Traits.Has(trait.ExternalService) {
		return verdict{outcome: pass}
	}
	return denied(word{sentence: r.Subject.ID + " may not reach the outside.", missing: trait.SetOf(trait.ExternalService)})
}

func readable(r *Request) verdict {
	if r.Resource.URL == "" {
		return verdict{outcome: pass}
	}
	return denied(word{sentence: r.Resource.URL})
}

// reachable has nothing to say of a host that other rules keep from being resolved.
func reachable(r *Request) verdict {
	switch {
	case r.Resource.Address != "":
		return denied(word{sentence: r.Resource.Address})
	case r.Resource.Resolved:
		return verdict{outcome: pass}
	}
	return verdict{}
}

func declaredDomain(r *Request) verdict {
	if r.Resource.Declared {
		return verdict{outcome: pass}
	}
	return denied(word{sentence: "The manifest of " + r.Subject.ID + " does not list " + r.Resource.Name + " among its allowed domains."})
}

var egressSentence = [...]string{
	NotApproved:       "No administrator approved this domain for this plugin yet.",
	Expired:           "The approval of this domain has expired.",
	MethodNotApproved: "The approval of this domain does not cover this method.",
	PathNotApproved:   "The approval of this domain does not cover this path.",
	PortNotApproved:   "The approval of this domain does not cover this port.",
	PlainNotApproved:  "Plain http is not approved here; protected data never travels by it.",
}

func approved(r *Request) verdict {
	if r.Resource.Egress == Approved {
		return verdict{outcome: pass}
	}
	return denied(word{sentence: egressSentence[r.Resource.Egress]})
}

package policy

import (
	"slices"
	"sync"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
	"github.com/cedar-policy/cedar-go/x/exp/eval"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/trait"
)

// clause is one rule as it binds one kind of principal and one kind of resource.
type clause struct {
	rule   int // its place in the document
	forbid bool
	test   func(*Request) truth
	who    string // the only principal it binds; "": any
	on     string // the only resource, or plugin of one, it binds; "": any
}

// shape is what a request asks with, as far as types go.
type shape struct {
	action    Action
	who, what types.EntityType
}

// binding holds the clauses that can match one action.
type binding struct {
	document *Document
	open     bool // holders of policy_manager always pass: see wayBack
	slots    [4]slot
}

// slot holds the clauses for one kind of principal and one kind of resource, by
// the constants of their scope, so that a request meets few it cannot match.
type slot struct {
	any     []clause
	who, on map[string][]clause
}

// slotOf returns the slot for two types: people and plugins ask; a plugin is the
// one resource that shares its actions with another kind.
func slotOf(who, what types.EntityType) int {
	n := 0
	if who == "Plugin" {
		n = 1
	}
	if what == "Plugin" {
		n += 2
	}
	return n
}

// wayBack are the families that no forbid closes to a holder of policy_manager,
// so that whoever may repair the rules can always reach them.
var wayBack = []string{"account", "approval", "auth", "console", "policy", "session"}

// add compiles a rule for everything its scope admits.
func (d *Document) add(s *statement, rule AdminRule, parsed *ast.Policy, traits *trait.Registry) []Finding {
	var found []Finding
	n, bound, never := len(d.rules), 0, 0
	who, on := onlyPrincipal(parsed), onlyResource(parsed)
	shared := map[shape]*clause{}
	for _, at := range shapes() {
		if !admits(parsed.Action, at.action) {
			continue
		}
		key := at
		if !mentionsAction(parsed) {
			key.action = principalAction(at.action)
		}
		one, known := shared[key]
		if !known {
			c := compiler{who: at.who, what: at.what, action: at.action, registry: traits, from: s}
			one = c.clause(parsed)
			found = append(found, c.found...)
			shared[key] = one
		}
		if bound++; one == nil {
			never++
			continue
		}
		if !isRest(at.action) && !slices.Contains(rule.Actions, at.action) {
			rule.Actions = append(rule.Actions, at.action)
		}
		if rule.Effect == Permit && rule.Audit == AuditNone && (at.action != OperatorCall || at.who != "Plugin") {
			continue
		}
		b := d.binding(at.action)
		to := &b.slots[slotOf(at.who, at.what)]
		to.put(clause{rule: n, forbid: rule.Effect == Forbid, test: one.test, who: who, on: on})
	}
	slices.Sort(rule.Actions)
	d.rules, d.names = append(d.rules, rule), append(d.names, rule.Name())
	if hasError(found) {
		return found
	}
	return append(found, s.advise(&d.rules[n], parsed, bound == never)...)
}

// clause compiles a rule for c's types; nil means that it can never match.
func (c *compiler) clause(parsed *ast.Policy) *clause {
	scoped := *parsed
	scoped.Action = ast.ScopeTypeAll{} // settled by its caller
	e := c.compile(eval.PolicyToNode(&scoped).AsIsNode())
	if e.kind != booleanKind {
		if len(c.found) == 0 {
			c.complain("", "This rule cannot be compiled.", "Write it in a simpler way.")
		}
		return nil
	}
	if e.never && !canFail(parsed) {
		return nil
	}
	return &clause{test: e.test}
}

// canFail reports whether a rule's conditions can come to no value: by a number
// that overflows, or a person who is not there.
func canFail(p *ast.Policy) (yes bool) {
	for _, c := range p.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			switch n := n.(type) {
			case ast.NodeTypeAdd, ast.NodeTypeSub, ast.NodeTypeMult, ast.NodeTypeNegate, ast.NodeTypeExtensionCall:
				yes = true
			case ast.NodeTypeAccess:
				yes = yes || n.Value == "on_behalf"
			}
			return !yes
		})
	}
	return yes
}

// binding returns the clauses of an action, none yet at first.
func (d *Document) binding(a Action) *binding {
	if d.index == nil {
		d.index = map[Action]*binding{}
	}
	b, ok := d.index[a]
	if !ok {
		b = &binding{document: d, open: slices.Contains(wayBack, a.Family())}
		d.index[a] = b
	}
	return b
}

func (s *slot) put(c clause) {
	switch {
	case c.who != "":
		if s.who == nil {
			s.who = map[string][]clause{}
		}
		s.who[c.who] = append(s.who[c.who], c)
	case c.on != "":
		if s.on == nil {
			s.on = map[string][]clause{}
		}
		s.on[c.on] = append(s.on[c.on], c)
	default:
		s.any = append(s.any, c)
	}
}

// onlyPrincipal returns the one principal that a rule's scope admits, "" for more.
func onlyPrincipal(p *ast.Policy) string {
	switch scope := p.Principal.(type) {
	case ast.ScopeTypeEq:
		return string(scope.Entity.ID)
	case ast.ScopeTypeIn: // people and plugins are in nothing but themselves
		return string(scope.Entity.ID)
	case ast.ScopeTypeIsIn:
		return string(scope.Entity.ID)
	}
	return ""
}

// onlyResource returns the key of the one resource that a rule's scope admits,
// "" for more: a plugin for its operations, and otherwise the resource's own id.
func onlyResource(p *ast.Policy) string {
	uid := types.EntityUID{}
	switch scope := p.Resource.(type) {
	case ast.ScopeTypeEq:
		uid = scope.Entity
	case ast.ScopeTypeIn:
		uid = scope.Entity
	case ast.ScopeTypeIsIn:
		uid = scope.Entity
	}
	switch uid.Type {
	case "Operation":
		for i, c := range string(uid.ID) {
			if c == '/' {
				return string(uid.ID[:i])
			}
		}
	case "Plugin", "Object":
		return string(uid.ID)
	}
	return "" // domains and event types hold others of their kind
}

// keyOf is what onlyResource would say of the resource of r.
func keyOf(r *Request, what types.EntityType) string {
	switch what {
	case "Operation", "Plugin":
		return r.Target.ID
	case "Object":
		return r.Resource.id()
	}
	return ""
}

// shapes lists every action with the kinds of principal and resource it can
// have. It is made once.
var shapes = sync.OnceValue(func() (all []shape) {
	for uid, a := range schema().Actions {
		if a.AppliesTo == nil {
			continue
		}
		for _, who := range a.AppliesTo.Principals {
			for _, what := range a.AppliesTo.Resources {
				all = append(all, shape{Action(uid.ID), who, what})
			}
		}
	}
	return all
})

// shapeOf returns the types of a request of a known action. What is no person's
// and no plugin's is no admin rule's either: the core acts by itself, and nobody
// passes without a name.
func shapeOf(r *Request) (who, what types.EntityType, ok bool) {
	switch party := principalOf(r.Action)(r); party.Kind {
	case actor.User:
		who = "User"
	case actor.Plugin:
		who = "Plugin"
	default:
		return "", "", false
	}
	switch r.Action {
	case OperatorCall:
		return who, "Operation", true
	case EventPublish, EventDeliver:
		return who, "EventType", true
	case ProxyRequest:
		return who, "Domain", true
	}
	if r.Target.Kind == actor.Plugin && r.Action.Family() == "plugin" {
		return who, "Plugin", true
	}
	return who, "Object", true
}

// admits reports whether a rule's scope admits an action.
func admits(scope ast.IsActionScopeNode, a Action) bool {
	switch scope := scope.(type) {
	case ast.ScopeTypeEq:
		return string(scope.Entity.ID) == string(a)
	case ast.ScopeTypeIn:
		return catalogue().in(a, string(scope.Entity.ID))
	case ast.ScopeTypeInSet:
		return slices.ContainsFunc(scope.Entities, func(e types.EntityUID) bool { return catalogue().in(a, string(e.ID)) })
	}
	return true
}

// mentionsAction reports whether a rule's conditions look at the action.
func mentionsAction(p *ast.Policy) (yes bool) {
	for _, c := range p.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			if v, ok := n.(ast.NodeTypeVariable); ok && v.Name == "action" {
				yes = true
			}
			return !yes
		})
	}
	return yes
}

// principalAction stands for all actions whose principal is the same side.
func principalAction(a Action) Action {
	if a == EventDeliver {
		return a
	}
	return ""
}

// isRest reports whether an action stands for those of a family without a name.
func isRest(a Action) bool { return catalogue().rest[a.Family()] == a }

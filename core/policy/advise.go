package policy

import (
	"slices"

	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// advise says what is suspicious about a rule that can be used, and refuses a
// permit that a trait can take away.
func (s *statement) advise(rule *AdminRule, parsed *ast.Policy, never bool) []Finding {
	var found []Finding
	warn := func(message, fix string) {
		f := s.finding(s.tokens[0].at, message, fix)
		f.Severity = Warning
		found = append(found, f)
	}
	if rule.Effect == Permit {
		for _, c := range parsed.Conditions {
			if !grows(c.Body, c.Condition == ast.ConditionWhen) {
				found = append(found, s.finding(s.condition(), "This permit ends when its subject is given one more trait.", "Let a permit ask for traits that are held; say with a forbid which must not be."))
			}
		}
	}
	calls := slices.Contains(rule.Actions, OperatorCall)
	open := !slices.ContainsFunc(rule.Actions, func(a Action) bool { return !slices.Contains(wayBack, a.Family()) })
	switch {
	case never:
		warn("This rule never matches.", "Its conditions exclude each other, or its scope; check them.")
	case rule.Effect == Permit && rule.Audit == AuditNone && (!calls || onlyPeople(parsed)):
		warn("This permit has no effect.", "A permit stands for the grant that a plugin needs to call another; everything else is decided by traits, and narrowed by forbids.")
	case rule.Effect == Forbid && open:
		warn("This forbid binds nobody who holds policy_manager.", "That is on purpose: whoever may repair the rules can always reach them.")
	case rule.Effect == Forbid && everything(parsed):
		warn("This forbid stops everything that rules can stop.", "Narrow its scope, or add a condition.")
	}
	return found
}

// onlyPeople reports whether a rule's scope admits no plugin as its principal.
func onlyPeople(p *ast.Policy) bool {
	switch scope := p.Principal.(type) {
	case ast.ScopeTypeEq:
		return scope.Entity.Type == "User"
	case ast.ScopeTypeIn:
		return scope.Entity.Type == "User"
	case ast.ScopeTypeIs:
		return scope.Type == "User"
	case ast.ScopeTypeIsIn:
		return scope.Type == "User"
	}
	return false
}

// everything reports whether a rule has neither scope nor condition.
func everything(p *ast.Policy) bool {
	_, who := p.Principal.(ast.ScopeTypeAll)
	_, does := p.Action.(ast.ScopeTypeAll)
	_, what := p.Resource.(ast.ScopeTypeAll)
	return who && does && what && len(p.Conditions) == 0
}

// grows reports whether a condition that holds still holds when a party has more
// traits; with up false, whether one that does not hold still does not.
func grows(n ast.IsNode, up bool) bool {
	switch n := n.(type) {
	case ast.NodeTypeAnd:
		return grows(n.Left, up) && grows(n.Right, up)
	case ast.NodeTypeOr:
		return grows(n.Left, up) && grows(n.Right, up)
	case ast.NodeTypeNot:
		return grows(n.Arg, !up)
	case ast.NodeTypeIfThenElse:
		return !readsTraits(n.If) && grows(n.Then, up) && grows(n.Else, up)
	case ast.NodeTypeContains:
		return !readsTraits(n.Left) || up
	case ast.NodeTypeContainsAny:
		return !readsTraits(n.Left) && !readsTraits(n.Right) || up
	case ast.NodeTypeContainsAll:
		return !readsTraits(n.Right) && (!readsTraits(n.Left) || up)
	}
	return !readsTraits(n)
}

// readsTraits reports whether an expression looks at a party's traits.
func readsTraits(n ast.IsNode) (yes bool) {
	ast.Inspect(ast.NewNode(n), func(n ast.IsNode) bool {
		if a, ok := n.(ast.NodeTypeAccess); ok && a.Value == "traits" {
			yes = true
		}
		return !yes
	})
	return yes
}

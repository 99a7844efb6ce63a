package alert

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/vivified/vivified/core/audit"
)

// own is what this package records itself. No rule counts it: an alert would
// open the next.
const own = "alert."

// fits reports whether m describes r. actors are the ids that m.Actor stands for.
func (m *Match) fits(r *audit.Record, actors []string) bool {
	return !strings.HasPrefix(r.Action, own) &&
		named(m.Action, r.Action) && named(m.Object, r.Object) &&
		same(m.Outcome, string(r.Outcome)) && same(m.ActorKind, r.ActorKind) && same(m.Rule, r.Rule) && same(m.Address, r.Address) &&
		(m.Actor == "" || slices.Contains(actors, r.ActorID) || r.OnBehalfID != "" && slices.Contains(actors, r.OnBehalfID)) &&
		(m.Plugin == "" || m.Plugin == r.Plugin || m.Plugin == r.ObjectPlugin || slices.Contains(r.Receivers, m.Plugin)) &&
		(m.Class == "" || slices.Contains(r.Classes, m.Class)) &&
		m.detailed(r.Detail)
}

func same(want, is string) bool { return want == "" || want == is }

// named compares a name with one wanted, or with a beginning followed by *.
func named(want, is string) bool {
	if prefix, open := strings.CutSuffix(want, "*"); open {
		return strings.HasPrefix(is, prefix)
	}
	return same(want, is)
}

// detailed reports whether a record's detail has the members that m wants.
func (m *Match) detailed(raw json.RawMessage) bool {
	if len(m.Detail) == 0 {
		return true
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return false
	}
	for name, want := range m.Detail {
		is := string(members[name])
		var text string
		if json.Unmarshal(members[name], &text) == nil && members[name] != nil {
			is = text
		}
		if is != want {
			return false
		}
	}
	return true
}

// filter describes at least the records that m does, for a search.
func (m *Match) filter() audit.Filter {
	return audit.Filter{Actor: m.Actor, Plugin: m.Plugin, Action: m.Action, Outcome: audit.Outcome(m.Outcome), Object: m.Object, Class: m.Class, Rule: m.Rule, Address: m.Address}
}

// of returns what r is about to a rule, and how people call that.
func (by By) of(r *audit.Record) (key, label string) {
	switch by {
	case ByActor:
		if r.ActorID == "" {
			return r.ActorKind, r.ActorKind
		}
		if r.ActorName != "" {
			return r.ActorID, r.ActorName
		}
		return r.ActorID, r.ActorID
	case ByPlugin:
		return r.Plugin, r.Plugin
	case ByObject:
		return r.Object, r.Object
	case ByAddress:
		return r.Address, r.Address
	case ByRule:
		return r.Rule, r.Rule
	case ByAction:
		return r.Action, r.Action
	}
	return "", ""
}

package policy

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
)

// Action is what the subject wants to do: a family, a dot and a verb.
type Action string

// The actions that rules treat by name. Every other one is administrative: a
// person's, of one of the known families, decided by the traits that
// Resource.Requires names. Actions lists them all.
const (
	EventPublish Action = "event.publish"
	EventDeliver Action = "event.deliver"
	OperatorCall Action = "operator.call"
	ProxyRequest Action = "proxy.request"

	StorageRead  Action = "storage.read"
	StorageWrite Action = "storage.write"
	DataRead     Action = "data.read"
	DataWrite    Action = "data.write"

	ConfigRead       Action = "config.read"
	ConfigWrite      Action = "config.write"
	PluginInstall    Action = "plugin.install"
	PluginEnable     Action = "plugin.enable"
	PluginDisable    Action = "plugin.disable"
	PluginQuarantine Action = "plugin.quarantine"
	PluginUnregister Action = "plugin.unregister"
	MCPCall          Action = "mcp.call"
)

// ConsoleView is looking at what every signed-in person may see. It is the one
// administrative action that needs no trait.
const ConsoleView Action = "console.view"

// Family is what stands before the dot; "" for what is no action.
func (a Action) Family() string {
	family, verb, _ := strings.Cut(string(a), ".")
	if verb == "" {
		return ""
	}
	return family
}

// Actions returns every action the schema declares, by name. The slice is the caller's own.
func Actions() []Action { return slices.Clone(catalogue().actions) }

// The groups of the schema that hold families: those of administration, and those of what the core keeps.
const administration = "administration"

// actions is what the schema says of them.
type actions struct {
	actions []Action
	groups  map[string][]string // action or group → the groups it is in, directly or not
	rest    map[string]Action   // family of administration → the action that stands for those the schema does not name
}

// catalogue reads the actions out of the schema, once.
var catalogue = sync.OnceValue(func() *actions {
	c := &actions{groups: map[string][]string{}, rest: map[string]Action{}}
	all := schema().Actions
	for uid, a := range all {
		name := string(uid.ID)
		c.groups[name] = ancestors(all, uid)
		switch {
		case strings.HasSuffix(name, restOfFamily):
			c.rest[Action(name).Family()] = Action(name)
		case a.AppliesTo != nil:
			c.actions = append(c.actions, Action(name))
		}
	}
	slices.SortFunc(c.actions, func(a, b Action) int { return cmp.Compare(a, b) })
	return c
})

// ancestors returns the groups an action is in, directly or through another.
func ancestors(all map[types.EntityUID]resolved.Action, of types.EntityUID) []string {
	var found []string
	for parent := range all[of].Entity.Parents.All() {
		found = append(found, string(parent.ID))
		found = append(found, ancestors(all, parent)...)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// in reports whether an action is the group, or in it.
func (c *actions) in(a Action, group string) bool {
	return string(a) == group || slices.Contains(c.groups[string(a)], group)
}

package settings

import (
	"encoding/json"
	"strings"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
)

// lockedChanges refuses to change what the schema locks (x-lock) or keeps for a
// trait (x-trait) that who does not hold. The core itself may change all.
func lockedChanges(schema json.RawMessage, last, next any, who actor.Actor) error {
	if who.Kind == actor.System {
		return nil
	}
	root, err := decodeSchema(schema)
	if err != nil {
		return err
	}
	w := &lockWalk{formBuilder: formBuilder{root: root, who: who.Traits}}
	w.compare(w.node(root), last, next, "", 0)
	return w.problems.err(fault.Denied, "config.locked")
}

type lockWalk struct {
	formBuilder
	problems problems
}

func (w *lockWalk) compare(at node, last, next any, pointer string, depth int) {
	if depth > maxDepth || string(encodeJSON(last)) == string(encodeJSON(next)) {
		return
	}
	if why := w.locked(at); why != "" {
		w.problems.add("config.locked", pointer, "%s cannot be changed: %s", title(strings.Split(strings.TrimPrefix(pointer, "/"), "/")), why)
		return
	}
	before, _ := last.(map[string]any)
	after, _ := next.(map[string]any)
	var places []node
	for _, f := range at.forms(&w.formBuilder) {
		places = append(places, f.node)
	}
	for _, place := range append(places, at) {
		for name := range place.properties() {
			w.compare(w.node(place.property(name)), before[name], after[name], pointer+"/"+escape(name), depth+1)
		}
	}
	old, _ := last.([]any)
	items, _ := next.([]any)
	for i := range max(len(old), len(items)) {
		w.compare(w.node(at.items()), itemOf(old, i), itemOf(items, i), pointer+"/"+itoa(i), depth+1)
	}
}

// itemOf returns an item, or nil beyond the end.
func itemOf(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

package operator

import (
	"context"
	"net/url"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/canon"
	"github.com/vivified/vivified/core/fault"
)

// IDs translates between what plugins call things and what everybody does. What
// is not in the answer keeps its name.
type IDs interface {
	// Globals returns what some of a plugin's own ids stand for.
	Globals(ctx context.Context, plugin string, ids []canon.ID) (map[canon.ID]string, error)
	// Locals returns what a plugin calls some things.
	Locals(ctx context.Context, plugin string, ids []canon.ID) (map[canon.ID]string, error)
}

// renamed returns what a receiver calls the things that a sender calls so. A person
// calls them what everybody does: "".
func (l *Lane) renamed(ctx context.Context, sender, receiver string, ids []canon.ID) (map[canon.ID]string, error) {
	names := map[canon.ID]string{}
	if l.ids == nil || len(ids) == 0 || sender == receiver {
		return names, nil
	}
	if sender != "" {
		globals, err := l.ids.Globals(ctx, sender, ids)
		if err != nil {
			return nil, idsDown(err)
		}
		names = globals
	}
	if receiver == "" {
		return names, nil
	}
	asked := make([]canon.ID, 0, len(ids))
	for _, id := range ids {
		if global, ok := names[id]; ok {
			id.Value = global
		}
		asked = append(asked, id)
	}
	locals, err := l.ids.Locals(ctx, receiver, asked)
	if err != nil {
		return nil, idsDown(err)
	}
	for i, id := range ids {
		if local, ok := locals[asked[i]]; ok {
			names[id] = local
		}
	}
	return names, nil
}

func idsDown(err error) *fault.Fault {
	return fault.New(fault.Unavailable, "ids.unavailable", "The ids of the call cannot be translated now; try again shortly.").Because(err)
}

// caller is the plugin that acts in ctx, "" for a person.
func caller(ctx context.Context) string {
	if who := actor.From(ctx); who.Kind == actor.Plugin {
		return who.ID
	}
	return ""
}

// translate gives the ids of a request, in its path, query and body, the names its
// target has for them.
func (l *Lane) translate(ctx context.Context, target string, marks *canon.Marks, values map[string]string, query url.Values, payload []byte) ([]byte, error) {
	ids, err := marks.IDs(payload)
	if len(payload) > 0 && err != nil {
		return payload, nil // what is no JSON holds no ids; its schema says what it is to be
	}
	for name, value := range values {
		if model := marks.IDOf(name); model != "" {
			ids = append(ids, canon.ID{Model: model, Value: value})
		}
	}
	for name, all := range query {
		for _, value := range all {
			if model := marks.IDOf(name); model != "" {
				ids = append(ids, canon.ID{Model: model, Value: value})
			}
		}
	}
	names, err := l.renamed(ctx, caller(ctx), target, ids)
	if err != nil || len(names) == 0 {
		return payload, err
	}
	rename := func(name, value string) string {
		if other, ok := names[canon.ID{Model: marks.IDOf(name), Value: value}]; ok {
			return other
		}
		return value
	}
	for name, value := range values {
		values[name] = rename(name, value)
	}
	for name, all := range query {
		for i, value := range all {
			all[i] = rename(name, value)
		}
	}
	if len(payload) == 0 {
		return payload, nil
	}
	return marks.ReplaceIDs(payload, names)
}

// translateBack gives the ids of an answer the names its caller has for them.
func (l *Lane) translateBack(ctx context.Context, target string, marks *canon.Marks, doc []byte) ([]byte, error) {
	ids, err := marks.IDs(doc)
	if err != nil {
		return doc, nil
	}
	names, err := l.renamed(ctx, target, caller(ctx), ids)
	if err != nil || len(names) == 0 {
		return doc, err
	}
	return marks.ReplaceIDs(doc, names)
}

package canonical

import (
	"context"
	"encoding/json"

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

// globally gives the ids in an event the names that everybody has for what its
// publisher means.
func (l *Lane) globally(ctx context.Context, publisher string, marks *canon.Marks, data json.RawMessage) (json.RawMessage, error) {
	if l.IDs == nil {
		return data, nil
	}
	return rename(marks, data, func(ids []canon.ID) (map[canon.ID]string, error) { return l.IDs.Globals(ctx, publisher, ids) })
}

// locally gives them the names that a receiver has.
func (l *Lane) locally(ctx context.Context, receiver string, marks *canon.Marks, data []byte) ([]byte, error) {
	if l.IDs == nil {
		return data, nil
	}
	return rename(marks, data, func(ids []canon.ID) (map[canon.ID]string, error) { return l.IDs.Locals(ctx, receiver, ids) })
}

func rename(marks *canon.Marks, data []byte, names func([]canon.ID) (map[canon.ID]string, error)) ([]byte, error) {
	if !marks.HasIDs() {
		return data, nil
	}
	ids, err := marks.IDs(data)
	if err != nil || len(ids) == 0 {
		return data, nil // it is JSON: that was checked
	}
	known, err := names(ids)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "ids.unavailable", "The ids of the event cannot be translated now; try again shortly.").Because(err)
	}
	if len(known) == 0 {
		return data, nil
	}
	return marks.ReplaceIDs(data, known)
}

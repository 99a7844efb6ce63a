package settings

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db"
)

// What one call may change.
const (
	maxChanges = 100
	maxReason  = 500 // bytes
)

// Change is one key's new value in the database.
type Change struct {
	Key     Key
	Value   json.RawMessage // null or nil: unset it, so that the layers below count again
	Version *int64          // not nil: only if the database's value still has this version, 0 for none
}

// Set changes settings in the database: all of changes, with their history and
// audit, or none. Whoever acts in ctx must hold the traits that the keys name
// ([Requires]); the caller has asked the gate before, so that a denial is on
// record. A secret is written as a JSON string, and sealed.
//
// Faults: Denied settings.edit; Unprocessable settings.invalid, with a
// violation for each broken rule; Conflict settings.version when somebody else
// was faster, settings.two_people for what one person does not change alone.
func (s *Settings) Set(ctx context.Context, changes []Change, reason string) error {
	b, values, err := s.checked(ctx, changes, reason)
	if err != nil {
		return err
	}
	if err := s.notAlone(ctx, changes, values); err != nil {
		return err
	}
	changed := false
	err = db.InTx(ctx, b.Pool, func(q *db.Queries) (err error) {
		changed, err = s.setIn(ctx, q, b, changes, values, reason)
		return err
	})
	if err != nil || !changed {
		return broken("change settings", err)
	}
	s.announce(ctx, b)
	return nil
}

// checked returns the values of changes that whoever acts may make.
func (s *Settings) checked(ctx context.Context, changes []Change, reason string) (*backing, []*newValue, error) {
	b, err := s.attached()
	if err != nil {
		return nil, nil, err
	}
	if err := mayEdit(ctx, changes); err != nil {
		return nil, nil, err
	}
	values, err := readChanges(changes, reason)
	if err != nil {
		return nil, nil, err
	}
	return b, values, s.guarded(ctx, changes, values)
}

// setIn makes changes that were checked, and reports whether anything is different.
func (s *Settings) setIn(ctx context.Context, q *db.Queries, b *backing, changes []Change, values []*newValue, reason string) (changed bool, err error) {
	w := &write{q: q, sealer: b.Sealer, scope: globalScope, by: actor.From(ctx).ID, reason: reason}
	if err := w.open(ctx); err != nil {
		return false, err
	}
	if err := w.compare(changes); err != nil {
		return false, err
	}
	before := overlay(s.fixed, w.list, b.Sealer)
	if err := contradicts(before, changes, values); err != nil {
		return false, err
	}
	for i, c := range changes {
		raw, err := values[i].raw()
		if err != nil {
			return false, err
		}
		if err := w.put(ctx, put{key: c.Key.String(), secret: definitions[c.Key].Secret, value: raw}); err != nil {
			return false, err
		}
	}
	return len(w.entries) > 0, w.close(ctx)
}

// announce makes a committed change count, here and on every replica.
func (s *Settings) announce(ctx context.Context, b *backing) {
	s.wake(ctx, b, topic)
	if err := s.reload(ctx, b); err != nil {
		b.Log.WarnContext(ctx, "settings changed, not yet read back", "error", err)
	}
}

// wake tells the other replicas. They also look by themselves, so a bus that is
// away delays a change and does not fail it.
func (s *Settings) wake(ctx context.Context, b *backing, topic string) {
	if b.Waker == nil {
		return
	}
	if err := b.Waker.Wake(topic); err != nil {
		b.Log.WarnContext(ctx, "other replicas not woken", "topic", topic, "error", err)
	}
}

// mayEdit refuses whoever lacks a trait that a changed key asks for. The core
// itself may change all.
func mayEdit(ctx context.Context, changes []Change) error {
	who := actor.From(ctx)
	if who.Kind == actor.System {
		return nil
	}
	for _, c := range changes {
		if who.Kind != actor.User || !who.Has(definitions[c.Key].Edit) {
			return fault.New(fault.Denied, "settings.edit", "Changing %s needs the trait %s.", c.Key, trait.Builtin().Get(definitions[c.Key].Edit).Name)
		}
	}
	return nil
}

// newValue is what a change sets; nil: nothing any more.
type newValue struct{ v any }

func (n *newValue) raw() (json.RawMessage, error) {
	if n == nil {
		return nil, nil
	}
	return compactJSON(marshal(n.v))
}

// readChanges returns the values of changes, or everything wrong with them.
func readChanges(changes []Change, reason string) ([]*newValue, error) {
	var p problems
	if len(changes) == 0 || len(changes) > maxChanges {
		p.add("settings.count", "", "A change holds 1 to %d settings.", maxChanges)
	}
	p.reason(reason)
	values, seen := make([]*newValue, len(changes)), map[Key]bool{}
	for i, c := range changes {
		d, at := definitions[c.Key], "/"+c.Key.String()
		if seen[c.Key] {
			p.add("settings.twice", at, "%s is changed twice.", d.Name)
			continue
		}
		seen[c.Key] = true
		if no := d.DatabaseRefusal(); no != "" {
			p.add("settings.reach", at, "%s", no)
			continue
		}
		if isNull(c.Value) {
			continue
		}
		v, must := d.parseJSON(c.Value)
		if must == "" && d.Secret {
			must = notAPlaceholder(v)
		}
		if must != "" {
			p.add("settings.value", at, "%s %s.", d.Name, must)
			continue
		}
		values[i] = &newValue{v}
	}
	return values, p.err(fault.Unprocessable, "settings.invalid")
}

// reason notes a reason that cannot be kept.
func (p *problems) reason(reason string) {
	if len(reason) > maxReason || !printable(reason) {
		p.add("settings.reason", "/reason", "A reason is one line of at most %d bytes.", maxReason)
	}
}

// notAPlaceholder keeps a page that was sent back unchanged from replacing a secret.
func notAPlaceholder(v any) string {
	if v == "" || v == Shown {
		return fmt.Sprintf("must be the secret itself, neither empty nor %q; null clears it", Shown)
	}
	return ""
}

// contradicts refuses values that contradict each other or what else is in
// force. A contradiction that was there before stands in nobody's way.
func contradicts(before *snapshot, changes []Change, values []*newValue) error {
	after := before.layers
	for i, c := range changes {
		after[c.Key][Database] = nil
		if values[i] != nil {
			after[c.Key][Database] = &setting{value: values[i].v}
		}
	}
	var old, now, fresh problems
	old.contradictions(&before.layers)
	now.contradictions(&after)
	for _, v := range now {
		known := false
		for _, o := range old {
			known = known || o == v
		}
		if !known {
			fresh = append(fresh, v)
		}
	}
	return fresh.err(fault.Unprocessable, "settings.invalid")
}

// isNull reports whether raw is absent or the JSON null.
func isNull(raw json.RawMessage) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) == 0 || bytes.Equal(raw, []byte("null"))
}

// classOf returns the class of what an audit record of the setting touches.
func classOf(secret bool) trait.Classes {
	if secret {
		return trait.ClassesOf(trait.Confidential)
	}
	return trait.ClassesOf(trait.Internal)
}

// entry returns the audit record of one changed key.
func (w *write) entry(key string, secret bool, version int64, before, after json.RawMessage) audit.Entry {
	return audit.Entry{
		Plugin: w.plugin, Action: "config.write", Object: w.object + key, Outcome: audit.OK, Classes: classOf(secret),
		Detail: map[string]any{"reason": w.reason, "version": version, "secret": secret}, Before: before, After: after,
	}
}

package canonical

import (
	"context"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/canon"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
)

// word is the gate's word on one receiver of one event.
type word struct {
	receiver policy.Party
	level    audit.Level
	request  policy.Request
	decision policy.Decision
	data     []byte   // what the receiver may see
	removed  []string // JSON Pointers of what it may not
	unmapped error    // why its own transformer gives it nothing
}

// judge decides what one subscriber may see of an event, and prepares that: its
// own ids, and last its transformer, so that neither is given anything that was to
// be removed. An error means that this could not be found out now.
func (l *Lane) judge(ctx context.Context, snap *registry.Snapshot, m meta, data []byte, to *registry.Plugin) (word, error) {
	w := l.weigh(snap, m, data, to.Party(), to.Level(), l.Gate.Judge)
	if !w.decision.Allow {
		return w, nil
	}
	var err error
	if w.data, err = l.locally(ctx, to.ID, l.marksOf(snap, m), w.data); err != nil {
		return w, err
	}
	w.data, w.unmapped = l.own(to.Manifest, m.Type, w.data)
	return w, nil
}

// marksOf are those of the schema that an event was published under, as far as its
// publisher still declares that one.
func (l *Lane) marksOf(snap *registry.Snapshot, m meta) *canon.Marks {
	if p, ok := snap.Plugin(m.Publisher); ok {
		if d, ok := l.declaration(p.Manifest, m.Type); ok && d.digest == m.Schema && m.Schema != "" {
			return d.marks
		}
	}
	return &noMarks
}

// weigh decides what anybody may see of an event, with a voice that may be another
// than the gate's, whose decisions count as traffic.
func (l *Lane) weigh(snap *registry.Snapshot, m meta, data []byte, to policy.Party, level audit.Level, decide func(*policy.Request) policy.Decision) word {
	w := word{receiver: to, level: level}
	from := policy.Party{Kind: actor.Plugin, ID: m.Publisher, Tenant: m.Tenant, State: "unregistered"}
	marks := l.marksOf(snap, m)
	if p, ok := snap.Plugin(m.Publisher); ok {
		from = p.Party()
		w.level = max(w.level, p.Level())
	}
	var hidden trait.Classes
	for c := trait.Confidential; c <= trait.PHI; c++ {
		if one := trait.ClassesOf(c); m.Classes.Has(c) && !to.Traits.MissingFor(one).Empty() {
			hidden |= one
		}
	}
	w.request = policy.Request{
		Action: policy.EventDeliver, Subject: from, Target: to, Trace: m.Trace,
		Resource: policy.Resource{Name: m.Type, Classes: m.Classes, Declared: subscribes(snap, to, m.Type), Encrypts: from.Traits.Has(trait.RequiresEncryption), Marked: marks.Cover(hidden)},
	}
	w.decision = decide(&w.request)
	w.level = max(w.level, audit.Level(w.decision.Audit))
	switch {
	case !w.decision.Allow:
	case w.decision.Redact == 0:
		w.data = data
	default:
		clean, removed, err := marks.Plan(w.decision.Redact).Redact(data)
		if err != nil { // stored events are valid JSON; what is not, nobody sees
			w.decision.Allow = false
			return w
		}
		w.data, w.removed = clean, removed
	}
	return w
}

// subscribes reports whether a receiver asked for the type. People look at any.
func subscribes(snap *registry.Snapshot, to policy.Party, typ string) bool {
	p, ok := snap.Plugin(to.ID)
	return to.Kind != actor.Plugin || ok && p.Manifest.Events.Subscribed(typ)
}

// receivers counts the active subscribers of an event, which share one record.
func receivers(snap *registry.Snapshot, m meta) int {
	n := 0
	for _, p := range snap.Plugins() {
		if p.State == policy.Active && p.Manifest.Events.Subscribed(m.Type) && (p.Tenant == m.Tenant || p.Tenant == policy.Everyone) {
			n++
		}
	}
	return max(n, 1)
}

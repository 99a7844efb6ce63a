package canonical

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/gate"
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
}

// judge decides what one receiver may see of an event, and prepares that.
func (l *Lane) judge(snap *registry.Snapshot, m meta, data []byte, to policy.Party, level audit.Level) word {
	return l.weigh(snap, m, data, to, level, l.Gate.Judge)
}

// weigh is judge with another voice than the gate's, whose decisions count as traffic.
func (l *Lane) weigh(snap *registry.Snapshot, m meta, data []byte, to policy.Party, level audit.Level, decide func(*policy.Request) policy.Decision) word {
	w := word{receiver: to, level: level}
	from := policy.Party{Kind: actor.Plugin, ID: m.Publisher, Tenant: m.Tenant, State: "unregistered"}
	marks := &noMarks
	if p, ok := snap.Plugin(m.Publisher); ok {
		from = p.Party()
		w.level = max(w.level, p.Level())
		// Marks count only when they are those of the schema the event was published under.
		if d, ok := l.declaration(p.Manifest, m.Type); ok && d.digest == m.Schema && m.Schema != "" {
			marks = d.marks
		}
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

// gather is how long the receivers of one event are waited for, so that one
// record holds the decisions on all of them.
const gather = 10 * time.Millisecond

// rounds brings the decisions on the receivers of one event together into one record.
type rounds struct {
	lane *Lane
	mu   sync.Mutex
	open map[string]*round
}

type round struct {
	m     meta
	words []word
	want  int
	timer *time.Timer
	done  chan struct{}
	call  uuid.UUID
	err   error
}

// join records w, with those of the event's other receivers that come within a
// moment, and returns once the record is durable: the id that joins decision and
// outcome, or why there is no record and hence no delivery.
func (rs *rounds) join(ctx context.Context, m meta, w word, want int) (uuid.UUID, error) {
	key := m.Publisher + "\x00" + m.ID
	rs.mu.Lock()
	r, ok := rs.open[key]
	if !ok {
		r = &round{m: m, want: want, done: make(chan struct{})}
		rs.open[key] = r
		r.timer = time.AfterFunc(gather, func() { rs.close(key, r) })
	}
	r.words = append(r.words, w)
	full := len(r.words) >= r.want
	rs.mu.Unlock()
	if full && r.timer.Stop() {
		rs.close(key, r)
	}
	select {
	case <-r.done:
		return r.call, r.err
	case <-ctx.Done():
		return uuid.Nil, ctx.Err()
	}
}

func (rs *rounds) close(key string, r *round) {
	rs.mu.Lock()
	delete(rs.open, key)
	rs.mu.Unlock()
	r.call = uuid.Must(uuid.NewV7())
	r.err = rs.lane.recordRound(r)
	close(r.done)
}

// delivery is one receiver's line in the record of an event.
type delivery struct {
	Receiver string     `json:"receiver"`
	Outcome  string     `json:"outcome"` // deliver, redact or drop
	Rule     string     `json:"rule"`
	Reason   string     `json:"reason,omitempty"`
	Missing  []string   `json:"missing,omitempty"`
	Hidden   []string   `json:"hidden,omitempty"` // classes removed
	Fields   []string   `json:"fields,omitempty"` // JSON Pointers removed
	Facts    gate.Facts `json:"facts"`
}

// recordRound writes one row for the receivers that get the event and one for
// those that do not.
func (l *Lane) recordRound(r *round) error {
	rows := map[audit.Outcome][]delivery{}
	levels := map[audit.Outcome]audit.Level{}
	rules := map[audit.Outcome]string{}
	for _, w := range r.words {
		outcome, d := audit.Allow, delivery{Receiver: w.receiver.ID, Outcome: "deliver", Rule: w.decision.Rule}
		switch {
		case !w.decision.Allow:
			outcome, d.Outcome = audit.Deny, "drop"
			d.Reason, d.Missing = w.decision.Reason.Sentence, w.decision.Reason.Missing
		case w.decision.Redact != 0:
			d.Outcome, d.Hidden, d.Fields = "redact", w.decision.Redact.Names(), w.removed
			d.Reason, d.Missing = w.decision.Reason.Sentence, w.decision.Reason.Missing
		}
		d.Facts = l.Gate.Describe(&w.request, nil).Facts
		rows[outcome] = append(rows[outcome], d)
		levels[outcome] = max(levels[outcome], w.level)
		if rules[outcome] == "" || d.Outcome == "redact" {
			rules[outcome] = d.Rule
		}
	}
	ctx, cancel := context.WithTimeout(carrier(context.Background(), r.m.Trace), publishTimeout)
	defer cancel()
	for _, outcome := range []audit.Outcome{audit.Deny, audit.Allow} {
		ds := rows[outcome]
		if len(ds) == 0 || outcome == audit.Allow && levels[outcome] == audit.None {
			continue
		}
		e := audit.Entry{
			Plugin: r.m.Publisher, Action: string(policy.EventDeliver), Object: r.m.Type + "/" + r.m.ID, Outcome: outcome, Rule: rules[outcome],
			Classes: r.m.Classes, Detail: map[string]any{"event_id": r.m.ID, "event_type": r.m.Type, "deliveries": ds},
		}
		if outcome == audit.Allow {
			e.ID, e.Call = r.call, r.call
		}
		for _, d := range ds {
			e.Receivers = append(e.Receivers, d.Receiver)
		}
		if err := l.Gate.Record(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// ended records what came of a delivery.
func (l *Lane) ended(m meta, w word, call uuid.UUID, began time.Time, failure string) {
	l.Gate.Meter().Ended(gate.Edge{Action: string(policy.EventDeliver), From: m.Publisher, To: w.receiver.ID}, l.Now().Sub(began), failure != "")
	if w.level == audit.None {
		return
	}
	e := audit.Entry{
		Call: call, Plugin: m.Publisher, Target: w.receiver.ID, Action: string(policy.EventDeliver), Object: m.Type + "/" + m.ID, Outcome: audit.OK,
		Rule: w.decision.Rule, Classes: m.Classes, Receivers: []string{w.receiver.ID},
	}
	if failure != "" {
		e.Outcome, e.Detail = audit.Failed, map[string]any{"error": failure}
	}
	l.Record.Later(carrier(context.Background(), m.Trace), e)
}

package canonical

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
)

const (
	// gather is how long the receivers of one event are waited for, so that one
	// record holds the decisions on all of them.
	gather = 10 * time.Millisecond
	// gatherEnds is how long the ends of an event's deliveries are waited for, so
	// that one record holds them too.
	gatherEnds = 250 * time.Millisecond
)

// rounds brings the decisions on the receivers of one event together into one
// record, and so what came of them.
type rounds struct {
	lane *Lane
	mu   sync.Mutex
	open map[string]*round
	runs map[uuid.UUID]*run
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

// run is a recorded round whose deliveries are under way.
type run struct {
	left  int // that have not ended
	ends  []end
	timer *time.Timer // runs while ends wait to be recorded
}

// end is what came of the delivery to one receiver.
type end struct {
	word    word
	attempt int
	took    time.Duration
	failure string // "" when it arrived
}

// join records w, with those of the event's other receivers that come within a
// moment, and returns once the record is durable: the id that joins decision and
// outcome, or why there is no record and hence no delivery. It does not end
// sooner when its caller loses interest, because what is recorded needs an end.
func (rs *rounds) join(m meta, w word, want int) (uuid.UUID, error) {
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
	<-r.done
	return r.call, r.err
}

func (rs *rounds) close(key string, r *round) {
	rs.mu.Lock()
	delete(rs.open, key)
	rs.mu.Unlock()
	r.call = uuid.Must(uuid.NewV7())
	if r.err = rs.lane.recordRound(r); r.err == nil {
		allowed := 0
		for _, w := range r.words {
			if w.decision.Allow {
				allowed++
			}
		}
		if allowed > 0 {
			rs.mu.Lock()
			rs.runs[r.call] = &run{left: allowed}
			rs.mu.Unlock()
		}
	}
	close(r.done)
}

// ended notes what came of one delivery of a round. The record of it is written
// with those of the others, as soon as all have ended or a moment has passed.
func (rs *rounds) ended(call uuid.UUID, m meta, e end) {
	rs.mu.Lock()
	r, ok := rs.runs[call]
	if !ok { // cannot be: who ends has joined before
		r = &run{left: 1}
		rs.runs[call] = r
	}
	r.left--
	r.ends = append(r.ends, e)
	if r.left > 0 {
		if r.timer == nil {
			r.timer = time.AfterFunc(gatherEnds, func() { rs.flush(call, m) })
		}
		rs.mu.Unlock()
		return
	}
	delete(rs.runs, call)
	if r.timer != nil {
		r.timer.Stop()
	}
	ends := r.ends
	r.ends = nil
	rs.mu.Unlock()
	rs.lane.recordEnds(call, m, ends)
}

// flush records the ends that wait, and leaves the rest for later.
func (rs *rounds) flush(call uuid.UUID, m meta) {
	rs.mu.Lock()
	var ends []end
	if r, ok := rs.runs[call]; ok {
		ends, r.ends, r.timer = r.ends, nil, nil
	}
	rs.mu.Unlock()
	rs.lane.recordEnds(call, m, ends)
}

// delivery is one receiver's line in the record of an event: of the decision, or
// of its outcome.
type delivery struct {
	Receiver string      `json:"receiver"`
	Outcome  string      `json:"outcome"` // deliver, redact or drop; of an outcome: ok or failed
	Rule     string      `json:"rule"`
	Version  int64       `json:"policy_version,omitempty"`
	Reason   string      `json:"reason,omitempty"`
	Missing  []string    `json:"missing,omitempty"`
	Hidden   []string    `json:"hidden,omitempty"` // classes removed
	Fields   []string    `json:"fields,omitempty"` // JSON Pointers removed
	Error    string      `json:"error,omitempty"`
	Attempt  int         `json:"attempt,omitempty"`
	Took     int64       `json:"took_us,omitempty"`
	Facts    *gate.Facts `json:"facts,omitempty"`
}

// recordRound writes one row for the receivers that get the event and one for
// those that do not.
func (l *Lane) recordRound(r *round) error {
	rows := map[audit.Outcome][]delivery{}
	levels := map[audit.Outcome]audit.Level{}
	rules := map[audit.Outcome]string{}
	for _, w := range r.words {
		outcome, d := audit.Allow, delivery{Receiver: w.receiver.ID, Outcome: "deliver", Rule: w.decision.Rule, Version: w.decision.Version}
		switch {
		case !w.decision.Allow:
			outcome, d.Outcome = audit.Deny, "drop"
			d.Reason, d.Missing = w.decision.Reason.Sentence, w.decision.Reason.Missing
		case w.decision.Redact != 0:
			d.Outcome, d.Hidden, d.Fields = "redact", w.decision.Redact.Names(), w.removed
			d.Reason, d.Missing = w.decision.Reason.Sentence, w.decision.Reason.Missing
		}
		facts := l.Gate.Facts(&w.request)
		d.Facts = &facts
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
		e := r.m.entry(outcome, rules[outcome], ds)
		if outcome == audit.Allow {
			e.ID, e.Call = r.call, r.call
		}
		if err := l.Gate.Record(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// ended notes what came of a delivery.
func (l *Lane) ended(m meta, w word, call uuid.UUID, began time.Time, attempt int, failure string) {
	took := l.Now().Sub(began)
	l.Gate.Meter().Ended(gate.Edge{Action: string(policy.EventDeliver), From: m.Publisher, To: w.receiver.ID}, took, failure != "")
	l.rounds.ended(call, m, end{w, attempt, took, failure})
}

// recordEnds writes one row for what came of some deliveries of an event.
func (l *Lane) recordEnds(call uuid.UUID, m meta, ends []end) {
	ends = slices.DeleteFunc(ends, func(e end) bool { return e.word.level == audit.None })
	if len(ends) == 0 {
		return
	}
	outcome := audit.OK
	ds := make([]delivery, len(ends))
	for i, e := range ends {
		ds[i] = delivery{Receiver: e.word.receiver.ID, Outcome: "ok", Rule: e.word.decision.Rule, Attempt: e.attempt, Took: e.took.Microseconds()}
		if e.failure != "" {
			outcome, ds[i].Outcome, ds[i].Error = audit.Failed, "failed", e.failure
		}
	}
	entry := m.entry(outcome, ds[0].Rule, ds)
	entry.Call = call
	if len(ends) == 1 {
		entry.Target = ds[0].Receiver
	}
	l.Record.Later(carrier(context.Background(), m.Trace), entry)
}

// entry is a record of the event's delivery to some receivers.
func (m meta) entry(outcome audit.Outcome, rule string, ds []delivery) audit.Entry {
	e := audit.Entry{
		Plugin: m.Publisher, Action: string(policy.EventDeliver), Object: m.Type + "/" + m.ID, Outcome: outcome, Rule: rule, Classes: m.Classes,
		Detail: map[string]any{"event_id": m.ID, "event_type": m.Type, "deliveries": ds},
	}
	for _, d := range ds {
		e.Receivers = append(e.Receivers, d.Receiver)
	}
	return e
}

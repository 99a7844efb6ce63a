// Package gate is the one door: it asks the policy, records the answer in the
// audit, and lets pass or refuses with a reason.
//
// It fails closed. A decision that cannot be recorded is not acted upon,
// whichever way it went. It knows neither lanes nor plugins: they bring the facts.
package gate

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// Recorder makes records durable. audit.Writer is one.
type Recorder interface {
	// Decide returns once the record is committed, or a fault of kind Unavailable.
	Decide(ctx context.Context, e audit.Entry) error
	// Later records soon, without making the caller wait.
	Later(ctx context.Context, e audit.Entry)
}

// Config is what a Gate needs.
type Config struct {
	Policy  func() *policy.Policy // the policy in force
	Record  Recorder
	Metrics prometheus.Registerer // nil: not counted
	Now     func() time.Time      // default time.Now
	Log     *slog.Logger
}

// Gate decides and records. It is safe for concurrent use.
type Gate struct {
	policy   func() *policy.Policy
	record   Recorder
	decided  decisions
	meter    *Meter
	coverage *coverage
	now      func() time.Time
	log      *slog.Logger
}

// Meter returns the counts of the last hour.
func (g *Gate) Meter() *Meter { return g.meter }

// New returns a Gate.
func New(c Config) *Gate {
	if c.Now == nil {
		c.Now = time.Now
	}
	g := &Gate{policy: c.Policy, record: c.Record, now: c.Now, meter: newMeter(c.Now), coverage: newCoverage(), log: c.Log}
	g.decided.all = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "vivified_decisions_total", Help: "Policy decisions by action, outcome and deciding rule.",
	}, []string{"action", "outcome", "rule"})
	if c.Metrics != nil {
		c.Metrics.MustRegister(g.decided.all, g.meter.lasted)
	}
	return g
}

// Note is what the audit is told beside the facts of a request.
type Note struct {
	Plugin  string      // the acting plugin, else the plugin acted upon
	Object  string      // path of names
	Level   audit.Level // the higher of caller's and target's
	Context any         // sizes, hashes, names; never secrets or PHI in clear
}

// Passage is an allowed request on its way. End it exactly once.
type Passage struct {
	ID       uuid.UUID // the decision's id
	Decision policy.Decision
	gate     *Gate
	entry    audit.Entry
	level    audit.Level
	edge     Edge
	began    time.Time
}

// Pass decides r and records the decision, durably, before it returns. A denial
// is a fault that carries the rule, the sentence and the decision's id.
func (g *Gate) Pass(ctx context.Context, r *policy.Request, n Note) (Passage, error) {
	return g.PassAfter(ctx, r, n, nil)
}

// PassAfter is Pass with a step before an allowed request is recorded, so that what
// is recorded as allowed can also be done. The step may complete the note, and ends
// the request by an error, unrecorded. It is not taken for a request that is
// denied: who is denied learns nothing of it.
func (g *Gate) PassAfter(ctx context.Context, r *policy.Request, n Note, step func(*Note) error) (Passage, error) {
	p := g.policy()
	d := g.decide(p, r)
	if step != nil && d.Allow {
		if err := step(&n); err != nil {
			return Passage{}, err
		}
	}
	line, onLane := edge(r)
	g.count(p, r, &d, line, onLane)
	id := uuid.Must(uuid.NewV7())
	e := audit.Entry{
		ID: id, Call: id, Plugin: n.Plugin, Action: string(r.Action), Object: n.Object,
		Outcome: audit.Allow, Rule: d.Rule, Classes: r.Resource.Classes,
	}
	if r.Target.ID != n.Plugin {
		e.Target = r.Target.ID
	}
	if !d.Allow {
		e.Outcome = audit.Deny
	}
	level := max(n.Level, audit.Level(d.Audit))
	if level > audit.None || !d.Allow {
		e.Detail = describe(p, r, n.Context)
		if err := g.record.Decide(ctx, e); err != nil {
			if onLane && d.Allow {
				g.meter.Ended(line, g.now().Sub(r.At), true)
			}
			return Passage{}, err
		}
	}
	if !d.Allow {
		return Passage{}, refusal(r, d, id)
	}
	e.ID, e.Detail = uuid.Nil, nil
	return Passage{ID: id, Decision: d, gate: g, entry: e, level: level, edge: line, began: r.At}, nil
}

// Judge decides r without recording it: for work that records several decisions in one row.
func (g *Gate) Judge(r *policy.Request) policy.Decision { return g.judge(g.policy(), r) }

func (g *Gate) judge(p *policy.Policy, r *policy.Request) policy.Decision {
	d := g.decide(p, r)
	line, onLane := edge(r)
	g.count(p, r, &d, line, onLane)
	return d
}

// decide asks the policy, as of now when the request does not say.
func (g *Gate) decide(p *policy.Policy, r *policy.Request) policy.Decision {
	if r.At.IsZero() {
		r.At = g.now()
	}
	return p.Decide(r)
}

// count counts a decision wherever decisions are counted.
func (g *Gate) count(p *policy.Policy, r *policy.Request, d *policy.Decision, line Edge, onLane bool) {
	outcome := "allow"
	switch {
	case !d.Allow:
		outcome = "deny"
	case d.Redact != 0:
		outcome = "redact"
	}
	g.decided.of(string(r.Action), outcome, counted(d.Rule)).Inc()
	g.coverage.count(p, d)
	if !d.Allow {
		g.meter.refused(counted(d.Rule))
	}
	if onLane {
		g.meter.decided(line, d.Allow)
		if !d.Allow {
			g.meter.observe(line.Action, refused, g.now().Sub(r.At))
		}
	}
}

// counted is what a rule is counted under where a series lives for ever: the rules
// of administrators come and go, and are counted one by one in Coverage.
func counted(rule string) string {
	if strings.HasPrefix(rule, policy.AdminPrefix) {
		return policy.AdminPrefix + "*"
	}
	return rule
}

// Would reports whether Pass would let r through. It neither records nor counts:
// for work that gathers a costly fact only for a request that needs it.
func (g *Gate) Would(r policy.Request) bool {
	if r.At.IsZero() {
		r.At = g.now()
	}
	return g.policy().Decide(&r).Allow
}

// Explain returns the word of every rule on r as they are now. It neither records
// nor counts.
func (g *Gate) Explain(r policy.Request) []policy.Reason {
	if r.At.IsZero() {
		r.At = g.now()
	}
	return g.policy().Explain(&r)
}

// edge is the line of traffic a request belongs to; ok is false for what is no
// lane's, such as a look at a page.
func edge(r *policy.Request) (_ Edge, ok bool) {
	e := Edge{Action: string(r.Action), From: r.Subject.ID, To: r.Target.ID}
	switch r.Action {
	case policy.EventPublish, policy.ProxyRequest:
		e.To = r.Resource.Name
	case policy.EventDeliver, policy.OperatorCall:
	default:
		return Edge{}, false
	}
	return e, true
}

// Record writes an entry durably, for work that judged several requests.
func (g *Gate) Record(ctx context.Context, e audit.Entry) error { return g.record.Decide(ctx, e) }

// Facts returns the facts of r, as Pass would record them.
func (g *Gate) Facts(r *policy.Request) Facts { return facts(g.policy().Traits(), r) }

// End records what came of an allowed request. At level complete the record is
// durable when it returns; at the others it follows soon.
func (p Passage) End(ctx context.Context, outcome audit.Outcome, detail any) {
	if p.gate == nil {
		return
	}
	p.gate.meter.Ended(p.edge, p.gate.now().Sub(p.began), outcome != audit.OK)
	if p.level == audit.None {
		return
	}
	e := p.entry
	e.Outcome, e.Detail = outcome, detail
	if p.level < audit.Detailed {
		e.Detail = nil
	}
	if p.level == audit.Complete {
		if err := p.gate.record.Decide(context.WithoutCancel(ctx), e); err != nil {
			p.gate.log.ErrorContext(ctx, "outcome not recorded", "action", e.Action, "object", e.Object, "error", err)
		}
		return
	}
	p.gate.record.Later(ctx, e)
}

// On is what an administrative action is about.
type On struct {
	Object   string       // as the audit names it: a path or an id
	ID       string       // of the thing itself; "": the object
	Plugin   policy.Party // the plugin acted upon; zero when none is
	Method   string       // of HTTP, where there is one
	Requires trait.Set    // what the person must hold, all of it
}

// Admit decides an administrative action of whoever acts in ctx. Denials are
// recorded here; what an allowed action changes is recorded with the change.
func (g *Gate) Admit(ctx context.Context, action, object string, requires trait.Set) error {
	return g.AdmitOn(ctx, action, On{Object: object, Requires: requires})
}

// AdmitOn is Admit for whoever knows more of what the action is about.
func (g *Gate) AdmitOn(ctx context.Context, action string, on On) error {
	r := asked(ctx, action, on)
	p := g.policy()
	d := g.judge(p, r)
	if d.Allow {
		return nil
	}
	id := uuid.Must(uuid.NewV7())
	e := audit.Entry{ID: id, Plugin: on.Plugin.ID, Action: action, Object: on.Object, Outcome: audit.Deny, Rule: d.Rule, Detail: describe(p, r, nil)}
	if err := g.record.Decide(ctx, e); err != nil {
		return err
	}
	return refusal(r, d, id)
}

// asked is the request of whoever acts in ctx for an administrative action.
func asked(ctx context.Context, action string, on On) *policy.Request {
	who := actor.From(ctx)
	r := &policy.Request{
		Action: policy.Action(action), Subject: person(who), Target: on.Plugin, Method: on.Method, Trace: actor.Trace(ctx),
		Resource: policy.Resource{ID: on.ID, Name: on.Object, Requires: on.Requires},
	}
	if who.OnBehalf != nil {
		u := person(*who.OnBehalf)
		r.OnBehalf = &u
	}
	return r
}

func person(a actor.Actor) policy.Party {
	return policy.Party{Kind: a.Kind, ID: a.ID, Name: a.Name, Tenant: a.Tenant, Traits: a.Traits}
}

// Refuse records what was refused to whoever acts in ctx for a reason that is no
// rule, such as a body that names somebody else than its credential does. It
// returns f with the id of that decision, or the fault of the recorder.
func (g *Gate) Refuse(ctx context.Context, action, object string, f *fault.Fault) error {
	id, r := uuid.Must(uuid.NewV7()), asked(ctx, action, On{Object: object})
	e := audit.Entry{ID: id, Action: action, Object: object, Outcome: audit.Deny, Rule: f.Code, Detail: Record{
		Facts: facts(g.policy().Traits(), r), Reasons: []policy.Reason{{Rule: f.Code, Outcome: "deny", Sentence: f.Sentence}},
	}}
	g.decided.of(action, "deny", f.Code).Inc()
	g.meter.refused(f.Code)
	if err := g.record.Decide(ctx, e); err != nil {
		return err
	}
	recorded := *f
	recorded.Decision = id.String()
	return &recorded
}

// refusal translates a denial into what its caller is told.
func refusal(r *policy.Request, d policy.Decision, id uuid.UUID) *fault.Fault {
	f := fault.New(fault.Denied, d.Rule, "%s", d.Reason.Sentence)
	f.Decision = id.String()
	switch {
	case d.Rule == "operator.endpoint", d.Rule == "operator.target" && r.Subject.Kind == actor.User && r.Subject.Traits.Has(trait.Viewer):
		f.Kind = fault.NotFound
	case d.Rule == "core.active" && r.Subject.Kind == actor.Plugin && r.Subject.State != policy.Active:
		f.Kind, f.Code = fault.Unauthenticated, "plugin.disabled"
	case d.Rule == "core.active" && r.Target.Kind == actor.Plugin && r.Target.State != policy.Active:
		f.Kind, f.Code, f.RetryAfter = fault.Unavailable, "target."+string(r.Target.State), 5*time.Second
	}
	return f
}

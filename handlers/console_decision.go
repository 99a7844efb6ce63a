package handlers

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// decisionPage handles GET /console/decisions/:id.
func (s *Server) decisionPage(c echo.Context) error {
	records, err := s.decisionRecords(c)
	if err != nil {
		return err
	}
	ctx, v := c.Request().Context(), s.visit(c.Request())
	d := v.decision(ctx, records)
	if err := v.remedies(ctx, &d, &records[0]); err != nil {
		return err
	}
	way := at("", "Decision", "")
	if v.may(views.PathAudit) {
		way = at(views.PathAudit, "Govern", "", "Audit", views.PathAudit, "Decision", "")
	}
	if !d.Allowed {
		way.crumbs[len(way.crumbs)-1].Label = "Why denied"
	}
	return answer(c, v, http.StatusOK, way, d, views.DecisionPage, views.DecisionBody)
}

// decision puts a decision and what came of it into words.
func (v *visit) decision(ctx context.Context, records []audit.Record) views.Decision {
	r := &records[0]
	d := views.Decision{
		ID: r.ID.String(), Allowed: r.Outcome != audit.Deny, At: r.At, Who: v.doer(r), Action: r.Action, Object: v.object(ctx, r),
		Lane: laneOf(r.Action), Classes: v.auditRow(ctx, r).Classes, Trace: r.Trace, Note: "Deny wins",
	}
	if v.may(views.PathAudit) {
		d.Record, d.Seq = views.RecordPath(r.Chain, r.Seq), r.Seq
	}
	d.Title = v.title(r, d.Who.Name, d.Object)
	var said gate.Record
	if json.Unmarshal(r.Detail, &said) == nil && len(said.Reasons) > 0 {
		d.Steps = steps(said.Reasons)
		d.For = v.actedFor(said.Facts)
		d.Facts = v.decidedFrom(said)
		for _, reason := range said.Reasons {
			v.weigh(ctx, &d, reason, said.Facts)
		}
	} else {
		d.Steps, d.Facts = v.detail(r)
		for _, one := range deliveries(r) {
			v.weighDelivery(ctx, &d, one)
		}
	}
	if !v.may(views.PathAudit) {
		d.Facts = append(d.Facts, views.KV{Label: "Trace", Value: d.Trace, Mono: true, Copy: true})
		d.Trace = "" // which leads to the audit
	}
	for _, after := range records[1:] {
		if after.Call == r.Call && after.ID != r.ID {
			d.Facts = append(d.Facts, views.KV{Label: "Came of it", Body: views.StatusText(views.Status(after.Outcome))})
		}
	}
	return d
}

// weigh notes what a rule's word adds to a decision: the traits that would have
// changed it, or what is owed for an allow.
func (v *visit) weigh(ctx context.Context, d *views.Decision, reason policy.Reason, f gate.Facts) {
	switch reason.Outcome {
	case "redact":
		d.Duties = append(d.Duties, reason.Sentence)
	case "deny":
		d.Rule, d.Because = reason.Rule, reason.Sentence
		of := d.Who.Name
		if f.OnBehalf != nil && !lacks(f.Subject.Traits, reason.Missing) {
			of = orElse(f.OnBehalf.Name, f.OnBehalf.ID)
		}
		for _, name := range reason.Missing {
			d.Missing = append(d.Missing, views.MissingTrait{Name: name, Of: of, ImpliedBy: v.bringing(name), Grantors: v.helpers(ctx, reason.Grantors...)})
		}
	}
}

// helpers are the people who may give what was missing, by name where whoever
// looks may see people, else by the trait that makes them so.
func (v *visit) helpers(ctx context.Context, traits ...string) []views.Party {
	if v.has(trait.UserManager) || v.has(trait.CanViewUser) {
		return v.grantors(ctx, traits...)
	}
	var out []views.Party
	for _, name := range traits {
		if t, _, ok := v.snap.Traits().Lookup(name); ok {
			out = append(out, views.Party{Kind: views.System, Icon: views.IconName(t.Icon), Name: "Anybody with " + t.Name})
		}
	}
	return out
}

// bringing lists the traits that bring another along.
func (v *visit) bringing(name string) []string {
	wanted, _, ok := v.snap.Traits().Lookup(name)
	if !ok {
		return nil
	}
	var names []string
	for _, t := range v.snap.Traits().All() {
		if t.ID != wanted.ID && v.snap.Traits().Effective(trait.SetOf(t.ID)).Has(wanted.ID) {
			names = append(names, t.Name)
		}
	}
	return names
}

// lacks reports whether have is without any of the traits.
func lacks(have, traits []string) bool {
	held := map[string]bool{}
	for _, t := range have {
		held[t] = true
	}
	for _, t := range traits {
		if !held[t] {
			return true
		}
	}
	return false
}

// weighDelivery does the same for one receiver of an event.
func (v *visit) weighDelivery(ctx context.Context, d *views.Decision, one delivery) {
	receiver := v.plugin(one.Receiver).Name
	if one.Outcome == "redact" {
		d.Duties = append(d.Duties, orElse(one.Reason, receiver+" received it without some fields."))
	}
	if one.Outcome == "drop" {
		for _, name := range one.Missing {
			d.Missing = append(d.Missing, views.MissingTrait{Name: name, Of: receiver, ImpliedBy: v.bringing(name), Grantors: v.helpers(ctx, "plugin_manager")})
		}
	}
}

// actedFor is the person a plugin acted for, if it did.
func (v *visit) actedFor(f gate.Facts) *views.Party {
	if f.OnBehalf == nil {
		return nil
	}
	p := v.party(f.OnBehalf.Kind, f.OnBehalf.ID, f.OnBehalf.Name)
	return &p
}

// decidedFrom lists the facts a decision was made from, as they were then.
func (v *visit) decidedFrom(said gate.Record) []views.KV {
	var kvs []views.KV
	side := func(label string, p *gate.Party) {
		if p == nil {
			return
		}
		if p.State != "" {
			kvs = append(kvs, views.KV{Label: label + ": state", Body: views.StatusText(views.Status(p.State))})
		}
		kvs = append(kvs, views.KV{Label: label + ": traits", Body: views.TraitChips(p.Traits)})
	}
	side("Who", &said.Facts.Subject)
	side("For", said.Facts.OnBehalf)
	side("Target", said.Facts.Target)
	if demands := said.Facts.Resource.Demands(); len(demands) > 0 {
		kvs = append(kvs, views.KV{Label: "Requires", Body: views.TraitChips(demands)})
	}
	if said.Facts.Method != "" {
		kvs = append(kvs, views.KV{Label: "Method", Value: said.Facts.Method, Mono: true})
	}
	raw, err := json.Marshal(said.Context)
	if err != nil {
		return kvs
	}
	return append(kvs, slices.DeleteFunc(facts(raw), func(kv views.KV) bool { return kv.Label == "method" })...)
}

// laneOf is the lane an action passes; none for what people administer.
func laneOf(action string) views.Lane {
	switch policy.Action(action) {
	case policy.EventPublish, policy.EventDeliver:
		return views.Canonical
	case policy.OperatorCall:
		return views.Operator
	case policy.ProxyRequest:
		return views.Proxy
	}
	return ""
}

// title says what a decision was about, as a sentence.
func (v *visit) title(r *audit.Record, who, object string) string {
	could := r.Outcome != audit.Deny
	what := r.Object[strings.LastIndexByte(r.Object, '/')+1:]
	does := func(yes, no, what string) string {
		if could {
			return who + " " + yes + " " + what
		}
		return who + " could not " + no + " " + what
	}
	typ, _, _ := strings.Cut(r.Object, "/")
	switch policy.Action(r.Action) {
	case policy.EventPublish:
		return does("published", "publish", typ)
	case policy.EventDeliver:
		names := joined(v.pluginNames(r.Receivers))
		if could {
			return typ + " was delivered to " + names
		}
		return typ + " was not delivered to " + names
	case policy.OperatorCall:
		return does("called", "call", what)
	case policy.ProxyRequest:
		return does("asked", "reach", what)
	}
	if could {
		return r.Action + " by " + who
	}
	return who + " was refused " + r.Action + refusedAt(object)
}

func refusedAt(object string) string {
	if object == "" {
		return ""
	}
	return " at " + object
}

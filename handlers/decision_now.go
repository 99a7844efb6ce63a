package handlers

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/views"
)

// anew decides what a record denied once more: what was asked for then, with the
// rights of today. It is nil where the record does not hold every fact.
func (v *visit) anew(ctx context.Context, r *audit.Record) *views.DecidedNow {
	if r.Outcome == audit.Deny && r.Action == string(policy.EventDeliver) {
		return v.deliveredAnew(ctx, deliveries(r))
	}
	var said gate.Record
	if r.Outcome != audit.Deny || json.Unmarshal(r.Detail, &said) != nil || len(said.Reasons) == 0 || !said.Facts.Complete() {
		return nil
	}
	q := said.Facts.Request(policy.Action(r.Action), v.snap.Traits())
	if !v.today(ctx, &q.Subject) || q.OnBehalf != nil && !v.today(ctx, q.OnBehalf) || q.Target.Kind != "" && !v.today(ctx, &q.Target) {
		return nil
	}
	q.At = v.reader.Now
	v.rights(&q, said)
	if v.Gate.Would(q) {
		return &views.DecidedNow{Passes: true, Text: "What was asked for then, decided with the rights of today."}
	}
	now := v.Gate.Explain(q)
	if i := slices.IndexFunc(now, func(r policy.Reason) bool { return r.Outcome == "deny" }); i >= 0 {
		return &views.DecidedNow{Text: now[i].Sentence}
	}
	return nil
}

// deliveredAnew decides once more, for each receiver that an event was kept from,
// whether it would get it today: the event as it was published, with the rights and
// subscriptions of now. It is nil where a receiver is gone or a fact is missing.
func (v *visit) deliveredAnew(ctx context.Context, kept []delivery) *views.DecidedNow {
	var would, still []string
	for _, d := range kept {
		if d.Outcome != "drop" || !d.Facts.Complete() {
			return nil
		}
		q := d.Facts.Request(policy.EventDeliver, v.snap.Traits())
		receiver, ok := v.snap.Plugin(q.Target.ID)
		if !ok {
			return nil
		}
		q.Target, q.At = receiver.Party(), v.reader.Now
		q.Resource.Declared = receiver.Manifest.Events.Subscribed(q.Resource.Name)
		if from, ok := v.snap.Plugin(q.Subject.ID); ok { // else its event stays as it is
			q.Subject = from.Party()
			q.Resource.Encrypts = from.Traits.Has(trait.RequiresEncryption)
		}
		if v.Gate.Would(q) {
			would = append(would, receiver.Name)
			continue
		}
		for _, word := range v.Gate.Explain(q) {
			if word.Outcome == "deny" {
				still = append(still, word.Sentence)
				break
			}
		}
	}
	switch {
	case len(kept) == 0:
		return nil
	case len(still) == 0:
		return &views.DecidedNow{Passes: true, Text: joined(would) + " would get this event, decided with the rights of today. Replay it from its page."}
	case len(would) > 0:
		return &views.DecidedNow{Text: strings.Join(still, " ") + " " + joined(would) + " would get it."}
	}
	return &views.DecidedNow{Text: strings.Join(still, " ")}
}

// today brings a party of an earlier decision up to date. ok is false when it is
// not known any more.
func (v *visit) today(ctx context.Context, p *policy.Party) (ok bool) {
	switch p.Kind {
	case actor.Plugin:
		known, ok := v.snap.Plugin(p.ID)
		if ok {
			*p = known.Party()
		}
		return ok
	case actor.User:
		id, err := uuid.Parse(p.ID)
		if err != nil {
			return false
		}
		u, err := v.Identity.User(ctx, id)
		if err != nil || u.Status != identity.Active {
			return false
		}
		p.Traits, p.Tenant = u.Traits, u.Tenant
	}
	return true
}

// rights brings up to date what grants, approvals and manifests say of a request.
func (v *visit) rights(q *policy.Request, said gate.Record) {
	switch q.Action {
	case policy.OperatorCall:
		q.Resource.Granted = v.snap.Granted(q.Subject.ID, q.Target.ID, q.Resource.Name, q.At)
	case policy.ProxyRequest:
		if p, ok := v.snap.Plugin(q.Subject.ID); ok {
			q.Resource.Declared = slices.Contains(p.Manifest.AllowedDomains, q.Resource.Name)
		}
		q.Resource.Egress = policy.NotApproved
		if a, ok := v.snap.Approval(q.Subject.ID, q.Resource.Name); ok {
			var asked struct {
				Method, Scheme, Path string
				Port                 int
			}
			if raw, err := json.Marshal(said.Context); err == nil {
				_ = json.Unmarshal(raw, &asked) // what is not there is not covered
			}
			q.Resource.Egress = a.Judge(asked.Scheme, asked.Method, asked.Path, asked.Port, q.At)
		}
	}
}

package handlers

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/views"
)

// anew decides what a record denied once more: what was asked for then, with the
// rights of today. It is nil where the record does not hold every fact.
func (v *visit) anew(ctx context.Context, r *audit.Record) *views.DecidedNow {
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

package handlers

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/views"
)

// lastOf is how many of the last things that passed a lane the overview shows,
// and looked how many records they are looked for in: each has an outcome beside.
const lastOf, lookedAt = 6, 40

// traffic is what passed the lanes last, or was refused there: events, calls and
// requests to the outside.
func (v *visit) traffic(ctx context.Context) (events, calls, egress []views.Traffic, err error) {
	if events, err = v.passed(ctx, "event.*", v.eventTraffic); err != nil {
		return nil, nil, nil, err
	}
	if calls, err = v.passed(ctx, string(policy.OperatorCall), v.callTraffic); err != nil {
		return nil, nil, nil, err
	}
	egress, err = v.passed(ctx, string(policy.ProxyRequest), v.callTraffic)
	return events, calls, egress, err
}

// passed turns the last decisions of an action into lines.
func (v *visit) passed(ctx context.Context, action string, line func(*audit.Record) (views.Traffic, bool)) ([]views.Traffic, error) {
	page, err := v.Audit.Search(ctx, audit.Filter{Action: action, Limit: lookedAt})
	if err != nil {
		return nil, err
	}
	rows := []views.Traffic{}
	for i := range page.Records {
		r := &page.Records[i]
		if r.Outcome != audit.Allow && r.Outcome != audit.Deny {
			continue
		}
		if t, ok := line(r); ok {
			if rows = append(rows, t); len(rows) == lastOf {
				break
			}
		}
	}
	return rows, nil
}

// callTraffic is a call of an operation, or a request to the outside.
func (v *visit) callTraffic(r *audit.Record) (views.Traffic, bool) {
	to, what, _ := strings.Cut(r.Object, "/")
	t := views.Traffic{At: r.At, From: v.doer(r), What: what, Outcome: views.Status(r.Outcome), Href: views.DecisionPath(r.ID.String())}
	if r.Action == string(policy.OperatorCall) {
		t.To = v.plugin(to).Name
	}
	if r.Outcome == audit.Deny {
		t.Rule = r.Rule
	}
	return t, true
}

// eventTraffic is the delivery of an event, or a refused attempt to publish one.
// That an event was let in shows by its delivery.
func (v *visit) eventTraffic(r *audit.Record) (views.Traffic, bool) {
	typ, id, _ := strings.Cut(r.Object, "/")
	t := views.Traffic{At: r.At, From: v.plugin(r.Plugin), What: typ, Outcome: views.Status(r.Outcome), Href: views.DecisionPath(r.ID.String())}
	if r.Action == string(policy.EventPublish) {
		t.Rule = r.Rule
		return t, r.Outcome == audit.Deny
	}
	t.To = joined(v.pluginNames(r.Receivers))
	if len(r.Receivers) > 2 {
		t.To = count(len(r.Receivers), "receiver", "receivers")
	}
	switch {
	case r.Outcome == audit.Deny:
		t.Outcome, t.Rule = views.Dropped, r.Rule
	case r.Rule == string(policy.EventDeliver) && redacts(r.Detail):
		t.Outcome, t.Rule = views.Redacted, ""
	default:
		t.Outcome = views.Delivered
	}
	if v.may(views.PathEvents) {
		t.Href = views.EventPath(id)
	}
	return t, true
}

// redacts reports whether some receiver of a delivery got less than the whole.
func redacts(detail json.RawMessage) bool {
	for _, d := range deliveries(&audit.Record{Action: string(policy.EventDeliver), Detail: detail}) {
		if d.Outcome == "redact" {
			return true
		}
	}
	return false
}

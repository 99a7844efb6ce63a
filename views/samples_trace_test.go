package views_test

import (
	"time"

	"github.com/vivified/vivified/views"
)

const traceID = "0af7651916cd43dd8448eb211c80319c"

func trace() views.Trace {
	ms := time.Millisecond
	return views.Trace{ID: traceID, From: now, Took: 180 * ms, More: true, Spans: []views.Span{
		{Lane: views.Canonical, Action: "event.publish", Who: publisher, Object: "greeting.requested", Took: 4 * ms, Outcome: views.Done, Rule: "event.publish", Href: views.DecisionPath(traceID)},
		{Lane: views.Canonical, Action: "event.deliver", Who: publisher, Object: "greeting.requested to Hello Greeter", Start: 11 * ms, Took: 40 * ms, Outcome: views.Failed, Rule: "data.redact", Href: views.DecisionPath(traceID)},
		{Lane: views.Operator, Action: "operator.call", Who: greeter, Object: "Hello Publisher, get_profile", Start: 20 * ms, Took: 12 * ms, Outcome: views.Done, Rule: "operator.grant", Href: views.DecisionPath(traceID)},
		{Lane: views.Proxy, Action: "proxy.request", Who: greeter, Object: "translate.example", Start: 38 * ms, Outcome: views.Denied, Rule: "proxy.domain", Href: views.DecisionPath(traceID)},
		{Action: "event.bury", Who: greeter, Object: "greeting.requested", Start: 180 * ms, Outcome: views.Failed, Href: views.RecordPath("change", 7)},
	}}
}

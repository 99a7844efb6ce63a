package views_test

import (
	"fmt"
	"time"

	"github.com/vivified/vivified/views"
)

const traceID = "0af7651916cd43dd8448eb211c80319c"

func trace() views.Trace {
	ms := time.Millisecond
	return views.Trace{ID: traceID, From: now, Took: 180 * ms, More: true, Total: 5, Spans: []views.Span{
		{Lane: views.Canonical, Action: "event.publish", Who: publisher, Object: "greeting.requested", Took: 4 * ms, Outcome: views.Done, Rule: "event.publish", Href: views.DecisionPath(traceID)},
		{Lane: views.Canonical, Action: "event.deliver", Who: publisher, Object: "greeting.requested to Hello Greeter", Start: 11 * ms, Took: 40 * ms, Outcome: views.Failed, Rule: "data.redact", Href: views.DecisionPath(traceID)},
		{Lane: views.Operator, Action: "operator.call", Who: greeter, Object: "Hello Publisher, get_profile", Start: 20 * ms, Took: 12 * ms, Outcome: views.Done, Rule: "operator.grant", Href: views.DecisionPath(traceID)},
		{Lane: views.Proxy, Action: "proxy.request", Who: greeter, Object: "translate.example", Start: 38 * ms, Outcome: views.Denied, Rule: "proxy.domain", Href: views.DecisionPath(traceID)},
		{Action: "event.bury", Who: greeter, Object: "greeting.requested", Start: 180 * ms, Outcome: views.Failed, Href: views.RecordPath("change", 7)},
	}}
}

// longTrace is one of 500 steps, with names as long as they may be.
func longTrace() views.Trace {
	t := trace()
	t.Took = 500 * time.Millisecond
	t.Spans = nil
	for i := range 500 {
		t.Spans = append(t.Spans, views.Span{
			Lane: views.Operator, Action: "operator.call", Who: publisher, Object: fmt.Sprintf("Hello Publisher, the_longest_name_of_an_operation_that_anybody_would_give_%d", i),
			Start: time.Duration(i) * time.Millisecond, Took: 12 * time.Millisecond, Outcome: views.Done, Rule: "operator.grant", Href: views.DecisionPath(traceID),
		})
	}
	return t.Page(64)
}

package handlers_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/vivified/vivified/views"
)

// TestATraceLeadsAcrossTheLanes: an event and what became of it stand on one page,
// in order of time, each with its lane; only who may read the audit sees it.
func TestATraceLeadsAcrossTheLanes(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	publisher := c.enabled("publisher", greeting(), nil)
	c.enabled("reader", map[string]any{"events": map[string]any{"subscribes": []string{"greeting.*"}, "delivery": "webhook", "path": "/hook"}},
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	id := publisher.publish("greeting.requested", map[string]string{"language": "en", "name": "Ada Lovelace"})
	_, event := c.api(c.token(adminAt), "GET", "/messaging/events/"+id, nil)
	trace := event["trace_id"].(string)
	c.eventually("the delivery has ended", func() bool {
		return strings.Count(mara.get(views.TracePath(trace)).text(), "Done") == 2
	})
	page := mara.get(views.TracePath(trace))
	page.shows(t, 200, "Across the lanes", "event.publish", "event.deliver", "greeting.requested to Reader", "Canonical", "+0 ms")
	page.lacks(t, "Lovelace")
	if text := page.text(); strings.Index(text, "event.publish") > strings.Index(text, "event.deliver") {
		t.Errorf("not in order of time: %s", text)
	}
	mara.get(views.EventPath(id)).shows(t, 200, "Trace")
	mara.get(views.TracePath("00000000000000000000000000000001")).shows(t, 200, "Nothing is recorded under this trace")
	mara.get(views.PathTraces+"/none").shows(t, 404, "32 hexadecimal digits")
	c.person("vera@x.example", "Vera Vogel", "viewer").get(views.TracePath(trace)).shows(t, 403)
}

package handlers_test

import (
	"net/http"
	"testing"
)

// A dropped event's decision says whether the receiver would get it today.
func TestADroppedEventWouldArriveNow(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	publisher := c.enabled("publisher", greeting(), nil)
	c.enabled("reader", map[string]any{"events": map[string]any{"subscribes": []string{"greeting.requested"}, "delivery": "webhook", "path": "/hook"}},
		http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	mara.draft("@id(\"quiet\")\n@reason(\"Nobody hears greetings.\")\nforbid (principal, action == Action::\"event.deliver\", resource);\n")
	mara.publishes("Quiet").shows(t, 200, "Version 1 is in force")
	publisher.publish("greeting.requested", map[string]string{"language": "en"})
	token := c.token(adminAt)
	var decision string
	c.eventually("the event is dropped", func() bool {
		_, found := c.api(token, "GET", "/admin/audit?action=event.deliver&outcome=deny&limit=1", nil)
		items, _ := found["items"].([]any)
		if len(items) == 1 {
			decision, _ = items[0].(map[string]any)["id"].(string)
		}
		return decision != ""
	})
	mara.get("/console/decisions/"+decision).shows(t, 200, "admin.quiet")
	mara.get("/console/decisions/"+decision).lacks(t, "It would pass now.")
	mara.draft("")
	mara.publishes("Loud again").shows(t, 200, "Version 2 is in force")
	mara.get("/console/decisions/"+decision).shows(t, 200, "It would pass now.", "Reader would get this event, decided with the rights of today.")
	c.api(token, "POST", "/plugins/reader/disable", nil)
	mara.get("/console/decisions/"+decision).lacks(t, "It would pass now.")
}

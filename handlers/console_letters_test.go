package handlers_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/vivified/vivified/lanes/canonical"
	"github.com/vivified/vivified/views"
)

// TestDeadLetters: a receiver breaks; what it did not get is listed with the
// reason, discarded with one, or replayed once the receiver is repaired.
func TestDeadLetters(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	mara.get(views.PathLetters).shows(t, 200, "No delivery waits for you")
	publisher := c.enabled("publisher", greeting(), nil)
	var broken atomic.Bool
	broken.Store(true)
	got := make(chan struct{}, 100)
	c.enabled("reader", map[string]any{"events": map[string]any{"subscribes": []string{"greeting.*"}, "delivery": "webhook", "path": "/hook"}},
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/hook" && broken.Load() {
				w.WriteHeader(http.StatusInternalServerError)
			} else if r.URL.Path == "/hook" {
				got <- struct{}{}
			}
		}))
	id := publisher.publish("greeting.requested", map[string]string{"language": "en", "name": "Ada Lovelace"})
	publisher.publish("greeting.requested", map[string]string{"language": "de"})
	c.eventually("both are given up", func() bool { return strings.Count(mara.get(views.PathLetters).text(), "answered 500") == 2 })

	list := mara.get(views.PathLetters)
	list.shows(t, 200, "Dead letters", "greeting.requested", "from Publisher", "Reader", "answered 500", "Waiting", "Replay all that wait")
	list.lacks(t, "Lovelace")
	mara.get(views.PathLetters+"?q=timeout").shows(t, 200, "No dead letter fits the filter")
	mara.get(views.PluginPath("reader", "dead-letters")).shows(t, 200, "Dead letters", "answered 500")
	mara.get(views.EventPath(id)).shows(t, 200, "Dead letter", "answered 500", "Replay…")

	admin := c.token(adminAt)
	_, page := c.api(admin, "GET", "/messaging/dead-letters", nil)
	first := page["items"].([]any)[0].(map[string]any)["id"].(string)
	mara.get(views.LetterPath(first, "discard")).shows(t, 200, "Discard this dead letter?", "Reader will not get this greeting.requested")
	mara.post(views.LetterPath(first, "discard"), url.Values{}).shows(t, 422, "Say why; the audit keeps it.")
	mara.follow(mara.post(views.LetterPath(first, "discard"), url.Values{"reason": {"not needed"}})).shows(t, 200, "The dead letter is discarded.")
	mara.get(views.PathLetters+"?state=discarded").shows(t, 200, "by Mara Lindqvist: not needed")

	broken.Store(false)
	mara.get(views.PathLetters+"/replay?plugin=reader").shows(t, 200, "Replay all that wait?", "Reader")
	mara.follow(mara.post(views.PathLetters+"/replay", url.Values{"plugin": {"reader"}})).shows(t, 200, "1 delivery is on the way once more.")
	<-got
	mara.get(views.EventPath(id)+"/replay").shows(t, 200, "One receiver gets it once more", "Reader")
	mara.follow(mara.post(views.EventPath(id)+"/replay", url.Values{"plugin": {"reader"}, "reason": {"again"}})).shows(t, 200, "The event is on its way to Reader.")
	<-got
	c.eventually("nothing waits", func() bool {
		waiting, err := c.Events.DeadLetters(c.system(), canonical.LetterFilter{State: canonical.LetterWaiting})
		return err == nil && len(waiting) == 0
	})
	mara.get(views.PathAudit+"?action=event.*").shows(t, 200, "event.discard", "event.replay", "event.bury")

	// Who may not see events sees none of this.
	viewer := c.person("viewer@example.com", "Vera Vogel", "viewer")
	for _, path := range []string{views.PathLetters, views.PluginPath("reader", "dead-letters"), views.EventPath(id) + "/replay"} {
		if got := viewer.status("GET", path); got != http.StatusForbidden {
			t.Errorf("%s answers a viewer %d", path, got)
		}
	}
	viewer.get(views.PluginPath("reader")).lacks(t, "Dead letters")
}

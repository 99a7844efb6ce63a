package handlers_test

import (
	"net/http"
	"testing"
	"time"
)

// letters goes through what people see and order of events: those that arrive,
// and those of a receiver that is broken.
func (c *teller) letters(admin string, publisher *target) {
	broken := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	hears := map[string]any{"events": map[string]any{"delivery": "webhook", "path": "/hook", "subscribes": []string{"greeting.requested"}}}
	c.enabled("broken", hears, broken)
	id := publisher.publish("greeting.requested", map[string]any{"language": "en", "name": "Ada"})
	publisher.publish("greeting.requested", map[string]any{"language": "de"})

	c.ask(admin, 200, "GET", "/messaging/events?type=greeting.requested&limit=5", nil)
	found := c.ask(admin, 200, "GET", "/messaging/events?type=greeting.*&plugin=publisher&limit=1", nil)
	c.ask(admin, 200, "GET", "/messaging/events?since=2026-01-01T00:00:00Z&cursor="+found["next_cursor"].(string), nil)
	for _, bad := range []string{"limit=none", "cursor=none", "since=yesterday", "until=tomorrow", "type=a..b"} {
		c.ask(admin, 400, "GET", "/messaging/events?"+bad, nil)
	}
	c.ask(admin, 400, "GET", "/messaging/events/tail?type=a..b", nil)
	if seen := c.ask(admin, 200, "GET", "/messaging/events/"+id, nil); seen["data"].(map[string]any)["name"] != nil {
		c.t.Errorf("an administrator without a data trait sees a name: %v", seen)
	}
	c.ask(admin, 404, "GET", "/messaging/events/none", nil)
	c.asked["tailEvents"] = true
	if first := firstEvent(c.t, c.core, admin, "/messaging/events/tail?plugin=publisher", func() { publisher.publish("greeting.requested", map[string]any{"language": "fr"}) }); first == "" {
		c.t.Error("the tail shows nothing")
	}

	var items []any
	c.eventually("deliveries are given up", func() bool {
		_, page := c.api(admin, "GET", "/messaging/dead-letters?plugin=broken", nil)
		items = page["items"].([]any)
		return len(items) >= 3
	})
	page := c.ask(admin, 200, "GET", "/messaging/dead-letters?plugin=broken&state=waiting&q=answered+500&limit=1", nil)
	if page["next_cursor"] == "" {
		c.t.Error("a page of one has no next one")
	}
	next := c.ask(admin, 200, "GET", "/messaging/dead-letters?limit=1&cursor="+page["next_cursor"].(string), nil)
	if next["items"].([]any)[0].(map[string]any)["id"] == page["items"].([]any)[0].(map[string]any)["id"] {
		c.t.Error("the next page shows the same letter")
	}
	c.ask(admin, 400, "GET", "/messaging/dead-letters?cursor=nonsense", nil)
	c.ask(admin, 400, "GET", "/messaging/dead-letters?state=nonsense", nil)

	of := func(i int) string { return "/messaging/dead-letters/" + items[i].(map[string]any)["id"].(string) }
	c.ask(admin, 200, "GET", of(0), nil)
	c.ask(admin, 404, "GET", "/messaging/dead-letters/01a1f951-5bdf-78fd-a15b-e4f5d6b9faad", nil)
	c.ask(admin, 422, "POST", of(0)+"/discard", map[string]any{})
	c.ask(admin, 200, "POST", of(0)+"/discard", map[string]any{"reason": "a test"})
	c.ask(admin, 409, "POST", of(0)+"/replay", map[string]any{"reason": "too late"})
	c.ask(admin, 200, "POST", of(1)+"/replay", map[string]any{"reason": "repaired"})
	c.ask(admin, 200, "POST", "/messaging/dead-letters/replay", map[string]any{"plugin": "broken", "reason": "repaired"})

	c.ask(admin, 202, "POST", "/messaging/events/"+id+"/replay", map[string]any{"plugin": "broken", "reason": "once more"})
	c.ask(admin, 422, "POST", "/messaging/events/"+id+"/replay", map[string]any{})
	c.ask(admin, 422, "POST", "/messaging/events/"+id+"/replay", map[string]any{"plugin": "publisher"})
	c.ask(admin, 404, "POST", "/messaging/events/"+id+"/replay", map[string]any{"plugin": "nobody"})
	c.ask(admin, 202, "POST", "/messaging/consumers/broken/replay", map[string]any{"time": time.Now().Add(-time.Hour), "reason": "restored"})
	c.ask(admin, 202, "POST", "/messaging/consumers/broken/replay", map[string]any{"event_id": id})
	c.ask(admin, 422, "POST", "/messaging/consumers/broken/replay", map[string]any{})
	c.ask(admin, 409, "POST", "/messaging/consumers/publisher/replay", map[string]any{"beginning": true})

	mapped := map[string]any{"transformers": []any{map[string]any{"name": "short", "from": "greeting.requested", "to": "Own", "expression": "[.language]"}},
		"events": map[string]any{"subscribes": []string{"greeting.requested"}}}
	mapper := c.enabled("mapper", mapped, broken)
	c.ask(admin, 200, "POST", "/canonical/transform", map[string]any{"plugin": "mapper", "transformer": "short", "data": map[string]any{"language": "en"}})
	c.ask(mapper.Token, 422, "POST", "/canonical/transform", map[string]any{"transformer": "short", "data": 7})
	c.ask(mapper.Token, 403, "POST", "/canonical/transform", map[string]any{"plugin": "broken", "transformer": "short", "data": 7})
	c.ask(admin, 404, "POST", "/canonical/transform", map[string]any{"plugin": "mapper", "transformer": "none", "data": 7})
	c.ask(admin, 400, "POST", "/canonical/transform", map[string]any{"plugin": "mapper", "transformer": "short"})

	mixed := c.request(c.t, publisher.Token, "POST", "/messaging/events", []any{
		map[string]any{"specversion": "1.0", "id": "four", "source": "publisher", "type": "something.else", "data": 1},
		map[string]any{"specversion": "1.0", "id": "five", "source": "publisher", "type": "greeting.requested", "data": map[string]any{"language": "en"}},
		map[string]any{"specversion": "1.0", "id": "six", "type": "greeting.requested"},
		map[string]any{"specversion": "1.0", "id": "seven", "source": "publisher", "type": "greeting.requested", "data": map[string]any{"language": 7}},
	})
	mixed.Header.Set("Content-Type", "application/cloudevents-batch+json")
	told := c.told(mixed, 207)
	var words []any
	for _, one := range told["events"].([]any) {
		words = append(words, one.(map[string]any)["status"])
	}
	if told["status"] != "partial" || len(words) != 4 || words[0] != "refused" || words[1] != "published" || words[2] != "refused" || words[3] != "refused" {
		c.t.Errorf("a batch of which only the second stands is answered with %v", told)
	}
}

// firstEvent opens a stream, does something, and returns the id of the first event that comes.
func firstEvent(t testing.TB, c *core, token, path string, do func()) string {
	t.Helper()
	r := c.request(t, token, "GET", path, nil)
	answer := must(http.DefaultClient.Do(r))(t)
	defer answer.Body.Close()
	do()
	return streamedID(answer.Body)
}

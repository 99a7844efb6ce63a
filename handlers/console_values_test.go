package handlers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/views"
)

// A plugin publishes what it likes; the page stays a page.
func TestEventPageIsBounded(t *testing.T) {
	c := newCore(t)
	mara := c.setUp()
	p := c.enabled("publisher", map[string]any{"events": map[string]any{"publishes": []string{"thing.happened"}}}, nil)
	nested := func(n int) any {
		var v any = "core"
		for range n {
			v = map[string]any{"in": v}
		}
		return v
	}
	wide := map[string]any{}
	for i := range 5_000 {
		wide["field-"+strings.Repeat("x", i%50)+string(rune('a'+i%26))+strings.Repeat("0", i/100)] = i
	}
	for name, payload := range map[string]any{
		"deep": nested(2000), "wide": wide, "long": map[string]string{"text": strings.Repeat("<b>", 50_000)}, "named": map[string]int{strings.Repeat("k", 500_000): 1},
		"a list": make([]int, 100_000), "a word": "hello", "nothing": nil, "a hole": map[string]any{"there": nil},
	} {
		id := p.publish("thing.happened", payload)
		began := time.Now()
		page := mara.get(views.EventPath(id))
		page.shows(t, 200, "thing.happened", "Payload")
		if n := len(page.Body); n > 100<<10 {
			t.Errorf("%s: the page has %d bytes", name, n)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: the page takes %s", name, took)
		}
	}
	mara.get("/console/events").shows(t, 200, "thing.happened")
}

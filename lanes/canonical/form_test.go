package canonical_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/lanes/canonical"
)

// taker installs a plugin that hears everything hr says, as webhooks of a form.
func (w *world) taker(t *testing.T, form string, more string) {
	t.Helper()
	for _, other := range []string{"clerk", "lurker"} {
		w.disable(t, other)
	}
	w.install(t, `{"id": "taker", `+more+` "events": {"subscribes": ["user.*", "plain.said"], "delivery": "webhook", "path": "/hook", "format": "`+form+`"}}`)
	w.until(t, "the taker is attached", func() bool {
		s, err := w.lane.Stats(t.Context())
		return err == nil && len(s.Waiting) == 5
	})
}

const (
	cleared   = `"traits": ["handles_pii", "audit_required"], "security": {"authentication_required": true, "data_classification": ["pii"]},`
	uncleared = `"traits": ["handles_internal"], "security": {"authentication_required": true, "data_classification": ["internal"]},`
)

func TestAWebhookAsHeadersAndBody(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	w.taker(t, "binary", cleared)
	p := canonical.Publication{ID: "a", Type: "user.created", Subject: `Zoë "100%"`, Data: json.RawMessage(`{"id":"7","name":"Ada"}`)}
	if _, err := w.lane.Publish(w.as(t.Context(), "hr"), p); err != nil {
		t.Fatal(err)
	}
	h := w.hook(t)
	if string(h.body) != `{"id":"7","name":"Ada"}` {
		t.Errorf("the body is %s", h.body)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Id": "a", "Ce-Source": "hr", "Ce-Type": "user.created",
		"Ce-Subject": "Zo%C3%AB%20%22100%25%22", "Ce-Classification": "pii", "Ce-Traceid": "0af7651916cd43dd8448eb211c80319c", "Ce-Redacted": "",
	} {
		if got := h.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	// What one core sends, another reads back.
	back, err := canonical.ReadPublications(h.header, h.body)
	if err != nil || back[0].ID != "a" || back[0].Type != "user.created" || back[0].Subject != p.Subject || string(back[0].Data) != string(p.Data) {
		t.Errorf("read back as %+v (%v)", back, err)
	}
}

// TestABinaryWebhookSaysWhatIsMissing: the headers of a redacted event name what
// was removed, and not what it was about.
func TestABinaryWebhookSaysWhatIsMissing(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	w.taker(t, "binary", uncleared)
	p := canonical.Publication{Type: "user.created", Subject: "Ada", Data: json.RawMessage(`{"id":"7","name":"Ada"}`)}
	if _, err := w.lane.Publish(w.as(t.Context(), "hr"), p); err != nil {
		t.Fatal(err)
	}
	h := w.hook(t)
	if string(h.body) != `{"id":"7"}` || h.header.Get("Ce-Redacted") != "/name" || h.header.Get("Ce-Subject") != "" {
		t.Errorf("it got %s with %v", h.body, h.header)
	}
}

// batches collects the events of webhooks until so many different ones arrived,
// and returns them in the order of their arrival, with the size of the largest batch.
func (w *world) batches(t *testing.T, n int) (arrived []string, largest int) {
	t.Helper()
	for len(arrived) < n {
		h := w.hook(t)
		var events []struct {
			ID string `json:"id"`
		}
		if kind := h.header.Get("Content-Type"); json.Unmarshal(h.body, &events) != nil || kind != "application/cloudevents-batch+json" {
			t.Fatalf("it got %s: %s", kind, h.body)
		}
		largest = max(largest, len(events))
		for _, e := range events {
			if !slices.Contains(arrived, e.ID) {
				arrived = append(arrived, e.ID)
			}
		}
	}
	return arrived, largest
}

func (w *world) sayMany(t *testing.T, about string, n int) (want []string) {
	t.Helper()
	for i := range n {
		id := fmt.Sprintf("%s-%d", about, i)
		p := canonical.Publication{ID: id, Type: "plain.said", Subject: about, Data: json.RawMessage(`{}`)}
		if _, err := w.lane.Publish(w.as(t.Context(), "hr"), p); err != nil {
			t.Fatal(err)
		}
		want = append(want, id)
	}
	return want
}

// TestWebhooksInBatches: what waits goes together, in order.
func TestWebhooksInBatches(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	w.taker(t, "batch", uncleared)
	free := w.hold("taker")
	want := w.sayMany(t, "tea", 30)
	free()
	arrived, largest := w.batches(t, len(want))
	if !slices.Equal(arrived, want) || largest < 2 {
		t.Errorf("arrived as %v, at most %d at a time", arrived, largest)
	}
	w.until(t, "nothing waits", func() bool {
		s, err := w.lane.Stats(t.Context())
		return err == nil && s.Waiting["sub-taker"] == 0
	})
}

// TestABatchThatIsRefusedGoesOneByOne: one event that its receiver refuses is a
// dead letter, and takes none of its batch with it.
func TestABatchThatIsRefusedGoesOneByOne(t *testing.T) {
	w := newWorld(t, canonical.Limits{MaxDeliver: 2})
	w.install(t, `{"id": "shop", `+uncleared+` "events": {"publishes": ["plain.sold"]}}`)
	w.taker(t, "batch", uncleared)
	w.disable(t, "taker")
	for _, poison := range []bool{false, true, false, false} {
		data := `{"subject":"good"}`
		if poison {
			data = `{"subject":"poison"}`
		}
		w.publish(t, "plain.said", data)
	}
	w.refuse("taker", "poison")
	w.enable(t, "taker", "disabled")
	letters := w.letters(t, 1)
	if letters[0].Plugin != "taker" {
		t.Errorf("given up for %s", letters[0].Plugin)
	}
	w.until(t, "the others arrived", func() bool {
		s, err := w.lane.Stats(t.Context())
		return err == nil && s.Waiting["sub-taker"] == 0 && s.DeadLetters == 1
	})
}

// TestEventsArePulled: each comes once while it is worked on, and again when
// nobody says that it was dealt with.
func TestEventsArePulled(t *testing.T) {
	w := newWorld(t, canonical.Limits{AckWait: 2 * time.Second})
	ctx := w.as(t.Context(), "reader")
	if none, err := w.lane.Pull(ctx, canonical.Listening{}, 10, 0); err != nil || len(none) != 0 {
		t.Fatalf("pulled %v before anything was said (%v)", none, err)
	}
	want := w.sayMany(t, "tea", 3)
	var first []string
	w.until(t, "all were pulled", func() bool {
		events, err := w.lane.Pull(ctx, canonical.Listening{}, 2, time.Second)
		if err != nil || len(events) > 2 {
			t.Fatalf("pulled %d (%v)", len(events), err)
		}
		for _, e := range events {
			first = append(first, e.ID)
		}
		return len(first) == 3
	})
	if diff := cmp.Diff(want, first); diff != "" {
		t.Error(diff)
	}
	for _, id := range want[:2] {
		if err := w.lane.Ack(ctx, id, "", true, ""); err != nil {
			t.Error(err)
		}
	}
	w.until(t, "what was not acknowledged comes again", func() bool {
		events, err := w.lane.Pull(ctx, canonical.Listening{}, 10, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		return len(events) == 1 && events[0].ID == want[2]
	})
	if _, err := w.lane.Pull(ctx, canonical.Listening{Types: []string{"user.noted"}}, 1, 0); fault.Of(err).Code != "event.subscribe" {
		t.Errorf("a type it does not subscribe to: %v", err)
	}
	w.disable(t, "reader")
	if _, err := w.lane.Pull(ctx, canonical.Listening{}, 1, 0); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("pulled while disabled: %v", err)
	}
}

// TestAPulledEventAsHeaders: the binary form holds what the structured one does.
func TestAPulledEventAsHeaders(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	w.publish(t, "user.created", `{"id":"7","name":"Ada"}`)
	events, err := w.lane.Pull(w.as(t.Context(), "reader"), canonical.Listening{}, 1, 10*time.Second)
	if err != nil || len(events) != 1 {
		t.Fatalf("pulled %v (%v)", events, err)
	}
	raw, err := events[0].JSON()
	if err != nil {
		t.Fatal(err)
	}
	var whole map[string]any
	if err := json.Unmarshal(raw, &whole); err != nil {
		t.Fatal(err)
	}
	h := events[0].Header()
	for name, value := range whole {
		if text, ok := value.(string); ok && name != "datacontenttype" && h.Get("ce-"+name) != text {
			t.Errorf("%s is %q in JSON, and %q as a header", name, text, h.Get("ce-"+name))
		}
	}
}

package canonical_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/lanes/canonical"
)

// admin returns a context in which a person of the tenant acts.
func admin(ctx context.Context) context.Context {
	return actor.With(ctx, actor.Actor{Kind: actor.User, ID: "u", Name: "Mara Lindqvist", Tenant: actor.DefaultTenant})
}

// letters waits for so many dead letters that wait, and returns them, the newest first.
func (w *world) letters(t *testing.T, n int) (found []canonical.DeadLetter) {
	t.Helper()
	w.until(t, fmt.Sprint(n, " dead letters wait"), func() bool {
		var err error
		found, err = w.lane.DeadLetters(admin(t.Context()), canonical.LetterFilter{State: canonical.LetterWaiting})
		return err == nil && len(found) == n
	})
	return found
}

// TestAFailureHoldsBackItsOwnKeyOnly: while events about one thing cannot be
// delivered, those about another are, and none overtakes its predecessor.
func TestAFailureHoldsBackItsOwnKeyOnly(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	w.refuse("lurker", "bad")
	for n := range 3 {
		for _, about := range []string{"bad", "good"} {
			if _, err := w.say(t, about, n); err != nil {
				t.Fatal(err)
			}
		}
	}
	var good, bad []float64
	collect := func(enough func() bool) {
		for !enough() {
			h := w.hook(t)
			n := h.event["data"].(float64)
			if h.event["subject"] == "good" {
				good = append(good, n)
			} else if len(bad) == 0 || bad[len(bad)-1] != n { // tries of one event follow each other
				bad = append(bad, n)
			}
		}
	}
	collect(func() bool { return len(good) == 3 && len(bad) > 0 })
	if !slices.Equal(bad, []float64{0}) {
		t.Errorf("%v came although the first was refused", bad)
	}
	w.refuse("lurker", "")
	collect(func() bool { return len(bad) == 3 })
	if want := []float64{0, 1, 2}; !slices.Equal(good, want) || !slices.Equal(bad, want) {
		t.Errorf("arrived in the order %v and %v", good, bad)
	}
}

func TestADeadLetterIsReplayedOrDiscarded(t *testing.T) {
	w := newWorld(t, canonical.Limits{MaxDeliver: 1})
	w.answer("lurker", http.StatusBadGateway)
	first, second := w.publish(t, "plain.said", `1`), w.publish(t, "plain.said", `2`)
	w.hook(t)
	w.hook(t)
	found := w.letters(t, 2)
	if l := found[1]; l.EventID != first.EventID || l.Plugin != "lurker" || l.Publisher != "hr" || l.Attempts != 1 || l.Reason != "answered 502" {
		t.Errorf("noted as %+v", l)
	}
	ctx := admin(t.Context())
	if err := w.lane.DiscardLetter(ctx, found[0].ID, " "); fault.Of(err).Code != "reason.missing" {
		t.Errorf("discarded without a reason: %v", err)
	}
	if err := w.lane.DiscardLetter(ctx, found[0].ID, "too old"); err != nil {
		t.Fatal(err)
	}
	if err := w.lane.ReplayLetter(ctx, found[0].ID, ""); fault.Of(err).Code != "event.settled" {
		t.Errorf("replayed after it was discarded: %v", err)
	}
	if l, err := w.lane.DeadLetter(ctx, found[0].ID); err != nil || l.State != canonical.LetterDiscarded || l.SettledBy != "Mara Lindqvist" || l.SettledWhy != "too old" || l.EventID != second.EventID {
		t.Errorf("settled as %+v (%v)", l, err)
	}
	elsewhere := actor.With(t.Context(), actor.Actor{Kind: actor.User, ID: "x", Tenant: "other"})
	if err := w.lane.ReplayLetter(elsewhere, found[1].ID, ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("replayed by another tenant: %v", err)
	}
	w.answer("lurker", 0)
	if n, err := w.lane.ReplayLetters(ctx, canonical.LetterFilter{Plugin: "lurker"}, "repaired"); n != 1 || err != nil {
		t.Fatalf("replayed %d: %v", n, err)
	}
	if h := w.hook(t); h.plugin != "lurker" || h.event["id"] != first.EventID {
		t.Errorf("replayed %v to %s", h.event["id"], h.plugin)
	}
}

// TestAReplayPassesTheGate: what a receiver may not see it does not see at a
// replay either, and a replay goes to nobody else.
func TestAReplayPassesTheGate(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	r := w.publish(t, "user.created", `{"id":"7","name":"Ada"}`)
	w.hook(t)
	w.hook(t)
	if err := w.lane.ReplayEvent(admin(t.Context()), r.EventID, "lurker", "", "it lost it"); err != nil {
		t.Fatal(err)
	}
	h := w.hook(t)
	if data, _ := json.Marshal(h.event["data"]); h.plugin != "lurker" || string(data) != `{"id":"7"}` {
		t.Errorf("%s got %s", h.plugin, data)
	}
	if err := w.lane.ReplayEvent(admin(t.Context()), r.EventID, "reader--b", "", ""); fault.Of(err).Code != "event.subscribe" {
		t.Errorf("replayed to a plugin that does not subscribe: %v", err)
	}
	// From the beginning: both events once more, to this one alone.
	second := w.publish(t, "plain.said", `1`)
	w.hook(t)
	if _, err := w.lane.ReplayFrom(admin(t.Context()), "lurker", "", canonical.From{Event: r.EventID}, "restored"); err != nil {
		t.Fatal(err)
	}
	seen := map[any]bool{}
	for len(seen) < 2 {
		h := w.hook(t)
		if h.plugin != "lurker" {
			t.Errorf("%s got a replay that is not for it", h.plugin)
		}
		seen[h.event["id"]] = true
	}
	if !seen[r.EventID] || !seen[second.EventID] {
		t.Errorf("replayed %v", seen)
	}
}

// TestNoEventIsMissedAfterEnable: what is published between the moment a plugin
// is enabled and the one in which it first connects waits for it.
func TestNoEventIsMissedAfterEnable(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	before := w.publish(t, "plain.said", `0`)
	w.hook(t)
	w.install(t, `{"id": "late", "traits": ["handles_internal"], "events": {"subscribes": ["plain.said"], "delivery": "webhook", "path": "/hook"},
		"security": {"authentication_required": true, "data_classification": ["internal"]}}`)
	after := w.publish(t, "plain.said", `1`)
	for {
		h := w.hook(t)
		if h.plugin != "late" {
			continue
		}
		if h.event["id"] != after.EventID {
			t.Errorf("it got %v of before it was enabled (%s), want %s", h.event["id"], before.EventID, after.EventID)
		}
		return
	}
}

// TestADeliveryUnderWayIsNotCut: a plugin that is disabled while it works on an
// event finishes it, and does not get it again.
func TestADeliveryUnderWayIsNotCut(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	free := w.hold("lurker")
	r := w.publish(t, "plain.said", `1`)
	if h := w.hook(t); h.event["id"] != r.EventID {
		t.Fatal("another event came")
	}
	w.disable(t, "lurker")
	free()
	w.until(t, "the delivery ended well", func() bool { return len(w.journal.of(policy.EventDeliver, audit.OK)) == 1 })
	w.enable(t, "lurker", policy.Disabled)
	next := w.publish(t, "plain.said", `2`)
	if h := w.hook(t); h.event["id"] != next.EventID {
		t.Errorf("after it was enabled came %v, want the next one", h.event["id"])
	}
	if failed := w.journal.of(policy.EventDeliver, audit.Failed); len(failed) != 0 {
		t.Errorf("recorded as failed: %+v", failed)
	}
}

// TestAnOutageOfTheAuditIsNoAttempt: an event waits while nothing can be recorded,
// and has all its attempts afterwards.
func TestAnOutageOfTheAuditIsNoAttempt(t *testing.T) {
	w := newWorld(t, canonical.Limits{MaxDeliver: 1})
	w.journal.fail(policy.EventDeliver, true)
	r := w.publish(t, "plain.said", `1`)
	w.until(t, "some decisions could not be recorded", func() bool { return w.journal.refusals() > 2 })
	w.journal.fail(policy.EventDeliver, false)
	if h := w.hook(t); h.event["id"] != r.EventID {
		t.Errorf("%v came", h.event["id"])
	}
	w.letters(t, 0)
}

// TestAnyReplicaTakesTheAcknowledgement: what one replica sent another settles.
func TestAnyReplicaTakesTheAcknowledgement(t *testing.T) {
	w, b := newSharedWorld(t, canonical.Limits{AckWait: 3 * time.Second})
	log := slog.New(slog.DiscardHandler)
	bus, err := canonical.StartBus(canonical.BusConfig{URL: b.url(), Log: log, Name: "other"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	config := w.lane.Config
	config.Bus, config.Gate = bus, gate.New(gate.Config{Policy: w.registry.Policy, Record: w.journal, Log: log})
	other, err := canonical.Open(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	events, stop := w.listen(t, "reader", canonical.Listening{Explicit: true})
	r := w.publish(t, "plain.said", `1`)
	if got := next(t, w, events); got.ID != r.EventID {
		t.Fatalf("got %s", got.ID)
	}
	if err := other.Ack(w.as(t.Context(), "reader--b"), r.EventID, "", true, ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("another plugin settled it: %v", err)
	}
	if err := other.Ack(w.as(t.Context(), "reader"), r.EventID, "", true, ""); err != nil {
		t.Fatal(err)
	}
	second := w.publish(t, "plain.said", `2`)
	if got := next(t, w, events); got.ID != second.EventID {
		t.Errorf("after it was settled came %s", got.ID)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// TestWhatIsRefusedTooOftenBecomesADeadLetter, also with explicit acknowledgement.
func TestWhatIsRefusedTooOftenBecomesADeadLetter(t *testing.T) {
	w := newWorld(t, canonical.Limits{MaxDeliver: 2})
	events, stop := w.listen(t, "reader", canonical.Listening{Explicit: true})
	r := w.publish(t, "plain.said", `1`)
	for range 2 {
		if got := next(t, w, events); got.ID != r.EventID {
			t.Fatalf("got %s", got.ID)
		}
		if err := w.lane.Ack(w.as(t.Context(), "reader"), r.EventID, "", false, "my disk is full"); err != nil {
			t.Fatal(err)
		}
	}
	if l := w.letters(t, 1)[0]; l.Plugin != "reader" || l.Attempts != 2 || l.Reason != "my disk is full" {
		t.Errorf("noted as %+v", l)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// TestASubscriberThatDiesMidBatchComesBack: what it had been sent and could not
// have dealt with comes again, and everything after it, in order.
func TestASubscriberThatDiesMidBatchComesBack(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	events, stop := w.listen(t, "reader", canonical.Listening{})
	var want []string
	for n := range 20 {
		want = append(want, w.publish(t, "plain.said", fmt.Sprint(n)).EventID)
	}
	for n := range 7 {
		if got := next(t, w, events); got.ID != want[n] {
			t.Fatalf("event %d is %s", n, got.ID)
		}
	}
	if err := stop(); err != nil { // it dies with some sent, and none sure to have arrived
		t.Fatal(err)
	}
	events, stop = w.listen(t, "reader", canonical.Listening{LastID: want[4]})
	var came []string // what it does not know it has, the first time each
	for len(came) < 15 {
		if id := next(t, w, events).ID; !slices.Contains(came, id) && slices.Index(want, id) > 4 {
			came = append(came, id)
		}
	}
	if !slices.Equal(came, want[5:]) {
		t.Errorf("came %v, want %v", came, want[5:])
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// TestASlowSubscriberHoldsUpNobody: one that takes its time gets everything in the
// end, and the others do not wait for it.
func TestASlowSubscriberHoldsUpNobody(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	free := w.hold("lurker")
	const n = 30
	for i := range n {
		w.publish(t, "user.created", fmt.Sprintf(`{"id":"%d"}`, i))
	}
	clerk, lurker := 0, 0
	for clerk < n {
		if w.hook(t).plugin == "clerk" {
			clerk++
		} else {
			lurker++
		}
	}
	if lurker > 1 {
		t.Errorf("the slow one got %d events of one key at a time", lurker)
	}
	free()
	for lurker < n {
		if w.hook(t).plugin == "lurker" {
			lurker++
		}
	}
}

// TestWildcardsAndBothStyles: user.* covers user.created and what lies deeper, in
// the early style too.
func TestWildcardsAndBothStyles(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	events, err := canonical.ReadPublications(http.Header{"Content-Type": {"application/json"}}, []byte(`{"event_type":"UserCreated","payload":{"id":"1"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.lane.Publish(w.as(t.Context(), "hr"), events[0]); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if h := w.hook(t); h.event["type"] != "user.created" {
			t.Errorf("%s got %v", h.plugin, h.event["type"])
		}
	}
}

// TestAPublisherHasItsQuota, and one that used it up takes nothing from another.
func TestAPublisherHasItsQuota(t *testing.T) {
	w := newWorld(t, canonical.Limits{Rate: 3})
	w.install(t, `{"id": "other", "traits": ["handles_internal"], "events": {"publishes": ["plain.said"]},
		"security": {"authentication_required": true, "data_classification": ["internal"]}}`)
	refused := 0
	for n := range 50 {
		if _, err := w.say(t, "", n); fault.Is(err, fault.TooMany) {
			refused++
		}
	}
	if refused == 0 {
		t.Error("fifty at once were taken of three a second")
	}
	if _, err := w.lane.Publish(w.as(t.Context(), "other"), canonical.Publication{Type: "plain.said", Data: json.RawMessage(`1`)}); err != nil {
		t.Errorf("another publisher pays for it: %v", err)
	}
}

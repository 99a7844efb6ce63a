package canonical_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/lanes/canonical"
)

func TestEachReceiverGetsWhatItMaySee(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	receipt := w.publish(t, "user.created", `{"id":"7","name":"Ada","phone":"555"}`)
	got := map[string]hook{}
	for range 2 {
		h := w.hook(t)
		got[h.plugin] = h
	}
	clerk, lurker := got["clerk"], got["lurker"]
	if data, _ := json.Marshal(clerk.event["data"]); string(data) != `{"id":"7","name":"Ada","phone":"555"}` {
		t.Errorf("the clerk, who may see it all, got %s", data)
	}
	if data, _ := json.Marshal(lurker.event["data"]); string(data) != `{"id":"7"}` {
		t.Errorf("the lurker got %s: neither the marked name nor the phone nobody declared may reach it", data)
	}
	if removed := strings.Split(lurker.event["redacted"].(string), ","); !slices.Equal(sorted(removed), []string{"/name", "/phone"}) {
		t.Errorf("the lurker was told that %v were removed", removed)
	}
	for key, want := range map[string]any{"id": receipt.EventID, "source": "hr", "type": "user.created", "specversion": "1.0", "classification": "pii", "traceid": "0af7651916cd43dd8448eb211c80319c"} {
		if clerk.event[key] != want {
			t.Errorf("the envelope's %s is %v, want %v", key, clerk.event[key], want)
		}
	}
	if want := "Bearer clerk from core in 0af7651916cd43dd8448eb211c80319c: POST /hook"; clerk.token != want {
		t.Errorf("signed as %q, want %q", clerk.token, want)
	}
	w.until(t, "both deliveries and their ends are recorded", func() bool {
		ends := 0
		for _, row := range w.journal.of(policy.EventDeliver, audit.OK) {
			ends += len(row.Receivers)
		}
		return ends == 2
	})
	if rows := w.journal.of(policy.EventDeliver, audit.Allow); len(rows) != 1 || !slices.Equal(sorted(rows[0].Receivers), []string{"clerk", "lurker"}) {
		t.Errorf("one row should hold both receivers, got %+v", rows)
	}
}

func TestWhatCannotBeRedactedIsDropped(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	w.publish(t, "user.noted", `{"note":"secret"}`)
	if h := w.hook(t); h.plugin != "clerk" {
		t.Fatalf("%s got an event whose fields nobody marked", h.plugin)
	}
	w.until(t, "the drop is recorded", func() bool { return len(w.journal.of(policy.EventDeliver, audit.Deny)) == 1 })
	if row := w.journal.of(policy.EventDeliver, audit.Deny)[0]; row.Receivers[0] != "lurker" || row.Rule != "event.deliver" {
		t.Errorf("recorded as %+v", row)
	}
}

func TestPublishRefuses(t *testing.T) {
	w := newWorld(t, canonical.Limits{Data: 1000})
	for _, tt := range []struct {
		name, as string
		p        canonical.Publication
		kind     fault.Kind
		code     string
	}{
		{"an undeclared type", "hr", canonical.Publication{Type: "user.deleted", Data: json.RawMessage(`{}`)}, fault.Denied, "event.publish"},
		{"a plugin that publishes nothing", "clerk", canonical.Publication{Type: "user.created", Data: json.RawMessage(`{"id":"1"}`)}, fault.Denied, "event.publish"},
		{"another plugin's name", "hr", canonical.Publication{Type: "plain.said", Source: "clerk", Data: json.RawMessage(`{}`)}, fault.Denied, "identity.mismatch"},
		{"data that breaks its schema", "hr", canonical.Publication{Type: "user.created", Data: json.RawMessage(`{"name":1}`)}, fault.Unprocessable, "event.schema"},
		{"a class the publisher does not handle", "hr", canonical.Publication{Type: "plain.said", Classes: trait.ClassesOf(trait.PHI), Data: json.RawMessage(`{}`)}, fault.Denied, "data.class"},
		{"too much", "hr", canonical.Publication{Type: "plain.said", Data: json.RawMessage(`"` + strings.Repeat("x", 1000) + `"`)}, fault.TooLarge, "body.too_large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := w.lane.Publish(w.as(t.Context(), tt.as), tt.p)
			f := fault.Of(err)
			if f.Kind != tt.kind || f.Code != tt.code {
				t.Errorf("answered %v (%s), want code %s", err, f.Code, tt.code)
			}
			if tt.kind == fault.Denied && tt.code != "identity.mismatch" && f.Decision == "" {
				t.Error("a denial names its decision")
			}
		})
	}
	if s, err := w.lane.Stats(t.Context()); err != nil || s.Events != 0 {
		t.Errorf("%d events were kept although all were refused (%v)", s.Events, err)
	}
}

func TestAnIDIsAcceptedOnce(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	p := canonical.Publication{ID: "order-1", Type: "plain.said", Data: json.RawMessage(`{"n":1}`)}
	for i, wantDuplicate := range []bool{false, true} {
		r, err := w.lane.Publish(w.as(t.Context(), "hr"), p)
		if err != nil || r.EventID != "order-1" || r.Duplicate != wantDuplicate {
			t.Fatalf("publish %d: %+v, %v", i, r, err)
		}
	}
	if s, err := w.lane.Stats(t.Context()); err != nil || s.Events != 1 {
		t.Errorf("%d events were kept, want 1 (%v)", s.Events, err)
	}
}

func TestNothingMovesWithoutARecord(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	w.journal.set(true)
	if _, err := w.lane.Publish(w.as(t.Context(), "hr"), canonical.Publication{Type: "plain.said", Data: json.RawMessage(`{}`)}); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("published without a record: %v", err)
	}
	w.journal.set(false)
	w.publish(t, "plain.said", `{"n":1}`)
	if h := w.hook(t); h.plugin != "lurker" {
		t.Fatalf("%s got it", h.plugin)
	}
}

func TestADisabledReceiverGetsItLater(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	w.disable(t, "clerk")
	first := w.publish(t, "user.created", `{"id":"1"}`)
	if h := w.hook(t); h.plugin != "lurker" {
		t.Fatalf("%s got an event while it was disabled", h.plugin)
	}
	w.enable(t, "clerk", policy.Disabled)
	if h := w.hook(t); h.plugin != "clerk" || h.event["id"] != first.EventID {
		t.Fatalf("after it was enabled, %s got %v", h.plugin, h.event["id"])
	}
}

func TestFailedDeliveriesAreRetriedThenDeadLettered(t *testing.T) {
	w := newWorld(t, canonical.Limits{MaxDeliver: 2})
	w.answer("lurker", http.StatusInternalServerError)
	w.publish(t, "plain.said", `{"n":1}`)
	for i := range 2 {
		if h := w.hook(t); h.plugin != "lurker" {
			t.Fatalf("attempt %d went to %s", i+1, h.plugin)
		}
	}
	w.until(t, "the event is a dead letter", func() bool {
		s, err := w.lane.Stats(t.Context())
		return err == nil && s.DeadLetters == 1
	})
	if rows := w.journal.of(policy.EventDeliver, audit.Failed); len(rows) != 2 {
		t.Errorf("%d failed deliveries were recorded, want 2", len(rows))
	}
	w.answer("lurker", 0)
	w.publish(t, "plain.said", `{"n":2}`)
	if data := w.hook(t).event["data"].(map[string]any); data["n"] != 2.0 {
		t.Errorf("after the dead letter came %v", data)
	}
}

// listen starts a stream and returns its events; stop ends it and waits.
func (w *world) listen(t *testing.T, plugin string, how canonical.Listening) (events <-chan canonical.Sent, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, open, ended := make(chan canonical.Sent, 100), make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(ended)
		first := true
		ended <- w.lane.Listen(w.as(ctx, plugin), how, func(s *canonical.Sent) error {
			if s != nil {
				out <- *s
			}
			if first && s == nil {
				close(open)
				first = false
			}
			return nil
		})
	}()
	select {
	case <-open:
	case err := <-ended:
		t.Fatalf("the stream of %s did not open: %v", plugin, err)
	}
	return out, func() error { cancel(); return <-ended }
}

func next(t *testing.T, w *world, events <-chan canonical.Sent) (s canonical.Sent) {
	t.Helper()
	w.until(t, "an event comes down the stream", func() bool {
		select {
		case s = <-events:
			return true
		default:
			return false
		}
	})
	return s
}

func TestAStreamResumesWhereItsReaderWas(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	events, stop := w.listen(t, "reader", canonical.Listening{})
	one, two, three := w.publish(t, "plain.said", `1`), w.publish(t, "plain.said", `2`), w.publish(t, "plain.said", `3`)
	for i, want := range []string{one.EventID, two.EventID, three.EventID} {
		if got := next(t, w, events); got.ID != want {
			t.Fatalf("event %d is %s, want %s", i+1, got.ID, want)
		}
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	// The reader knows that it has the first; the others were sent, but it cannot be sure.
	// What was not acknowledged may come twice, and nothing may be missing.
	events, stop = w.listen(t, "reader", canonical.Listening{LastID: one.EventID})
	seen := map[string]bool{}
	for !seen[two.EventID] || !seen[three.EventID] {
		seen[next(t, w, events).ID] = true
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestExplicitAcknowledgement(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	events, stop := w.listen(t, "reader", canonical.Listening{Explicit: true})
	defer stop()
	r := w.publish(t, "plain.said", `1`)
	if got := next(t, w, events); got.ID != r.EventID {
		t.Fatalf("got %s", got.ID)
	}
	if err := w.lane.Ack(w.as(t.Context(), "reader--b"), r.EventID, "", true, ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("another plugin settled it: %v", err)
	}
	if err := w.lane.Ack(w.as(t.Context(), "reader"), r.EventID, "", false, ""); err != nil {
		t.Fatal(err)
	}
	if got := next(t, w, events); got.ID != r.EventID {
		t.Fatalf("after a refusal came %s, want the same again", got.ID)
	}
	if err := w.lane.Ack(w.as(t.Context(), "reader"), r.EventID, "", true, ""); err != nil {
		t.Fatal(err)
	}
	if err := w.lane.Ack(w.as(t.Context(), "reader"), r.EventID, "", true, ""); !fault.Is(err, fault.NotFound) {
		t.Errorf("settled twice: %v", err)
	}
}

func TestAStreamEndsWhenItsPluginIsDisabled(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	ended := make(chan error, 1)
	open := make(chan struct{}, 10)
	go func() {
		ended <- w.lane.Listen(w.as(t.Context(), "reader"), canonical.Listening{}, func(*canonical.Sent) error { open <- struct{}{}; return nil })
	}()
	<-open
	w.disable(t, "reader")
	err := <-ended
	if f := fault.Of(err); f.Kind != fault.Unauthenticated || f.Code != "plugin.disabled" {
		t.Errorf("the stream ended with %v", err)
	}
}

func TestNamesThatBeginAlikeShareNothing(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	mine, stopMine := w.listen(t, "reader", canonical.Listening{Consumer: "b"})
	theirs, stopTheirs := w.listen(t, "reader--b", canonical.Listening{})
	w.publish(t, "user.created", `{"id":"1","name":"Ada"}`)
	said := w.publish(t, "plain.said", `1`)
	if got := next(t, w, theirs); got.ID != said.EventID {
		t.Errorf("the neighbour received %s: %s", got.Type, got.Data)
	}
	if got := next(t, w, mine); got.Type != "user.created" {
		t.Errorf("the reader received %s first", got.Type)
	}
	if err := errors.Join(stopMine(), stopTheirs()); err != nil {
		t.Fatal(err)
	}
}

// A stream of some types keeps a place of its own: the plugin's stream of
// everything loses nothing by it.
func TestAStreamOfSomeTypesTakesNothingFromTheOther(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	some, stopSome := w.listen(t, "reader", canonical.Listening{Types: []string{"plain.said"}})
	created := w.publish(t, "user.created", `{"id":"1","name":"Ada"}`)
	said := w.publish(t, "plain.said", `1`)
	if got := next(t, w, some); got.ID != said.EventID {
		t.Errorf("the stream of some types received %s", got.Type)
	}
	if err := stopSome(); err != nil {
		t.Fatal(err)
	}
	all, stopAll := w.listen(t, "reader", canonical.Listening{})
	for _, want := range []string{created.EventID, said.EventID} {
		if got := next(t, w, all); got.ID != want {
			t.Errorf("the stream of all types received %s, want %s", got.ID, want)
		}
	}
	if err := stopAll(); err != nil {
		t.Fatal(err)
	}
}

func TestListenRefuses(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	for _, tt := range []struct {
		name, as string
		how      canonical.Listening
		code     string
	}{
		{"a type its manifest does not subscribe to", "reader", canonical.Listening{Types: []string{"salary.paid"}}, "event.subscribe"},
		{"everything, where only some is subscribed to", "reader", canonical.Listening{Types: []string{"*"}}, "event.subscribe"},
		{"a plugin that subscribes to nothing", "hr", canonical.Listening{}, "event.subscribe"},
		{"a consumer name that could be another's", "reader", canonical.Listening{Consumer: "a__b"}, "event.consumer"},
		{"a plugin nobody registered", "ghost", canonical.Listening{}, "plugin.disabled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := w.lane.Listen(w.as(t.Context(), tt.as), tt.how, func(*canonical.Sent) error { return errors.New("opened") })
			if f := fault.Of(err); f.Code != tt.code {
				t.Errorf("answered %v, want %s", err, tt.code)
			}
		})
	}
}

func TestAPersonSeesWhatTheirTraitsCover(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	r := w.publish(t, "user.created", `{"id":"7","name":"Ada"}`)
	for _, tt := range []struct {
		traits trait.Set
		want   string
	}{
		{trait.SetOf(trait.Admin, trait.EventViewer), `{"id":"7"}`},
		{trait.SetOf(trait.EventViewer, trait.HandlesPII, trait.AuditRequired), `{"id":"7","name":"Ada"}`},
	} {
		ctx := actor.With(t.Context(), actor.Actor{Kind: actor.User, ID: "u", Tenant: actor.DefaultTenant, Traits: tt.traits})
		e, err := w.lane.Find(ctx, r.EventID)
		if err != nil || string(e.Data) != tt.want {
			t.Errorf("found %s, want %s (%v)", e.Data, tt.want, err)
		}
		if recent, err := w.lane.Recent(ctx, 5); err != nil || len(recent) != 1 || string(recent[0].Data) != tt.want {
			t.Errorf("the newest are %+v (%v)", recent, err)
		}
	}
	elsewhere := actor.With(t.Context(), actor.Actor{Kind: actor.User, ID: "u", Tenant: "other", Traits: trait.SetOf(trait.EventViewer, trait.HandlesPII, trait.AuditRequired)})
	if e, err := w.lane.Find(elsewhere, r.EventID); !fault.Is(err, fault.NotFound) {
		t.Errorf("another tenant found %+v (%v)", e, err)
	}
}

func TestAnIDTakenUpAgainHearsNothingKeptForTheFirst(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	w.disable(t, "clerk")
	w.publish(t, "user.created", `{"id":"1","name":"Ada"}`)
	if h := w.hook(t); h.plugin != "lurker" {
		t.Fatalf("%s got it", h.plugin)
	}
	if err := w.registry.Remove(actor.With(t.Context(), actor.Core("test")), "clerk", policy.Disabled); err != nil {
		t.Fatal(err)
	}
	attached := func(want int) func() bool {
		return func() bool {
			s, err := w.lane.Stats(t.Context())
			return err == nil && len(s.Waiting) == want
		}
	}
	w.until(t, "the consumer of the one that left is gone", attached(3))
	w.install(t, manifests[1])
	w.until(t, "the new one is attached", attached(4))
	second := w.publish(t, "user.created", `{"id":"2"}`)
	for range 2 {
		if h := w.hook(t); h.event["id"] != second.EventID {
			t.Errorf("%s, registered anew, got %v of before its time", h.plugin, h.event["id"])
		}
	}
}

// The subscribers' loop and a stream that opens at once both make the consumer of
// a plugin that was just enabled: whoever comes second must not disturb the first.
func TestAStreamOpenedAtOnceMissesNothing(t *testing.T) {
	w := newWorld(t, canonical.Limits{})
	for i := range 40 {
		id := fmt.Sprintf("fresh-%d", i)
		w.install(t, fmt.Sprintf(`{"id":%q,"traits":["handles_internal"],"security":{"authentication_required":true,"data_classification":["internal"]},"events":{"subscribes":["plain.said"],"delivery":"stream"}}`, id))
		early := w.publish(t, "plain.said", `1`)
		events, stop := w.listen(t, id, canonical.Listening{})
		late := w.publish(t, "plain.said", `2`)
		for seen := map[string]bool{}; !seen[early.EventID] || !seen[late.EventID]; {
			seen[next(t, w, events).ID] = true // at least once each
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
}

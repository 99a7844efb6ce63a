package canonical_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/lanes/canonical"
)

// What many publish at a time is stored together: once each, at the place that
// is recorded, and whatever else comes in between.
func TestManyAtATimeAreStoredTogether(t *testing.T) {
	w := newWorld(t, canonical.Limits{InFlight: 1000, Rate: 100_000})
	const publishers, each = 64, 6
	ids := make([][]string, publishers)
	var wg sync.WaitGroup
	for i := range publishers {
		wg.Go(func() {
			for j := range each {
				p := canonical.Publication{Type: "plain.said", Data: json.RawMessage(fmt.Sprintf(`{"text":"%d.%d"}`, i, j))}
				again := i%8 == 0 && j > 0 // with ids of their own, each twice
				if i%8 == 0 {
					p.ID = fmt.Sprintf("mine-%d-%d", i, j/2)
					again = j%2 == 1
				}
				r, err := w.lane.Publish(w.as(t.Context(), "hr"), p)
				if err != nil || r.Waiting || r.Duplicate != again {
					t.Errorf("event %d.%d: %+v, %v; want it on the bus, a duplicate: %t", i, j, r, err, again)
					return
				}
				ids[i] = append(ids[i], r.EventID)
			}
		})
	}
	wg.Wait()

	js, err := jetstream.New(w.bus.Conn)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	info, err := stream.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, place, batched := map[string]string{}, map[string]uint64{}, 0
	for seq := info.State.FirstSeq; seq <= info.State.LastSeq; seq++ {
		msg, err := stream.GetMsg(t.Context(), seq)
		if err != nil {
			t.Fatalf("event at %d: %v", seq, err)
		}
		var data struct{ Text string }
		if err := json.Unmarshal(msg.Data, &data); err != nil {
			t.Fatal(err)
		}
		id := msg.Header.Get("Vv-Id")
		if _, twice := text[id]; twice || id == "" {
			t.Errorf("event %q is stored twice", id)
		}
		text[id], place[id] = data.Text, seq
		if msg.Header.Get("Nats-Batch-Id") != "" {
			batched++
		}
	}
	for i, of := range ids {
		for j, id := range of {
			if want := fmt.Sprintf("%d.%d", i, j); i%8 != 0 && text[id] != want {
				t.Errorf("event %s holds %q, want %q", id, text[id], want)
			}
		}
	}
	if want := publishers/8*7*each + publishers/8*each/2; len(text) != want {
		t.Errorf("%d events are stored, want %d", len(text), want)
	}
	told := 0
	for _, e := range w.journal.of(policy.EventPublish, audit.OK) {
		var kept struct {
			Sequence  uint64
			Duplicate bool
		}
		detail, _ := json.Marshal(e.Detail)
		_, id, _ := strings.Cut(e.Object, "/")
		if err := json.Unmarshal(detail, &kept); err != nil || kept.Sequence != place[id] {
			t.Errorf("event %s is recorded at %d (%v), and lies at %d", id, kept.Sequence, err, place[id])
		}
		told++
	}
	if told != publishers*each {
		t.Errorf("%d publications ended well, want %d", told, publishers*each)
	}
	if batched == 0 {
		t.Error("nothing was stored together")
	}
}

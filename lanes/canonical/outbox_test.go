package canonical_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/lanes/canonical"
)

// broker is a NATS server of its own, which a test stops and starts.
type broker struct {
	t    *testing.T
	dir  string
	port int
	s    *server.Server
}

func newBroker(t *testing.T) *broker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &broker{t: t, dir: t.TempDir(), port: l.Addr().(*net.TCPAddr).Port}
	l.Close()
	b.start()
	t.Cleanup(b.stop)
	return b
}

func (b *broker) start() {
	b.t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: b.port, JetStream: true, StoreDir: b.dir, NoSigs: true, SyncAlways: true})
	if err != nil {
		b.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(20 * time.Second) {
		b.t.Fatal("the broker did not become ready")
	}
	b.s = s
}

func (b *broker) stop() {
	if b.s != nil {
		b.s.Shutdown()
		b.s.WaitForShutdown()
		b.s = nil
	}
}

func (b *broker) url() string { return "nats://127.0.0.1:" + strconv.Itoa(b.port) }

// newSharedWorld is newWorld on a broker that others could share.
func newSharedWorld(t *testing.T, limits canonical.Limits) (*world, *broker) {
	t.Helper()
	b := newBroker(t)
	bus, err := canonical.StartBus(canonical.BusConfig{URL: b.url(), Log: slog.New(slog.DiscardHandler), Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return newWorldOn(t, bus, limits), b
}

// say publishes plain.said as hr, about something, and returns the answer.
func (w *world) say(t *testing.T, about string, n int) (canonical.Receipt, error) {
	t.Helper()
	return w.lane.Publish(w.as(t.Context(), "hr"), canonical.Publication{Type: "plain.said", Subject: about, Data: json.RawMessage(strconv.Itoa(n))})
}

// TestNothingAcknowledgedIsLost publishes for several keys while the broker goes
// away and comes back, twice, and counts: every event that was acknowledged
// arrives, and none before its predecessor of the same key.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	w, b := newSharedWorld(t, canonical.Limits{AckWait: 3 * time.Second})
	const keys, each = 4, 45
	accepted := make([][]string, keys) // ids by key, in their order
	var publishing sync.WaitGroup
	pulse := make(chan struct{}, keys*each)
	for key := range keys {
		publishing.Go(func() {
			for n := range each {
				r, err := w.say(t, fmt.Sprint("key ", key), n)
				if err != nil {
					t.Errorf("event %d of key %d was refused: %v", n, key, err)
					return
				}
				accepted[key] = append(accepted[key], r.EventID)
				pulse <- struct{}{}
			}
		})
	}
	progress := func(n int) {
		for range n {
			<-pulse
		}
	}
	progress(keys * 10)
	b.stop()
	progress(keys * 10)
	b.start()
	progress(keys * 5)
	b.stop()
	progress(keys * 10)
	b.start()
	publishing.Wait()

	arrived := make([][]string, keys)
	seen := map[string]bool{}
	for len(seen) < keys*each {
		h := w.hook(t)
		id := h.event["id"].(string)
		if h.plugin != "lurker" || seen[id] {
			continue // at least once
		}
		seen[id] = true
		var key int
		if _, err := fmt.Sscanf(h.event["subject"].(string), "key %d", &key); err != nil {
			t.Fatal(err)
		}
		arrived[key] = append(arrived[key], id)
	}
	for key := range keys {
		if !slices.Equal(arrived[key], accepted[key]) {
			t.Errorf("key %d: accepted %v, arrived %v", key, accepted[key], arrived[key])
		}
	}
	w.until(t, "nothing waits in the outbox", func() bool {
		s, err := w.lane.Stats(t.Context())
		return err == nil && s.Outbox == 0 && s.Events == keys*each
	})
}

func TestAPublisherIsToldThatItsEventWaits(t *testing.T) {
	w, b := newSharedWorld(t, canonical.Limits{})
	b.stop()
	own := canonical.Publication{ID: "order-1", Type: "plain.said", Data: json.RawMessage(`1`)}
	for i, duplicate := range []bool{false, true} {
		r, err := w.lane.Publish(w.as(t.Context(), "hr"), own)
		if err != nil || !r.Waiting || r.Duplicate != duplicate {
			t.Fatalf("publish %d while the bus is down: %+v, %v", i, r, err)
		}
	}
	w.until(t, "both ends are recorded", func() bool { return len(w.journal.of(policy.EventPublish, audit.OK)) == 2 })
	b.start()
	if h := w.hook(t); h.event["id"] != "order-1" {
		t.Fatalf("%v arrived", h.event["id"])
	}
	w.until(t, "the outbox is empty", func() bool {
		s, err := w.lane.Stats(t.Context())
		return err == nil && s.Outbox == 0
	})
	r, err := w.lane.Publish(w.as(t.Context(), "hr"), own)
	if err != nil || !r.Duplicate || r.Waiting {
		t.Errorf("the same id once more, on the bus: %+v, %v", r, err)
	}
}

func TestTheOutboxIsBounded(t *testing.T) {
	w, b := newSharedWorld(t, canonical.Limits{Outbox: 2})
	b.stop()
	for n := range 2 {
		if _, err := w.say(t, "", n); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.say(t, "", 3); err == nil {
		t.Error("more was taken than may wait")
	}
}

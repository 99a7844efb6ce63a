package canonical_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/vivified/vivified/lanes/canonical"
)

// What is stored together is on the disk as what is stored alone: each round of
// publishers has its receipts when the power goes.
func TestEventsStoredTogetherSurviveALossOfPower(t *testing.T) {
	const key = "the key of the streams"
	d := newDisk(t)
	bus, err := canonical.StartBus(canonical.BusConfig{Dir: d.dir, Key: key, Log: slog.New(slog.DiscardHandler), Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorldOn(t, bus, canonical.Limits{InFlight: 1000, Rate: 100_000})
	var mu sync.Mutex
	var accepted []string
	for round := range 3 {
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				text := fmt.Sprintf("%d.%d", round, i)
				if _, err := w.lane.Publish(w.as(t.Context(), "hr"), canonical.Publication{Type: "plain.said", Data: json.RawMessage(`"` + text + `"`)}); err != nil {
					t.Errorf("event %s: %v", text, err)
					return
				}
				mu.Lock()
				accepted = append(accepted, text)
				mu.Unlock()
			})
		}
		wg.Wait()
		all := map[string]bool{}
		for data := range kept(t, d.powerLoss().dir, key) {
			all[strings.Trim(data, `"`)] = true
		}
		for _, text := range accepted {
			if !all[text] {
				t.Errorf("event %s was accepted and is lost", text)
			}
		}
	}
}

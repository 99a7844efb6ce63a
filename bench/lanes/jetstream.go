package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// rawJetStream publishes the same bytes to a bare JetStream in this process, as
// durably as the core does: each acknowledged message has reached the disk.
func rawJetStream(d time.Duration, rounds, clients int, event []byte) (result, error) {
	dir, err := os.MkdirTemp("", "vivified-bench-js-")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(dir)
	s, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true, SyncAlways: true})
	if err != nil {
		return result{}, err
	}
	s.Start()
	defer s.Shutdown()
	if !s.ReadyForConnections(10 * time.Second) {
		return result{}, fmt.Errorf("JetStream did not become ready")
	}
	conn, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		return result{}, err
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return result{}, err
	}
	ctx := context.Background()
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "RAW", Subjects: []string{"raw.>"}}); err != nil {
		return result{}, err
	}
	var rs []result
	for range rounds {
		rs = append(rs, measure(func(*http.Client) error {
			_, err := js.Publish(ctx, "raw.happened", event)
			return err
		}, clients, d))
	}
	m := median(rs)
	m.Name, m.Rounds, m.Detail = "raw JetStream", rounds, "publish acknowledged after the disk has it, nothing else"
	return m, nil
}

package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// bus is a bare JetStream in this process, as durable as the core's: what it
// acknowledges has reached the disk.
type bus struct {
	js    jetstream.JetStream
	event []byte
	stop  func()
}

func startBus(ctx context.Context, event []byte) (_ *bus, err error) {
	dir, err := os.MkdirTemp("", "vivified-bench-js-")
	if err != nil {
		return nil, err
	}
	stops := []func(){func() { _ = os.RemoveAll(dir) }}
	stop := func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	s, err := server.NewServer(&server.Options{DontListen: true, JetStream: true, StoreDir: dir, NoSigs: true, NoLog: true, SyncAlways: true})
	if err != nil {
		return nil, err
	}
	s.Start()
	stops = append(stops, s.Shutdown)
	if !s.ReadyForConnections(10 * time.Second) {
		return nil, fmt.Errorf("JetStream did not become ready")
	}
	conn, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		return nil, err
	}
	stops = append(stops, conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		return nil, err
	}
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "RAW", Subjects: []string{"raw.>"}}); err != nil {
		return nil, err
	}
	return &bus{js: js, event: event, stop: stop}, nil
}

// do publishes once.
func (b *bus) do() error {
	_, err := b.js.Publish(context.Background(), "raw.happened", b.event)
	return err
}

func (b *bus) close() {}

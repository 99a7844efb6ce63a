package canonical

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// BusConfig says which NATS to use.
type BusConfig struct {
	URL  string // an external cluster; empty: one embedded in this process, without a listener
	Dir  string // where the embedded one keeps its streams
	Key  string // encrypts the embedded one's streams at rest (ChaCha20-Poly1305); empty: in clear
	Log  *slog.Logger
	Name string // this replica's name, shown in the server's connection list

	Listen string      // where the embedded one listens for plugins; empty: it does not
	TLS    *tls.Config // nil: in clear, which is for loopback only
}

// Bus is the connection to NATS, and the embedded server when there is one.
type Bus struct {
	Conn   *nats.Conn
	server *server.Server // the embedded one, or nil
	gate   *gatekeeper    // of the embedded one
	log    *slog.Logger
}

// StartBus connects, having started the embedded server when no URL is given.
func StartBus(c BusConfig) (*Bus, error) {
	b := &Bus{log: c.Log}
	options := []nats.Option{
		nats.Name("vivified " + c.Name), nats.MaxReconnects(-1), nats.ReconnectWait(200 * time.Millisecond), nats.RetryOnFailedConnect(c.URL != ""),
		nats.ReconnectBufSize(-1), // what cannot be sent now is refused, not sent later when its publisher was told otherwise
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				b.log.Warn("bus lost", "error", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { b.log.Info("bus back") }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { b.log.Warn("bus", "error", err) }),
	}
	url := c.URL
	if url == "" {
		b.gate = newGatekeeper(c.Log)
		s, err := embed(c, b.gate)
		if err != nil {
			return nil, err
		}
		b.server, url = s, nats.DefaultURL
		b.gate.server.Store(s)
		options = append(options, nats.InProcessServer(s), nats.UserInfo(coreUser, b.gate.password))
	}
	conn, err := nats.Connect(url, options...)
	if err != nil {
		b.stopServer()
		return nil, fmt.Errorf("connect to the event bus: %w", err)
	}
	b.Conn = conn
	return b, nil
}

// embed starts a JetStream server that this process reaches, and plugins where it listens.
func embed(c BusConfig, gate *gatekeeper) (*server.Server, error) {
	dir := filepath.Join(c.Dir, "nats")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the event bus directory: %w", err)
	}
	o := &server.Options{
		ServerName: "vivified", CustomClientAuthentication: gate, JetStream: true, StoreDir: dir, NoSigs: true, NoSystemAccount: true,
		MaxPayload: 8 << 20,
		// An acknowledged event has reached the disk: without this an acknowledgement
		// can be lost with the machine's power.
		SyncAlways: true,
	}
	if c.Key != "" {
		o.JetStreamKey, o.JetStreamCipher = c.Key, server.ChaCha
	}
	if err := listenFor(o, c.Listen, c.TLS); err != nil {
		return nil, err
	}
	s, err := server.NewServer(o)
	if err != nil {
		return nil, fmt.Errorf("configure the event bus: %w", err)
	}
	s.SetLoggerV2(busLog{c.Log}, false, false, false)
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		s.Shutdown()
		return nil, errors.New("the embedded event bus did not become ready within 10 s")
	}
	return s, nil
}

// Wake tells every replica, this one too, that something under topic changed.
func (b *Bus) Wake(topic string) error { return b.Conn.Publish("vv.wake."+topic, nil) }

// OnWake calls f whenever any replica wakes topic, until ctx ends.
func (b *Bus) OnWake(ctx context.Context, topic string, f func()) error {
	sub, err := b.Conn.Subscribe("vv.wake."+topic, func(*nats.Msg) { f() })
	if err != nil {
		return fmt.Errorf("listen for wake-ups of %s: %w", topic, err)
	}
	context.AfterFunc(ctx, func() { _ = sub.Unsubscribe() })
	return nil
}

// Shared reports whether other replicas may be on the bus.
func (b *Bus) Shared() bool { return b.server == nil }

// Ready reports whether the bus answers.
func (b *Bus) Ready() error {
	if b.Conn.IsConnected() {
		return nil
	}
	return errors.New("the event bus is not connected")
}

// Close ends the connection and stops the embedded server.
func (b *Bus) Close() {
	b.Conn.Close()
	b.stopServer()
}

func (b *Bus) stopServer() {
	if b.server != nil {
		b.server.Shutdown()
		b.server.WaitForShutdown()
	}
}

// busLog hands the embedded server's words to slog.
type busLog struct{ log *slog.Logger }

func (l busLog) Noticef(f string, v ...any) { l.log.Debug("bus: " + fmt.Sprintf(f, v...)) }
func (l busLog) Warnf(f string, v ...any)   { l.log.Warn("bus: " + fmt.Sprintf(f, v...)) }
func (l busLog) Errorf(f string, v ...any)  { l.log.Error("bus: " + fmt.Sprintf(f, v...)) }
func (l busLog) Fatalf(f string, v ...any)  { l.log.Error("bus: " + fmt.Sprintf(f, v...)) }
func (l busLog) Debugf(string, ...any)      {}
func (l busLog) Tracef(string, ...any)      {}

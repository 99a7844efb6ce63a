package canonical_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/lanes/canonical"
)

// passes are the tokens of plugins: "pass of <id>".
type passes struct {
	mu      sync.Mutex
	revoked map[string]bool
}

// PluginByToken implements canonical.Guests.
func (p *passes) PluginByToken(_ context.Context, token string) (actor.Actor, time.Time, error) {
	id, ok := strings.CutPrefix(token, "pass of ")
	who := actor.Actor{Kind: actor.Plugin, ID: id, Name: id, Tenant: actor.DefaultTenant}
	if _, err := p.Recheck(context.Background(), who); !ok || err != nil {
		return actor.Actor{}, time.Time{}, fault.New(fault.Unauthenticated, "auth.invalid", "The token is none.")
	}
	return who, time.Now().Add(15 * time.Minute), nil
}

// Recheck implements canonical.Guests.
func (p *passes) Recheck(_ context.Context, who actor.Actor) (actor.Actor, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.revoked[who.ID] {
		return actor.Actor{}, fault.New(fault.Unauthenticated, "auth.invalid", "The token was revoked.")
	}
	return who, nil
}

func (p *passes) revoke(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revoked = map[string]bool{id: true}
}

// harbour is a world whose bus plugins may connect to.
type harbour struct {
	*world
	url    string
	passes *passes
}

// harbours are the two kinds of bus: the one inside the core, and one of its own
// that asks the core who connects.
var harbours = map[string]func(*testing.T, canonical.Limits) *harbour{"inside the core": embeddedHarbour, "a server of its own": externalHarbour}

func embeddedHarbour(t *testing.T, limits canonical.Limits) *harbour {
	t.Helper()
	bus, err := canonical.StartBus(canonical.BusConfig{Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler), Name: "test", Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	h := &harbour{url: "nats://" + bus.Address().String(), passes: &passes{}}
	h.world = newWorldWith(t, bus, canonical.Config{Limits: limits, Guests: h.passes})
	return h
}

// calloutServer configures a server that asks the core about whoever it does not know.
const calloutServer = `
listen: "127.0.0.1:-1"
jetstream: {store_dir: %q}
accounts: {
	APP: {jetstream: enabled, users: [{user: core, password: core}]}
	SYS: {users: [{user: system, password: system}]}
}
system_account: SYS
authorization: {auth_callout: {issuer: %s, account: APP, auth_users: [core, system]}}
`

func externalHarbour(t *testing.T, limits canonical.Limits) *harbour {
	t.Helper()
	key, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	issuer, _ := key.PublicKey()
	seed, _ := key.Seed()
	file := filepath.Join(t.TempDir(), "nats.conf")
	if err := os.WriteFile(file, []byte(fmt.Sprintf(calloutServer, t.TempDir(), issuer)), 0o600); err != nil {
		t.Fatal(err)
	}
	options, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	options.NoSigs, options.NoLog = true, true
	s, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(20 * time.Second) {
		t.Fatal("the server did not become ready")
	}
	at := s.Addr().(*net.TCPAddr).String()
	bus, err := canonical.StartBus(canonical.BusConfig{URL: "nats://core:core@" + at, Log: slog.New(slog.DiscardHandler), Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	h := &harbour{url: "nats://" + at, passes: &passes{}}
	h.world = newWorldWith(t, bus, canonical.Config{
		Limits: limits, Guests: h.passes, Callout: &canonical.CalloutConfig{Seed: string(seed), System: "nats://system:system@" + at},
	})
	return h
}

// each runs a test on both kinds of bus.
func each(t *testing.T, limits canonical.Limits, f func(*testing.T, *harbour)) {
	for name, open := range harbours {
		t.Run(name, func(t *testing.T) { f(t, open(t, limits)) })
	}
}

// sailor is a plugin that is connected to the bus.
type sailor struct {
	*nats.Conn
	id      string
	refused chan error    // what the server refused it
	closed  chan struct{} // told when the connection is gone for good
}

func (h *harbour) connect(id string) (*sailor, error) {
	s := &sailor{id: id, refused: make(chan error, 100), closed: make(chan struct{}, 1)}
	var err error
	s.Conn, err = nats.Connect(h.url, nats.Token("pass of "+id), nats.CustomInboxPrefix("out."+id+".inbox"), nats.NoReconnect(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { s.refused <- err }),
		nats.ClosedHandler(func(*nats.Conn) { s.closed <- struct{}{} }))
	return s, err
}

func (h *harbour) board(t *testing.T, id string) *sailor {
	t.Helper()
	s, err := h.connect(id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// ask sends a request and returns the answer.
func (s *sailor) ask(t *testing.T, subject, body string) map[string]any {
	t.Helper()
	m, err := s.Request("in."+s.id+"."+subject, []byte(body), time.Minute)
	if err != nil {
		t.Fatalf("%s: %v", subject, err)
	}
	var answer map[string]any
	if err := json.Unmarshal(m.Data, &answer); err != nil {
		t.Fatalf("%s answered %s", subject, m.Data)
	}
	return answer
}

// listens subscribes and asks for events.
func (s *sailor) listens(t *testing.T, body string) chan *nats.Msg {
	t.Helper()
	came := make(chan *nats.Msg, 1000)
	if _, err := s.Subscribe("out."+s.id+".ev.>", func(m *nats.Msg) { came <- m }); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	if answer := s.ask(t, "listen", body); answer["subject"] != "out."+s.id+".ev.>" {
		t.Fatalf("listening was answered %v", answer)
	}
	return came
}

func arrival(t *testing.T, came chan *nats.Msg) *nats.Msg {
	t.Helper()
	select {
	case m := <-came:
		return m
	case <-time.After(time.Minute):
		t.Fatal("no event came")
		return nil
	}
}

func quiet(t *testing.T, came chan *nats.Msg, d time.Duration) {
	t.Helper()
	select {
	case m := <-came:
		t.Errorf("there came %s %s", m.Subject, m.Data)
	case <-time.After(d):
	}
}

// TestPluginsOnTheBus: they publish and hear as on every other way, redacted and in
// order, and settle each event by itself.
func TestPluginsOnTheBus(t *testing.T) {
	each(t, canonical.Limits{AckWait: 2 * time.Second}, func(t *testing.T, h *harbour) {
		hr, reader := h.board(t, "hr"), h.board(t, "reader")
		came := reader.listens(t, "")
		h.install(t, `{"id": "poor", "traits": ["handles_internal"], "events": {"subscribes": ["user.created"]},
			"security": {"authentication_required": true, "data_classification": ["internal"]}}`)
		poor := h.board(t, "poor").listens(t, `{"window": 2}`)

		done := hr.ask(t, "ev.user.created", `{"id":"7","name":"Ada"}`)
		if done["status"] != "published" || done["event_id"] == "" {
			t.Fatalf("publishing was answered %v", done)
		}
		whole := arrival(t, came)
		if whole.Subject != "out.reader.ev.user.created" || string(whole.Data) != `{"id":"7","name":"Ada"}` || whole.Header["ce-id"][0] != done["event_id"] || whole.Header["ce-source"][0] != "hr" {
			t.Errorf("the reader got %s %s %v", whole.Subject, whole.Data, whole.Header)
		}
		if m := arrival(t, poor); string(m.Data) != `{"id":"7"}` || m.Header["ce-redacted"][0] != "/name" {
			t.Errorf("who may not see names got %s %v", m.Data, m.Header)
		} else if err := m.AckSync(); err != nil {
			t.Error(err)
		}
		if err := whole.AckSync(); err != nil {
			t.Errorf("acknowledging: %v", err)
		}
		// What is not acknowledged comes again; what is refused does at once.
		hr.ask(t, "ev.plain.said", `"hello"`)
		for range 2 {
			if m := arrival(t, came); string(m.Data) != `"hello"` {
				t.Errorf("there came %s", m.Data)
			} else if err := m.Nak(); err != nil {
				t.Error(err)
			}
		}
		if err := arrival(t, came).AckSync(); err != nil {
			t.Error(err)
		}
		quiet(t, came, 3*time.Second)
	})
}

// TestEventsOnTheBusKeepTheirOrder, also of a publisher that does not wait for answers.
func TestEventsOnTheBusKeepTheirOrder(t *testing.T) {
	each(t, canonical.Limits{}, func(t *testing.T, h *harbour) {
		hr := h.board(t, "hr")
		came := h.board(t, "reader").listens(t, `{"window": 8}`)
		var want, got []string
		for i := range 50 {
			want = append(want, fmt.Sprint(i))
			if err := hr.Publish("in.hr.ev.plain.said", []byte(want[i])); err != nil {
				t.Fatal(err)
			}
		}
		for range want {
			m := arrival(t, came)
			got = append(got, string(m.Data))
			if err := m.Ack(); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestWhatIsRefusedOnTheBus: policy, schemas and names hold as everywhere, and every
// refusal has a code.
func TestWhatIsRefusedOnTheBus(t *testing.T) {
	each(t, canonical.Limits{}, func(t *testing.T, h *harbour) {
		hr, reader := h.board(t, "hr"), h.board(t, "reader")
		for _, tt := range []struct {
			who                 *sailor
			subject, body, code string
		}{
			{hr, "ev.user.deleted", `{}`, "event.publish"},
			{reader, "ev.user.created", `{"id":"7"}`, "event.publish"},
			{hr, "ev.user.created", `{"name":"Ada"}`, "event.schema"},
			{hr, "ev.user.created", `{`, "event.malformed"},
			{hr, "ev.9", `{}`, "event.type"},
			{hr, "listen", `{}`, "event.subscribe"},
			{reader, "listen", `{"types":["user.noted"]}`, "event.subscribe"},
			{reader, "listen", `{"window":5000}`, "event.malformed"},
			{reader, "listen", `{"consumer":"No!"}`, "event.consumer"},
		} {
			answer := tt.who.ask(t, tt.subject, tt.body)
			if e, _ := answer["error"].(map[string]any); e["code"] != tt.code {
				t.Errorf("%s %s %s was answered %v, want %s", tt.who.id, tt.subject, tt.body, answer, tt.code)
			}
		}
	})
}

// TestAPluginOnTheBusReachesNothingElse: not what is stored, not what others say or
// hear, not the bus's own interface, and nobody has the core speak for them.
func TestAPluginOnTheBusReachesNothingElse(t *testing.T) {
	each(t, canonical.Limits{}, func(t *testing.T, h *harbour) {
		reader, spy := h.board(t, "reader"), h.board(t, "reader--b")
		came := reader.listens(t, "")
		for _, subject := range []string{"ev.>", ">", "*.>", "out.>", "out.reader.>", "out.*.ev.>", "in.>", "in.reader--b.>", "again.>", "$JS.API.>", "_INBOX.>", "vv.>", "$SYS.>"} {
			if _, err := spy.SubscribeSync(subject); err != nil {
				t.Fatal(err)
			}
			if err := refusal(t, spy); !strings.Contains(err.Error(), "ermissions") {
				t.Errorf("subscribing to %s: %v", subject, err)
			}
		}
		for _, subject := range []string{"ev.default.user.created", "in.hr.ev.plain.said", "out.reader.ev.plain.said", "$JS.API.STREAM.INFO.EVENTS", "vv.settle", "vv.wake.registry", "$SYS.REQ.USER.AUTH"} {
			if err := spy.Publish(subject, []byte(`{}`)); err != nil {
				t.Fatal(err)
			}
			if err := refusal(t, spy); !strings.Contains(err.Error(), "ermissions") {
				t.Errorf("publishing to %s: %v", subject, err)
			}
		}
		js, err := jetstream.New(spy.Conn)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := js.Stream(ctx, "EVENTS"); err == nil {
			t.Error("a plugin reads the stream itself")
		}
		// The core answers a plugin at its own place only.
		if err := spy.PublishRequest("in.reader--b.listen", "out.reader.ev.plain.said", nil); err != nil {
			t.Fatal(err)
		}
		if err := spy.PublishRequest("in.reader--b.ev.plain.said", "ev.default.plain.said", []byte(`1`)); err != nil {
			t.Fatal(err)
		}
		// An acknowledgement of somebody else's event settles nothing.
		h.publish(t, "plain.said", `"hello"`)
		m := arrival(t, came)
		if err := spy.Publish(strings.Replace(m.Reply, "in.reader.", "in.reader--b.", 1), []byte("+ACK")); err != nil {
			t.Fatal(err)
		}
		if err := spy.Flush(); err != nil {
			t.Fatal(err)
		}
		if err := m.AckSync(); err != nil {
			t.Errorf("it was settled by somebody else: %v", err)
		}
		quiet(t, came, 200*time.Millisecond)
	})
}

// refusal waits for what the server refuses a plugin.
func refusal(t *testing.T, s *sailor) error {
	t.Helper()
	select {
	case err := <-s.refused:
		return err
	case <-time.After(time.Minute):
		t.Fatal("the server refused nothing")
		return nil
	}
}

func TestWhoMayNotOntoTheBus(t *testing.T) {
	each(t, canonical.Limits{}, func(t *testing.T, h *harbour) {
		h.disable(t, "lurker")
		h.passes.revoke("clerk")
		for _, id := range []string{"nobody", "lurker", "clerk"} {
			if s, err := h.connect(id); err == nil {
				s.Close()
				t.Errorf("%s is on the bus", id)
			}
		}
		for _, o := range []nats.Option{nats.Token("guess"), nats.UserInfo("core", "guess"), nats.UserInfo("core", ""), nats.Name("none")} {
			if c, err := nats.Connect(h.url, o); err == nil {
				c.Close()
				t.Error("somebody without a token is on the bus")
			}
		}
	})
}

// TestRevokedOnTheBus: within a second of its being disabled, a plugin is off the
// bus, and nothing reaches it in between.
func TestRevokedOnTheBus(t *testing.T) {
	each(t, canonical.Limits{}, func(t *testing.T, h *harbour) {
		reader := h.board(t, "reader")
		came := reader.listens(t, "")
		h.publish(t, "plain.said", `1`)
		if err := arrival(t, came).AckSync(); err != nil {
			t.Fatal(err)
		}
		h.disable(t, "reader")
		began := time.Now()
		h.publish(t, "plain.said", `2`)
		select {
		case <-reader.closed:
		case <-time.After(time.Minute):
			t.Fatal("the connection stands")
		}
		if took := time.Since(began); took > 5*time.Second { // some milliseconds on a machine with nothing else to do
			t.Errorf("it took %s", took)
		}
		quiet(t, came, 100*time.Millisecond)
		if _, err := h.connect("reader"); err == nil {
			t.Error("a disabled plugin came back")
		}
		h.enable(t, "reader", policy.Disabled)
		again := h.board(t, "reader").listens(t, "")
		if m := arrival(t, again); string(m.Data) != `2` {
			t.Errorf("it missed an event, and got %s", m.Data)
		}
		h.passes.revoke("reader")
		h.until(t, "who has no credential any more is off the bus", func() bool {
			_, err := h.connect("reader")
			return err != nil
		})
	})
}

// TestAListenerThatDies: what it did not acknowledge is not lost, and no attempt is
// counted against it that reached nobody.
func TestAListenerThatDies(t *testing.T) {
	each(t, canonical.Limits{MaxDeliver: 2, AckWait: time.Second}, func(t *testing.T, h *harbour) {
		first := h.board(t, "reader")
		came := first.listens(t, "")
		h.publish(t, "plain.said", `0`)
		if err := arrival(t, came).AckSync(); err != nil {
			t.Fatal(err)
		}
		first.Close()
		want := map[string]bool{}
		for i := range 20 {
			text := fmt.Sprintf(`"e%d"`, i)
			want[text] = true
			h.publish(t, "plain.said", text)
		}
		for range 5 { // it comes, asks, and dies before anything arrives
			s := h.board(t, "reader")
			s.ask(t, "listen", "")
			s.Close()
		}
		s := h.board(t, "reader")
		back := make(chan *nats.Msg, 1000)
		if _, err := s.Subscribe("out.reader.ev.>", func(m *nats.Msg) { back <- m }); err != nil {
			t.Fatal(err)
		}
		for len(want) > 0 {
			s.ask(t, "listen", "")
			select {
			case m := <-back:
				delete(want, string(m.Data))
				if err := m.Ack(); err != nil {
					t.Fatal(err)
				}
			case <-time.After(time.Second):
			}
			if t.Context().Err() != nil {
				return
			}
		}
		if stats, err := h.lane.Stats(t.Context()); err != nil || stats.DeadLetters != 0 {
			t.Errorf("%d deliveries were given up (%v)", stats.DeadLetters, err)
		}
	})
}

package siem_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/siem"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/db/dbtest"
)

// world is an audit that is forwarded.
type world struct {
	*siem.Service
	t     *testing.T
	pool  *pgxpool.Pool
	owner *pgxpool.Pool
	ctx   context.Context // an administrator's
}

func newWorld(t *testing.T) *world {
	t.Helper()
	d := dbtest.New(t)
	pool := d.Pool
	sealer, err := settings.NewSealer([]byte("0123456789abcdefghijklmnopqrstuv"))
	if err != nil {
		t.Fatal(err)
	}
	return &world{
		Service: siem.New(siem.Config{Pool: pool, Store: audit.NewStore(pool), Sealer: sealer, Replica: "one", Poll: 5 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}),
		t:       t, pool: pool, owner: d.Owner, ctx: actor.With(t.Context(), actor.Actor{Kind: actor.User, ID: uuid.NewString(), Name: "Ada", Tenant: actor.DefaultTenant}),
	}
}

// run sends until the test, or stop, ends it.
func (w *world) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run: %v", err)
		}
	})
	w.t.Cleanup(stop)
	return stop
}

// write makes n records of changes.
func (w *world) write(n int) {
	w.t.Helper()
	for i := range n {
		err := db.InTx(w.ctx, w.pool, func(q *db.Queries) error {
			return audit.Append(w.ctx, q, audit.Entry{Action: "test.change", Object: strconv.Itoa(i), Outcome: audit.OK, Detail: map[string]any{"text": "one\nline ] \" \\"}})
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

// purge removes the first n records of the chain of changes, as a purge does.
func (w *world) purge(n int64) {
	w.t.Helper()
	if _, err := w.owner.Exec(w.ctx, "DELETE FROM audit_log WHERE chain = $1 AND seq <= $2", audit.ChangeChain, n); err != nil {
		w.t.Fatal(err)
	}
}

// add adds a sink, or fails the test.
func (w *world) add(in siem.Spec) siem.Sink {
	w.t.Helper()
	in.Enabled = true
	s, err := w.Add(w.ctx, in)
	if err != nil {
		w.t.Fatalf("add %s: %v", in.Name, err)
	}
	return s
}

// ids returns the id of every record there is, in the order in which they were written.
func (w *world) ids() []string {
	w.t.Helper()
	b, err := audit.NewStore(w.pool).Follow(w.ctx, actor.DefaultTenant, nil, 100_000)
	if err != nil {
		w.t.Fatal(err)
	}
	var ids []string
	for _, r := range b.Records {
		ids = append(ids, r.ID.String())
	}
	return ids
}

// until waits for a condition, for a minute at most.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		if ok() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// inbox is what another system received.
type inbox struct {
	mu  sync.Mutex
	ids map[string]int
}

func (b *inbox) take(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ids == nil {
		b.ids = map[string]int{}
	}
	b.ids[id]++
}

func (b *inbox) has(ids []string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, id := range ids {
		if b.ids[id] == 0 {
			return false
		}
	}
	return len(ids) > 0
}

func (b *inbox) len() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.ids)
}

// certificate makes a server's certificate for 127.0.0.1 and returns it also in PEM.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	of := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a log server"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, of, of, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: k}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}))
}

// syslogServer is a real one: it reads the framing of RFC 5425 and counts a message
// once it has read it whole.
type syslogServer struct {
	inbox
	cert     tls.Certificate
	listener net.Listener
	mu       sync.Mutex
	open     map[net.Conn]bool
	messages []string
	bad      []string
	wait     sync.WaitGroup
	stall    chan struct{} // nil: reads at once; else: only once it is closed
}

func (s *syslogServer) start(t *testing.T, address string) string {
	t.Helper()
	var l net.Listener
	until(t, "the address is free", func() (ok bool) {
		var err error
		l, err = net.Listen("tcp", address)
		return err == nil
	})
	s.listener, s.open = l, map[net.Conn]bool{}
	s.wait.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.open[conn] = true
			s.mu.Unlock()
			s.wait.Go(func() { s.serve(conn) })
		}
	})
	return l.Addr().String()
}

// kill ends the server as a crash does: what it has not read is gone.
func (s *syslogServer) kill() {
	_ = s.listener.Close()
	s.mu.Lock()
	for c := range s.open {
		_ = c.(*net.TCPConn).SetLinger(0)
		_ = c.Close()
	}
	s.mu.Unlock()
	if s.stall != nil {
		close(s.stall)
	}
	s.wait.Wait()
}

func (s *syslogServer) serve(raw net.Conn) {
	defer func() {
		s.mu.Lock()
		delete(s.open, raw)
		s.mu.Unlock()
		_ = raw.Close()
	}()
	conn := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{s.cert}})
	if s.stall != nil {
		if conn.Handshake() != nil {
			return
		}
		<-s.stall
	}
	r := bufio.NewReader(conn)
	for {
		size, err := r.ReadString(' ')
		if err != nil {
			if err == io.EOF {
				_ = conn.Close()
			}
			return
		}
		n, err := strconv.Atoi(strings.TrimSuffix(size, " "))
		message := make([]byte, max(n, 0))
		if err != nil || n <= 0 || n > 1<<20 {
			s.note(&s.bad, size)
			return
		}
		if _, err := io.ReadFull(r, message); err != nil {
			return
		}
		_, text, ok := strings.Cut(string(message), "] \xEF\xBB\xBF")
		var rec audit.Record
		if err := json.Unmarshal([]byte(text), &rec); !ok || err != nil {
			s.note(&s.bad, fmt.Sprint(string(message), err))
			return
		}
		s.note(&s.messages, string(message))
		s.take(rec.ID.String())
	}
}

func (s *syslogServer) note(in *[]string, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*in = append(*in, text)
}

func (s *syslogServer) seen() (messages, bad []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.messages...), append([]string{}, s.bad...)
}

package proxy_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/db/dbtest"
	"github.com/vivified/vivified/lanes/proxy"
)

// The plugins of the tests: one plain, one that handles health data, and one
// that may not reach the outside at all.
const (
	mailer = "mailer"
	clinic = "clinic"
	lurker = "lurker"
)

var manifests = map[string]string{
	mailer: `{"id": "mailer", "name": "Mailer", "version": "1.0.0", "contracts": [], "traits": ["external_service"],
		"allowed_domains": ["api.example.com", "other.example.com", "nowhere.example.com", "private.example.com"],
		"security": {"authentication_required": true, "data_classification": ["internal"]},
		"compliance": {"hipaa_controls": [], "audit_level": "detailed"}}`,
	clinic: `{"id": "clinic", "name": "Clinic", "version": "1.0.0", "contracts": [], "traits": ["external_service", "handles_phi", "audit_required"],
		"allowed_domains": ["api.example.com"],
		"security": {"authentication_required": true, "data_classification": ["phi"]},
		"compliance": {"hipaa_controls": ["164.312(e)"], "audit_level": "detailed"}}`,
	lurker: `{"id": "lurker", "name": "Lurker", "version": "1.0.0", "contracts": [], "traits": ["handles_public"],
		"security": {"authentication_required": true, "data_classification": ["public"]}}`,
}

// world is a lane with a real registry, name server, certificate authority and
// TLS server. The hosts api, other and private.example.com lead to loopback.
type world struct {
	lane     *proxy.Lane
	registry *registry.Registry
	journal  *journal
	ns       *nameserver
	db       *dbtest.DB
	ca       *authority
	sealer   *settings.Sealer
	dns      sync.Map // host → func() []netip.Addr
	config   worldConfig
}

type worldConfig struct {
	limits proxy.Limits
	judge  proxy.Judge
	now    func() time.Time
}

func newWorld(t *testing.T, c worldConfig) *world {
	t.Helper()
	w := &world{db: dbtest.New(t), journal: &journal{}, ca: newAuthority(t)}
	for host, addr := range map[string]string{"api.example.com": "127.0.0.1", "other.example.com": "127.0.0.1", "private.example.com": "127.0.0.1"} {
		w.resolve(host, addr)
	}
	w.ns = startNameserver(t, func(name string) []netip.Addr {
		if addrs, ok := w.dns.Load(name); ok {
			return addrs.(func() []netip.Addr)()
		}
		return nil
	})
	log := slog.New(slog.DiscardHandler)
	var err error
	if w.registry, err = registry.Open(t.Context(), registry.Config{Pool: w.db.Pool, Waker: alone{}, Log: log}); err != nil {
		t.Fatal(err)
	}
	for id, text := range manifests {
		w.install(t, id, text)
	}
	if c.judge.Ranges == nil {
		c.judge.Ranges = rangesOf(t, `{"api.example.com": ["127.0.0.0/8"], "other.example.com": ["127.0.0.1/32"]}`)
	}
	w.config = c
	if w.sealer, err = settings.NewSealer([]byte("0123456789abcdefghijklmnopqrstuv")); err != nil {
		t.Fatal(err)
	}
	w.lane = w.open(t, w.journal)
	return w
}

// open returns a lane that records in r, running until the test ends.
func (w *world) open(t *testing.T, r gate.Recorder) *proxy.Lane {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	roots, err := proxy.Roots(w.ca.file)
	if err != nil {
		t.Fatal(err)
	}
	lane := proxy.New(proxy.Config{
		Plugins: w.registry, Gate: gate.New(gate.Config{Policy: w.registry.Policy, Record: r, Now: w.config.now, Log: log}),
		Observer: w.registry, Resolver: proxy.NewResolver(w.ns.address), Judge: w.config.judge, Roots: roots,
		Pool: w.db.Pool, Sealer: w.sealer, Limits: w.config.limits, Now: w.config.now, Log: log,
	})
	runUntilEnd(t, lane.Run)
	return lane
}

// runUntilEnd runs a part of the core until the test ends.
func runUntilEnd(t *testing.T, run func(context.Context) error) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("ended with %v", err)
		}
	})
}

// resolve makes the name server answer with one address for a host, then the
// next, and so on in turn.
func (w *world) resolve(host string, addresses ...string) {
	var asked atomic.Int64
	w.dns.Store(host, func() []netip.Addr {
		return []netip.Addr{netip.MustParseAddr(addresses[int(asked.Add(1)-1)%len(addresses)])}
	})
}

func (w *world) install(t *testing.T, id, text string) {
	t.Helper()
	m, findings := manifest.Read([]byte(text), w.registry.ReadOptions())
	for _, f := range findings {
		if f.Severity == manifest.Error {
			t.Fatalf("manifest of %s: %s", id, f.Message)
		}
	}
	ctx := actor.With(t.Context(), actor.Core("test"))
	if err := w.registry.Add(ctx, &m, "http://127.0.0.1:1", "127.0.0.1", nil); err != nil {
		t.Fatal(err)
	}
	if err := w.registry.Activate(ctx, id, registry.Activation{From: policy.Registered, Traits: m.DeclaredTraits}); err != nil {
		t.Fatal(err)
	}
}

// approve approves a domain for the plugin, at the port of the server if it has one.
func (w *world) approve(t *testing.T, a registry.Approved, s *httptest.Server) {
	t.Helper()
	if s != nil {
		a.Ports = append(a.Ports, int32(portOf(s)))
	}
	if err := w.registry.Approve(actor.With(t.Context(), actor.Core("test")), a); err != nil {
		t.Fatal(err)
	}
}

// as returns a context in which the plugin acts.
func (w *world) as(t testing.TB, plugin string) context.Context {
	return actor.With(t.Context(), actor.Actor{Kind: actor.Plugin, ID: plugin, Name: plugin, Tenant: actor.DefaultTenant})
}

// get asks for a URL by the JSON form.
func (w *world) get(t testing.TB, plugin, url string) (proxy.Answer, error) {
	return w.lane.Do(w.as(t, plugin), proxy.Request{URL: url, FollowRedirects: true})
}

// serve starts a TLS server that every host of the tests may lead to.
func (w *world) serve(t testing.TB, h http.HandlerFunc) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	return w.serveWith(t, h, &tls.Config{Certificates: []tls.Certificate{w.ca.issue(t, "api.example.com", "other.example.com")}})
}

func (w *world) serveWith(t testing.TB, h http.HandlerFunc, c *tls.Config) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var connections atomic.Int64
	s := httptest.NewUnstartedServer(h)
	s.TLS, s.EnableHTTP2 = c, c == nil || c.NextProtos == nil
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, &connections
}

// at returns a URL of the host on the server's port.
func at(host string, s *httptest.Server, path string) string {
	return "https://" + net.JoinHostPort(host, strconv.Itoa(portOf(s))) + path
}

// code returns the code of a refusal, or "".
func code(err error) string {
	if err == nil {
		return ""
	}
	return fault.Of(err).Code
}

// alone is the waker of a core without replicas.
type alone struct{}

func (alone) Wake(string) error                            { return nil }
func (alone) OnWake(context.Context, string, func()) error { return nil }

// journal keeps audit entries in memory, and fails when told to.
type journal struct {
	mu      sync.Mutex
	entries []audit.Entry
	fail    error
	before  func() // asked before each durable record
}

func (j *journal) Decide(_ context.Context, e audit.Entry) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.before != nil {
		j.before()
	}
	if j.fail != nil {
		return j.fail
	}
	j.entries = append(j.entries, e)
	return nil
}

func (j *journal) Later(_ context.Context, e audit.Entry) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, e)
}

// rows returns the entries so far and forgets them.
func (j *journal) rows() []audit.Entry {
	j.mu.Lock()
	defer j.mu.Unlock()
	rows := j.entries
	j.entries = nil
	return rows
}

// summary returns "outcome rule" of each row; of an end, the code of its failure.
func (j *journal) summary(t testing.TB) []string {
	t.Helper()
	var all []string
	for _, e := range j.rows() {
		s := string(e.Outcome)
		if e.Outcome == audit.Allow || e.Outcome == audit.Deny {
			s += " " + e.Rule
		} else if c := detail(t, e)["code"]; c != nil {
			s += " " + c.(string)
		}
		all = append(all, s)
	}
	return all
}

func detail(t testing.TB, e audit.Entry) map[string]any {
	t.Helper()
	text, err := json.Marshal(e.Detail)
	if err != nil {
		t.Fatal(err)
	}
	var d map[string]any
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// authority is a certificate authority of the test's own.
type authority struct {
	file string // its certificate in PEM
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "proxy lane test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{file: filepath.Join(t.TempDir(), "ca.pem"), cert: cert, key: key}
	var text bytes.Buffer
	if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// issue returns a certificate for the hosts.
func (a *authority) issue(t testing.TB, hosts ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: hosts[0]}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// The configurations of TLS servers that are not quite what they should be.
func tlsFor(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }

func tls11(c tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{c}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
}

func http1(c tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{c}, NextProtos: []string{"http/1.1"}}
}

func ports(servers ...*httptest.Server) []int32 {
	var all []int32
	for _, s := range servers {
		all = append(all, int32(portOf(s)))
	}
	return all
}

func zipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// bomb is a little gzip that unfolds to n bytes.
func bomb(t testing.TB, n int) []byte { return zipped(t, make([]byte, n)) }

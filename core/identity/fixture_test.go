package identity_test

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/db/dbtest"
)

const (
	issuer   = "https://core.example"
	password = "seven green bottles"
	address  = "192.0.2.7"
)

// world is a core's identity over a database of its own, at a time the test sets.
type world struct {
	*identity.Service
	t      testing.TB
	db     *dbtest.DB
	clock  *clock
	sealer *sealer
	config identity.Config
}

// clock is a time that stands still until a test moves it.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time                { c.mu.Lock(); defer c.mu.Unlock(); return c.at }
func (c *clock) move(d time.Duration)          { c.mu.Lock(); defer c.mu.Unlock(); c.at = c.at.Add(d) }
func (c *clock) set(at time.Time)              { c.mu.Lock(); defer c.mu.Unlock(); c.at = at }
func (w *world) in(d time.Duration) *time.Time { at := w.clock.now().Add(d); return &at }

// newWorld opens identity over a fresh database. edit may change the Config.
func newWorld(t testing.TB, edit ...func(*identity.Config)) *world {
	t.Helper()
	w := &world{t: t, db: dbtest.New(t), clock: &clock{at: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)}, sealer: newSealer()}
	record := audit.NewWriter(w.db.Pool, audit.WriterConfig{Replica: "test", Log: quiet})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- record.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("audit writer: %v", err)
		}
	})
	w.config = identity.Config{
		Pool: w.db.Pool, Plugins: standings{w.db}, Sealer: w.sealer, Record: record, Issuer: issuer, Now: w.clock.now, Log: quiet,
		Hashing: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	}
	for _, e := range edit {
		e(&w.config)
	}
	w.Service = w.replica()
	return w
}

// replica opens one more core over the same database.
func (w *world) replica() *identity.Service {
	w.t.Helper()
	s, err := identity.Open(w.t.Context(), w.config)
	if err != nil {
		w.t.Fatalf("open identity: %v", err)
	}
	return s
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// standings reads plugins as the registry would, without its snapshot.
type standings struct{ db *dbtest.DB }

func (s standings) PluginStanding(id string) (policy.State, int64, bool) {
	p, err := db.New(s.db.Pool).PluginGet(context.Background(), id)
	return policy.State(p.State), p.Generation, err == nil
}

// sealer seals under a master key of its own.
type sealer struct {
	aead cipher.AEAD
	key  []byte
}

func newSealer() *sealer {
	key := make([]byte, 32)
	rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return &sealer{aead, key}
}

func (s *sealer) Seal(plain, aad []byte) ([]byte, error) {
	return s.aead.Seal(nil, nil, plain, aad), nil
}
func (s *sealer) Open(sealed, aad []byte) ([]byte, error) { return s.aead.Open(nil, nil, sealed, aad) }
func (s *sealer) Digest(purpose string, data []byte) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(purpose + "\x00"))
	mac.Write(data)
	return hex.EncodeToString(mac.Sum(nil))
}

// stranger is a context in which nobody was proved yet.
func (w *world) stranger() context.Context { return actor.WithAddress(w.t.Context(), address) }

// as is a context in which u acts by the session of g.
func (w *world) as(g identity.Grant) context.Context {
	who, err := w.Prove(w.stranger(), identity.Credentials{Authorization: []string{"Bearer " + g.Secret}})
	if err != nil {
		w.t.Helper()
		w.t.Fatalf("%s is not signed in: %v", g.User.Name, err)
	}
	return actor.With(w.stranger(), who)
}

// core is a context in which the core itself acts.
func (w *world) core() context.Context { return actor.With(w.stranger(), actor.Core("test")) }

// setUp makes the first administrator, Mara, and signs her in.
func (w *world) setUp() identity.Grant {
	w.t.Helper()
	token, err := w.NewSetupToken(w.stranger())
	if err != nil {
		w.t.Fatalf("setup token: %v", err)
	}
	if _, err := w.CompleteSetup(w.stranger(), token, "mara@example.com", "Mara Lindqvist", password); err != nil {
		w.t.Fatalf("setup: %v", err)
	}
	return w.login("mara@example.com")
}

// login signs somebody in with the password everybody has here.
func (w *world) login(email string) identity.Grant {
	w.t.Helper()
	g, err := w.Login(w.stranger(), identity.SignIn{Account: email, Password: password})
	if err != nil {
		w.t.Fatalf("%s cannot sign in: %v", email, err)
	}
	return g
}

// person makes an active person with roles.
func (w *world) person(email, name string, roles ...string) identity.User {
	w.t.Helper()
	in := identity.Invitation{Email: email, Name: name}
	for _, r := range roles {
		in.Roles = append(in.Roles, identity.RoleGrant{Role: r})
	}
	link, err := w.Invite(w.core(), in)
	if err != nil {
		w.t.Fatalf("invite %s: %v", name, err)
	}
	u, err := w.AcceptInvitation(w.stranger(), link.Secret, "", password)
	if err != nil {
		w.t.Fatalf("%s joins: %v", name, err)
	}
	return u
}

// bearer proves a token as a program presents it.
func (w *world) bearer(token string) (actor.Actor, error) {
	return w.Prove(w.stranger(), identity.Credentials{Authorization: []string{"Bearer " + token}})
}

// plugin registers a plugin in a state, without any manifest to speak of.
func (w *world) plugin(id string, state policy.State) {
	w.t.Helper()
	n, err := db.New(w.db.Pool).PluginInsert(w.t.Context(), db.PluginInsertParams{
		ID: id, TenantID: actor.DefaultTenant, Kind: "service", Name: id, Version: "1.0.0", Manifest: []byte(`{}`),
	})
	if err != nil || n != 1 {
		w.t.Fatalf("register %s: %d rows, %v", id, n, err)
	}
	w.exec("UPDATE plugins SET state = $2 WHERE id = $1", id, string(state))
}

// exec changes the database behind identity's back, as its owner.
func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Owner.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
}

// number returns the answer of a query for one number.
func (w *world) number(sql string, args ...any) int {
	w.t.Helper()
	var n int
	if err := w.db.Owner.QueryRow(w.t.Context(), sql, args...).Scan(&n); err != nil {
		w.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// records counts the audit rows of an action with an outcome.
func (w *world) records(action string, outcome audit.Outcome) int {
	w.t.Helper()
	return w.number("SELECT count(*) FROM audit_log WHERE action = $1 AND outcome = $2", action, string(outcome))
}

// signingKey returns the youngest private key, as a thief of the master key would.
func (w *world) signingKey() (kid string, private ed25519.PrivateKey) {
	w.t.Helper()
	var sealed []byte
	err := w.db.Owner.QueryRow(w.t.Context(), "SELECT kid, sealed FROM signing_keys ORDER BY not_before DESC LIMIT 1").Scan(&kid, &sealed)
	if err != nil {
		w.t.Fatalf("read the signing key: %v", err)
	}
	seed, err := w.sealer.Open(sealed, []byte("identity/signing/"+kid))
	if err != nil {
		w.t.Fatalf("open the signing key: %v", err)
	}
	return kid, ed25519.NewKeyFromSeed(seed)
}

// is fails the test unless err is a fault of the kind and code.
func is(t testing.TB, what string, err error, kind fault.Kind, code string) {
	t.Helper()
	f, ok := errors.AsType[*fault.Fault](err)
	if !ok || f.Kind != kind || code != "" && f.Code != code {
		t.Errorf("%s: got %v (%+v), want kind %d, code %s", what, err, f, kind, code)
	}
}

// works fails the test at once when err is not nil.
func works(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// everything returns all text of all tables, for tests that look for what must not be there.
func (w *world) everything() string {
	w.t.Helper()
	var all strings.Builder
	rows, err := w.db.Owner.Query(w.t.Context(), "SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = 'public'")
	works(w.t, "list tables", err)
	var tables []string
	for rows.Next() {
		var name string
		works(w.t, "list tables", rows.Scan(&name))
		tables = append(tables, name)
	}
	works(w.t, "list tables", rows.Err())
	for _, table := range tables {
		var text *string
		works(w.t, "dump "+table, w.db.Owner.QueryRow(w.t.Context(), "SELECT string_agg(to_jsonb(t)::text, E'\n') FROM "+table+" t").Scan(&text))
		if text != nil {
			all.WriteString(*text)
		}
	}
	return all.String()
}

package sso_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/settings"
	"github.com/vivified/vivified/core/sso"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db/dbtest"
)

const public = "http://core.test"

// claims are those of a token; nil takes one away.
type claims map[string]any

// op is an OpenID provider that can be told to misbehave, which dex cannot.
type op struct {
	*httptest.Server
	key  *ecdsa.PrivateKey
	kid  string
	kept []jose.JSONWebKey // further public keys

	mu        sync.Mutex
	challenge map[string]string // by code
	nonce     map[string]string
	asked     int // for keys

	Edit    claims                      // of the next ID token
	Sign    func(payload []byte) string // default: by the key
	Meta    map[string]any              // of the discovery document
	Subject string
	Now     func() time.Time
}

func newOP(t *testing.T) *op {
	o := &op{key: newKey(), kid: "k1", challenge: map[string]string{}, nonce: map[string]string{}, Subject: "ada", Now: time.Now, Meta: map[string]any{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		doc := map[string]any{
			"issuer": o.URL, "authorization_endpoint": o.URL + "/auth", "token_endpoint": o.URL + "/token", "jwks_uri": o.URL + "/keys",
			"end_session_endpoint": o.URL + "/logout", "id_token_signing_alg_values_supported": []string{"ES256"},
		}
		maps.Copy(doc, o.Meta)
		reply(w, doc)
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.asked++
		reply(w, jose.JSONWebKeySet{Keys: append([]jose.JSONWebKey{{Key: o.key.Public(), KeyID: o.kid, Algorithm: "ES256", Use: "sig"}}, o.kept...)})
	})
	mux.HandleFunc("/token", o.token)
	o.Server = httptest.NewServer(mux)
	t.Cleanup(o.Close)
	return o
}

func newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// token takes a code once, with the secret of the client and the proof of PKCE.
func (o *op) token(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	code := r.FormValue("code")
	sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	id, secret, _ := r.BasicAuth()
	secret, _ = url.QueryUnescape(secret) // RFC 6749 section 2.3.1
	want, known := o.challenge[code]
	delete(o.challenge, code)
	w.Header().Set("Content-Type", "application/json")
	switch {
	case id != "core" || secret != "the secret":
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error":"invalid_client"}`))
	case !known || want != base64.RawURLEncoding.EncodeToString(sum[:]):
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"no <b>such</b> code"}`))
	default:
		reply(w, map[string]any{"access_token": "at", "token_type": "Bearer", "id_token": o.idToken(o.nonce[code])})
	}
}

// idToken makes an ID token, edited as the test wants it.
func (o *op) idToken(nonce string) string {
	now := o.Now()
	c := claims{
		"iss": o.URL, "aud": "core", "sub": o.Subject, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "nonce": nonce,
		"email": "ada@analytical.test", "email_verified": true, "name": "Ada Lovelace", "groups": []string{"auditors"}, "sid": "s1",
	}
	return o.signed(c)
}

func (o *op) signed(c claims) string {
	for name, v := range o.Edit {
		if v == nil {
			delete(c, name)
		} else {
			c[name] = v
		}
	}
	payload, _ := json.Marshal(c)
	if o.Sign != nil {
		return o.Sign(payload)
	}
	return sign(o.key, jose.ES256, o.kid, payload)
}

func sign(key any, alg jose.SignatureAlgorithm, kid string, payload []byte) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		panic(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	compact, err := jws.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return compact
}

// authorize is what the provider's sign-in page comes to: the query a browser
// brings back.
func (o *op) authorize(to string) url.Values {
	u, _ := url.Parse(to)
	q := u.Query()
	code := "code-" + q.Get("state")[:8]
	o.mu.Lock()
	defer o.mu.Unlock()
	o.challenge[code], o.nonce[code] = q.Get("code_challenge"), q.Get("nonce")
	return url.Values{"code": {code}, "state": {q.Get("state")}}
}

// record keeps what was recorded.
type record struct {
	mu      sync.Mutex
	entries []audit.Entry
}

func (r *record) Decide(_ context.Context, e audit.Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, e)
	return nil
}

type noPlugins struct{}

func (noPlugins) PluginStanding(string) (policy.State, int64, bool) { return "", 0, false }

// world is single sign-on over a database of its own, with one provider.
type world struct {
	*sso.Service
	t      *testing.T
	op     *op
	people *identity.Service
	record *record
	now    time.Time
	admin  context.Context
}

func newWorld(t *testing.T, edits ...func(*sso.Draft)) *world {
	t.Helper()
	w := &world{t: t, op: newOP(t), record: &record{}, now: time.Now()}
	d := dbtest.New(t)
	key := make([]byte, settings.KeySize)
	rand.Read(key)
	sealer, err := settings.NewSealer(key)
	must(t, err)
	clock := func() time.Time { return w.now }
	w.people, err = identity.Open(t.Context(), identity.Config{
		Pool: d.Pool, Plugins: noPlugins{}, Sealer: sealer, Record: w.record, Issuer: public, Plain: true, Now: clock, Log: slog.New(slog.DiscardHandler),
		Hashing: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32},
	})
	must(t, err)
	w.Service, err = sso.Open(sso.Config{
		Pool: d.Pool, People: w.people, Sealer: sealer, Record: w.record, Public: public, Now: clock, Log: slog.New(slog.DiscardHandler),
		Judge: func(string, bool, netip.AddrPort) error { return nil },
	})
	must(t, err)
	w.op.Now = clock
	w.admin = actor.With(actor.WithAddress(t.Context(), "192.0.2.1"), actor.Actor{
		Kind: actor.User, ID: uuid.Must(uuid.NewV7()).String(), Name: "Grace", Tenant: actor.DefaultTenant, Traits: trait.Builtin().Effective(trait.SetOf(trait.Admin)),
	})
	secret := "the secret"
	draft := sso.Draft{
		ID: "op", Name: "OP", Issuer: w.op.URL, ClientID: "core", Secret: &secret, Enabled: true, Options: sso.Options{Create: true, SignOut: true},
		Rules: []sso.Rule{{Claim: "groups", Match: sso.Equals, Value: "auditors", Kind: sso.Role, Give: "auditor"}},
	}
	for _, edit := range edits {
		edit(&draft)
	}
	_, err = w.Create(w.admin, draft)
	must(t, err)
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stranger is a context in which nobody is signed in.
func (w *world) stranger() context.Context { return actor.WithAddress(w.t.Context(), "192.0.2.7") }

// start begins a sign-in and returns what the browser brings back.
func (w *world) start(ctx context.Context, purpose sso.Purpose) sso.Return {
	w.t.Helper()
	leave, err := w.Start(ctx, "op", purpose, "", "/console")
	must(w.t, err)
	return sso.Return{Query: w.op.authorize(leave.To), Browser: leave.Browser, UserAgent: "test"}
}

// login goes there and back.
func (w *world) login() (sso.Outcome, error) {
	w.t.Helper()
	return w.Finish(w.stranger(), "op", w.start(w.stranger(), sso.Login))
}

// last is the last attempt.
func (w *world) last() sso.Attempt {
	w.t.Helper()
	all, err := w.Attempts(w.admin, sso.AttemptFilter{Provider: "op", Limit: 1})
	must(w.t, err)
	if len(all) == 0 {
		w.t.Fatal("no attempt was kept")
	}
	return all[0]
}

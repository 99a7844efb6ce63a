package vivified_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	vivified "github.com/vivified/vivified/sdk/go"
)

// core is the plugin's side of a core: it answers over real HTTP as the
// contract says, remembers what it was asked, and signs calls with a real key.
type core struct {
	*httptest.Server
	t          *testing.T
	private    ed25519.PrivateKey
	events     chan vivified.Event // what the stream delivers
	asked      chan asked          // what was asked, beyond registration and heartbeats
	registered chan struct{}       // one value per plugin let in

	mu          sync.Mutex
	kid         string
	generation  int               // number of the newest token and refresh token
	routes      map[string]answer // answers to other requests, by "METHOD /path"
	registerBy  []http.Header     // headers of each registration
	jwksReads   int
	refusal     *answer // what registration answers instead of a token
	tokenAnswer *answer // what every request under a token answers instead
}

type asked struct {
	method, path, query string
	header              http.Header
	body                string
}

type answer struct {
	status int
	header map[string]string
	body   string
}

func problem(status int, code, detail string) answer {
	body, _ := json.Marshal(map[string]any{"type": "about:blank", "status": status, "code": code, "detail": detail, "decision_id": "d-1", "trace_id": "t-1"})
	return answer{status, map[string]string{"Content-Type": "application/problem+json"}, string(body)}
}

func newCore(t *testing.T) *core {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &core{t: t, private: private, kid: "k1", events: make(chan vivified.Event, 8), asked: make(chan asked, 64), registered: make(chan struct{}, 8), routes: map[string]answer{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /plugins/register", c.register)
	mux.HandleFunc("POST /plugins/token", c.token)
	mux.HandleFunc("GET /.well-known/jwks.json", c.jwks)
	mux.HandleFunc("POST /plugins/heartbeat", c.under(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"status":"ok"}`) }))
	mux.HandleFunc("GET /messaging/events/stream", c.under(c.stream))
	mux.HandleFunc("/", c.under(c.other))
	c.Server = httptest.NewServer(mux)
	t.Cleanup(c.Close)
	return c
}

func (c *core) write(w http.ResponseWriter, a answer) {
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.WriteHeader(a.status)
	io.WriteString(w, a.body)
}

func (c *core) register(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.registerBy = append(c.registerBy, r.Header)
	if c.refusal != nil {
		c.write(w, *c.refusal)
		return
	}
	if kept := r.Header.Get("X-Refresh-Token"); kept != "" && kept != c.refresh() {
		c.write(w, problem(http.StatusUnauthorized, "token.invalid", "This refresh token is not known."))
		return
	}
	c.issue(w)
	c.registered <- struct{}{}
}

func (c *core) token(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var in struct {
		RefreshToken string `json:"refresh_token"`
	}
	if json.NewDecoder(r.Body).Decode(&in); in.RefreshToken != c.refresh() {
		c.write(w, problem(http.StatusUnauthorized, "token.invalid", "This refresh token is not known."))
		return
	}
	c.issue(w)
}

func (c *core) issue(w http.ResponseWriter) {
	c.generation++
	fmt.Fprintf(w, `{"status":"registered","token":%q,"expires_in":900,"refresh_token":%q}`, c.access(), c.refresh())
}

func (c *core) access() string  { return fmt.Sprintf("token-%d", c.generation) }
func (c *core) refresh() string { return fmt.Sprintf("refresh-%d", c.generation) }

// revoke makes the newest token worthless; the refresh token still works.
func (c *core) revoke() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
}

// set changes what the core answers, under its lock.
func (c *core) set(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
}

func (c *core) under(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		good, instead := r.Header.Get("Authorization") == "Bearer "+c.access(), c.tokenAnswer
		c.mu.Unlock()
		switch {
		case instead != nil:
			c.write(w, *instead)
		case !good:
			c.write(w, problem(http.StatusUnauthorized, "token.invalid", "This token is not known."))
		default:
			next(w, r)
		}
	}
}

func (c *core) jwks(w http.ResponseWriter, _ *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jwksReads++
	x := base64.RawURLEncoding.EncodeToString(c.private.Public().(ed25519.PublicKey))
	fmt.Fprintf(w, `{"keys":[{"kty":"RSA","kid":"old","n":"AQAB","e":"AQAB"},{"kty":"OKP","crv":"Ed25519","use":"sig","alg":"EdDSA","kid":%q,"x":%q}]}`, c.kid, x)
}

func (c *core) stream(w http.ResponseWriter, r *http.Request) {
	c.note(r)
	w.Header().Set("Content-Type", "text/event-stream")
	io.WriteString(w, ": hello\n\n")
	w.(http.Flusher).Flush()
	for {
		select {
		case e, open := <-c.events:
			if !open {
				return
			}
			text, _ := json.Marshal(e)
			fmt.Fprintf(w, "id: %s\nevent: %s\ndata: %s\n\n", e.ID, e.Type, text)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

func (c *core) other(w http.ResponseWriter, r *http.Request) {
	c.note(r)
	c.mu.Lock()
	a, known := c.routes[r.Method+" "+r.URL.Path]
	c.mu.Unlock()
	if !known {
		a = answer{status: http.StatusNoContent}
	}
	c.write(w, a)
}

func (c *core) note(r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	c.asked <- asked{r.Method, r.URL.Path, r.URL.RawQuery, r.Header, string(body)}
}

// next returns what was asked next, or fails the test.
func (c *core) next() asked {
	c.t.Helper()
	return receive(c.t, c.asked)
}

// sign returns a token with the claims the core gives to a call, after edit.
func (c *core) sign(method, path string, edit func(header, claims map[string]any)) string {
	now := time.Now()
	sum := sha256.Sum256([]byte(path))
	header := map[string]any{"alg": "EdDSA", "typ": "JWT", "kid": c.kid}
	claims := map[string]any{
		"iss": c.URL, "aud": "hello", "sub": "hello-greeter", "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(30 * time.Second).Unix(),
		"jti": "1", "type": "call", "trace": "", "htm": method, "htp": base64.RawURLEncoding.EncodeToString(sum[:]),
	}
	if edit != nil {
		edit(header, claims)
	}
	signed := part(header) + "." + part(claims)
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(c.private, []byte(signed)))
}

func part(v any) string {
	text, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(text)
}

const helloManifest = `{
  "id": "hello", "name": "Hello", "version": "1.0.0", "contracts": [], "traits": ["handles_internal"],
  "endpoints": {"get_profile": {"path": "/profiles/{id}", "method": "GET"}, "echo": "/echo", "health": "/health"},
  "events": {"publishes": ["hello.said"], "subscribes": ["greeting.*"], "delivery": "stream"},
  "health_check": {"type": "http", "path": "/health"},
  "security": {"authentication_required": true, "data_classification": ["internal"]}
}`

// running is a plugin that runs against a core of the test.
type running struct {
	*vivified.Plugin
	URL  string
	stop func() error // ends it and returns what Run returned
}

// run starts the hello plugin with handlers for its two operations.
func run(t *testing.T, c *core, prepare func(*vivified.Plugin, *vivified.Config)) running {
	t.Helper()
	port := freePort(t)
	cfg := vivified.Config{CoreURL: c.URL, Listen: port, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if prepare != nil {
		prepare(nil, &cfg)
	}
	p, err := vivified.New([]byte(helloManifest), cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.HandleFunc("get_profile", func(w http.ResponseWriter, r *http.Request) {
		caller, _ := vivified.CallerOf(r.Context())
		fmt.Fprintf(w, "%s for %s/%s in %s", r.PathValue("id"), caller.Plugin, caller.User, vivified.TraceID(r.Context()))
	})
	p.HandleFunc("echo", func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	registered := make(chan struct{})
	p.Go(func(context.Context) error { close(registered); return nil })
	if prepare != nil {
		prepare(p, &cfg)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	stop := sync.OnceValue(func() error { cancel(); return receive(t, ended) })
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("Run ended with %v", err)
		}
	})
	receive(t, registered)
	return running{p, "http://" + port, stop}
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// receive returns what comes next from a channel, or fails the test after 10 s.
func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came within 10 s")
		panic("unreachable")
	}
}

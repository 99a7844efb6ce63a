package operator_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/gate"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/registry"
	"github.com/vivified/vivified/core/trait"
	"github.com/vivified/vivified/db/dbtest"
	"github.com/vivified/vivified/lanes/operator"
)

// The plugins of the tests: profiles answers; the clerk may see personal data and
// depends on it, the helper depends on it and may not, the stranger has no grant.
var manifests = []string{
	`{"id": "profiles", "traits": ["handles_pii", "audit_required"], "endpoints": {
		"get_profile": {"path": "/profiles/{id}", "method": "GET", "data_classification": ["internal"], "response_schema":
			{"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string", "x-class": "pii"}}}},
		"save": {"path": "/save/{id}", "method": "POST", "data_classification": ["internal"]},
		"plain": {"path": "/plain", "data_classification": ["internal"]},
		"slow": {"path": "/slow", "method": "GET", "data_classification": ["internal"], "timeout": "50ms"},
		"book": {"path": "/rooms/{room}/bookings", "method": "POST", "data_classification": ["internal"], "request_schema": {"type": "object",
			"required": ["room", "nights"], "properties": {"room": {"type": "integer"}, "nights": {"type": "integer", "minimum": 1}, "guest": {"type": "string"}}, "additionalProperties": false}},
		"find": {"path": "/find", "method": "GET", "data_classification": ["internal"], "request_schema": {"type": "object",
			"properties": {"most": {"type": "integer"}, "open": {"type": "boolean"}, "tag": {"type": "array", "items": {"type": "string"}}}, "additionalProperties": false},
			"response_schema": {"type": "array", "items": {"type": "object", "required": ["id"]}}},
		"people": {"path": "/people", "method": "GET", "data_classification": ["pii"]},
		"guarded": {"path": "/guarded", "method": "GET", "data_classification": ["internal"], "requires_traits": ["encryption_capable"]}},
		"security": {"authentication_required": true, "data_classification": ["pii"]}}`,
	`{"id": "clerk", "traits": ["handles_pii", "audit_required"], "dependencies": ["profiles"], "security": {"authentication_required": true, "data_classification": ["pii"]}}`,
	`{"id": "helper", "traits": ["handles_internal"], "dependencies": ["profiles"], "security": {"authentication_required": true, "data_classification": ["internal"]}}`,
	`{"id": "stranger", "traits": ["handles_internal"], "security": {"authentication_required": true, "data_classification": ["internal"]}}`,
}

// world is the lane over a real registry, with a real server as its target.
type world struct {
	lane     *operator.Lane
	registry *registry.Registry
	server   *httptest.Server
	mu       sync.Mutex
	got      []*http.Request // as the target received them
	bodies   []string
	rows     []audit.Entry
	down     bool
	before   int // decisions that were recorded when the first request arrived
}

func newWorld(t *testing.T, limits operator.Limits, answer http.HandlerFunc) *world {
	t.Helper()
	w := &world{}
	if answer == nil {
		answer = func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(rw, `{"id":"7","name":"Ada","extra":1}`)
		}
	}
	w.server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.mu.Lock()
		if len(w.got) == 0 {
			w.before = len(w.rows)
		}
		w.got, w.bodies = append(w.got, r), append(w.bodies, string(body))
		w.mu.Unlock()
		answer(rw, r)
	}))
	t.Cleanup(w.server.Close)
	log := slog.New(slog.DiscardHandler)
	var err error
	if w.registry, err = registry.Open(t.Context(), registry.Config{Pool: dbtest.New(t).Pool, Waker: alone{}, Log: log}); err != nil {
		t.Fatal(err)
	}
	for _, text := range manifests {
		var fields map[string]any
		if err := json.Unmarshal([]byte(text), &fields); err != nil {
			t.Fatal(err)
		}
		fields["name"], fields["version"], fields["contracts"] = fields["id"], "1.0.0", []string{}
		raw, _ := json.Marshal(fields)
		m, findings := manifest.Read(raw, w.registry.ReadOptions())
		if err := findings.Err(); err != nil {
			t.Fatalf("%s: %v", fields["id"], err)
		}
		ctx := actor.With(t.Context(), actor.Core("test"))
		if err := w.registry.Add(ctx, &m, w.server.URL, "127.0.0.1", nil); err != nil {
			t.Fatal(err)
		}
		var needs []string
		for _, d := range m.Dependencies {
			needs = append(needs, d.ID)
		}
		if err := w.registry.Activate(ctx, m.ID, registry.Activation{From: policy.Registered, Traits: m.DeclaredTraits, Dependencies: needs}); err != nil {
			t.Fatal(err)
		}
	}
	w.open(operator.Config{Limits: limits})
	return w
}

// open replaces the lane by one with these limits, clock and caller.
func (w *world) open(c operator.Config) {
	log := slog.New(slog.DiscardHandler)
	c.Plugins, c.Tokens, c.Log = w.registry, tokens{}, log
	c.Gate = gate.New(gate.Config{Policy: w.registry.Policy, Record: w, Log: log})
	if c.Caller == nil {
		c.Caller = w
	}
	w.lane = operator.New(c)
}

type alone struct{}

func (alone) Wake(string) error                            { return nil }
func (alone) OnWake(context.Context, string, func()) error { return nil }

type tokens struct{}

func (tokens) CallToken(audience, caller, user, _, method, path string) (string, error) {
	return strings.Join([]string{audience, caller, user, method, path}, " "), nil
}
func (tokens) Delegation(plugin string, user actor.Actor, _ string) (string, error) {
	return "for " + user.ID + " by " + plugin, nil
}

// Call implements operator.Caller.
func (w *world) Call(ctx context.Context, p *registry.Plugin, r *http.Request) (*http.Response, error) {
	base, err := url.Parse(p.Address)
	if err != nil {
		return nil, err
	}
	out, u := r.WithContext(ctx), *r.URL
	u.Scheme, u.Host = base.Scheme, base.Host
	out.URL = &u
	return http.DefaultTransport.RoundTrip(out)
}

// Decide implements gate.Recorder.
func (w *world) Decide(_ context.Context, e audit.Entry) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return fault.New(fault.Unavailable, "audit.unavailable", "The decision cannot be recorded now.")
	}
	w.rows = append(w.rows, e)
	return nil
}

// Later implements gate.Recorder.
func (w *world) Later(ctx context.Context, e audit.Entry) { _ = w.Decide(ctx, e) }

func (w *world) as(t *testing.T, plugin string) context.Context {
	return actor.WithTrace(actor.With(t.Context(), actor.Actor{Kind: actor.Plugin, ID: plugin, Tenant: actor.DefaultTenant}), "0af7651916cd43dd8448eb211c80319c")
}

// call asks for a route of the lane and returns what was answered.
func (w *world) call(t *testing.T, ctx context.Context, c operator.Call, route string) (*operator.Answer, string, error) {
	t.Helper()
	to, err := operator.ParseRoute(route)
	if err != nil {
		t.Fatal(err)
	}
	c.Route = to
	if c.Method == "" {
		c.Method = http.MethodGet
	}
	answer, err := w.lane.Call(ctx, c)
	if err != nil {
		return nil, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer, string(body), err
}

func TestWhatTheTargetReceives(t *testing.T) {
	post := func(body string) operator.Call {
		return operator.Call{Method: http.MethodPost, Body: strings.NewReader(body), Length: int64(len(body)), Header: http.Header{
			"Content-Type": {"application/json"}, "Cookie": {"vv_session=1"}, "Authorization": {"Bearer caller's"}, "X-Vivified-User": {"forged"}, "X-Forwarded-For": {"1.2.3.4"}, "Accept": {"a/b"},
		}}
	}
	for _, tt := range []struct {
		name, route        string
		call               operator.Call
		method, path, body string
	}{
		{"a value from the query", "/gateway/profiles/get_profile?id=7&x=1", operator.Call{}, "GET", "/profiles/7?x=1", ""},
		{"a value from the body, the rest as query", "/gateway/profiles/get_profile", post(`{"id":7,"x":"a b"}`), "GET", "/profiles/7?x=a+b", ""},
		{"a value from the path", "/gateway/profiles/-/profiles/a%20b", operator.Call{}, "GET", "/profiles/a%20b", ""},
		{"a value leaves the body", "/gateway/profiles/save", post(`{"id":"7","x":1}`), "POST", "/save/7", `{"x":1}`},
		{"the query comes before the body", "/gateway/profiles/save?id=8", post(`{"id":"7"}`), "POST", "/save/8", `{"id":"7"}`},
		{"the caller's method where none is declared", "/gateway/profiles/plain", operator.Call{Method: http.MethodDelete}, "DELETE", "/plain", ""},
		{"the early form posts a payload", "/gateway/profiles/plain", operator.Call{Method: http.MethodPost, Wrapped: true, Payload: []byte(`{"a":1}`)}, "POST", "/plain", `{"a":1}`},
		{"and gets without", "/gateway/profiles/plain", operator.Call{Method: http.MethodPost, Wrapped: true}, "GET", "/plain", ""},
		{"the lane's own parameter stays here", "/gateway/profiles/plain?timeout=3&a=1", operator.Call{}, "GET", "/plain?a=1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, operator.Limits{}, nil)
			if _, _, err := w.call(t, w.as(t, "clerk"), tt.call, tt.route); err != nil {
				t.Fatal(err)
			}
			r := w.got[0]
			if r.Method != tt.method || r.URL.RequestURI() != tt.path || w.bodies[0] != tt.body {
				t.Errorf("received %s %s %q, want %s %s %q", r.Method, r.URL.RequestURI(), w.bodies[0], tt.method, tt.path, tt.body)
			}
			if want := "Bearer profiles clerk  " + tt.method + " " + r.URL.EscapedPath(); r.Header.Get("Authorization") != want {
				t.Errorf("signed as %q, want %q", r.Header.Get("Authorization"), want)
			}
			for _, name := range []string{"Cookie", "X-Vivified-User", "X-Forwarded-For"} {
				if v := r.Header.Get(name); v != "" {
					t.Errorf("the target saw %s: %s", name, v)
				}
			}
			if w.before != 1 || len(w.rows) != 2 || w.rows[0].Outcome != audit.Allow || w.rows[1].Outcome != audit.OK || w.rows[0].Call != w.rows[1].Call {
				t.Errorf("one decision before the call and its outcome after belong together: %+v", w.rows)
			}
		})
	}
}

func TestCallsThatAreRefusedGoNowhere(t *testing.T) {
	user := func(traits ...trait.ID) *actor.Actor {
		return &actor.Actor{Kind: actor.User, ID: "u", Tenant: actor.DefaultTenant, Traits: trait.SetOf(traits...)}
	}
	for _, tt := range []struct {
		name, as, route string
		call            operator.Call
		kind            fault.Kind
		code            string
	}{
		{"no grant", "stranger", "/gateway/profiles/plain", operator.Call{}, fault.Denied, "operator.grant"},
		{"no grant, whatever is wrong with the request", "stranger", "/gateway/profiles/get_profile", operator.Call{}, fault.Denied, "operator.grant"},
		{"an undeclared operation", "clerk", "/gateway/profiles/erase", operator.Call{}, fault.NotFound, "operator.endpoint"},
		{"an undeclared path", "clerk", "/gateway/profiles/-/admin", operator.Call{}, fault.NotFound, "operator.endpoint"},
		{"a declared path by another method", "clerk", "/gateway/profiles/-/slow", operator.Call{Method: http.MethodPost}, fault.NotFound, "operator.endpoint"},
		{"an unknown target", "clerk", "/gateway/ghost/plain", operator.Call{}, fault.Denied, "operator.target"},
		{"a trait the operation requires", "clerk", "/gateway/profiles/guarded", operator.Call{}, fault.Denied, "operator.traits"},
		{"a class the caller does not cover", "helper", "/gateway/profiles/people", operator.Call{}, fault.Denied, "data.class"},
		{"a class the user acted for does not cover", "clerk", "/gateway/profiles/people", operator.Call{OnBehalf: user(trait.Viewer)}, fault.Denied, "data.class"},
		{"a value that is missing", "clerk", "/gateway/profiles/get_profile", operator.Call{}, fault.Invalid, "operator.parameter"},
		{"a body too large", "clerk", "/gateway/profiles/save?id=1", operator.Call{Method: http.MethodPost, Body: strings.NewReader(strings.Repeat("x", 101)), Length: 101}, fault.TooLarge, "body.too_large"},
		{"a body too large, of unknown length", "clerk", "/gateway/profiles/save?id=1", operator.Call{Method: http.MethodPost, Body: io.MultiReader(strings.NewReader(strings.Repeat("x", 101))), Length: -1}, fault.TooLarge, "body.too_large"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, operator.Limits{Body: 100}, nil)
			_, _, err := w.call(t, w.as(t, tt.as), tt.call, tt.route)
			if f := fault.Of(err); f.Kind != tt.kind || f.Code != tt.code || tt.kind == fault.Denied && f.Decision == "" {
				t.Errorf("answered %v (%s, decision %q), want %s", err, f.Code, f.Decision, tt.code)
			}
			// A body of unknown length is cut off while the target already reads it, and the
			// target may still be at it: only then may it have heard of the call.
			w.mu.Lock()
			defer w.mu.Unlock()
			if len(w.got) > 0 && tt.call.Length >= 0 {
				t.Errorf("the target heard of it: %s", w.got[0].URL)
			}
			if tt.kind == fault.Denied && (len(w.rows) != 1 || w.rows[0].Outcome != audit.Deny) {
				t.Errorf("exactly one denial is recorded, not %+v", w.rows)
			}
		})
	}
}

func TestNothingIsCalledUnrecorded(t *testing.T) {
	w := newWorld(t, operator.Limits{}, nil)
	w.down = true
	if _, _, err := w.call(t, w.as(t, "clerk"), operator.Call{}, "/gateway/profiles/plain"); !fault.Is(err, fault.Unavailable) || len(w.got) != 0 {
		t.Errorf("answered %v, and the target received %d requests", err, len(w.got))
	}
}

func TestATargetOutOfServiceIsNotConnected(t *testing.T) {
	w := newWorld(t, operator.Limits{}, nil)
	ctx := actor.With(t.Context(), actor.Core("test"))
	if err := w.registry.Move(ctx, "profiles", policy.Active, policy.Disabled, ""); err != nil {
		t.Fatal(err)
	}
	_, _, err := w.call(t, w.as(t, "clerk"), operator.Call{}, "/gateway/profiles/plain")
	if f := fault.Of(err); f.Kind != fault.Unavailable || f.Code != "target.disabled" || f.Decision == "" || f.RetryAfter == 0 || len(w.got) != 0 {
		t.Errorf("answered %+v after %d requests", f, len(w.got))
	}
}

func TestAnswersAreRedactedAndCleaned(t *testing.T) {
	w := newWorld(t, operator.Limits{}, func(rw http.ResponseWriter, _ *http.Request) {
		for name, v := range map[string]string{
			"Content-Type": "application/json", "Set-Cookie": "a=b", "X-Accel-Redirect": "/etc/passwd", "Hx-Redirect": "/x", "Service-Worker-Allowed": "/", "Www-Authenticate": "Basic",
			"X-Hop": "1", "Connection": "X-Hop", "X-Custom": "stays", "Etag": `"1"`,
		} {
			rw.Header().Set(name, v)
		}
		_, _ = io.WriteString(rw, `{"id":"7","name":"Ada","extra":1}`)
	})
	for plugin, want := range map[string]string{"clerk": `{"id":"7","name":"Ada","extra":1}`, "helper": `{"id":"7"}`} {
		answer, body, err := w.call(t, w.as(t, plugin), operator.Call{}, "/gateway/profiles/get_profile?id=7")
		if err != nil || body != want {
			t.Fatalf("%s got %s (%v), want %s", plugin, body, err, want)
		}
		for _, name := range []string{"Set-Cookie", "X-Accel-Redirect", "Hx-Redirect", "Service-Worker-Allowed", "Www-Authenticate", "X-Hop", "Connection"} {
			if v := answer.Header.Get(name); v != "" {
				t.Errorf("%s saw %s: %s", plugin, name, v)
			}
		}
		if answer.Header.Get("X-Custom") != "stays" || (answer.Header.Get("Etag") == "") != (plugin == "helper") {
			t.Errorf("%s saw the headers %v", plugin, answer.Header)
		}
	}
}

func TestAnswersWithoutABodyNeedNoRedaction(t *testing.T) {
	w := newWorld(t, operator.Limits{}, func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusNoContent) })
	if answer, _, err := w.call(t, w.as(t, "helper"), operator.Call{}, "/gateway/profiles/get_profile?id=7"); err != nil || answer.Status != http.StatusNoContent {
		t.Errorf("answered %v", err)
	}
}

func TestTargetsThatAnswerBadly(t *testing.T) {
	for _, tt := range []struct {
		name, as, route string
		answer          http.HandlerFunc
		kind            fault.Kind
		code            string
	}{
		{"too late", "clerk", "/gateway/profiles/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, fault.Timeout, "target.timeout"},
		{"with something that cannot be redacted", "helper", "/gateway/profiles/get_profile?id=7", func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "text/plain")
			_, _ = io.WriteString(rw, "Ada")
		}, fault.BadGateway, "target.answer"},
		{"with more than it said it would carry", "clerk", "/gateway/profiles/plain", func(rw http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(rw, strings.Repeat("x", 101))
		}, fault.BadGateway, "target.answer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, operator.Limits{Body: 100}, tt.answer)
			_, _, err := w.call(t, w.as(t, tt.as), operator.Call{}, tt.route)
			if f := fault.Of(err); f.Kind != tt.kind || f.Code != tt.code {
				t.Errorf("answered %v, want %s", err, tt.code)
			}
			if n := len(w.rows); n != 2 || w.rows[1].Outcome != audit.Failed {
				t.Errorf("recorded %+v", w.rows)
			}
		})
	}
}

func TestATargetThatIsDownIsTriedTwiceAtMost(t *testing.T) {
	w := newWorld(t, operator.Limits{}, nil)
	w.server.Close()
	_, _, err := w.call(t, w.as(t, "clerk"), operator.Call{}, "/gateway/profiles/plain")
	if f := fault.Of(err); f.Kind != fault.BadGateway || f.Code != "target.unreachable" {
		t.Errorf("answered %v", err)
	}
}

func TestLimitsOfOneCaller(t *testing.T) {
	arrived, let := make(chan struct{}), make(chan struct{})
	w := newWorld(t, operator.Limits{InFlight: 1}, func(http.ResponseWriter, *http.Request) { arrived <- struct{}{}; <-let })
	done := make(chan error, 1)
	go func() {
		_, _, err := w.call(t, w.as(t, "clerk"), operator.Call{}, "/gateway/profiles/plain")
		done <- err
	}()
	<-arrived
	_, _, err := w.call(t, w.as(t, "clerk"), operator.Call{}, "/gateway/profiles/plain")
	if f := fault.Of(err); f.Kind != fault.TooMany || f.Code != "lane.in_flight" || f.RetryAfter == 0 {
		t.Errorf("a second at a time: %v", err)
	}
	close(let)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestAnswersStream(t *testing.T) {
	more := make(chan struct{})
	w := newWorld(t, operator.Limits{Timeout: time.Minute}, func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, "one")
		rw.(http.Flusher).Flush()
		<-more
		_, _ = io.WriteString(rw, "two")
	})
	to, err := operator.ParseRoute("/gateway/profiles/plain")
	if err != nil {
		t.Fatal(err)
	}
	answer, err := w.lane.Call(w.as(t, "clerk"), operator.Call{Route: to, Method: http.MethodGet})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	first := make([]byte, 3)
	if _, err := io.ReadFull(answer.Body, first); err != nil || string(first) != "one" {
		t.Fatalf("before the target ended came %q (%v)", first, err)
	}
	close(more)
	if rest, err := io.ReadAll(answer.Body); err != nil || string(rest) != "two" {
		t.Errorf("the rest is %q (%v)", rest, err)
	}
}

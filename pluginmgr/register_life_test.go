package pluginmgr_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/pluginmgr"
)

// TestRegisterByToken: without a token nobody comes in; a one-time token lets one
// plugin in and proves that one's return; a bound token is its plugin's for good.
func TestRegisterByToken(t *testing.T) {
	w := lifeNew(t, pluginmgr.Timing{})
	w.set(func(p *pluginmgr.Policy) { p.Registration = "token" })
	once, onceSecret, err := w.identity.CreateRegistrationToken(w.ctx(), "", "once", 0)
	lifeMust(t, err)
	_, boundSecret, err := w.identity.CreateRegistrationToken(w.ctx(), "bound", "bound", 0)
	lifeMust(t, err)
	for _, step := range []struct {
		name, id, token string
		refused         fault.Kind
		code            string
		returned        bool
	}{
		{name: "no token", id: "first", refused: fault.Unauthenticated, code: "registration.token"},
		{name: "a token nobody made", id: "first", token: strings.Repeat("x", 43), refused: fault.Unauthenticated},
		{name: "a one-time token", id: "first", token: onceSecret},
		{name: "the same for another plugin", id: "second", token: onceSecret, refused: fault.Unauthenticated},
		{name: "the same when its plugin is back", id: "first", token: onceSecret, returned: true},
		{name: "a bound token for another plugin", id: "second", token: boundSecret, refused: fault.Unauthenticated},
		{name: "a bound token", id: "bound", token: boundSecret},
		{name: "a bound token again", id: "bound", token: boundSecret, returned: true},
		{name: "a bound token for a known plugin", id: "first", token: boundSecret, refused: fault.Unauthenticated},
		{name: "no token for a known plugin", id: "first", refused: fault.Conflict, code: "plugin.duplicate"},
	} {
		denied := len(w.refusals("plugin.register"))
		got, err := w.Register(w.ctx(), pluginmgr.Registration{Manifest: lifeDoc(step.id, nil), RegistrationToken: step.token})
		if step.refused != fault.Internal {
			if f := fault.Of(err); err == nil || f.Kind != step.refused || step.code != "" && f.Code != step.code {
				t.Errorf("%s: %v, want a fault of kind %v %s", step.name, err, step.refused, step.code)
			}
			if n := len(w.refusals("plugin.register")); n != denied+1 {
				t.Errorf("%s: %d rows for the refusal, want 1", step.name, n-denied)
			}
			continue
		}
		if err != nil || got.PluginID != step.id || got.Returned != step.returned || got.Tokens.Token == "" || got.Tokens.RefreshToken == "" {
			t.Errorf("%s: %+v, %v; want %s with tokens, returned %v", step.name, got, err, step.id, step.returned)
			continue
		}
		w.wantState(step.id, policy.Registered)
	}
	all, err := w.identity.RegistrationTokens(w.ctx(), uuid.Nil, 0)
	lifeMust(t, err)
	for _, tok := range all.Tokens {
		if tok.ID == once.ID && tok.UsedBy != "first" {
			t.Errorf("the one-time token was used by %q, want first", tok.UsedBy)
		}
	}
}

// TestRegisterSpendsNothingWhenRefused: a token survives a registration that failed.
func TestRegisterSpendsNothingWhenRefused(t *testing.T) {
	w := lifeNew(t, pluginmgr.Timing{})
	w.set(func(p *pluginmgr.Policy) { p.Registration = "token" })
	_, secret, err := w.identity.CreateRegistrationToken(w.ctx(), "", "once", 0)
	lifeMust(t, err)
	outside := lifeDoc("late", map[string]any{"runtime": lifeAt("http://192.0.2.1:80")})
	_, err = w.Register(w.ctx(), pluginmgr.Registration{Manifest: outside, RegistrationToken: secret})
	lifeRefused(t, "an address outside", err, fault.Denied, "plugin.network")
	if _, err := w.Register(w.ctx(), pluginmgr.Registration{Manifest: lifeDoc("late", nil), RegistrationToken: secret}); err != nil {
		t.Errorf("the token was spent by a refusal: %v", err)
	}
}

// TestRegisterByApproval: anyone may knock, and waits; the id is theirs all the same.
func TestRegisterByApproval(t *testing.T) {
	w := lifeNew(t, pluginmgr.Timing{})
	w.set(func(p *pluginmgr.Policy) { p.Registration = "approval" })
	w.register("knocker", nil)
	w.wantState("knocker", policy.Registered)
	_, err := w.Register(w.ctx(), pluginmgr.Registration{Manifest: lifeDoc("knocker", nil)})
	lifeRefused(t, "the same id without proof", err, fault.Conflict, "plugin.duplicate")
}

// TestRegisterOpen: under the open policy the same id from loopback is the same
// plugin; from anywhere else it needs its proof.
func TestRegisterOpen(t *testing.T) {
	w := lifeNew(t, pluginmgr.Timing{})
	members := map[string]any{"runtime": lifeAt("http://127.0.0.1:9")}
	w.register("free", members)
	for peer, same := range map[string]bool{"127.0.0.1": true, "127.8.8.8": true, "::1": true, "::ffff:127.0.0.1": true, "192.0.2.7": false, "": false} {
		got, err := w.Register(lifeFrom(t, peer), pluginmgr.Registration{Manifest: lifeDoc("free", members)})
		if same && (err != nil || !got.Returned) {
			t.Errorf("back from %q: %+v, %v; want the same plugin", peer, got, err)
		}
		if !same {
			lifeRefused(t, "back from "+peer, err, fault.Conflict, "plugin.duplicate")
		}
	}
}

// TestRegisterRefusedManifest: the answer names everything that is wrong, and so
// does the audit.
func TestRegisterRefusedManifest(t *testing.T) {
	w := lifeNew(t, pluginmgr.Timing{})
	_, err := w.Register(w.ctx(), pluginmgr.Registration{Manifest: lifeDoc("Bad Id", map[string]any{
		"version": "one", "allowed_domains": []string{"*"}, "security": map[string]any{"authentication_required": false},
	})})
	f := fault.Of(err)
	if err == nil || f.Kind != fault.Invalid || len(f.Violations) < 4 {
		t.Fatalf("refused with %v and %+v, want at least four findings", err, f)
	}
	var rules []string
	for _, v := range f.Violations {
		rules = append(rules, v.Rule)
	}
	if !slices.Contains(rules, "domain.no_wildcard") || !slices.Contains(rules, "type.security.authentication_required") && !slices.Contains(rules, "security.authentication_required") {
		t.Errorf("the findings are %v", rules)
	}
	rows := w.refusals("plugin.register")
	if len(rows) != 1 || rows[0].Rule != f.Code {
		t.Fatalf("the audit has %+v, want one refusal by %s", rows, f.Code)
	}
	var detail struct{ Rules []string }
	lifeMust(t, json.Unmarshal(rows[0].Detail, &detail))
	if diff := cmp.Diff(rules, detail.Rules); diff != "" {
		t.Errorf("the rules in the audit (-answer +audit):\n%s", diff)
	}
	if n := len(w.Registry.Snapshot().Plugins()); n != 0 {
		t.Errorf("%d plugins came in", n)
	}
}

// TestReturnByRefreshToken: a refresh token proves its own plugin, once.
func TestReturnByRefreshToken(t *testing.T) {
	w := lifeNew(t, pluginmgr.Timing{})
	w.set(func(p *pluginmgr.Policy) { p.Registration = "approval" })
	mine, other := w.register("mine", nil), w.register("other", nil)
	back := func(id, refresh string) (pluginmgr.Registered, error) {
		return w.Register(w.ctx(), pluginmgr.Registration{Manifest: lifeDoc(id, nil), RefreshToken: refresh})
	}
	if _, err := back("mine", other.Tokens.RefreshToken); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("another plugin's refresh token: %v, want unauthenticated", err)
	}
	got, err := back("mine", mine.Tokens.RefreshToken)
	if err != nil || !got.Returned || got.Tokens.RefreshToken == "" || got.Tokens.RefreshToken == mine.Tokens.RefreshToken {
		t.Errorf("its own: %+v, %v; want it back with new tokens", got, err)
	}
	if _, err := back("mine", mine.Tokens.RefreshToken); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a used refresh token: %v, want unauthenticated", err)
	}
}

// TestReturnKeepsState: coming back moves nothing, except that the quarantined
// stay out whatever they prove.
func TestReturnKeepsState(t *testing.T) {
	w := lifeNew(t, pluginmgr.Timing{})
	first := w.register("steady", nil)
	lifeMust(t, w.Enable(w.ctx(), "steady", pluginmgr.Enabling{}))
	w.register("steady", nil)
	w.wantState("steady", policy.Active)
	lifeMust(t, w.Disable(w.ctx(), "steady", "test"))
	w.register("steady", nil)
	w.wantState("steady", policy.Disabled)
	lifeMust(t, w.Quarantine(w.ctx(), "steady", "it misbehaved"))
	for _, refresh := range []string{"", first.Tokens.RefreshToken} {
		_, err := w.Register(w.ctx(), pluginmgr.Registration{Manifest: lifeDoc("steady", nil), RefreshToken: refresh})
		lifeRefused(t, "quarantined", err, fault.Denied, "plugin.quarantined")
	}
	w.wantState("steady", policy.Quarantined)
}

// TestReturnWithAnotherManifest: what asks for no more replaces the manifest in
// force, what asks for more waits beside it.
func TestReturnWithAnotherManifest(t *testing.T) {
	domains := func(d ...string) map[string]any {
		return map[string]any{"version": "2.0.0", "traits": []string{"handles_internal", "external_service"}, "allowed_domains": d}
	}
	for _, tc := range []struct {
		name    string
		members map[string]any
		version string // in force afterwards
		waits   bool
	}{
		{"equal", map[string]any{"version": "1.5.0", "traits": []string{"handles_internal", "external_service"}, "allowed_domains": []string{"a.example.com", "b.example.com"}}, "1.5.0", false},
		{"narrower", domains("a.example.com"), "2.0.0", false},
		{"wider", domains("a.example.com", "b.example.com", "c.example.com"), "1.0.0", true},
		{"another pinned runtime", map[string]any{
			"version": "2.0.0", "traits": []string{"handles_internal", "external_service"}, "allowed_domains": []string{"a.example.com"},
			"runtime": map[string]any{"digest": "sha256:" + strings.Repeat("0", 64)},
		}, "1.0.0", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := lifeNew(t, pluginmgr.Timing{})
			first := domains("a.example.com", "b.example.com")
			first["version"] = "1.0.0"
			w.install("changing", first)
			w.register("changing", tc.members)
			p := w.plugin("changing")
			if p.Version != tc.version || (p.Pending != nil) != tc.waits || p.State != policy.Active {
				t.Errorf("version %s, waiting %v, %s; want %s, %v, active", p.Version, p.Pending != nil, p.State, tc.version, tc.waits)
			}
			if !tc.waits {
				return
			}
			if said := pluginmgr.Widenings(w.Registry.Snapshot().Traits(), p.Manifest, p.Pending); len(said) != 1 {
				t.Errorf("it asks for %q, want one thing", said)
			}
			w.register("changing", first)
			if w.plugin("changing").Pending != nil {
				t.Error("it came back as it was, and the wider manifest waits still")
			}
		})
	}
}

// TestAddress: the operator's map comes before the manifest's base URL, which
// comes before the peer with the port of the health check.
func TestAddress(t *testing.T) {
	here := lifeServe(t, nil)
	port := here.Listener.Addr().String()[len("127.0.0.1:"):]
	check := map[string]any{"type": "http", "port": json.Number(port)}
	elsewhere := lifeAt("http://127.0.0.1:1")
	for _, tc := range []struct {
		name, mapped, peer, want string
		members                  map[string]any
		refused                  string
	}{
		{name: "mapped", mapped: here.URL, peer: "127.0.0.1", want: here.URL, members: map[string]any{"runtime": elsewhere, "health_check": check}},
		{name: "based", peer: "127.0.0.1", want: here.URL, members: map[string]any{"runtime": lifeAt(here.URL), "health_check": map[string]any{"port": 1}}},
		{name: "peered", peer: "127.0.0.1", want: here.URL, members: map[string]any{"health_check": check}},
		{name: "peered6", peer: "::1", want: "http://[::1]:" + port, members: map[string]any{"health_check": check}},
		{name: "named", peer: "127.0.0.1", want: "http://named:8080"},
		{name: "outside", peer: "127.0.0.1", members: map[string]any{"runtime": lifeAt("http://192.0.2.1")}, refused: "plugin.network"},
		{name: "peeroutside", peer: "192.0.2.1", members: map[string]any{"health_check": check}, refused: "plugin.network"},
		{name: "mappedaway", mapped: here.URL, peer: "192.0.2.1", want: here.URL, members: map[string]any{"health_check": check}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := lifeNew(t, pluginmgr.Timing{})
			w.set(func(p *pluginmgr.Policy) { p.Addresses = map[string]string{} })
			if tc.mapped != "" {
				w.set(func(p *pluginmgr.Policy) { p.Addresses[tc.name] = tc.mapped })
			}
			_, err := w.Register(lifeFrom(t, tc.peer), pluginmgr.Registration{Manifest: lifeDoc(tc.name, tc.members)})
			if tc.refused != "" {
				lifeRefused(t, tc.name, err, fault.Denied, tc.refused)
				return
			}
			lifeMust(t, err)
			if got := w.plugin(tc.name).Address; got != tc.want {
				t.Errorf("it is reached at %s, want %s", got, tc.want)
			}
			if tc.want != here.URL {
				return
			}
			r, _ := http.NewRequest(http.MethodGet, "http://"+tc.name+"/hello-"+tc.name, nil)
			answer, err := w.Call(w.ctx(), w.plugin(tc.name), r)
			lifeMust(t, err)
			answer.Body.Close()
			if here.times("GET /hello-"+tc.name) != 1 {
				t.Error("the call arrived elsewhere")
			}
		})
	}
}

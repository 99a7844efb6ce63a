package pluginmgr_test

import (
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/manifest"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/db"
	"github.com/vivified/vivified/pluginmgr"
)

// lifeNeeding is a manifest member: dependencies by id or {id, version}.
func lifeNeeding(on ...any) map[string]any { return map[string]any{"dependencies": on} }

// TestEnableReadsTheManifestAnew: what the operator blocks after a plugin
// registered counts when it is to be enabled.
func TestEnableReadsTheManifestAnew(t *testing.T) {
	w := lifeNew(t, pluginmgr.Timing{})
	w.register("caller", map[string]any{"traits": []string{"handles_internal", "external_service"}, "allowed_domains": []string{"api.example.com"}})
	w.mu.Lock()
	w.blocked = []string{"example.com"}
	w.mu.Unlock()
	if err := w.Enable(w.ctx(), "caller", pluginmgr.Enabling{}); !fault.Is(err, fault.Invalid) || fault.Of(err).Code != "domain.blocked" {
		t.Errorf("enabled with %v, want domain.blocked", err)
	}
	w.wantState("caller", policy.Registered)
}

func TestEnableChecksDependencies(t *testing.T) {
	w := lifeNew(t, pluginmgr.Timing{})
	w.install("base", map[string]any{"version": "1.4.0", "contracts": []string{"StoragePlugin"}})
	w.register("asleep", nil)
	for id, tc := range map[string]struct {
		on   any
		code string
		says string
	}{
		"unregistered": {"nobody", "dependencies.missing", "nobody (not registered)"},
		"inactive":     {"asleep", "dependencies.missing", "asleep (registered)"},
		"version":      {map[string]any{"id": "base", "version": "^2"}, "dependencies.missing", "base in another version than 1.4.0"},
		"contract":     {"IdentityPlugin", "dependencies.missing", "IdentityPlugin"},
		"fits":         {map[string]any{"id": "base", "version": "^1.2"}, "", ""},
		"any":          {"StoragePlugin", "", ""},
	} {
		w.register(id, lifeNeeding(tc.on))
		err := w.Enable(w.ctx(), id, pluginmgr.Enabling{})
		if tc.code == "" {
			if err != nil {
				t.Errorf("%s: %v", id, err)
			}
			w.wantState(id, policy.Active)
			continue
		}
		lifeRefused(t, id, err, fault.Conflict, tc.code)
		if err != nil && !strings.Contains(fault.Of(err).Sentence, tc.says) {
			t.Errorf("%s: %q does not say %q", id, fault.Of(err).Sentence, tc.says)
		}
		w.wantState(id, policy.Registered)
	}
	lifeRefused(t, "nobody", w.Enable(w.ctx(), "nobody", pluginmgr.Enabling{}), fault.NotFound, "plugin.unknown")
	lifeRefused(t, "twice", w.Enable(w.ctx(), "base", pluginmgr.Enabling{}), fault.Conflict, "plugin.state")
}

// TestEnableRefusesCircles: a plugin that asks, once it is known, for one that
// needs it.
func TestEnableRefusesCircles(t *testing.T) {
	w := lifeNew(t, pluginmgr.Timing{})
	w.install("egg", nil)
	w.install("hen", lifeNeeding("egg"))
	w.register("egg", lifeNeeding("hen"))
	lifeMust(t, w.Disable(w.ctx(), "egg", "test"))
	lifeRefused(t, "egg", w.Enable(w.ctx(), "egg", pluginmgr.Enabling{AcceptManifest: true}), fault.Conflict, "dependencies.circular")
	w.wantState("egg", policy.Disabled)
}

// TestEnableNeedsSettings: a required setting without a value keeps a plugin out.
func TestEnableNeedsSettings(t *testing.T) {
	w := lifeNew(t, pluginmgr.Timing{})
	w.register("sender", map[string]any{"config_schema": map[string]any{
		"type": "object", "required": []string{"server"}, "properties": map[string]any{"server": map[string]any{"type": "string"}},
	}})
	err := w.Enable(w.ctx(), "sender", pluginmgr.Enabling{})
	lifeRefused(t, "without a server", err, fault.Conflict, "config.incomplete")
	if err != nil && !strings.Contains(fault.Of(err).Sentence, "server") {
		t.Errorf("%q does not name the setting", fault.Of(err).Sentence)
	}
	_, err = w.settings.SetPluginConfig(w.ctx(), w.plugin("sender").Manifest, []byte(`{"server": "mail.example.com"}`), nil, "")
	lifeMust(t, err)
	lifeMust(t, w.Enable(w.ctx(), "sender", pluginmgr.Enabling{}))

	lifeMust(t, w.Unregister(w.ctx(), "sender"))
	rows, err := db.New(w.db.Pool).SettingList(w.ctx(), "plugin:sender")
	if err != nil || len(rows) != 0 {
		t.Errorf("its settings outlive it: %v, %v", rows, err)
	}
}

// TestInitHook: a plugin that answers no stays out; one that cannot be reached,
// since it runs elsewhere, comes in.
func TestInitHook(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	lifeMust(t, err)
	nowhere := "http://" + gone.Addr().String()
	gone.Close()
	signed := make(chan string, 1)
	willing := lifeServe(t, map[string]http.HandlerFunc{"/init": func(_ http.ResponseWriter, r *http.Request) { signed <- r.Header.Get("Authorization") }})
	unwilling := lifeServe(t, map[string]http.HandlerFunc{"/init": lifeStatus(http.StatusInternalServerError, "no")})
	w := lifeNew(t, pluginmgr.Timing{})
	for id, tc := range map[string]struct {
		url, code string
	}{"willing": {willing.URL, ""}, "unwilling": {unwilling.URL, "hook.init"}, "nowhere": {nowhere, ""}} {
		w.register(id, map[string]any{"runtime": lifeAt(tc.url), "hooks": map[string]any{"init": "/init"}})
		err := w.Enable(w.ctx(), id, pluginmgr.Enabling{})
		if tc.code == "" {
			if err != nil {
				t.Errorf("%s: %v", id, err)
			}
			w.wantState(id, policy.Active)
			continue
		}
		lifeRefused(t, id, err, fault.BadGateway, tc.code)
		w.wantState(id, policy.Registered)
	}
	if s := <-signed; strings.Count(s, ".") != 2 || !strings.HasPrefix(s, "Bearer ") {
		t.Errorf("the hook was called with %q, want a signed token", s)
	}
}

// TestEnableGrants: declared dependencies become grants, as far as they are accepted.
func TestEnableGrants(t *testing.T) {
	for name, tc := range map[string]struct{ accept, want []string }{
		"all":  {nil, []string{"left", "right"}},
		"one":  {[]string{"right"}, []string{"right"}},
		"none": {[]string{}, nil},
		"more": {[]string{"left", "stranger"}, []string{"left"}},
	} {
		t.Run(name, func(t *testing.T) {
			w := lifeNew(t, pluginmgr.Timing{})
			w.install("left", nil)
			w.install("right", nil)
			w.install("stranger", nil)
			w.register("user", lifeNeeding("left", "right"))
			lifeMust(t, w.Enable(w.ctx(), "user", pluginmgr.Enabling{Accept: tc.accept}))
			var got []string
			for _, g := range w.Registry.Snapshot().Grants() {
				if g.Caller == "user" {
					got = append(got, g.Target)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("it may call (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAcceptWaitingManifest: enabling leaves a wider manifest waiting, unless it
// is accepted; then its traits count.
func TestAcceptWaitingManifest(t *testing.T) {
	w := lifeNew(t, pluginmgr.Timing{})
	w.install("grower", nil)
	w.register("grower", map[string]any{
		"version": "2.0.0", "traits": []string{"handles_internal", "external_service"}, "allowed_domains": []string{"api.example.com"},
	})
	for _, step := range []struct {
		accept  bool
		version string
		waits   bool
	}{{false, "1.0.0", true}, {true, "2.0.0", false}} {
		lifeMust(t, w.Disable(w.ctx(), "grower", "test"))
		lifeMust(t, w.Enable(w.ctx(), "grower", pluginmgr.Enabling{AcceptManifest: step.accept}))
		p := w.plugin("grower")
		counts := slices.Contains(w.Registry.Snapshot().Traits().Names(p.Traits), "external_service")
		if p.Version != step.version || (p.Pending != nil) != step.waits || counts == step.waits {
			t.Errorf("accepted %v: version %s, waiting %v, the new trait counts %v", step.accept, p.Version, p.Pending != nil, counts)
		}
	}
	page, err := audit.NewStore(w.db.Pool).Search(w.ctx(), audit.Filter{Action: "plugin.manifest.accept"})
	if err != nil || len(page.Records) != 1 {
		t.Errorf("the audit has %d rows of it, want 1 (%v)", len(page.Records), err)
	}
}

// TestAutoEnable: what registers is enabled as soon as its dependencies allow.
func TestAutoEnable(t *testing.T) {
	w := lifeNew(t, pluginmgr.Timing{})
	w.set(func(p *pluginmgr.Policy) { p.AutoEnable = true })
	w.run(w.Run)
	w.register("child", lifeNeeding("parent"))
	w.register("alone", nil)
	w.until("what needs nothing is enabled", func() bool { return w.plugin("alone").State == policy.Active })
	w.wantState("child", policy.Registered)
	w.register("parent", nil)
	w.until("the dependency is enabled, and then what waited for it", func() bool {
		return w.plugin("parent").State == policy.Active && w.plugin("child").State == policy.Active
	})
	if strings.Contains(w.log.String(), "changed meanwhile") {
		t.Error("a lost race was logged")
	}
}

// lifeOpenCall calls a plugin that has begun to answer and has not ended.
func (w *lifeWorld) openCall(id string) *http.Response {
	w.t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+id+"/slow", nil)
	lifeMust(w.t, err)
	answer, err := w.Call(w.ctx(), w.plugin(id), r)
	lifeMust(w.t, err)
	return answer
}

// lifeSlow begins an answer and ends it when told.
func lifeSlow(end <-chan struct{}) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "slowly ")
		w.(http.Flusher).Flush()
		select {
		case <-end:
			io.WriteString(w, "done")
		case <-r.Context().Done():
		}
	}
}

// TestDisableDrains: the lanes are closed, the call in flight ends whole, and
// only then is the plugin told to shut down.
func TestDisableDrains(t *testing.T) {
	end := make(chan struct{})
	s := lifeServe(t, map[string]http.HandlerFunc{"/slow": lifeSlow(end)})
	w := lifeNew(t, pluginmgr.Timing{Drain: time.Minute})
	w.install("slow", map[string]any{"runtime": lifeAt(s.URL), "hooks": map[string]any{"shutdown": "/stop"}})
	answer := w.openCall("slow")
	disabled := make(chan error, 1)
	go func() { disabled <- w.Disable(w.ctx(), "slow", "maintenance") }()
	w.until("its lanes are closed", func() bool { return w.plugin("slow").State == policy.Disabled })
	select {
	case err := <-disabled:
		t.Fatalf("disabled with a call in flight: %v", err)
	default:
	}
	if s.times("POST /stop") != 0 {
		t.Error("told to shut down with a call in flight")
	}
	close(end)
	body, err := io.ReadAll(answer.Body)
	if err != nil || string(body) != "slowly done" {
		t.Errorf("the call in flight got %q, %v", body, err)
	}
	answer.Body.Close()
	lifeMust(t, <-disabled)
	if n := s.times("POST /stop"); n != 1 {
		t.Errorf("told to shut down %d times, want once", n)
	}
	if p := w.plugin("slow"); p.StateReason != "maintenance" {
		t.Errorf("people are told %q", p.StateReason)
	}
	lifeRefused(t, "again", w.Disable(w.ctx(), "slow", ""), fault.Conflict, "plugin.state")
}

// TestDisableEndsTheDrain: a call that outlasts the drain holds up nothing.
func TestDisableEndsTheDrain(t *testing.T) {
	s := lifeServe(t, map[string]http.HandlerFunc{"/slow": lifeSlow(nil)})
	w := lifeNew(t, pluginmgr.Timing{Drain: 10 * time.Millisecond})
	w.install("endless", map[string]any{"runtime": lifeAt(s.URL), "hooks": map[string]any{"shutdown": "/stop"}})
	defer w.openCall("endless").Body.Close()
	lifeMust(t, w.Disable(w.ctx(), "endless", "test"))
	w.wantState("endless", policy.Disabled)
	if n := s.times("POST /stop"); n != 1 {
		t.Errorf("told to shut down %d times, want once", n)
	}
}

// TestQuarantine: it takes effect at once, ends the plugin's tokens, and only
// disabling leads out of it.
func TestQuarantine(t *testing.T) {
	s := lifeServe(t, map[string]http.HandlerFunc{"/slow": lifeSlow(nil)})
	w := lifeNew(t, pluginmgr.Timing{Drain: time.Hour})
	token := w.register("rogue", map[string]any{"runtime": lifeAt(s.URL)}).Tokens.Token
	lifeMust(t, w.Enable(w.ctx(), "rogue", pluginmgr.Enabling{}))
	if _, err := w.identity.VerifyPluginToken(w.ctx(), token); err != nil {
		t.Fatalf("its token is refused before: %v", err)
	}
	defer w.openCall("rogue").Body.Close()
	lifeMust(t, w.Quarantine(w.ctx(), "rogue", "it misbehaved"))
	if _, err := w.identity.VerifyPluginToken(w.ctx(), token); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("its token: %v, want it void", err)
	}
	lifeRefused(t, "enable", w.Enable(w.ctx(), "rogue", pluginmgr.Enabling{}), fault.Conflict, "plugin.state")
	lifeMust(t, w.Disable(w.ctx(), "rogue", "looked at"))
	lifeMust(t, w.Enable(w.ctx(), "rogue", pluginmgr.Enabling{}))
}

// TestUnregister: from any state; one in use shuts down first.
func TestUnregister(t *testing.T) {
	s := lifeServe(t, nil)
	w := lifeNew(t, pluginmgr.Timing{})
	w.install("leaving", map[string]any{"runtime": lifeAt(s.URL), "hooks": map[string]any{"shutdown": "/stop"}})
	w.register("unused", nil)
	for _, id := range []string{"leaving", "unused"} {
		lifeMust(t, w.Unregister(w.ctx(), id))
		if _, ok := w.Registry.Snapshot().Plugin(id); ok {
			t.Errorf("%s is still there", id)
		}
		lifeRefused(t, id, w.Unregister(w.ctx(), id), fault.NotFound, "plugin.unknown")
	}
	if n := s.times("POST /stop"); n != 1 {
		t.Errorf("told to shut down %d times, want once", n)
	}
}

// TestImpact: who depends on a plugin, hears it or may call it.
func TestImpact(t *testing.T) {
	w := lifeNew(t, pluginmgr.Timing{})
	w.install("hub", map[string]any{
		"contracts": []string{"StoragePlugin"}, "endpoints": map[string]any{"store": "/store"}, "events": map[string]any{"publishes": []string{"file.stored"}},
		"traits": []string{"handles_internal", "external_service"}, "allowed_domains": []string{"api.example.com"},
		"ui": map[string]any{"pages": []any{map[string]any{"path": "/files", "title": "Files"}}},
	})
	w.install("by-id", lifeNeeding("hub"))
	w.register("by-contract", lifeNeeding("StoragePlugin"))
	w.install("listener", map[string]any{"events": map[string]any{"subscribes": []string{"file.*"}}})
	w.register("sleeper", map[string]any{"events": map[string]any{"subscribes": []string{"file.*"}}})
	got, err := w.Impact("hub", "disable")
	lifeMust(t, err)
	want := pluginmgr.Impact{
		Plugin: "hub", Action: "disable", Dependents: []string{"by-contract", "by-id"}, Events: []string{"file.stored"}, Receivers: []string{"listener"},
		Operations: []string{"store"}, Domains: []string{"api.example.com"}, Pages: []string{"Files"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("impact (-want +got):\n%s", diff)
	}
	_, err = w.Impact("nobody", "disable")
	lifeRefused(t, "nobody", err, fault.NotFound, "plugin.unknown")
}

// TestRuntimeOfAnotherKind: a plugin whose runtime this installation has not is
// neither started nor called.
func TestRuntimeOfAnotherKind(t *testing.T) {
	w := lifeNew(t, pluginmgr.Timing{})
	w.register("boxed", map[string]any{"runtime": map[string]any{"kind": manifest.Container, "image": "boxed:1"}})
	lifeRefused(t, "enable", w.Enable(w.ctx(), "boxed", pluginmgr.Enabling{}), fault.Unavailable, "runtime.unavailable")
}

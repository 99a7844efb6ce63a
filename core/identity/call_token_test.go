package identity_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

const trace = "4bf92f3577b34da6a3ce929d0e0e4736"

func TestCallToken(t *testing.T) {
	w := newPluginWorld(t)
	token, err := w.CallToken("greeter", "lurker", "u-7", trace, "POST", "/api/users/a%2Fb")
	works(t, "call token", err)
	hash := sha256.Sum256([]byte("/api/users/a%2Fb"))
	at := json.Number(fmt.Sprint(w.clock.now().Unix()))
	c := w.read(token)
	want := claims{
		"iss": issuer, "aud": "greeter", "sub": "lurker", "act": "u-7", "type": "call", "trace": trace, "htm": "POST", "htp": b64(hash[:]),
		"iat": at, "nbf": at, "exp": json.Number(fmt.Sprint(w.clock.now().Unix() + 30)), "jti": c["jti"],
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	token, err = w.CallToken("greeter", "core", "", trace, "GET", "/health")
	works(t, "call token", err)
	if _, ok := w.read(token)["act"]; ok {
		t.Error("a call for nobody names somebody")
	}
	_, err = w.bearer(token)
	is(t, "sent back to the core", err, fault.Unauthenticated, "auth.invalid")
}

func TestDelegation(t *testing.T) {
	w := newPluginWorld(t)
	w.setUp()
	w.person("pat@example.com", "Pat", "operator")
	g := w.login("pat@example.com")
	user := actor.From(w.as(g))
	token, err := w.Delegation("greeter", user, trace)
	works(t, "delegate", err)
	if !strings.HasPrefix(token, "vvd_") || strings.Contains(token, "pat") {
		t.Errorf("token %s", token)
	}
	got, err := w.Delegated(w.stranger(), "greeter", trace, token)
	if err != nil || got.ID != user.ID || got.Kind != actor.User || got.Traits != user.Traits || got.Tenant != user.Tenant {
		t.Errorf("delegated %+v, %v", got, err)
	}
	// It is opened by every replica, and can be handed on: the same user, the next plugin.
	onward, err := w.replica().Delegation("lurker", got, trace)
	works(t, "delegate onward", err)
	_, err = w.Delegated(w.stranger(), "lurker", trace, onward)
	works(t, "delegated onward", err)

	for what, tc := range map[string]struct{ plugin, trace, token string }{
		"another plugin":    {"lurker", trace, token},
		"another trace":     {"greeter", strings.Repeat("0", 31) + "1", token},
		"no trace":          {"greeter", "", token},
		"a session token":   {"greeter", trace, g.Secret},
		"a plugin token":    {"greeter", trace, w.tokens("greeter").Token},
		"an altered one":    {"greeter", trace, token[:20] + "AAAA" + token[24:]},
		"a cut one":         {"greeter", trace, token[:40]},
		"a longer one":      {"greeter", trace, token + "AAAA"},
		"nothing":           {"greeter", trace, ""},
		"the prefix":        {"greeter", trace, "vvd_"},
		"a line break":      {"greeter", trace, token + "\n"},
		"a very long text":  {"greeter", trace, "vvd_" + strings.Repeat("A", 1<<20)},
		"something sealed":  {"greeter", trace, "vvd_" + b64(sealed(t, w, "identity/other"))},
		"not what we write": {"greeter", trace, "vvd_" + b64(sealed(t, w, "identity/delegation"))},
	} {
		_, err := w.Delegated(w.stranger(), tc.plugin, tc.trace, tc.token)
		is(t, what, err, fault.Unauthenticated, "auth.invalid")
	}

	w.clock.move(5*time.Minute - time.Second)
	_, err = w.Delegated(w.stranger(), "greeter", trace, token)
	works(t, "just within five minutes", err)
	w.clock.move(time.Second)
	_, err = w.Delegated(w.stranger(), "greeter", trace, token)
	is(t, "after five minutes", err, fault.Unauthenticated, "auth.invalid")

	// What the user loses, the plugin loses.
	token, err = w.Delegation("greeter", user, trace)
	works(t, "delegate", err)
	works(t, "log out", w.Logout(w.as(g)))
	_, err = w.Delegated(w.stranger(), "greeter", trace, token)
	is(t, "after the user left", err, fault.Unauthenticated, "auth.invalid")

	for what, who := range map[string]actor.Actor{"a plugin": {Kind: actor.Plugin, ID: "greeter"}, "nobody": {}, "the core": actor.Core("test")} {
		if _, err := w.Delegation("greeter", who, trace); err == nil {
			t.Errorf("%s was delegated for", what)
		}
	}

}

func sealed(t *testing.T, w *world, aad string) []byte {
	t.Helper()
	b, err := w.sealer.Seal([]byte(`[1]`), []byte(aad))
	works(t, "seal", err)
	return b
}

// A plugin acting for a key acts with the rights of the key, not of its owner.
func TestDelegationOfAPIKey(t *testing.T) {
	w := newPluginWorld(t)
	w.setUp()
	u := w.person("pat@example.com", "Pat", "operator")
	key, secret, err := w.CreateAPIKey(w.as(w.login("pat@example.com")), "watcher", []string{"event_viewer"}, *w.in(time.Hour))
	works(t, "key", err)
	who, err := w.bearer(secret)
	works(t, "key", err)
	token, err := w.Delegation("greeter", who, trace)
	works(t, "delegate", err)
	got, err := w.Delegated(w.stranger(), "greeter", trace, token)
	if err != nil || got.Traits != trait.SetOf(trait.EventViewer) || got.ID != u.ID.String() {
		t.Errorf("delegated %+v, %v", got, err)
	}
	works(t, "revoke", w.RevokeAPIKey(w.core(), key.ID))
	_, err = w.Delegated(w.stranger(), "greeter", trace, token)
	is(t, "after the key was revoked", err, fault.Unauthenticated, "auth.invalid")
}

func BenchmarkCallToken(b *testing.B) {
	w := newPluginWorld(b)
	for b.Loop() {
		if _, err := w.CallToken("greeter", "lurker", "", trace, "POST", "/api/users"); err != nil {
			b.Fatal(err)
		}
	}
}

// fixed answers as a registry's snapshot would: from memory.
type fixed struct{ generation int64 }

func (f fixed) PluginStanding(string) (policy.State, int64, bool) {
	return policy.Active, f.generation, true
}

func BenchmarkVerifyPluginToken(b *testing.B) {
	w := newPluginWorld(b)
	token := w.tokens("greeter").Token
	_, generation, _ := standings{w.db}.PluginStanding("greeter")
	w.config.Plugins = fixed{generation}
	s, ctx := w.replica(), w.stranger()
	for b.Loop() {
		if _, err := s.VerifyPluginToken(ctx, token); err != nil {
			b.Fatal(err)
		}
	}
}

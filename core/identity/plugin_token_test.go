package identity_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/vivified/vivified/core/actor"
	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
	"github.com/vivified/vivified/core/policy"
	"github.com/vivified/vivified/core/trait"
)

// claims are those of a good plugin token of greeter, to be edited by a test.
type claims map[string]any

func (w *world) claims() claims {
	return w.read(w.tokens("greeter").Token)
}

// tokens issues the tokens of a registered plugin.
func (w *world) tokens(id string) identity.PluginTokens {
	w.t.Helper()
	got, err := w.IssuePluginTokens(w.stranger(), id)
	works(w.t, "issue tokens of "+id, err)
	return got
}

// read returns the claims in a token, without asking who signed it.
func (w *world) read(token string) claims {
	w.t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	works(w.t, "payload", err)
	c := claims{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	works(w.t, "payload", d.Decode(&c))
	return c
}

func (c claims) but(name string, value any) claims {
	c = maps.Clone(c)
	if value == nil {
		delete(c, name)
	} else {
		c[name] = value
	}
	return c
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// header is the header of a good token of that key.
func header(kid string) string { return fmt.Sprintf(`{"alg":"EdDSA","typ":"JWT","kid":"%s"}`, kid) }

// sign makes a token of any header and payload with the core's own key.
func sign(key ed25519.PrivateKey, header, payload string) string {
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	return input + "." + b64(ed25519.Sign(key, []byte(input)))
}

func text(t testing.TB, c claims) string {
	t.Helper()
	b, err := json.Marshal(c)
	works(t, "marshal", err)
	return string(b)
}

// newPluginWorld has the active plugins greeter and lurker.
func newPluginWorld(t testing.TB, edit ...func(*identity.Config)) *world {
	w := newWorld(t, edit...)
	w.plugin("greeter", policy.Active)
	w.plugin("lurker", policy.Active)
	return w
}

func TestPluginToken(t *testing.T) {
	w := newPluginWorld(t)
	w.exec("UPDATE plugins SET accepted_traits = '{handles_pii,audit_required}' WHERE id = 'greeter'")
	got := w.tokens("greeter")
	if got.ExpiresIn != 15*time.Minute || !strings.HasPrefix(got.RefreshToken, "vvr_") {
		t.Errorf("issued %+v", got)
	}
	who, err := w.bearer(got.Token)
	if err != nil || who.Kind != actor.Plugin || who.ID != "greeter" || who.Credential.Kind != "plugin_token" || who.Traits != (trait.Set{}) {
		t.Errorf("the token proves %+v, %v", who, err)
	}
	// Exactly the claims that were agreed upon.
	at := json.Number(fmt.Sprint(w.clock.now().Unix()))
	c := w.read(got.Token)
	want := claims{
		"iss": issuer, "aud": "vivified-core", "sub": "greeter", "plugin_id": "greeter", "type": "plugin", "traits": []any{"handles_pii", "audit_required"},
		"iat": at, "nbf": at, "exp": json.Number(fmt.Sprint(w.clock.now().Unix() + 900)), "jti": c["jti"],
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if jti, err := uuid.Parse(c["jti"].(string)); err != nil || jti.Version() != 8 {
		t.Errorf("jti %v is no UUIDv8", c["jti"])
	}
	// Somebody else's library verifies it by our key set.
	set, err := w.JWKS(t.Context())
	works(t, "key set", err)
	raw, err := json.Marshal(set)
	works(t, "key set", err)
	var keys jose.JSONWebKeySet
	works(t, "key set as others read it", json.Unmarshal(raw, &keys))
	parsed, err := jose.ParseSignedCompact(got.Token, []jose.SignatureAlgorithm{jose.EdDSA})
	works(t, "token as others read it", err)
	if len(keys.Keys) != 1 || keys.Keys[0].KeyID != parsed.Signatures[0].Header.KeyID || !keys.Keys[0].IsPublic() {
		t.Fatalf("key set %s", raw)
	}
	if thumb, err := keys.Keys[0].Thumbprint(crypto.SHA256); err != nil || b64(thumb) != keys.Keys[0].KeyID {
		t.Errorf("the key id is not the thumbprint of RFC 7638")
	}
	if _, err := parsed.Verify(keys.Keys[0]); err != nil {
		t.Errorf("others do not accept the signature: %v", err)
	}
}

// J32: clocks may be 30 s apart, and no more.
func TestPluginTokenTimes(t *testing.T) {
	w := newPluginWorld(t)
	token, issued := w.tokens("greeter").Token, w.clock.now()
	for _, tc := range []struct {
		at   time.Duration
		good bool
	}{
		{-31 * time.Second, false}, {-29 * time.Second, false}, // before the key itself
		{0, true}, {14 * time.Minute, true}, {15*time.Minute + 29*time.Second, true}, {15*time.Minute + 31*time.Second, false}, {time.Hour, false},
	} {
		w.clock.set(issued.Add(tc.at))
		if _, err := w.bearer(token); (err == nil) != tc.good {
			t.Errorf("%s after issue: %v", tc.at, err)
		}
	}
	// A token from a clock that is ahead.
	w.clock.set(issued.Add(time.Hour))
	token = w.tokens("greeter").Token
	for at, good := range map[time.Duration]bool{-29 * time.Second: true, -31 * time.Second: false} {
		w.clock.set(issued.Add(time.Hour + at))
		if _, err := w.bearer(token); (err == nil) != good {
			t.Errorf("%s before issue: %v", -at, err)
		}
	}
}

// Disabling suspends a token, enabling makes the same work again; revocation and
// leaving end it for good.
func TestPluginTokenStanding(t *testing.T) {
	w := newPluginWorld(t)
	first := w.tokens("greeter").Token
	state := func(s policy.State) { w.exec("UPDATE plugins SET state = $1 WHERE id = 'greeter'", string(s)) }
	for _, tc := range []struct {
		state policy.State
		code  string
	}{
		{policy.Active, ""}, {policy.Disabled, "plugin.disabled"}, {policy.Active, ""}, {policy.Unhealthy, ""}, {policy.Registered, ""},
		{policy.Quarantined, "plugin.quarantined"}, {policy.Active, ""},
	} {
		state(tc.state)
		_, err := w.bearer(first)
		if tc.code == "" {
			works(t, string(tc.state), err)
			continue
		}
		is(t, string(tc.state), err, fault.Unauthenticated, tc.code)
	}
	w.exec("UPDATE plugins SET generation = generation + 1 WHERE id = 'greeter'")
	_, err := w.bearer(first)
	is(t, "of an older generation", err, fault.Unauthenticated, "auth.invalid")
	second := w.tokens("greeter").Token
	_, err = w.bearer(second)
	works(t, "of the new generation", err)
	w.exec("DELETE FROM plugins WHERE id = 'greeter'")
	_, err = w.bearer(second)
	is(t, "of a plugin that left", err, fault.Unauthenticated, "auth.invalid")
	w.plugin("greeter", policy.Active)
	_, err = w.bearer(second)
	is(t, "of its predecessor, after another registered the id", err, fault.Unauthenticated, "auth.invalid")
	// A stranger's plugin cannot learn the state of another.
	state(policy.Disabled)
	_, foreign, err := ed25519.GenerateKey(rand.Reader)
	works(t, "key", err)
	kid, _ := w.signingKey()
	_, err = w.bearer(sign(foreign, header(kid), text(t, w.read(second))))
	is(t, "a forged token of a disabled plugin", err, fault.Unauthenticated, "auth.invalid")
}

func TestPluginAtSocket(t *testing.T) {
	w := newPluginWorld(t)
	who, err := w.Prove(w.stranger(), identity.Credentials{Socket: "greeter"})
	if err != nil || who.Kind != actor.Plugin || who.ID != "greeter" || who.Credential.Kind != "socket" {
		t.Errorf("got %+v, %v", who, err)
	}
	w.exec("UPDATE plugins SET state = 'disabled' WHERE id = 'greeter'")
	_, err = w.Prove(w.stranger(), identity.Credentials{Socket: "greeter"})
	is(t, "disabled", err, fault.Unauthenticated, "plugin.disabled")
	_, err = w.Prove(w.stranger(), identity.Credentials{Socket: "nobody"})
	is(t, "unknown", err, fault.Unauthenticated, "auth.invalid")
	w.exec("UPDATE plugins SET state = 'active' WHERE id = 'greeter'")
	token := "Bearer " + w.tokens("greeter").Token
	if _, err = w.Prove(w.stranger(), identity.Credentials{Socket: "greeter", Authorization: []string{token}}); err != nil {
		t.Errorf("its own token through its own socket: %v", err)
	}
	_, err = w.Prove(w.stranger(), identity.Credentials{Socket: "other", Authorization: []string{token}})
	is(t, "another's token", err, fault.Unauthenticated, "auth.invalid")
}

package sso_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/sso"
)

// A token that differs in one thing from the right one starts no session.
func TestTokensThatAreNotOurs(t *testing.T) {
	w := newWorld(t)
	other := newKey()
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	unsecured := func(payload []byte) string {
		b64 := base64.RawURLEncoding.EncodeToString
		return b64([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + b64(payload) + "."
	}
	for name, c := range map[string]struct {
		edit claims
		sign func([]byte) string
	}{
		"another nonce":           {edit: claims{"nonce": "another"}},
		"no nonce":                {edit: claims{"nonce": nil}},
		"another issuer":          {edit: claims{"iss": "https://evil.test"}},
		"the issuer with a slash": {edit: claims{"iss": w.op.URL + "/"}},
		"another audience":        {edit: claims{"aud": "other"}},
		"no audience":             {edit: claims{"aud": nil}},
		"an empty audience":       {edit: claims{"aud": []string{}}},
		"the audience longer":     {edit: claims{"aud": "core2"}},
		"several, nobody asked":   {edit: claims{"aud": []string{"core", "other"}}},
		"several, another asked":  {edit: claims{"aud": []string{"core", "other"}, "azp": "other"}},
		"asked by another":        {edit: claims{"azp": "other"}},
		"no subject":              {edit: claims{"sub": nil}},
		"an empty subject":        {edit: claims{"sub": ""}},
		"the subject in capitals": {edit: claims{"sub": nil, "SUB": "ada"}},
		"a subject of two lines":  {edit: claims{"sub": "a\nb"}},
		"ended":                   {edit: claims{"exp": w.now.Add(-sso.Skew - time.Second).Unix()}},
		"no end":                  {edit: claims{"exp": nil}},
		"made in the future":      {edit: claims{"iat": w.now.Add(sso.Skew + 2*time.Second).Unix()}},
		"made long ago":           {edit: claims{"iat": w.now.Add(-sso.Skew - 2*time.Second).Unix()}},
		"not yet":                 {edit: claims{"nbf": w.now.Add(sso.Skew + 2*time.Second).Unix()}},
		"of another access token": {edit: claims{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}},
		"unsecured":               {sign: unsecured},
		"signed by another key":   {sign: func(p []byte) string { return sign(other, jose.ES256, "k1", p) }},
		"by a key nobody knows":   {sign: func(p []byte) string { return sign(other, jose.ES256, "k2", p) }},
		"by the client secret":    {sign: func(p []byte) string { return sign([]byte(strings.Repeat("the secret", 4)), jose.HS256, "k1", p) }},
		"by another algorithm":    {sign: func(p []byte) string { return sign(weak, jose.RS256, "k1", p) }},
		"the signature taken away": {sign: func(p []byte) string {
			s := sign(w.op.key, jose.ES256, "k1", p)
			return s[:strings.LastIndexByte(s, '.')+1]
		}},
		"no token at all": {sign: func([]byte) string { return "x" }},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.op.Edit, w.op.Sign = c.edit, c.sign
			out, err := w.login()
			if f := fault.Of(err); f.Code != "sso.refused" || out.Grant.Secret != "" {
				t.Fatalf("answers %v with session %q, want sso.refused and none", err, out.Grant.Secret)
			}
			a := w.last()
			if end := a.Steps[len(a.Steps)-1]; a.OK || end.Name != "token" || end.Text == "" || a.Fix == "" {
				t.Errorf("the attempt does not say what was wrong with the token: %+v", a)
			}
		})
	}
	w.op.Edit, w.op.Sign, w.t = nil, nil, t
	if _, err := w.login(); err != nil {
		t.Errorf("the right token: %v", err)
	}
}

// O10: clocks may be two minutes apart, and no more.
func TestSkew(t *testing.T) {
	w := newWorld(t)
	for apart, fits := range map[time.Duration]bool{
		sso.Skew - 2*time.Second: true, -sso.Skew + 2*time.Second: true, sso.Skew + 2*time.Second: false, -sso.Skew - 2*time.Second: false,
	} {
		w.op.Now = func() time.Time { return w.now.Add(apart) }
		if _, err := w.login(); (err == nil) != fits {
			t.Errorf("the provider's clock %s off: %v", apart, err)
		}
	}
}

// O01: a state is good once, in the browser and for the provider it was made for, in time.
func TestStates(t *testing.T) {
	w := newWorld(t)
	for name, edit := range map[string]func(*sso.Return){
		"no state":         func(b *sso.Return) { b.Query.Del("state") },
		"another state":    func(b *sso.Return) { b.Query.Set("state", strings.Repeat("A", 43)) },
		"two states":       func(b *sso.Return) { b.Query.Add("state", "x") },
		"another browser":  func(b *sso.Return) { b.Browser = strings.Repeat("A", 43) },
		"no browser":       func(b *sso.Return) { b.Browser = "" },
		"eleven minutes":   func(b *sso.Return) { w.now = w.now.Add(11 * time.Minute) },
		"a used one":       func(b *sso.Return) { _, _ = w.Finish(w.stranger(), "op", *b) },
		"a hostile letter": func(b *sso.Return) { b.Query.Set("state", b.Query.Get("state")[:42]+"=") },
	} {
		back := w.start(w.stranger(), sso.Login)
		edit(&back)
		if out, err := w.Finish(w.stranger(), "op", back); fault.Of(err).Code != "sso.state" || out.Grant.Secret != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	back := w.start(w.stranger(), sso.Login)
	if _, err := w.Finish(w.stranger(), "other", back); fault.Of(err).Code != "sso.state" {
		t.Errorf("the callback of another provider: %v", err)
	}
}

// What the provider answers instead of a code is told in words, escaped by whoever
// shows it, and only to the browser that asked.
func TestProviderSaysNo(t *testing.T) {
	w := newWorld(t)
	back := w.start(w.stranger(), sso.Login)
	back.Query = url.Values{"state": back.Query["state"], "error": {"access_denied"}, "error_description": {"not \x07 assigned"}}
	_, err := w.Finish(w.stranger(), "op", back)
	if f := fault.Of(err); f.Code != "sso.provider" || !strings.Contains(f.Sentence, "did not let you in") || !strings.Contains(f.Sentence, "“not  assigned”") {
		t.Errorf("answers %v", err)
	}
	back.Query.Set("state", strings.Repeat("B", 43))
	if _, err := w.Finish(w.stranger(), "op", back); fault.Of(err).Code != "sso.state" {
		t.Errorf("words of a stranger: %v", err)
	}
}

// An answer that is marked as another issuer's is not taken (RFC 9207), nor an
// unmarked one of a provider that marks its own.
func TestMixUp(t *testing.T) {
	w := newWorld(t)
	back := w.start(w.stranger(), sso.Login)
	back.Query.Set("iss", "https://evil.test")
	if _, err := w.Finish(w.stranger(), "op", back); fault.Of(err).Code != "sso.refused" {
		t.Errorf("another issuer's: %v", err)
	}
	back = w.start(w.stranger(), sso.Login)
	back.Query.Set("iss", w.op.URL)
	if _, err := w.Finish(w.stranger(), "op", back); err != nil {
		t.Errorf("its own: %v", err)
	}
	marks := newWorld(t, func(d *sso.Draft) {})
	marks.op.Meta["authorization_response_iss_parameter_supported"] = true
	if _, err := marks.login(); fault.Of(err).Code != "sso.refused" {
		t.Errorf("unmarked: %v", err)
	}
}

// A new key is found when a token names it; unknown keys do not make the core ask
// again and again.
func TestKeysRotate(t *testing.T) {
	w := newWorld(t)
	if _, err := w.login(); err != nil {
		t.Fatal(err)
	}
	w.op.key, w.op.kid = newKey(), "k2"
	if _, err := w.login(); err != nil {
		t.Errorf("after the rotation: %v", err)
	}
	before := w.op.asked
	w.op.Sign = func(p []byte) string { return sign(newKey(), jose.ES256, "never", p) }
	for range 12 {
		_, _ = w.login()
	}
	if n := w.op.asked - before; n > 5 {
		t.Errorf("twelve unknown keys made it ask %d times", n)
	}
}

// A discovery document of somebody else, or one that leads elsewhere by plain http,
// is not believed.
func TestDiscoveryThatLies(t *testing.T) {
	for name, meta := range map[string]map[string]any{
		"another issuer":         {"issuer": "https://evil.test"},
		"keys by plain http":     {"jwks_uri": "http://evil.test/keys"},
		"sign-in as a user":      {"authorization_endpoint": "https://a:b@evil.test/"},
		"a script":               {"authorization_endpoint": "javascript:alert(1)"},
		"no accepted algorithm":  {"id_token_signing_alg_values_supported": []string{"none", "HS256"}},
		"longer than a megabyte": {"padding": strings.Repeat("x", 2<<20)},
	} {
		w := newWorld(t)
		for k, v := range meta {
			w.op.Meta[k] = v
		}
		if _, err := w.Start(w.stranger(), "op", sso.Login, "", ""); fault.Of(err).Code != "sso.discovery" {
			t.Errorf("%s: %v", name, err)
		}
		if a := w.last(); a.Fix == "" || a.Steps[0].Text == "" {
			t.Errorf("%s: the attempt does not say what to put right: %+v", name, a)
		}
	}
}

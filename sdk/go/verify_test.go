package vivified_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	vivified "github.com/vivified/vivified/sdk/go"
)

// call sends a request to the plugin under a token, and returns status and body.
func call(t *testing.T, method, url, token string, header map[string]string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestACallTheCoreSignedIsAnswered(t *testing.T) {
	c := newCore(t)
	p := run(t, c, nil)
	token := c.sign("GET", "/profiles/a%20b", func(_, claims map[string]any) { claims["act"] = "u-7" })
	status, body := call(t, "GET", p.URL+"/profiles/a%20b?x=1", token, map[string]string{"Traceparent": "00-" + someTrace + "-00f067aa0ba902b7-01"})
	if want := "a b for hello-greeter/u-7 in " + someTrace; status != 200 || body != want {
		t.Errorf("answered %d %q, want 200 %q", status, body, want)
	}
}

func TestACallMadeForAUserIsHandedOnForThatUser(t *testing.T) {
	c := newCore(t)
	p := run(t, c, func(p *vivified.Plugin, _ *vivified.Config) {
		if p == nil {
			return
		}
		p.HandleFunc("echo", func(w http.ResponseWriter, r *http.Request) {
			if _, err := p.Call(r.Context(), "other", "look", nil); err != nil {
				t.Error(err)
			}
		})
	})
	call(t, "POST", p.URL+"/echo", c.sign("POST", "/echo", nil), map[string]string{"X-Vivified-Delegation": "for u-7"})
	if got := c.next(); got.path != "/gateway/other/look" || got.header.Get("X-Vivified-On-Behalf-Of") != "for u-7" {
		t.Errorf("asked %s on behalf of %q, want the delegation of the call in hand", got.path, got.header.Get("X-Vivified-On-Behalf-Of"))
	}
}

func TestCallsTheCoreDidNotSignForThisAreRefused(t *testing.T) {
	c := newCore(t)
	p := run(t, c, nil)
	_, other, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	claim := func(name string, value any) func(_, claims map[string]any) {
		return func(_, claims map[string]any) {
			if value == nil {
				delete(claims, name)
				return
			}
			claims[name] = value
		}
	}
	head := func(name string, value any) func(header, _ map[string]any) {
		return func(header, _ map[string]any) { header[name] = value }
	}
	good := func(edit func(header, claims map[string]any)) string { return c.sign("GET", "/profiles/1", edit) }
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).Unix() }
	for _, row := range []struct{ name, token string }{
		{"no token", ""},
		{"not a token", "x"},
		{"signature missing", good(nil)[:strings.LastIndex(good(nil), ".")+1]},
		{"signature of another token", good(nil)[:strings.LastIndex(good(nil), ".")] + good(claim("sub", "x"))[strings.LastIndex(good(claim("sub", "x")), "."):]},
		{"signed by another key", resign(good(nil), other)},
		{"alg none", good(head("alg", "none"))},
		{"alg HS256", good(head("alg", "HS256"))},
		{"alg in another case", good(head("alg", "eddsa"))},
		{"ALG instead of alg", good(func(h, _ map[string]any) { h["ALG"] = h["alg"]; delete(h, "alg") })},
		{"a critical extension", good(head("crit", []string{"b64"}))},
		{"unknown kid", good(head("kid", "k2"))},
		{"kid of a key that is not Ed25519", good(head("kid", "old"))},
		{"a plugin's own token", good(claim("type", "plugin"))},
		{"for another plugin", good(claim("aud", "hello-greeter"))},
		{"for several plugins", good(claim("aud", []string{"hello", "other"}))},
		{"aud in another case", good(claim("aud", "Hello"))},
		{"AUD instead of aud", good(func(_, c map[string]any) { c["AUD"] = c["aud"]; delete(c, "aud") })},
		{"for another method", good(claim("htm", "POST"))},
		{"for another path", c.sign("GET", "/profiles/2", nil)},
		{"without a path", good(claim("htp", nil))},
		{"expired", good(func(_, c map[string]any) { c["iat"], c["exp"] = ago(61*time.Second), ago(31*time.Second) })},
		{"not yet issued", good(func(_, c map[string]any) { c["iat"], c["exp"] = ago(-40*time.Second), ago(-50*time.Second) })},
		{"living too long", good(func(_, c map[string]any) { c["exp"] = ago(-time.Hour) })},
		{"without an end", good(claim("exp", nil))},
		{"exp as text", good(claim("exp", "4102444800"))},
	} {
		t.Run(row.name, func(t *testing.T) {
			if status, body := call(t, "GET", p.URL+"/profiles/1", row.token, nil); status != 401 || !strings.Contains(body, `"call.unverified"`) {
				t.Errorf("answered %d %s, want 401 call.unverified", status, body)
			}
		})
	}
	c.set(func() {
		if c.jwksReads > 2 {
			t.Errorf("the keys were read %d times; invented ids must not flood the core", c.jwksReads)
		}
	})
	if status, _ := call(t, "GET", p.URL+"/nowhere", "", nil); status != 401 {
		t.Errorf("a path that does not exist answered %d to a stranger, want 401", status)
	}
	if status, body := call(t, "GET", p.URL+"/health", "", nil); status != 200 || !strings.Contains(body, `"status":"healthy"`) {
		t.Errorf("the health check answered %d %s", status, body)
	}
	if status, _ := call(t, "GET", p.URL+"/profiles/1", good(nil), nil); status != 200 {
		t.Errorf("the untouched token answered %d, want 200", status)
	}
}

func TestAPluginWithoutTheCoresKeysAnswersNobody(t *testing.T) {
	c := newCore(t)
	p := run(t, c, nil)
	token := c.sign("GET", "/profiles/1", nil)
	c.Close()
	if status, body := call(t, "GET", p.URL+"/profiles/1", token, nil); status != 503 {
		t.Errorf("answered %d %s, want 503", status, body)
	}
}

// resign replaces the signature of a token by another key's.
func resign(token string, key ed25519.PrivateKey) string {
	signed := token[:strings.LastIndex(token, ".")]
	return signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(key, []byte(signed)))
}

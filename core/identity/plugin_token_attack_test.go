package identity_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/vivified/vivified/core/audit"
	"github.com/vivified/vivified/core/fault"
)

// Every attack on a token is answered in one way, and recorded without the token.
func TestPluginTokenAttacks(t *testing.T) {
	var fetched atomic.Int32
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fetched.Add(1) }))
	defer evil.Close()

	w := newPluginWorld(t)
	kid, key := w.signingKey()
	good := w.tokens("greeter").Token
	c := w.claims()
	parts := strings.Split(good, ".")
	other := strings.Split(w.tokens("greeter").Token, ".")
	_, foreign, err := ed25519.GenerateKey(rand.Reader)
	works(t, "key", err)
	own := func(c claims) string { return sign(key, header(kid), text(t, c)) }
	if _, err := w.bearer(own(c)); err != nil {
		t.Fatalf("the attacks prove nothing: a token remade as it was is refused: %v", err)
	}
	flip := func(s string, i int) string {
		b, err := base64.RawURLEncoding.DecodeString(s)
		works(t, "flip", err)
		b[i] ^= 1
		return b64(b)
	}
	with := func(member string) string {
		return sign(key, strings.TrimSuffix(header(kid), "}")+","+member+"}", text(t, c))
	}
	replaced := func(from, to string) string {
		body := text(t, c)
		if !strings.Contains(body, from) {
			t.Fatalf("%s is not in %s", from, body)
		}
		return sign(key, header(kid), strings.Replace(body, from, to, 1))
	}
	jwk := fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":"%s"}`, b64(foreign.Public().(ed25519.PublicKey)))
	now := w.clock.now().Unix()

	attacks := map[string]string{
		// A. Algorithm and signature.
		"J01 alg none":                             b64([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + ".",
		"J01 alg none with a kid":                  b64([]byte(strings.Replace(header(kid), "EdDSA", "none", 1))) + "." + parts[1] + ".",
		"J01 alg None, signed":                     sign(key, strings.Replace(header(kid), "EdDSA", "None", 1), text(t, c)),
		"J01 alg NONE, two parts":                  b64([]byte(`{"alg":"NONE","typ":"JWT"}`)) + "." + parts[1],
		"J04 signature removed":                    parts[0] + "." + parts[1] + ".",
		"J04 signature and dot removed":            parts[0] + "." + parts[1],
		"J04 signature one byte short":             parts[0] + "." + parts[1] + "." + b64(mustDecode(t, parts[2])[:63]),
		"J04 signature one byte long":              parts[0] + "." + parts[1] + "." + b64(append(mustDecode(t, parts[2]), 0)),
		"J07 the same signature, S plus the order": parts[0] + "." + parts[1] + "." + malleable(t, parts[2]),
		"J04 signature of zeros":                   parts[0] + "." + parts[1] + "." + b64(make([]byte, 64)),
		"J07 signature of another token":           parts[0] + "." + parts[1] + "." + other[2],
		"J07 payload of another token":             parts[0] + "." + other[1] + "." + parts[2],
		"J10 HS256 with the public key":            hmacToken(t, sha256.New, "HS256", kid, c, key.Public().(ed25519.PublicKey)),
		"J10 HS384 with the public key":            hmacToken(t, sha512.New384, "HS384", kid, c, key.Public().(ed25519.PublicKey)),
		"J10 HS512 with the key's JWK":             hmacToken(t, sha512.New, "HS512", kid, c, []byte(jwk)),
		"J10 HS256 with an empty key":              hmacToken(t, sha256.New, "HS256", kid, c, nil),
		"J10 RS256":                                joseToken(t, jose.RS256, kid, c),
		"J10 PS256":                                joseToken(t, jose.PS256, kid, c),
		"J10 ES256":                                joseToken(t, jose.ES256, kid, c),
		"J10 Ed25519 as alg":                       sign(key, strings.Replace(header(kid), "EdDSA", "Ed25519", 1), text(t, c)),
		"J10 eddsa in lower case":                  sign(key, strings.Replace(header(kid), "EdDSA", "eddsa", 1), text(t, c)),
		"J13 RSA 512":                              weakRSA(t, 512, kid, c),
		"J13 RSA 1024":                             weakRSA(t, 1024, kid, c),
		"J16 nested":                               sign(key, strings.TrimSuffix(header(kid), "}")+`,"cty":"JWT"}`, `"`+b64([]byte(`{"alg":"none"}`))+"."+parts[1]+`."`),
		"J16 nested as payload":                    b64([]byte(`{"alg":"none","cty":"JWT"}`)) + "." + b64([]byte(good)) + ".",
		"one bit of the signature, first byte":     parts[0] + "." + parts[1] + "." + flip(parts[2], 0),
		"one bit of the signature, last byte":      parts[0] + "." + parts[1] + "." + flip(parts[2], 63),
		"one bit of the payload":                   parts[0] + "." + flip(parts[1], 20) + "." + parts[2],
		"one bit of the header":                    flip(parts[0], 2) + "." + parts[1] + "." + parts[2],
		"another key of the same kind":             sign(foreign, header(kid), text(t, c)),

		// B. Key selection.
		"J21 jku":                sign(foreign, fmt.Sprintf(`{"alg":"EdDSA","typ":"JWT","kid":"k","jku":"%s/jwks.json"}`, evil.URL), text(t, c)),
		"J21 x5u":                sign(foreign, fmt.Sprintf(`{"alg":"EdDSA","typ":"JWT","kid":"k","x5u":"%s/cert"}`, evil.URL), text(t, c)),
		"J21 jku of a file":      with(`"jku":"file:///etc/passwd"`),
		"J21 jku beside our kid": with(`"jku":"` + issuer + `/.well-known/jwks.json"`),
		"J21 jku userinfo":       with(`"jku":"https://core.example@evil.test/"`),
		"J21 jwk embedded":       sign(foreign, `{"alg":"EdDSA","typ":"JWT","kid":"k","jwk":`+jwk+`}`, text(t, c)),
		"J21 jwk beside our kid": with(`"jwk":` + jwk),
		"J21 x5c":                with(`"x5c":["MIIB"]`),
		"crit":                   with(`"crit":["exp"]`),
		"b64 false":              with(`"b64":false`),
		"zip":                    with(`"zip":"DEF"`),
		"J24 kid with SQL":       sign(key, `{"alg":"EdDSA","typ":"JWT","kid":"k1' UNION SELECT 'a'--"}`, text(t, c)),
		"J24 kid with more SQL":  sign(key, `{"alg":"EdDSA","typ":"JWT","kid":"k1\"; DROP TABLE signing_keys;--"}`, text(t, c)),
		"J24 kid is a path":      sign(key, `{"alg":"EdDSA","typ":"JWT","kid":"../../../dev/null"}`, text(t, c)),
		"J24 kid empty":          sign(key, header(""), text(t, c)),
		"J24 kid missing":        sign(key, `{"alg":"EdDSA","typ":"JWT"}`, text(t, c)),
		"J24 kid a number":       sign(key, `{"alg":"EdDSA","typ":"JWT","kid":1}`, text(t, c)),
		"J24 kid a list":         sign(key, `{"alg":"EdDSA","typ":"JWT","kid":["`+kid+`"]}`, text(t, c)),
		"J24 kid with NUL":       sign(key, header(kid+`\u0000`), text(t, c)),
		"kid twice":              sign(key, `{"alg":"EdDSA","typ":"JWT","kid":"k","kid":"`+kid+`"}`, text(t, c)),
		"alg twice":              sign(key, `{"alg":"none","typ":"JWT","kid":"`+kid+`","alg":"EdDSA"}`, text(t, c)),

		// C. Time. The edges have their own test.
		"exp missing":        own(c.but("exp", nil)),
		"exp a string":       own(c.but("exp", fmt.Sprint(now+900))),
		"exp a fraction":     own(c.but("exp", json.Number(fmt.Sprintf("%d.5", now+900)))),
		"exp with exponent":  own(c.but("exp", json.Number("2e9"))),
		"exp null":           replaced(`"exp":`+fmt.Sprint(now+900), `"exp":null`),
		"exp huge":           own(c.but("exp", json.Number("9223372036854775807"))),
		"exp beyond int64":   own(c.but("exp", json.Number("92233720368547758070"))),
		"exp negative":       own(c.but("exp", -1)),
		"life of a day":      own(c.but("exp", now+86400)),
		"life of 901 s":      own(c.but("exp", now+901)),
		"exp before iat":     own(c.but("exp", now-1)),
		"iat missing":        own(c.but("iat", nil)),
		"nbf missing":        own(c.but("nbf", nil)),
		"nbf after exp":      own(c.but("nbf", now+901)),
		"nbf before iat":     own(c.but("nbf", now-1)),
		"iat before the key": own(c.but("iat", now-60).but("nbf", now-60).but("exp", now+840)),
		"iat long after now": own(c.but("iat", now+60).but("nbf", now+60).but("exp", now+960)),

		// D. Audience, issuer, type, subject.
		"J40 aud wrong":               own(c.but("aud", "other")),
		"J40 aud missing":             own(c.but("aud", nil)),
		"J40 aud empty":               own(c.but("aud", "")),
		"J40 aud empty list":          own(c.but("aud", []string{})),
		"J40 aud list of another":     own(c.but("aud", []string{"other"})),
		"J40 aud list with ours":      own(c.but("aud", []string{"other", "vivified-core"})),
		"J40 aud list of ours":        own(c.but("aud", []string{"vivified-core"})),
		"J40 aud superstring":         own(c.but("aud", "vivified-core-2")),
		"J40 aud substring":           own(c.but("aud", "vivified")),
		"J40 aud another case":        own(c.but("aud", "Vivified-Core")),
		"J40 aud trailing slash":      own(c.but("aud", "vivified-core/")),
		"J40 aud trailing space":      own(c.but("aud", "vivified-core ")),
		"J40 aud null":                replaced(`"aud":"vivified-core"`, `"aud":null`),
		"iss wrong":                   own(c.but("iss", "https://evil.test")),
		"iss missing":                 own(c.but("iss", nil)),
		"iss trailing slash":          own(c.but("iss", issuer+"/")),
		"iss another case":            own(c.but("iss", strings.ToUpper(issuer))),
		"J43 type missing":            own(c.but("type", nil)),
		"J43 type user":               own(c.but("type", "user")),
		"J43 type list":               own(c.but("type", []string{"plugin"})),
		"J43 type Plugin":             own(c.but("type", "Plugin")),
		"J43 typ at+jwt":              sign(key, strings.Replace(header(kid), `"JWT"`, `"at+jwt"`, 1), text(t, c)),
		"J43 typ jwt in lower case":   sign(key, strings.Replace(header(kid), `"JWT"`, `"jwt"`, 1), text(t, c)),
		"J43 typ missing":             sign(key, `{"alg":"EdDSA","kid":"`+kid+`"}`, text(t, c)),
		"sub of another plugin":       own(c.but("sub", "lurker")),
		"plugin_id of another plugin": own(c.but("plugin_id", "lurker")),
		"sub with a prefix":           own(c.but("sub", "plugin:greeter")),
		"sub missing":                 own(c.but("sub", nil)),
		"plugin_id missing":           own(c.but("plugin_id", nil)),
		"sub and plugin_id empty":     own(c.but("plugin_id", "").but("sub", "")),
		"plugin_id a list":            own(c.but("plugin_id", []string{"greeter"}).but("sub", []string{"greeter"})),
		"a plugin not registered":     own(c.but("plugin_id", "nobody").but("sub", "nobody")),
		"jti missing":                 own(c.but("jti", nil)),
		"jti of another form":         own(c.but("jti", "1")),
		"jti random":                  own(c.but("jti", uuid.NewString())),
		"jti upper case":              own(c.but("jti", strings.ToUpper("0192f5d1-7a01-8f3b-8abc-abcdefabcdef"))),
		"J49 a token for a plugin":    callToken(t, w),

		// E. Encoding and parser confusion.
		"J52 Plugin_ID":                 replaced(`"plugin_id"`, `"Plugin_ID"`),
		"J52 PLUGIN_ID after":           replaced(`"plugin_id":"greeter"`, `"plugin_id":"greeter","PLUGIN_ID":"lurker","plugin_id":"lurker"`),
		"J52 ALG":                       sign(key, strings.Replace(header(kid), `"alg"`, `"ALG"`, 1), text(t, c)),
		"J52 Kid":                       sign(key, strings.Replace(header(kid), `"kid"`, `"Kid"`, 1), text(t, c)),
		"J52 ſub, which folds to sub":   replaced(`"sub"`, `"ſub"`),
		"J52 an extra ALG":              with(`"ALG":"none"`),
		"plugin_id twice, same":         replaced(`"plugin_id":"greeter"`, `"plugin_id":"greeter","plugin_id":"greeter"`),
		"exp twice":                     replaced(`"exp":`, `"exp":1,"exp":`),
		"a name twice, once escaped":    replaced(`"plugin_id":"greeter"`, `"plugin_id":"lurker","plugin\u005fid":"greeter"`),
		"J55 Cyrillic letter":           own(c.but("plugin_id", "greetеr").but("sub", "greetеr")),
		"J55 trailing NUL":              own(c.but("plugin_id", "greeter\x00").but("sub", "greeter\x00")),
		"J55 trailing space":            own(c.but("plugin_id", "greeter ").but("sub", "greeter ")),
		"J55 upper case":                own(c.but("plugin_id", "Greeter").but("sub", "Greeter")),
		"J55 zero width joiner":         own(c.but("plugin_id", "greeter\u200d").but("sub", "greeter\u200d")),
		"J55 not UTF-8":                 replaced(`"plugin_id":"greeter"`, "\"plugin_id\":\"greeter\xff\""),
		"J55 a lone surrogate":          replaced(`"plugin_id":"greeter"`, `"plugin_id":"greeter\ud800"`),
		"text after the payload":        sign(key, header(kid), text(t, c)+"{}"),
		"space after the payload":       sign(key, header(kid), text(t, c)+" "),
		"space before the payload":      sign(key, header(kid), " "+text(t, c)),
		"a byte-order mark":             sign(key, header(kid), "\ufeff"+text(t, c)),
		"a trailing comma":              sign(key, header(kid), strings.TrimSuffix(text(t, c), "}")+",}"),
		"a comment":                     sign(key, header(kid), "/**/"+text(t, c)),
		"payload a list":                sign(key, header(kid), "["+text(t, c)+"]"),
		"payload a string":              sign(key, header(kid), `"x"`),
		"payload null":                  sign(key, header(kid), `null`),
		"payload empty object":          sign(key, header(kid), `{}`),
		"payload empty":                 sign(key, header(kid), ``),
		"an object inside":              own(c.but("x", map[string]any{"y": 1})),
		"a very deep list":              replaced(`"traits":[]`, `"traits":`+strings.Repeat("[", 3000)+strings.Repeat("]", 3000)),
		"padding":                       parts[0] + "." + parts[1] + "." + parts[2] + "==",
		"padding in the header":         parts[0] + "=." + parts[1] + "." + parts[2],
		"a line break in the signature": parts[0] + "." + parts[1] + "." + parts[2][:10] + "\n" + parts[2][10:],
		"a line break at the end":       good + "\n",
		"standard base64":               parts[0] + "." + parts[1] + "." + base64.RawStdEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, 64)),
		"spare bits in the signature":   parts[0] + "." + parts[1] + "." + spareBits(parts[2]),
		"four parts":                    good + ".x",
		"five parts, as encrypted":      good + ".x.y",
		"JSON serialization":            fmt.Sprintf(`{"payload":"%s","protected":"%s","signature":"%s"}`, parts[1], parts[0], parts[2]),
		"empty parts":                   "..",
		"no token":                      "Bearer",
		"a space before":                " " + good,
		"a very long one":               strings.Repeat("A", 1<<20) + "." + parts[1] + "." + parts[2],
		"nearly too long, signed":       own(c.but("x", strings.Repeat("x", 9000))),
	}
	denied := 0
	for _, name := range slices.Sorted(maps.Keys(attacks)) {
		token := attacks[name]
		who, err := w.bearer(token)
		denied++
		if f := fault.Of(err); f.Kind != fault.Unauthenticated || f.Code != "auth.invalid" || f.Sentence != "This credential is not valid; sign in again or fetch a new token." || f.Decision != "" || f.Violations != nil {
			t.Errorf("%s: got %+v, %v", name, who, err)
		}
		if _, err := w.VerifyPluginToken(w.stranger(), token); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s: VerifyPluginToken gave %v", name, err)
		}
	}
	if _, err := w.bearer(good); err != nil {
		t.Errorf("after all that the good token is refused: %v", err)
	}
	if n := fetched.Load(); n != 0 {
		t.Errorf("a key was fetched from outside, %d times", n)
	}
	if n := w.records("auth.denied", audit.Deny); n != denied {
		t.Errorf("%d refusals are in the audit, want one for each of %d attacks", n, denied)
	}
	// The rows say why, and name kid and jti by their hash only.
	all := w.everything()
	for what, secret := range map[string]string{"the token": good, "its signature": parts[2], "its payload": parts[1], "a claimed kid": "UNION SELECT", "its jti": c["jti"].(string)} {
		if strings.Contains(all, secret) {
			t.Errorf("the database holds %s", what)
		}
	}
	sum := sha256.Sum256([]byte(c["jti"].(string)))
	if n := w.number("SELECT count(*) FROM audit_log WHERE action = 'auth.denied' AND detail::text LIKE '%' || $1 || '%' AND detail::text LIKE '%signature%'", hex.EncodeToString(sum[:8])); n == 0 {
		t.Error("no row tells the reason beside the hash of the jti")
	}
}

func mustDecode(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	works(t, "decode", err)
	return b
}

// malleable adds the order of the group to the second half of an Ed25519 signature:
// an equation that does not reduce would still hold (RFC 8032 section 8.4).
func malleable(t *testing.T, signature string) string {
	t.Helper()
	b := mustDecode(t, signature)
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := slices.Clone(b[32:])
	slices.Reverse(s)
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return b64(append(b[:32:32], sum...))
}

// spareBits returns other text for the same bytes: the last letter's unused bits set.
func spareBits(s string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(letters, s[len(s)-1])
	return s[:len(s)-1] + string(letters[last|1])
}

func hmacToken(t *testing.T, h func() hash.Hash, alg, kid string, c claims, key []byte) string {
	t.Helper()
	input := b64([]byte(strings.Replace(header(kid), "EdDSA", alg, 1))) + "." + b64([]byte(text(t, c)))
	mac := hmac.New(h, key)
	mac.Write([]byte(input))
	return input + "." + b64(mac.Sum(nil))
}

func joseToken(t *testing.T, alg jose.SignatureAlgorithm, kid string, c claims) string {
	t.Helper()
	var key any
	var err error
	if alg == jose.ES256 {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	works(t, "key", err)
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{}).WithType("JWT"))
	works(t, "signer", err)
	signed, err := s.Sign([]byte(text(t, c)))
	works(t, "sign", err)
	compact, err := signed.CompactSerialize()
	works(t, "serialize", err)
	return compact
}

// weakRSA signs with a key so short that libraries no longer make one.
func weakRSA(t *testing.T, bits int, kid string, c claims) string {
	t.Helper()
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, err := rsa.GenerateKey(rand.Reader, bits)
	works(t, "key", err)
	input := b64([]byte(strings.Replace(header(kid), "EdDSA", "RS256", 1))) + "." + b64([]byte(text(t, c)))
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	works(t, "sign", err)
	return input + "." + b64(signature)
}

func callToken(t *testing.T, w *world) string {
	t.Helper()
	token, err := w.CallToken("vivified-core", "greeter", "", "t", "GET", "/")
	works(t, "call token", err)
	return token
}

func FuzzVerifyPluginToken(f *testing.F) {
	w := newPluginWorld(f)
	got, err := w.IssuePluginTokens(w.stranger(), "greeter")
	works(f, "issue", err)
	kid, key := w.signingKey()
	parts := strings.Split(got.Token, ".")
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	works(f, "payload", err)
	f.Add(header(kid), string(payload), false)
	f.Add(header(kid), string(payload), true)
	f.Add(`{"alg":"none"}`, `{}`, true)
	f.Add(header(kid), strings.Replace(string(payload), `"plugin_id"`, `"Plugin_ID"`, 1), true)
	f.Add(header(kid), strings.Replace(string(payload), `"exp":`, `"exp":1e3,"exp":`, 1), true)
	f.Add(header(kid), `{"a":[[`, true)
	f.Add("", "", false)
	ctx := w.stranger()
	f.Fuzz(func(t *testing.T, head, body string, signed bool) {
		token := head + "." + body
		if signed {
			token = sign(key, head, body)
		}
		c, err := w.VerifyPluginToken(ctx, token)
		if err != nil {
			if !fault.Is(err, fault.Unauthenticated) {
				t.Fatalf("refused with %v", err)
			}
			return
		}
		// Whatever passes must be a plain object that says all this by exactly these names.
		var claims map[string]json.RawMessage
		if err := json.Unmarshal([]byte(body), &claims); err != nil || !signed {
			t.Fatalf("accepted, signed %v: %v", signed, err)
		}
		for name, want := range map[string]string{"iss": issuer, "aud": "vivified-core", "sub": "greeter", "plugin_id": "greeter", "type": "plugin"} {
			var have string
			if err := json.Unmarshal(claims[name], &have); err != nil || have != want {
				t.Fatalf("accepted with %s %s: %s", name, claims[name], body)
			}
		}
		if c.Plugin != "greeter" || c.KeyID != kid {
			t.Fatalf("accepted as %+v", c)
		}
	})
}

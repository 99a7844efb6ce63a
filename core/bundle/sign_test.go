package bundle_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/vivified/vivified/core/bundle"
)

func key(t *testing.T) bundle.PrivateKey {
	t.Helper()
	k, err := bundle.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestASignatureHoldsForOneBundleAndOneKey(t *testing.T) {
	digest, other := "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	release := bundle.Release{ID: "greeter", Version: "1.2.0"}
	ours, theirs := key(t), key(t)
	sign := func(k bundle.PrivateKey, digest string, r bundle.Release) []byte {
		envelope, err := bundle.Sign(t.Context(), k, digest, r)
		if err != nil {
			t.Fatal(err)
		}
		return envelope
	}
	good := sign(ours, digest, release)
	edited := func(field string, value any) []byte {
		var envelope map[string]any
		if err := json.Unmarshal(good, &envelope); err != nil {
			t.Fatal(err)
		}
		envelope[field] = value
		data, _ := json.Marshal(envelope)
		return data
	}
	payload, _ := base64.StdEncoding.DecodeString(func() string {
		var e struct{ Payload string }
		_ = json.Unmarshal(good, &e)
		return e.Payload
	}())
	tests := []struct {
		name     string
		envelope []byte
		keys     []bundle.PublicKey
		want     bool
	}{
		{"the key's own", good, []bundle.PublicKey{ours.Public()}, true},
		{"among other keys", good, []bundle.PublicKey{theirs.Public(), ours.Public()}, true},
		{"another key", good, []bundle.PublicKey{theirs.Public()}, false},
		{"no keys", good, nil, false},
		{"another bundle", sign(ours, other, release), []bundle.PublicKey{ours.Public()}, false},
		{"another version", sign(ours, digest, bundle.Release{ID: "greeter", Version: "9.9.9"}), []bundle.PublicKey{ours.Public()}, false},
		{"another plugin", sign(ours, digest, bundle.Release{ID: "lurker", Version: "1.2.0"}), []bundle.PublicKey{ours.Public()}, false},
		{"another payload type", edited("payloadType", "application/json"), []bundle.PublicKey{ours.Public()}, false},
		{"an edited payload", edited("payload", base64.StdEncoding.EncodeToString(bytes.Replace(payload, []byte("1.2.0"), []byte("1.2.1"), 1))), []bundle.PublicKey{ours.Public()}, false},
		{"no signature in it", edited("signatures", []any{}), []bundle.PublicKey{ours.Public()}, false},
		{"no envelope", []byte("{"), []bundle.PublicKey{ours.Public()}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			signed, err := bundle.Signers(t.Context(), tt.keys, digest, release, [][]byte{tt.envelope})
			if err != nil {
				t.Fatal(err)
			}
			if got := len(signed) == 1 && signed[0].ID() == ours.Public().ID(); got != tt.want {
				t.Errorf("signed by %d keys", len(signed))
			}
		})
	}
}

func TestAKeyCountsOnceHoweverOftenItSigns(t *testing.T) {
	digest, release := "sha256:"+strings.Repeat("a", 64), bundle.Release{ID: "greeter", Version: "1.2.0"}
	one, two := key(t), key(t)
	var envelopes [][]byte
	for _, k := range []bundle.PrivateKey{one, one, one, two} {
		e, err := bundle.Sign(t.Context(), k, digest, release)
		if err != nil {
			t.Fatal(err)
		}
		envelopes = append(envelopes, e)
	}
	for n, want := range map[int]int{3: 1, 4: 2} {
		signed, err := bundle.Signers(t.Context(), []bundle.PublicKey{one.Public(), two.Public()}, digest, release, envelopes[:n])
		if err != nil || len(signed) != want {
			t.Errorf("%d envelopes: signed by %d keys, want %d (%v)", n, len(signed), want, err)
		}
	}
}

func TestKeysSurviveWriting(t *testing.T) {
	k := key(t)
	again, err := bundle.ParsePrivateKey([]byte(k.PEM()))
	if err != nil || again.Public().ID() != k.Public().ID() {
		t.Errorf("the private key reads as another one: %v", err)
	}
	public, err := bundle.ParsePublicKey(k.Public().PEM())
	if err != nil || public.ID() != k.Public().ID() {
		t.Errorf("the public key reads as another one: %v", err)
	}
	for _, bad := range []string{"", "key", k.PEM(), k.Public().PEM() + "more", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"} {
		if _, err := bundle.ParsePublicKey(bad); err == nil {
			t.Errorf("%.30q was read as a public key", bad)
		}
	}
}

func TestASignatureTravelsWithItsBundle(t *testing.T) {
	here, there := open(t, bundle.Limits{}), open(t, bundle.Limits{})
	b, k := packed(t, here), key(t)
	release := bundle.Release{ID: "greeter", Version: "1.2.0"}
	envelope, err := bundle.Sign(t.Context(), k, b.Digest, release)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // twice the same is one
		if err := here.Attach(t.Context(), b.Digest, bundle.TypeSignature, envelope); err != nil {
			t.Fatal(err)
		}
	}
	got, err := there.Import(t.Context(), bytes.NewReader(exported(t, here, b.Digest)))
	if err != nil {
		t.Fatal(err)
	}
	envelopes, err := got.Signatures()
	if err != nil || len(envelopes) != 1 || !slices.Equal(envelopes[0], envelope) {
		t.Fatalf("%d signatures came along, %v", len(envelopes), err)
	}
	if signed, err := bundle.Signers(t.Context(), []bundle.PublicKey{k.Public()}, got.Digest, release, envelopes); err != nil || len(signed) != 1 {
		t.Errorf("signed by %d keys, %v", len(signed), err)
	}
}

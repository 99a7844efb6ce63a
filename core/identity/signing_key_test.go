package identity_test

import (
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vivified/vivified/core/fault"
	"github.com/vivified/vivified/core/identity"
)

// J27: keys change without a gap, and an old one ends.
func TestRotate(t *testing.T) {
	w := newPluginWorld(t)
	other := w.replica()
	kids := func(s *identity.Service) (ids []string) {
		set, err := s.JWKS(t.Context())
		works(t, "key set", err)
		for _, k := range set.Keys {
			ids = append(ids, k.ID)
		}
		return ids
	}
	kidOf := func(token string) string {
		var h struct{ Kid string }
		works(t, "header", json.Unmarshal(mustDecode(t, strings.Split(token, ".")[0]), &h))
		return h.Kid
	}
	start := w.clock.now()
	oldKid, oldKey := w.signingKey()
	w.clock.move(time.Minute)
	works(t, "rotate", w.Rotate(w.core()))
	newKid, newKey := w.signingKey()
	if got := kids(w.Service); !slices.Equal(got, []string{oldKid, newKid}) {
		t.Fatalf("published %v, want the old key and the new", got)
	}
	forge := func(kid string, key ed25519.PrivateKey) string {
		at := w.clock.now().Unix()
		c := w.claims().but("iat", at).but("nbf", at).but("exp", at+900)
		return sign(key, header(kid), text(t, c))
	}
	_, err := w.bearer(forge(newKid, newKey))
	is(t, "by the new key before its time", err, fault.Unauthenticated, "auth.invalid")

	var byOld string
	for at := 2 * time.Minute; at < 11*time.Minute; at += time.Minute {
		w.clock.set(start.Add(at))
		if byOld = w.tokens("greeter").Token; kidOf(byOld) != oldKid {
			t.Fatalf("%s after the start the new key signs already", at)
		}
	}
	w.clock.set(start.Add(11 * time.Minute)) // ten minutes after Rotate
	_, err = w.bearer(forge(newKid, newKey))
	works(t, "by the new key from its time on", err)
	_, err = other.Prove(w.stranger(), identity.Credentials{Authorization: []string{"Bearer " + forge(newKid, newKey)}})
	works(t, "by the new key, on a replica that did not hear of it", err)
	if kidOf(w.tokens("greeter").Token) != oldKid {
		t.Error("the new key signs before every clock agrees that it may")
	}
	w.clock.move(30 * time.Second)
	byNew := w.tokens("greeter").Token
	if kidOf(byNew) != newKid {
		t.Error("half a minute later the old key still signs")
	}
	for what, token := range map[string]string{"the old key": byOld, "the new key": byNew} {
		_, err := w.bearer(token)
		works(t, "during the overlap, by "+what, err)
	}
	w.clock.move(2 * time.Minute)
	_, err = w.bearer(byOld)
	works(t, "what the old key signed in its time", err)
	_, err = w.bearer(forge(oldKid, oldKey))
	is(t, "what the old key signs after it retired", err, fault.Unauthenticated, "auth.invalid")
	w.clock.move(16 * time.Minute)
	_, err = w.bearer(byOld)
	is(t, "by the old key after the overlap", err, fault.Unauthenticated, "auth.invalid")
	_, err = w.bearer(forge(newKid, newKey))
	works(t, "by the new key", err)
	if got := kids(w.Service); !slices.Equal(got, []string{newKid}) {
		t.Errorf("published %v, want the new key alone", got)
	}
	// What is not needed any more is destroyed; what proves the past is kept.
	w.clock.move(2 * time.Hour)
	works(t, "trim", w.Trim(t.Context()))
	if n := w.number("SELECT count(*) FROM signing_keys WHERE sealed = ''"); n != 1 {
		t.Errorf("%d private keys were destroyed, want 1", n)
	}
	public, err := identity.PublicKeys(t.Context(), w.db.Pool)
	if err != nil || len(public) != 2 || !public[oldKid].Equal(oldKey.Public()) {
		t.Errorf("public keys %v, %v", public, err)
	}
}

func TestRevokeKey(t *testing.T) {
	w := newPluginWorld(t)
	other := w.replica()
	token := w.tokens("greeter").Token
	kid, _ := w.signingKey()
	w.clock.move(time.Second)
	is(t, "no such key", w.RevokeKey(w.core(), "k1"), fault.NotFound, "key.unknown")
	works(t, "revoke", w.RevokeKey(w.core(), kid))
	_, err := w.bearer(token)
	is(t, "what it signed", err, fault.Unauthenticated, "auth.invalid")
	next := w.tokens("greeter").Token
	_, err = w.bearer(next)
	works(t, "the next key, at once", err)
	_, err = other.Prove(w.stranger(), identity.Credentials{Authorization: []string{"Bearer " + next}})
	works(t, "the next key elsewhere", err)
	other.Invalidate()
	_, err = other.Prove(w.stranger(), identity.Credentials{Authorization: []string{"Bearer " + token}})
	is(t, "what it signed, elsewhere", err, fault.Unauthenticated, "auth.invalid")
	is(t, "revoke again", w.RevokeKey(w.core(), kid), fault.NotFound, "key.unknown")
}

// Keys are made once for all replicas, and followed by others before they end.
func TestKeysRenewThemselves(t *testing.T) {
	w := newPluginWorld(t)
	done := make(chan error, 4)
	for range cap(done) {
		go func() { _, err := identity.Open(t.Context(), w.config); done <- err }()
	}
	for range cap(done) {
		works(t, "open", <-done)
	}
	if n := w.number("SELECT count(*) FROM signing_keys"); n != 1 {
		t.Errorf("%d keys after five starts, want 1", n)
	}
	w.clock.move(30*24*time.Hour - 15*time.Minute)
	w.replica()
	w.clock.move(20 * time.Minute)
	w.Service = w.replica()
	token := w.tokens("greeter").Token
	_, err := w.bearer(token)
	works(t, "a month later", err)
	if n := w.number("SELECT count(*) FROM signing_keys"); n != 2 {
		t.Errorf("%d keys after a month, want 2", n)
	}
	// A core that slept through the end of every key starts all the same.
	w.clock.move(365 * 24 * time.Hour)
	w.Service = w.replica()
	_, err = w.bearer(w.tokens("greeter").Token)
	works(t, "a year later", err)
}

func TestOpenRefusesOtherMasterKey(t *testing.T) {
	w := newWorld(t)
	w.config.Sealer = newSealer()
	if _, err := identity.Open(t.Context(), w.config); err == nil || !strings.Contains(err.Error(), "master key") {
		t.Errorf("opened with another master key: %v", err)
	}
	w.config.Sealer = w.sealer
	w.exec("UPDATE signing_keys SET public = decode(repeat('00', 32), 'hex')")
	if _, err := identity.Open(t.Context(), w.config); err == nil {
		t.Error("opened although a public key was replaced")
	}
}

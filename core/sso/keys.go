package sso

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/time/rate"
)

// keysLife is how long a provider's keys are believed without looking again.
const keysLife = time.Hour

// keySet is the signing keys of a provider (RFC 7517). It asks again for a key it
// does not know, as happens after a rotation, but not more often than a few times a
// minute: anybody can send a token that names an unknown key.
type keySet struct {
	url    string
	client *http.Client
	now    func() time.Time
	asks   *rate.Limiter

	mu   sync.Mutex
	keys []jose.JSONWebKey
	at   time.Time
}

func newKeySet(url string, client *http.Client, now func() time.Time) *keySet {
	return &keySet{url: url, client: client, now: now, asks: rate.NewLimiter(rate.Every(15*time.Second), 4)}
}

var errSignature = errors.New("no key of the provider made this signature")

// VerifySignature implements oidc.KeySet.
func (k *keySet) VerifySignature(ctx context.Context, compact string) ([]byte, error) {
	algs := make([]jose.SignatureAlgorithm, len(algorithms))
	for i, a := range algorithms {
		algs[i] = jose.SignatureAlgorithm(a)
	}
	signed, err := jose.ParseSignedCompact(compact, algs)
	if err != nil {
		return nil, err
	}
	keys, fresh, err := k.current(ctx, false)
	if err != nil {
		return nil, err
	}
	if payload, ok := verify(signed, keys); ok {
		return payload, nil
	}
	if fresh || knows(keys, signed.Signatures[0].Header.KeyID) || !k.asks.Allow() {
		return nil, errSignature
	}
	if keys, _, err = k.current(ctx, true); err != nil {
		return nil, err
	}
	if payload, ok := verify(signed, keys); ok {
		return payload, nil
	}
	return nil, errSignature
}

// knows reports whether a key of that id is among keys.
func knows(keys []jose.JSONWebKey, id string) bool {
	for _, key := range keys {
		if id != "" && key.KeyID == id {
			return true
		}
	}
	return false
}

func verify(signed *jose.JSONWebSignature, keys []jose.JSONWebKey) ([]byte, bool) {
	header := signed.Signatures[0].Header
	for _, key := range keys {
		if header.KeyID != "" && key.KeyID != header.KeyID || key.Algorithm != "" && key.Algorithm != header.Algorithm {
			continue
		}
		if payload, err := signed.Verify(key.Key); err == nil {
			return payload, true
		}
	}
	return nil, false
}

// current returns the keys, and whether they were read just now.
func (k *keySet) current(ctx context.Context, again bool) (keys []jose.JSONWebKey, fresh bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !again && k.keys != nil && k.now().Sub(k.at) < keysLife {
		return k.keys, false, nil
	}
	keys, err = k.read(ctx)
	if err != nil {
		if k.keys != nil && !again && k.now().Sub(k.at) < 24*time.Hour {
			return k.keys, false, nil // the provider is away for a moment
		}
		return nil, false, fmt.Errorf("read the provider's keys: %w", err)
	}
	k.keys, k.at = keys, k.now()
	return keys, true, nil
}

func (k *keySet) read(ctx context.Context) ([]jose.JSONWebKey, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := k.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", k.url, answer.Status)
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(body, &set); err != nil {
		return nil, err
	}
	keys := []jose.JSONWebKey{}
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		// A key of a kind that nobody here knows spoils no other.
		if json.Unmarshal(raw, &key) == nil && usableKey(key) && len(keys) < 50 {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// usableKey reports whether a key is a public one for signatures and strong enough.
func usableKey(key jose.JSONWebKey) bool {
	if !key.Valid() || !key.IsPublic() || key.Use != "" && key.Use != "sig" {
		return false
	}
	r, ok := key.Key.(*rsa.PublicKey)
	return !ok || r.N.BitLen() >= 2048
}

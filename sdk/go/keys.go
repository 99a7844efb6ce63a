package vivified

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// How long the core's keys are used, and how often they are asked for at most.
const (
	keysFresh = 5 * time.Minute // after this the set is read again, or no call is admitted
	keysPause = 2 * time.Second // between two readings, however many unknown keys are named
)

// errNoKeys is a key set that is missing or too old to judge by.
var errNoKeys = errors.New("the core's keys cannot be read")

// keySet is the core's public keys (RFC 7517), read when needed and kept.
type keySet struct {
	core *client

	mu   sync.Mutex
	byID map[string]ed25519.PublicKey
	read time.Time // when byID was read

	asking sync.Mutex // held while the core is asked
	asked  time.Time  // when it was last asked, with or without success
}

// key returns the public key of an id. An unknown id has the set read again, but
// not more often than keysPause, so that invented ids cannot flood the core.
func (k *keySet) key(ctx context.Context, id string) (ed25519.PublicKey, error) {
	if key, fresh := k.look(id); key != nil && fresh {
		return key, nil
	}
	k.asking.Lock()
	defer k.asking.Unlock()
	var failure error
	if key, fresh := k.look(id); (key == nil || !fresh) && time.Since(k.asked) > keysPause {
		k.asked = time.Now()
		failure = k.reread(ctx)
	}
	key, fresh := k.look(id)
	switch {
	case !fresh:
		return nil, errors.Join(errNoKeys, failure)
	case key == nil:
		return nil, errNotFromCore
	}
	return key, nil
}

// look returns the kept key of an id, or nil, and whether the kept set is fresh.
func (k *keySet) look(id string) (key ed25519.PublicKey, fresh bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.byID[id], time.Since(k.read) <= keysFresh
}

// reread replaces the kept set by the core's.
func (k *keySet) reread(ctx context.Context) error {
	byID, err := k.fetch(ctx)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.byID, k.read = byID, time.Now()
	return nil
}

// fetch reads the key set from the core.
func (k *keySet) fetch(ctx context.Context) (map[string]ed25519.PublicKey, error) {
	// The reading serves every caller; one that leaves must not end it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	answer, err := k.core.do(ctx, request{method: http.MethodGet, path: "/.well-known/jwks.json"}, "")
	if err != nil {
		return nil, err
	}
	return readKeys(answer.Body)
}

// readKeys returns the Ed25519 signing keys of a JWK set (RFC 8037); others are passed over.
func readKeys(text []byte) (map[string]ed25519.PublicKey, error) {
	var set struct {
		Keys []struct {
			Kty string `json:"kty"`
			Crv string `json:"crv"`
			Use string `json:"use"`
			Alg string `json:"alg"`
			Kid string `json:"kid"`
			X   string `json:"x"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	keys := make(map[string]ed25519.PublicKey, len(set.Keys))
	for _, k := range set.Keys {
		if k.Kty != "OKP" || k.Crv != "Ed25519" || k.Kid == "" || (k.Use != "" && k.Use != "sig") || (k.Alg != "" && k.Alg != "EdDSA" && k.Alg != "Ed25519") {
			continue
		}
		x, err := base64.RawURLEncoding.DecodeString(k.X)
		if err != nil || len(x) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("read keys: key %q is not an Ed25519 key", k.Kid)
		}
		keys[k.Kid] = x
	}
	return keys, nil
}

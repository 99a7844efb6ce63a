package identity

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/vivified/vivified/core/fault"
)

// hashing is how passwords are hashed: Argon2id with 19 MiB, two passes and one
// lane, the first choice of the OWASP Password Storage Cheat Sheet; salt and key
// lengths as RFC 9106 section 4 recommends. About 25 ms on one core.
var hashing = argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// hasher hashes and compares passwords. It bounds how many hashes are computed at
// once and how many callers wait, because each costs its memory: sign-ins that
// come in a flood must not exhaust the core.
type hasher struct {
	params *argon2id.Params
	work   chan struct{} // a place for every hash being computed
	queue  chan struct{} // a place for every caller computing or waiting
	dummy  string        // what an account that does not exist is compared with
}

// waiting is how many callers may wait for one place.
const waiting = 32

func newHasher(params *argon2id.Params) (*hasher, error) {
	var random [32]byte
	rand.Read(random[:])
	dummy, err := argon2id.CreateHash(base64.RawStdEncoding.EncodeToString(random[:]), params)
	if err != nil {
		return nil, fmt.Errorf("hash a password: %w", err)
	}
	n := min(runtime.GOMAXPROCS(0), 4)
	return &hasher{params: params, work: make(chan struct{}, n), queue: make(chan struct{}, n*waiting), dummy: dummy}, nil
}

// enter waits for a place. The caller must call leave once after a nil error.
func (h *hasher) enter(ctx context.Context) error {
	select {
	case h.queue <- struct{}{}:
	default:
		f := fault.New(fault.Unavailable, "auth.busy", "Too many people are signing in at once; try again in a moment.")
		f.RetryAfter = 2 * time.Second
		return f
	}
	select {
	case h.work <- struct{}{}:
		return nil
	case <-ctx.Done():
		<-h.queue
		return ctx.Err()
	}
}

func (h *hasher) leave() {
	<-h.work
	<-h.queue
}

// hash returns the hash to store of a password that passed its rules.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	prepared, ok := prepare(password)
	if !ok {
		return "", errors.New("hash a password that was not checked")
	}
	if err := h.enter(ctx); err != nil {
		return "", err
	}
	defer h.leave()
	return argon2id.CreateHash(prepared, h.params)
}

// match reports whether password is the one behind hash; stronger is a hash to
// store instead when the old one was made with other parameters. An empty hash
// (no such account, or none that signs in by password) costs the same work and
// never matches; so does a password nobody can have.
func (h *hasher) match(ctx context.Context, password, hash string) (ok bool, stronger string, err error) {
	prepared, possible := prepare(password)
	known := possible && hash != ""
	if !known {
		hash = h.dummy
	}
	if err := h.enter(ctx); err != nil {
		return false, "", err
	}
	defer h.leave()
	same, params, err := argon2id.CheckHash(prepared, hash)
	if err != nil {
		return false, "", fmt.Errorf("read a stored password hash: %w", err)
	}
	if !known || !same {
		return false, "", nil
	}
	if *params != *h.params {
		if stronger, err = argon2id.CreateHash(prepared, h.params); err != nil {
			return false, "", err
		}
	}
	return true, stronger, nil
}
